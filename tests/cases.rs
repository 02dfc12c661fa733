//! The `[[tests]]` that users are shown: of each kind of transform, and of `examples/`. `levada test` runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use levada::config::{Catalogue, Kind, Shelves};

/// Runs the tests of a configuration; gives what was printed of them.
pub(crate) fn run(file: &Path, environment: &[(&str, &Path)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
    command.arg("test").arg(file).env_clear().envs(environment.iter().copied());
    let output = command.output().expect("it runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    assert!(output.status.success() && said[1].is_empty(), "{}\n{}{}", file.display(), said[0], said[1]);
    said[0].clone()
}

#[test]
fn each_kind_of_transform_does_what_its_example_says() {
    let folder = tempfile::tempdir().unwrap();
    for name in Shelves.names(Kind::Transform) {
        let example = Shelves.find(Kind::Transform, name).expect("it is on the shelf").example;
        let around = "[sources.app]\ntype = 'stdin'\n[sinks.end]\ntype = 'blackhole'\ninputs = ['*']\n";
        let file = folder.path().join(format!("{name}.toml"));
        fs::write(&file, format!("{example}\n{around}")).unwrap();
        assert!(run(&file, &[]).contains("... ok"), "{name}");
    }
}

#[test]
fn each_example_does_what_its_tests_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.crt");
    fs::write(&authority, crate::examples::authority()).unwrap();
    let (teams, owners, labels) = (root.join("p2/teams"), root.join("owners.csv"), folder.path().join("labels"));
    fs::write(&labels, "app=\"go2asia\"\n").unwrap();
    let environment: [(&str, &Path); 4] =
        [("CA_FILE", &authority), ("LEVADA_TEAMS_DIR", &teams), ("LEVADA_OWNERS", &owners), ("LEVADA_LABELS", &labels)];
    let tested = |name: &str| {
        let file = root.join(name);
        let text = fs::read_to_string(&file).unwrap();
        text.contains("[[tests]]").then(|| run(&file, &environment))
    };
    let entries = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> =
        entries.filter(|name| Path::new(name).extension().is_some_and(|is| is == "toml")).collect();
    for name in &names {
        tested(name);
    }
    // What a row of the requirements promises is shown by tests.
    for row in ["g6-", "o5-", "a4-", "a8-", "a9-", "f2-", "g4-", "o1-", "o7-"] {
        let name = names.iter().find(|name| name.starts_with(row)).expect("it has an example");
        assert!(tested(name).is_some_and(|said| said.contains(" 0 failed")), "{name} has tests");
    }
    let of_teams = tested("p2/platform/levada.toml").expect("it has tests");
    assert!(of_teams.starts_with("test ") && of_teams.ends_with("3 passed, 0 failed\n"), "{of_teams}");
}
