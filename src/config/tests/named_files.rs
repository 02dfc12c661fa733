//! Files that settings name: read, judged and listed with the configuration.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::kit::shown;
use crate::config::{Loaded, Memory, Rules, Shelves, load as load_files};
use crate::delivery::test_tls::Pki;

/// A folder with a configuration: a source, `more`, and a sink that reads all.
struct Desk(TempDir);

impl Desk {
    fn new(more: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let text =
            format!("[sources.app]\ntype = 'stdin'\n\n{more}\n[sinks.out]\ntype = 'blackhole'\ninputs = ['*']\n");
        desk.write("levada.toml", &text.replace("DIR", &desk.0.path().display().to_string()));
        desk
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn load(&self) -> Loaded {
        let memory = Memory { default_limit: 512 << 20 };
        let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &memory };
        load_files(&[self.0.path().join("levada.toml")], rules)
    }

    fn faults(&self) -> String {
        shown(&self.load()).replace(&self.0.path().display().to_string(), "DIR")
    }
}

fn remap(setting: &str) -> String {
    format!("[transforms.work]\ntype = 'remap'\ninputs = ['app']\n{setting}\n")
}

fn http(tls: &str) -> String {
    format!("[sinks.web]\ntype = 'http'\ninputs = ['app']\nuri = 'https://h/'\n{tls}\n")
}

#[track_caller]
fn assert_tells(shown: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| shown.contains(part)), "{parts:?} in\n{shown}");
}

#[test]
fn a_program_file_that_is_not_there_is_told_of_where_it_is_named() {
    let shown = Desk::new(&remap("files = ['DIR/a.vrl', 'DIR/levada.toml']")).faults();
    assert_tells(
        &shown,
        &["E024", "`files[0]` in transform `work`", "DIR/levada.toml:7:10", "cannot read `DIR/a.vrl`"],
    );
    assert_tells(&shown, &["1 error"]);
}

#[test]
fn a_fault_of_a_program_file_stands_in_that_file() {
    let desk = Desk::new(&remap("files = ['DIR/a.vrl', 'DIR/b.vrl']"));
    desk.write("a.vrl", ".a = 1\n");
    desk.write("b.vrl", ".b = 2\n.c = upcas(.d)\n");
    let shown = desk.faults();
    assert_tells(&shown, &["error[E025]: `files[1]` in transform `work` does not compile", "DIR/b.vrl:2:6"]);
    assert_tells(&shown, &["2 | .c = upcas(.d)", "call to undefined function", "the file is named here"]);
    desk.write("b.vrl", ".c = upcase!(.d)\n");
    assert_eq!(desk.faults(), "");
}

#[test]
fn a_file_that_a_program_names_is_judged_and_counts_as_an_input() {
    let named = "source = '.a = parse_groks!(.b, [\"%{A}\"], alias_sources: [\"DIR/aliases.json\"])'";
    let desk = Desk::new(&remap(named));
    let path = desk.0.path().join("aliases.json");
    assert_tells(&desk.faults(), &["E025", "cannot read `DIR/aliases.json`", "No such file"]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert_tells(&desk.faults(), &["E025", "expected a regular file"]);
    fs::remove_file(&path).unwrap();
    desk.write("aliases.json", r#"{"A":"%{GREEDYDATA:a}"}"#);
    assert_eq!(desk.faults(), "");
    let input = |loaded: &Loaded| loaded.inputs().into_iter().find(|input| input.path == path).unwrap();
    let before = input(&desk.load());
    desk.write("aliases.json", r#"{"A":"%{GREEDYDATA:b}"}"#);
    assert_ne!(input(&desk.load()), before, "who watches sees it change");
}

#[test]
fn credentials_in_an_address_are_told_of_though_they_are_secrets() {
    let more = "[secret.s]\ntype = 'exec'\ncommand = ['/nowhere']\n";
    let desk = Desk::new(&format!("{more}{}", http("").replace("//h/", "//u:SECRET[s.key]@h/")));
    assert_tells(&desk.faults(), &["`uri` in sink `web`", "holds credentials"]);
    let desk = Desk::new(&format!("{more}{}", http("").replace("https://h/", "SECRET[s.uri]")));
    assert_eq!(desk.faults(), "");
}

#[test]
fn a_program_that_nests_too_deeply_is_told_of_and_harms_nothing() {
    let deep = format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000));
    let shown = Desk::new(&remap(&format!("source = '''\n.a = {deep}'''"))).faults();
    assert_tells(&shown, &["E025", "levada.toml:8:", "nests too deeply: at most 200 levels"]);
    let chain = ".a == 1 || ".repeat(2_000);
    let filter = format!("[transforms.few]\ntype = 'filter'\ninputs = ['app']\ncondition = '{chain}true'\n");
    assert_tells(&Desk::new(&filter).faults(), &["E025", "`condition`", "levada.toml:7:", "`includes([...], value)`"]);
}

#[test]
fn certificates_and_keys_are_judged_where_they_are_named() {
    let pki = Pki::new();
    let [ca, crt, key] = ["ca.pem", "client.pem", "client.key"].map(|name| pki.file(name));
    let all = |ca: &str, crt: &str, key: &str| {
        http(&format!("tls.ca_file = '{ca}'\ntls.crt_file = '{crt}'\ntls.key_file = '{key}'"))
    };
    assert_eq!(Desk::new(&all(&ca, &crt, &key)).faults(), "");
    let shown = Desk::new(&all("DIR/none.pem", "DIR/levada.toml", &crt)).faults();
    assert_tells(&shown, &["`tls.ca_file` in sink `web`", "cannot read `DIR/none.pem`", "3 errors"]);
    assert_tells(&shown, &["`tls.crt_file` in sink `web`", "holds no certificate in PEM form", "levada.toml:9:16"]);
    assert_tells(&shown, &["`tls.key_file` in sink `web`", "levada.toml:10:16"]);
    let others = Pki::new();
    let shown = Desk::new(&all(&ca, &crt, &others.file("client.key"))).faults();
    assert_tells(&shown, &["`tls.key_file` in sink `web`", "KeyMismatch", "1 error"]);
}

#[test]
fn all_files_are_listed_with_what_they_hold() {
    let desk = Desk::new(&remap("file = 'DIR/a.vrl'"));
    let names = |loaded: &Loaded| -> Vec<(String, bool)> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        loaded.inputs().iter().map(|input| (name(&input.path), input.digest.is_some())).collect()
    };
    assert_eq!(names(&desk.load()), [("a.vrl".to_owned(), false), ("levada.toml".to_owned(), true)]);
    desk.write("a.vrl", ".a = 1");
    let before = desk.load();
    assert_eq!(names(&before), [("a.vrl".to_owned(), true), ("levada.toml".to_owned(), true)]);
    assert_eq!(before.plan.as_ref().unwrap().files.inputs(), before.inputs());
    assert_eq!(desk.load().inputs(), before.inputs());
    desk.write("a.vrl", ".a = 2");
    let after = desk.load().inputs();
    assert!(after[0] != before.inputs()[0] && after[1] == before.inputs()[1]);
}
