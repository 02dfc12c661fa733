//! References through whole configurations: what is resolved, what is told, and that nothing shows a value.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::{Loaded, Memory, Rules, Shelves, load, load_to_run, resolved};
use crate::diagnostic::{Code, Color, render_report};

const PASSWORD: &str = "hunter2,\"quoted\"";

/// A folder with a configuration and what it refers to.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A script that is fed the question and says what `body` does.
    fn script(&self, body: &str) -> PathBuf {
        let path = self.write("ask.sh", &format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn config(&self, backend: &str, sink: &str) -> PathBuf {
        let text = format!(
            "[secret.s]\n{backend}\n[sources.app]\ntype = 'file'\ninclude = ['/nowhere/*.log']\n\
             [sinks.out]\ntype = 'elasticsearch'\ninputs = ['app']\nbulk.index = 'logs'\n{sink}\n"
        );
        self.write("levada.toml", &text)
    }
}

const SINK: &str = "endpoints = ['http://127.0.0.1:9200']\n\
                    auth = { strategy = 'basic', user = 'u', password = 'SECRET[s.password]' }";

fn run(paths: &[PathBuf], rules: Rules<'_>) -> Loaded {
    load_to_run(paths, rules, None)
}

fn by(load: fn(&[PathBuf], Rules<'_>) -> Loaded, path: &Path) -> Loaded {
    let memory = Memory { default_limit: 1 << 30 };
    load(&[path.to_owned()], Rules { catalogue: &Shelves, environment: &|_| None, budget: &memory })
}

fn faults(loaded: &Loaded) -> String {
    render_report(&loaded.report, &loaded.sources, Color::Never)
}

/// The password that the sink would get.
fn password(path: &Path) -> Result<String, String> {
    let loaded = by(run, path);
    let plan = loaded.plan.as_ref().ok_or_else(|| faults(&loaded))?;
    Ok(plan.sinks[0].section.settings["auth"]["password"].as_str().unwrap().to_owned())
}

#[test]
fn a_file_and_a_folder_hold_secrets_and_are_inputs() {
    let site = Site::new();
    let held = site.write("s.json", &serde_json::json!({ "password": PASSWORD, "other": 1 }).to_string());
    let config = site.config(&format!("type = 'file'\npath = '{}'", held.display()), SINK);
    assert_eq!(password(&config).unwrap(), PASSWORD);
    let inputs = |loaded: &Loaded| loaded.inputs().into_iter().map(|input| input.path).collect::<Vec<_>>();
    let loaded = by(run, &config);
    assert_eq!(inputs(&loaded), [config.clone(), held.clone()]);
    assert!(loaded.files.kept().iter().all(|(path, _)| *path != held), "a secret is not kept");

    let folder = site.path("secrets");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("password"), "hunter3 \n").unwrap();
    let backend = format!("type = 'directory'\npath = '{}'", folder.display());
    assert_eq!(password(&site.config(&backend, SINK)).unwrap(), "hunter3 \n");
    let config = site.config(&format!("{backend}\nremove_trailing_whitespace = true"), SINK);
    assert_eq!(password(&config).unwrap(), "hunter3");
    for (key, told) in [("../s.json", "does not begin with a dot"), ("none", "No such file")] {
        let config = site.config(&backend, &SINK.replace("s.password", &format!("s.{key}")));
        let why = password(&config).unwrap_err();
        assert!(why.contains("error[E031]") && why.contains(told), "{why}");
    }
}

#[test]
fn a_command_is_asked_once_for_all_keys_and_only_to_run() {
    let site = Site::new();
    let question = site.path("question");
    let answer = r#"{"password":{"value":"hunter4","error":null},"user":{"value":null,"error":"no such user"}}"#;
    let script = site.script(&format!("cat >> {}; echo '{answer}'", question.display()));
    let backend = format!("type = 'exec'\ncommand = ['{}']", script.display());
    let config = site.config(&backend, SINK);
    assert_eq!(password(&config).unwrap(), "hunter4");
    assert_eq!(fs::read_to_string(&question).unwrap(), r#"{"secrets":["password"],"version":"1.0"}"#);
    fs::remove_file(&question).unwrap();
    assert!(by(load, &config).plan.is_some());
    assert!(!question.exists(), "a check runs nothing");
    let why = password(&site.config(&backend, &SINK.replace("'u'", "'SECRET[s.user]'"))).unwrap_err();
    assert!(why.contains("the command says: no such user") && why.contains("SECRET[s.user]"), "{why}");
    assert!(fs::read_to_string(&question).unwrap().starts_with(r#"{"secrets":["password","user"]"#));
}

#[test]
fn a_command_that_fails_is_told_once_where_it_is_needed() {
    let site = Site::new();
    let both = SINK.replace("'u'", "'SECRET[s.user]'");
    let told = |body: &str, limit: u64| {
        let script = site.script(body);
        let backend = format!("type = 'exec'\ncommand = ['{}']\ntimeout = {limit}", script.display());
        let loaded = by(run, &site.config(&backend, &both));
        let errors: Vec<_> = loaded.report.diagnostics().iter().map(|fault| fault.code).collect();
        assert_eq!(errors, [Code::NoSecret], "{}", faults(&loaded));
        faults(&loaded)
    };
    for (body, why) in [("echo hunter5; exit 3", "exit status: 3"), ("echo hunter5", "does not answer as")] {
        let shown = told(body, 5);
        assert!(shown.contains(why) && !shown.contains("hunter5"), "{shown}");
    }
    let shown = told("echo hunter6 >&2; exit 3", 5);
    assert!(shown.contains("it wrote 8 bytes to its standard error") && !shown.contains("hunter6"), "{shown}");
    assert!(told("exec sleep 1000", 1).contains("did not answer within 1 s"));
    let backend = "type = 'exec'\ncommand = ['/nowhere/to/be/found']";
    assert!(password(&site.config(backend, SINK)).unwrap_err().contains("cannot run `/nowhere/to/be/found`"));
}

#[test]
fn a_secret_is_not_shown() {
    let site = Site::new();
    // Short, so that only the care of each place can hide it.
    let held = site.write("s.json", r#"{"host":"zqx","password":"zqy"}"#);
    let backend = format!("type = 'file'\npath = '{}'", held.display());
    let sink = SINK.replace("127.0.0.1", "SECRET[s.host]");
    let loaded = by(run, &site.config(&backend, &sink));
    let plan = loaded.plan.as_ref().unwrap();
    assert_eq!(plan.sinks[0].section.settings["endpoints"][0].as_str(), Some("http://zqx:9200"));
    let lines = resolved(plan, &Shelves);
    let line = |path: &str| lines.iter().find(|line| line.path == path).unwrap();
    assert_eq!(line("sinks.out.endpoints").value, "\"SECRET[s.host]\"");
    assert!(line("sinks.out.endpoints").origin.show(&loaded.sources).ends_with("from a secret backend"));
    for shown in [format!("{plan:?}"), format!("{lines:?}"), format!("{loaded:?}")] {
        assert!(!shown.contains("zqx") && !shown.contains("zqy"), "{shown}");
    }
    let bad = site.config(&backend, &sink.replace("http://SECRET[s.host]:9200", "SECRET[s.host]"));
    let shown = faults(&by(run, &bad));
    assert!(shown.contains("cannot work") && shown.contains("`***`") && !shown.contains("zqx"), "{shown}");
}

#[test]
fn a_stand_in_satisfies_every_type_and_is_not_judged() {
    let site = Site::new();
    let sink = "endpoints = ['SECRET[s.url]', 'http://SECRET[s.host]:9200']\nbuffer.max_size = 'SECRET[s.size]'\n\
                batch.max_events = 'SECRET[s.count]'\nbatch.timeout_secs = 'SECRET[s.time]'\n\
                compression = 'SECRET[s.compression]'\ntls.ca_file = 'SECRET[s.ca]'\n\
                tls.verify_certificate = 'SECRET[s.verify]'\nbuffer.when_full = 'SECRET[s.full]'";
    let loaded = by(load, &site.config("type = 'file'\npath = '/nowhere.json'", sink));
    assert!(loaded.plan.is_some(), "{}", faults(&loaded));
    assert!(!loaded.files.inputs().iter().any(|input| input.path == Path::new("/nowhere.json")));
    let scrub = "endpoints = ['http://127.0.0.1:9200']\n[transforms.hashed]\ntype = 'scrub'\ninputs = ['app']\n\
                 action = 'hash'\nkeys = [{ value = 'SECRET[s.key]' }]";
    let loaded = by(load, &site.config("type = 'file'\npath = '/nowhere.json'", scrub));
    assert!(loaded.plan.is_some(), "{}", faults(&loaded));
    let wrong = by(load, &site.config("type = 'file'\npath = '/nowhere.json'", "endpoints = 'SECRET[s.url]'"));
    assert!(faults(&wrong).contains("error[E009]"), "{}", faults(&wrong));
}

#[test]
fn a_reference_that_leads_nowhere_or_would_be_seen_is_a_fault() {
    let site = Site::new();
    let backend = "type = 'file'\npath = '/nowhere.json'";
    for (sink, code) in [
        (SINK.replace("SECRET[s.", "SECRET[t."), "E030"),
        (SINK.replace("SECRET[s.password]", "SECRET[s]"), "E007"),
        (SINK.replace("SECRET[s.password]", "${PASSWORD:-SECRET[s.password]}"), "E007"),
    ] {
        let shown = faults(&by(load, &site.config(backend, &sink)));
        assert!(shown.contains(&format!("error[{code}]")), "{shown}");
    }
    let text = fs::read_to_string(site.config(backend, SINK)).unwrap();
    for (from, to) in [
        ("inputs = ['app']", "inputs = ['SECRET[s.a]']"),
        ("'elasticsearch'", "'SECRET[s.a]'"),
        ("'/nowhere.json'", "'SECRET[s.a]'"),
    ] {
        let shown = faults(&by(load, &site.write("seen.toml", &text.replace(from, to))));
        assert!(shown.contains("error[E032]"), "{from}: {shown}");
    }
}
