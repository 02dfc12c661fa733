//! A platform and its teams in a folder: who joins, who is told of what, and that nobody pays for another.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::component::row::{Problem, Reach};
use crate::config::{
    Catalogue, ComponentType, Kind, LastGood, Loaded, Memory, Plan, Rules, Shelves, load, load_to_run,
};
use crate::diagnostic::{Color, render_report};

const PLATFORM: &str = "teams_dir = 'FOLDER/teams'\ndata_dir = 'FOLDER/state'\nmemory_limit = '64MiB'\n\
    [teams.'*']\nexports = ['app', 'split.errors']\nenvironment = ['REGION']\n\
    [teams.bare]\n[secret.s]\ntype = 'file'\npath = 'FOLDER/s.json'\n\
    [sources.app]\ntype = 'file'\ninclude = ['/nowhere/*.log']\n\
    [transforms.split]\ntype = 'route'\ninputs = ['app']\nroute.errors = '.level == \"error\"'\n\
    [transforms.audit]\ntype = 'filter'\ninputs = ['app']\ncondition = '.audit == true'\n\
    [sinks.audited]\ntype = 'blackhole'\ninputs = ['audit']\n";

const TEAM: &str = "[transforms.parse]\ntype = 'filter'\ninputs = ['app']\ncondition = '.region == \"${REGION}\"'\n\
    [sinks.out]\ntype = 'blackhole'\ninputs = ['parse', 'split.errors']\n\
    [[tests]]\nname = 'region'\n[[tests.inputs]]\ninsert_at = 'parse'\ntype = 'log'\nlog_fields.region = 'asia'\n\
    [[tests.outputs]]\nextract_from = 'parse'\nconditions = ['.region == \"asia\"']\n";

struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        site.write("levada.toml", PLATFORM);
        site.write("s.json", r#"{"password":"hunter2"}"#);
        fs::create_dir(site.path("teams")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("FOLDER", &self.0.path().display().to_string())).unwrap();
    }

    /// A pipe that nobody writes to: whoever opens it waits for good.
    fn pipe(&self, name: &str) {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        mknodat(CWD, self.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    fn team(&self, name: &str, text: &str) {
        self.write(&format!("teams/{name}/levada.toml"), text);
    }

    fn by(&self, load: impl FnOnce(&[PathBuf], Rules<'_>) -> Loaded) -> Loaded {
        self.with(&Shelves, load)
    }

    fn with(&self, catalogue: &dyn Catalogue, load: impl FnOnce(&[PathBuf], Rules<'_>) -> Loaded) -> Loaded {
        let memory = Memory { default_limit: 1 << 30 };
        let environment = |name: &str| ["REGION", "TOKEN"].contains(&name).then(|| "asia".to_owned());
        let rules = Rules { catalogue, environment: &environment, budget: &memory };
        load(&[self.path("levada.toml")], rules)
    }

    fn load(&self) -> Loaded {
        self.by(load)
    }

    fn run(&self, before: Option<&LastGood>) -> Loaded {
        self.by(|paths, rules| load_to_run(paths, rules, before))
    }

    /// What is told of the only team, whose file this is.
    fn told(&self, text: &str) -> String {
        self.team("one", text);
        let loaded = self.load();
        let [team] = loaded.teams.as_slice() else { panic!("{:?}", loaded.teams) };
        assert_eq!(team.is_current(), team.runs());
        assert!(loaded.plan.is_some(), "{}", render_report(&loaded.report, &loaded.sources, Color::Never));
        render_report(&team.report, &loaded.sources, Color::Never)
    }
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.components().map(|component| component.id.as_str()).collect()
}

#[test]
fn a_team_lives_under_its_name() {
    let site = Site::new();
    assert_eq!(site.told(TEAM), "");
    let plan = site.load().plan.unwrap();
    assert_eq!(ids(&plan), ["app", "split", "audit", "one.parse", "audited", "one.out"]);
    let inputs: Vec<_> = plan.sinks[1].inputs.iter().map(ToString::to_string).collect();
    assert_eq!(inputs, ["one.parse", "split.errors"]);
    assert_eq!(plan.transforms[2].inputs[0].to_string(), "app");
    let test = &plan.tests[0].settings;
    assert_eq!(test["inputs"][0]["insert_at"].as_str(), Some("one.parse"));
    assert_eq!(test["outputs"][0]["extract_from"].as_str(), Some("one.parse"));
}

#[test]
fn fifty_broken_teams_change_nothing_for_the_others() {
    let site = Site::new();
    site.team("zeta", TEAM);
    let alone = site.load();
    for number in 0..50 {
        let broken = [
            "[sinks.out]\ntype = = 1",
            "[sinks.out]\ntype = 'blackhole'\ninputs = ['none']",
            "memory_limit = 1",
            "[sinks.out]\ntype = 'blakhole'\ninputs = ['app']",
            "",
        ];
        site.team(&format!("team{number}"), broken[number % 5]);
    }
    fs::write(site.path("teams/team4/levada.toml"), b"\xff").unwrap();
    let all = site.run(None);
    assert!(!all.report.has_errors());
    let (alone, plan) = (alone.plan.unwrap(), all.plan.as_ref().unwrap());
    assert_eq!(ids(plan), ids(&alone));
    let settings = |plan: &Plan| plan.components().map(|one| one.section.settings.clone()).collect::<Vec<_>>();
    assert_eq!(settings(plan), settings(&alone));
    let faulty: Vec<_> = all.teams.iter().filter(|team| !team.is_current()).map(|team| &team.name).collect();
    assert!(faulty.len() >= 41 && !faulty.contains(&&"zeta".to_owned()), "{faulty:?}");
    assert!(all.faults().has_errors(), "whoever validates sees them");
}

#[test]
fn what_is_the_platforms_is_refused_to_a_team() {
    let site = Site::new();
    let sink = |more: &str| format!("[sinks.out]\ntype = 'blackhole'\ninputs = ['app']\n{more}");
    let remap = |source: &str| sink(&format!("[transforms.r]\ntype = 'remap'\ninputs = ['app']\n{source}\n"));
    site.write("outside.vrl", ".a = = hunter2");
    site.pipe("teams/pipe");
    let test = |source: &str| {
        let input = format!("insert_at = 'r'\ntype = 'vrl'\nsource = '{source}'");
        remap("source = '.a = 1'")
            + &format!("[[tests]]\nname = 't'\n[[tests.inputs]]\n{input}\n[[tests.outputs]]\nextract_from = 'r'\n")
    };
    site.write("teams/one/inside.vrl", ".a = get_env_var!(\"TOKEN\")");
    for (text, wanted) in [
        (sink("[secret.t]\ntype = 'file'\npath = '/etc/shadow'"), "`secret` is not a team's to set"),
        (format!("api.address = '0.0.0.0:1'\n{}", sink("")), "`api` is not a team's to set"),
        (format!("data_dir = '/'\n{}", sink("")), "`data_dir` is not a team's to set"),
        (sink("[teams.one]\nexports = ['audit']"), "`teams` is not a team's to set"),
        (remap("source = '.a = \"SECRET[s.password]\"'"), "a team has no secrets of the platform"),
        (remap("source = '.a = get_env_var!(\"TOKEN\")'"), "may not use `get_env_var` so"),
        (
            remap("source = '.a = parse_groks!(.b, [\"%{A}\"], alias_sources: [\"FOLDER/teams/pipe\"])'"),
            "may not use `alias_sources` so",
        ),
        (
            remap("source = '.a = parse_groks!(.b, [\"%{A}\"], {}, [\"FOLDER/teams/pipe\"])'"),
            "a team's program names no files",
        ),
        (remap("source = '.a = parse_etld!(.b, 1, \"FOLDER/teams/pipe\")'"), "a team's program names no files"),
        (test("abort get_env_var!(\"TOKEN\")"), "may not use `get_env_var` so"),
        (test(".a = parse_etld!(\"a.b\", 1, \"FOLDER/teams/pipe\")"), "a program reads no files here"),
        (remap("source = '.a = get_enrichment_table_record!(\"t\", {\"a\": 1})'"), "a team has no enrichment tables"),
        (
            sink(
                "[transforms.e]\ntype = 'enrich'\ninputs = ['app']\nlookup = { table = 't', key = '.a', column = 'a' }",
            ),
            "a team has no enrichment tables",
        ),
        (remap("source = '.a = \"${TOKEN}\"'"), "the environment variable `TOKEN` is not set"),
        (remap("file = 'FOLDER/outside.vrl'"), "only files in"),
        (remap("file = 'FOLDER/teams/one/inside.vrl'"), "may not use `get_env_var` so"),
        (
            sink("[transforms.h]\ntype = 'scrub'\ninputs = ['app']\naction = 'hash'\nkeys = [{ env = 'TOKEN' }]"),
            "names no file and no variable with a key",
        ),
        (sink("").replace("'app'", "'audit'"), "unknown input `audit`"),
        (sink("").replace("'app'", "'split'"), "unknown input `split`"),
        (sink("").replace("sinks.out", "sinks.app"), "`app` is exported by the platform"),
        (sink("").replace("'blackhole'", "'file'\npath = '/x'"), "a team has no sink of type `file`"),
    ] {
        let told = site.told(&text);
        assert!(told.contains(wanted), "{text}\n{told}");
        assert!(!told.contains("hunter2") && !told.contains("`[enrichment_tables"), "{told}");
        assert!(!told.contains("asia"), "no variable is shown: {told}");
    }
    std::os::unix::fs::symlink(site.path("s.json"), site.path("teams/one/link.toml")).unwrap();
    let told = site.told(TEAM);
    assert!(told.contains("error[E033]") && !told.contains("hunter2"), "{told}");
}

/// All that are registered are asked, so a new one must be thought of here, too.
#[test]
fn a_team_takes_nothing_from_outside_and_writes_no_files() {
    let site = Site::new();
    for (kind, allowed) in [
        (Kind::Source, &["demo_logs"][..]),
        (Kind::Sink, &["blackhole", "clickhouse", "console", "elasticsearch", "http", "opentelemetry"][..]),
    ] {
        let names = Shelves.names(kind);
        assert!(names.len() > allowed.len() && allowed.iter().all(|name| names.contains(name)));
        for name in names {
            let told = site.told(Shelves.find(kind, name).unwrap().example);
            let is_refused = told.contains(&format!("a team has no {} of type `{name}`", kind.noun()));
            assert_eq!(is_refused, !allowed.contains(&name), "{told}");
        }
    }
    let logs = "[sources.k]\ntype = 'kubernetes_logs'\nlogs_dir = 'FOLDER'\ndata_dir = 'FOLDER'\n\
        [sinks.out]\ntype = 'console'\ninputs = ['k']\n";
    assert!(site.told(logs).contains("it reads the logs of all pods of this machine"));
    assert!(ids(&site.load().plan.unwrap()).iter().all(|id| !id.starts_with("one.")));
}

/// The shelves, if teams had ports.
struct Open;

impl Catalogue for Open {
    fn find(&self, kind: Kind, type_name: &str) -> Option<ComponentType<'_>> {
        Shelves.find(kind, type_name).map(|found| ComponentType { reach: Reach::Pipeline, ..found })
    }

    fn names(&self, kind: Kind) -> Vec<&str> {
        Shelves.names(kind)
    }

    fn globals(&self) -> &serde_json::Value {
        Shelves.globals()
    }

    fn check_globals(&self, settings: &toml::Table) -> Vec<Problem> {
        Shelves.check_globals(settings)
    }

    fn tests(&self) -> &serde_json::Value {
        Shelves.tests()
    }
}

#[test]
fn what_is_claimed_already_is_not_a_teams_that_comes_later() {
    let site = Site::new();
    let listening = |port: u16| {
        format!(
            "[sources.web]\ntype = 'http_server'\naddress = '127.0.0.1:{port}'\n\
            [sinks.out]\ntype = 'blackhole'\ninputs = ['web']\n"
        )
    };
    site.write("levada.toml", &PLATFORM.replace("[teams.'*']", "api.address = '0.0.0.0:8001'\n[teams.'*']"));
    for (team, port) in [("a", 8001), ("b", 8002), ("c", 8002), ("d", 8003)] {
        site.team(team, &listening(port));
    }
    let run = |before: Option<&LastGood>| site.with(&Open, |paths, rules| load_to_run(paths, rules, before));
    let loaded = run(None);
    let running = |loaded: &Loaded| {
        let teams = loaded.teams.iter().filter(|team| team.runs());
        teams.map(|team| (team.name.clone(), team.is_current())).collect::<Vec<_>>()
    };
    assert_eq!(running(&loaded), [("b".to_owned(), true), ("d".to_owned(), true)]);
    let told = render_report(&loaded.faults(), &loaded.sources, Color::Never);
    assert!(told.contains("`[api]` and source `web` listen on the same port"), "{told}");
    assert!(told.contains("source `b.web` and source `web` listen on the same port"), "{told}");
    assert_eq!(told.matches("error[E034]").count(), 2, "{told}");
    // One that wants what another has keeps what it had; one that stays keeps its port, whatever the names.
    let kept = loaded.kept.unwrap();
    site.team("d", &listening(8002));
    site.team("a", &listening(8003));
    let loaded = run(Some(&kept));
    assert_eq!(running(&loaded), [("a".to_owned(), true), ("b".to_owned(), true)]);
    site.team("a", &listening(8001));
    let loaded = run(Some(&kept));
    assert_eq!(running(&loaded), [("b".to_owned(), true), ("d".to_owned(), false)]);
}

#[test]
fn a_team_with_a_table_of_its_own_has_what_that_says() {
    let site = Site::new();
    site.team("bare", TEAM);
    let loaded = site.load();
    let told = render_report(&loaded.teams[0].report, &loaded.sources, Color::Never);
    assert!(told.contains("unknown input `app`") && told.contains("`REGION` is not set"), "{told}");
    site.write("levada.toml", &PLATFORM.replace("'split.errors']", "'split.erors']"));
    let loaded = site.load();
    let told = render_report(&loaded.report, &loaded.sources, Color::Never);
    assert!(told.contains("unknown output `split.erors` is exported") && told.contains("`split.errors`"), "{told}");
}

#[test]
fn a_team_must_not_be_mistaken_for_the_platform() {
    let site = Site::new();
    site.team("split", TEAM);
    site.team("a b", TEAM);
    let loaded = site.load();
    let told = render_report(&loaded.faults(), &loaded.sources, Color::Never);
    assert!(told.contains("the team `split` has the name of a component"), "{told}");
    assert!(told.contains("the name of the team `a b` has reserved characters"), "{told}");
    assert_eq!(ids(&loaded.plan.unwrap()), ["app", "split", "audit", "audited"]);
}

#[test]
fn what_ran_last_of_a_team_runs_on() {
    let site = Site::new();
    site.team("one", &TEAM.replace("condition = '.region == \"${REGION}\"'", "condition = '.a == 1'"));
    let kept = site.run(None).kept.unwrap();
    site.team("one", "[sinks.out]\ntype = = 1");
    let loaded = site.run(Some(&kept));
    let team = &loaded.teams[0];
    assert!(!team.is_current() && team.runs());
    let plan = loaded.plan.as_ref().unwrap();
    assert!(ids(plan).contains(&"one.parse"));
    assert_eq!(loaded.kept.as_ref(), Some(&kept), "and is kept further");
    let now = crate::config::Files::default().input(&site.path("teams/one/levada.toml"));
    assert!(loaded.inputs().contains(&now), "whoever watches knows the faulty file");
    // At a start the state folder tells it.
    fs::create_dir(site.path("state")).unwrap();
    assert!(!site.run(None).teams[0].runs());
    kept.save(&site.path("state")).unwrap();
    assert!(site.run(None).teams[0].runs());
    site.write("levada.toml", &PLATFORM.replace("'app', ", ""));
    assert!(!site.run(Some(&kept)).teams[0].runs(), "it does not fit the platform any more");
}

#[test]
fn memory_is_not_taken_from_a_team_that_stays() {
    let site = Site::new();
    let sized = |size: &str| TEAM.replace("'blackhole'", &format!("'blackhole'\nbuffer.max_size = '{size}'"));
    site.team("b", &sized("40MiB"));
    let kept = site.run(None).kept.unwrap();
    site.team("a", &sized("40MiB"));
    let loaded = site.run(Some(&kept));
    let state: Vec<_> = loaded.teams.iter().map(|team| (team.name.as_str(), team.runs())).collect();
    assert_eq!(state, [("a", false), ("b", true)]);
    assert!(render_report(&loaded.teams[0].report, &loaded.sources, Color::Never).contains("error[E022]"));
}
