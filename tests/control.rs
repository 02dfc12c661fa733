//! The agent as its operator meets it: a process, a folder of configuration, the verbs that talk to it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait;

/// A folder for everything, and the agent that runs over it.
pub(crate) struct Site {
    folder: TempDir,
    agent: Mutex<Option<Child>>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("logs")).unwrap();
        Self { folder, agent: Mutex::default() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A pipeline from `logs/` to the file `out`, whose records get `mark`.
    pub(crate) fn pipeline(&self, mark: &str) -> String {
        format!(
            "data_dir = '{}'\n[sources.app]\ntype = 'file'\ninclude = ['{}/*.log']\ndecoding.codec = 'json'\n\
             glob_minimum_cooldown_ms = 50\n\
             [transforms.marked]\ntype = 'enrich'\ninputs = ['app']\nfields.mark = '{mark}'\n\
             [sinks.out]\ntype = 'file'\ninputs = ['marked']\npath = '{}'\nencoding.codec = 'json'\n",
            self.shown("state"),
            self.shown("logs"),
            self.shown("out"),
        )
    }

    pub(crate) fn start(&self, more: &[&str]) {
        let log = File::create(self.path("agent.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.args(["--config", &self.shown("conf")]).args(more).stdout(Stdio::null()).stderr(log);
        *self.agent.lock().unwrap() = Some(command.spawn().unwrap());
    }

    pub(crate) async fn until_it_listens(&self) {
        let socket = self.path("state/control.sock");
        wait::until("the control socket", || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
    }

    /// What a verb prints, on both channels.
    pub(crate) fn verb(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.args(arguments).args(["--config", &self.shown("conf"), "--data-dir", &self.shown("state")]);
        command.output().unwrap()
    }

    pub(crate) fn write(&self, line: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path("logs/a.log")).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// How often each number is in the file `out`.
    pub(crate) fn arrived(&self) -> BTreeMap<u64, usize> {
        self.numbers("out")
    }

    /// How often each number is in this file.
    pub(crate) fn numbers(&self, name: &str) -> BTreeMap<u64, usize> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            let Ok(record) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            *counts.entry(record["n"].as_u64().unwrap()).or_default() += 1;
        }
        counts
    }

    /// What `levada status` tells of a component.
    pub(crate) fn status_of(&self, id: &str) -> serde_json::Value {
        let status: serde_json::Value = serde_json::from_slice(&self.verb(&["status", "--json"]).stdout).unwrap();
        let components = status["components"].as_array().unwrap();
        components.iter().find(|component| component["id"] == id).unwrap().clone()
    }

    pub(crate) fn end(&self) {
        let mut agent = self.agent.lock().unwrap().take().unwrap();
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        assert!(agent.wait().unwrap().success(), "{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("agent.log")).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.lock().ok().and_then(|mut agent| agent.take()) {
            let _ended = agent.kill().and_then(|()| agent.wait());
        }
    }
}

pub(crate) fn text(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!("{out}{error}")
}

/// A tap of what is not there says at once what is.
fn assert_taps_name_what_there_is(site: &Site) {
    for (edge, told) in [
        (&["markd"][..], "did you mean `marked`?"),
        (&["marked.errors"], "transform `marked` has no output `errors`; there are `marked`"),
        (&["marked.errors", "--in"], "`levada tap marked --in` shows what goes in"),
    ] {
        let refused = text(&site.verb(&[&["tap"], edge].concat()));
        assert!(refused.contains(told), "{refused}");
    }
}

/// What lies below the state folder is for its user alone.
fn assert_private(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, mode) = (entry.path(), entry.metadata().unwrap().permissions().mode() & 0o777);
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        if path.is_dir() {
            assert_private(&path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_names_settings_of_the_process_and_the_difference_shows_what_waits() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    let backends: String = ["one", "other"]
        .map(|name| {
            fs::write(site.path(name), r#"{"mark":"the same"}"#).unwrap();
            format!("[secret.{name}]\ntype = 'file'\npath = '{}'\n", site.shown(name))
        })
        .concat();
    let write = |globals: &str, mark: &str| {
        let text = format!("{globals}\n{}{backends}", site.pipeline(mark));
        fs::write(site.path("conf/levada.toml"), text).unwrap();
    };
    write("memory_limit = '600MiB'", "SECRET[one.mark]");
    site.start(&[]);
    site.until_it_listens().await;
    write("memory_limit = '700MiB'\nscrub.profile = 'strict'", "SECRET[other.mark]");
    let limit = "- memory_limit = \"600MiB\"\n+ memory_limit = \"700MiB\"\n";
    let mark = "- transforms.marked.fields.mark = \"SECRET[one.mark]\"\n\
                + transforms.marked.fields.mark = \"SECRET[other.mark]\"\n";
    let before = text(&site.verb(&["config", "--diff"]));
    assert!(
        before.contains(limit) && before.contains(mark) && before.contains("+ scrub.profile = \"strict\""),
        "{before}"
    );
    let told = "`memory_limit` waits for the next start\n`[scrub] profile` changes now\n";
    let dry = text(&site.verb(&["reload", "--dry-run"]));
    // Behind it stands that nothing refers to one of the backends.
    assert!(dry.starts_with(&format!("{told}valid: nothing was changed\n")), "{dry}");
    let done = text(&site.verb(&["reload"]));
    assert!(done.starts_with(&format!("{told}reloaded\n")), "{done}");
    assert!(
        site.log().contains("`memory_limit` waits for the next start; `[scrub] profile` changes now"),
        "{}",
        site.log()
    );
    let after = text(&site.verb(&["config", "--diff"]));
    assert!(after.starts_with(limit) && !after[limit.len()..].contains("memory_limit"), "{after}");
    assert!(!after.contains("SECRET[one.mark]"), "{after}");
    site.end();
}

/// A reload says what it does, before and after, and one with a fault changes nothing.
fn assert_reloads_are_told(site: &Site) {
    fs::write(site.path("conf/levada.toml"), site.pipeline("two")).unwrap();
    let dry = text(&site.verb(&["reload", "--dry-run"]));
    assert_eq!(dry, "~ transforms.marked: built anew\nvalid: nothing was changed\n");
    let difference = text(&site.verb(&["config", "--diff"]));
    assert_eq!(difference, "- transforms.marked.fields.mark = \"one\"\n+ transforms.marked.fields.mark = \"two\"\n");
    let done = site.verb(&["reload"]);
    assert!(done.status.success() && text(&done).ends_with("reloaded\n"), "{}", text(&done));
    fs::write(site.path("conf/levada.toml"), "[sources.app]\ntype = 'fil'\n").unwrap();
    let refused = site.verb(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("error[E015]") && text(&refused).contains("what runs stays as it is"));
    assert!(text(&site.verb(&["status"])).contains("was read last has faults"));
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_show_and_change_what_runs() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    fs::write(site.path("conf/levada.toml"), site.pipeline("one")).unwrap();
    site.start(&[]);
    site.until_it_listens().await;
    let status = text(&site.verb(&["status"]));
    assert!(status.contains("app (source, file) running") && status.contains("marked (transform, enrich)"), "{status}");

    let tap = Command::new(env!("CARGO_BIN_EXE_levada"))
        .args([
            "tap",
            "marked",
            "--count",
            "1",
            "--where",
            ".n == 7 || int!(.mark) == 1 || .mail == \"ann.secret@example.com\"",
            "--save",
            &site.shown("saved.json"),
            "--data-dir",
            &site.shown("state"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait::until("the tap", || site.log().contains("audit: records are shown")).await;
    for number in 0..20 {
        site.write(&format!(r#"{{"n":{number},"mail":"ines@mail.example.org"}}"#));
    }
    let shown = tap.wait_with_output().unwrap();
    let saved = fs::read_to_string(site.path("saved.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&saved).unwrap();
    assert_eq!((&record["n"], &record["mark"]), (&7.into(), &"one".into()));
    assert!(!saved.contains("ines@"), "what is shown is scrubbed: {record}");
    assert_eq!(fs::metadata(site.path("saved.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let log = site.log();
    let audit = log.lines().find(|line| line.contains("audit: records are shown")).unwrap();
    assert!(audit.contains("int!(.mark) == 1") && !audit.contains("ann.secret@"), "{audit}");
    assert!(text(&shown).contains("the condition fails on a record, which is not shown: "), "{}", text(&shown));
    assert!(text(&shown).contains("the condition failed on "), "{}", text(&shown));
    assert_taps_name_what_there_is(&site);

    let top = text(&site.verb(&["top", "--json", "--count", "1"]));
    assert_eq!(top.lines().filter(|line| line.contains("received_events_per_second")).count(), 3, "{top}");

    for (id, part) in [("marked", "working"), ("out", "working"), ("out", "waiting")] {
        let component = site.status_of(id);
        assert!(component[part]["count"].as_u64().unwrap() > 0, "{id}, {part}: {component}");
    }
    let mut unread = Command::new(env!("CARGO_BIN_EXE_levada"))
        .args(["top", "--data-dir", &site.shown("state")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(unread.stdout.take());
    assert!(unread.wait().unwrap().success(), "top ends with its reader");

    assert_reloads_are_told(&site);
    site.end();
    assert_private(&site.path("state"));
    assert_eq!(site.arrived(), (0..20).map(|number| (number, 1)).collect());
    let alone = site.verb(&["status"]);
    assert!(text(&alone).contains("no agent listens at"), "{}", text(&alone));
}

#[tokio::test(flavor = "multi_thread")]
async fn buffers_are_listed_while_the_agent_runs_and_one_without_a_sink_is_told_of() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    let gone = "min_free = '0%'\n[sinks.gone]\ntype = 'http'\ninputs = ['app']\nuri = 'http://127.0.0.1:1/'\n\
                encoding.codec = 'json'\nbuffer.type = 'disk'\n";
    let (own, rest) = gone.split_once('\n').unwrap();
    fs::write(site.path("conf/levada.toml"), format!("{own}\n{}{rest}", site.pipeline("one"))).unwrap();
    site.write(r#"{"n":1}"#);
    site.start(&[]);
    site.until_it_listens().await;
    let listed = || text(&site.verb(&["buffer", "ls"]));
    wait::until("the record on the disk", || listed().starts_with("gone: 1 records, ")).await;
    assert!(!listed().contains("orphan") && !text(&site.verb(&["status"])).contains("buffer ls"));
    fs::write(site.path("conf/levada.toml"), site.pipeline("one")).unwrap();
    let done = site.verb(&["reload"]);
    assert!(done.status.success(), "{}", text(&done));
    wait::until("the orphan", || listed().contains("an orphan: no sink has this name")).await;
    wait::until("word of it", || text(&site.verb(&["status"])).contains("no sink has: 1 (`levada buffer ls`)")).await;
    site.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_with_too_little_free_is_told_of_until_a_reload_mends_it() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    let write = |site: &Site, min_free: &str| {
        let disk = "[sinks.kept]\ntype = 'http'\ninputs = ['app']\nuri = 'http://127.0.0.1:1/'\n\
                    encoding.codec = 'json'\nbuffer.type = 'disk'\n";
        let text = format!("min_free = '{min_free}'\n{}{disk}", site.pipeline("one"));
        fs::write(site.path("conf/levada.toml"), text).unwrap();
    };
    write(&site, "100%");
    site.start(&[]);
    site.until_it_listens().await;
    wait::until("the buffer", || text(&site.verb(&["buffer", "ls"])).contains("kept: 0 records")).await;
    assert!(text(&site.verb(&["buffer", "ls"])).contains("; full: less than `min_free`"));
    let status = text(&site.verb(&["status"]));
    assert!(status.contains("`min_free` is 100.0%: disk buffers and dead letters are full"), "{status}");
    write(&site, "0%");
    assert!(site.verb(&["reload"]).status.success());
    let after = [text(&site.verb(&["status"])), text(&site.verb(&["buffer", "ls"]))].concat();
    assert!(!after.contains("min_free"), "{after}");
    site.end();
}

/// A tap on what comes out of `marked`, which ends after so many records.
fn tap(site: &Site, count: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_levada"))
        .args(["tap", "marked", "--count", count, "--data-dir", &site.shown("state")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_survives_a_reload() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    fs::write(site.path("conf/levada.toml"), site.pipeline("one")).unwrap();
    site.start(&[]);
    site.until_it_listens().await;
    let tap = tap(&site, "2");
    wait::until("the tap", || site.log().contains("audit: records are shown")).await;
    site.write(r#"{"n":1}"#);
    wait::until("the first record", || site.arrived().len() == 1).await;
    fs::write(site.path("conf/levada.toml"), site.pipeline("two")).unwrap();
    assert!(text(&site.verb(&["reload"])).contains("~ transforms.marked: built anew"));
    site.write(r#"{"n":2}"#);
    let shown = tap.wait_with_output().unwrap();
    assert!(shown.status.success());
    let records = String::from_utf8(shown.stdout).unwrap();
    let records: Vec<serde_json::Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2, "{records:?}");
    assert_eq!((&records[0]["mark"], &records[1]["mark"]), (&"one".into(), &"two".into()));
    site.end();
}

#[test]
fn an_error_of_our_own_has_an_exit_code_of_its_own() {
    // What cannot be said where faults are said is a panic.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
    let ended = command.args(["explain", "none"]).stderr(full).stdout(Stdio::null()).status().unwrap();
    assert_eq!(ended.code(), Some(70));
}

#[tokio::test(flavor = "multi_thread")]
async fn destinations_are_asked_and_nothing_is_sent() {
    let (site, peer) = (Site::new(), crate::peer::Peer::start());
    fs::create_dir(site.path("conf")).unwrap();
    let sink = |id: &str, url: &str| {
        format!("[sinks.{id}]\ntype = 'elasticsearch'\ninputs = ['app']\nendpoints = ['{url}']\nbulk.index = 'x'\n")
    };
    let source = format!("[sources.app]\ntype = 'file'\ninclude = ['{}/*.log']\n", site.shown("logs"));
    let asked = |sinks: String| {
        fs::write(site.path("conf/levada.toml"), format!("[scrub]\n{source}{sinks}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.args(["validate", "--probe", "--config", &site.shown("conf")]).output().unwrap()
    };
    let there = asked(sink("here", &peer.url()));
    assert!(there.status.success() && text(&there).contains("probe of `here`: "), "{}", text(&there));
    let gone = asked(sink("here", &peer.url()) + &sink("gone", "http://127.0.0.1:1"));
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone).contains("probe of `gone` FAILED: http://127.0.0.1:1/"), "{}", text(&gone));
    assert_eq!(peer.look(crate::peer::World::len), 0);
}

/// A backend for secrets that answers, until there is a file `hang`: then it says so in `asked`, and never answers.
fn backend(site: &Site) -> String {
    let script = site.path("secrets.sh");
    let folder = site.folder.path().display();
    let text = format!(
        "if [ -e {folder}/hang ]; then echo $$ > {folder}/pid; mv {folder}/pid {folder}/asked; exec sleep 1000; fi\n\
         echo '{{\"mark\":{{\"value\":\"told\",\"error\":null}}}}'\n"
    );
    fs::write(&script, text).unwrap();
    format!("[secret.slow]\ntype = 'exec'\ncommand = ['/bin/sh', '{}']\ntimeout = 300\n", script.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_does_not_wait_for_the_secrets_of_a_reload() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    fs::write(site.path("conf/levada.toml"), site.pipeline("SECRET[slow.mark]") + &backend(&site)).unwrap();
    site.start(&[]);
    site.until_it_listens().await;
    site.write(r#"{"n":1}"#);
    wait::until("a record", || site.arrived().len() == 1).await;
    fs::write(site.path("hang"), "").unwrap();
    kill_process(Pid::from_child(site.agent.lock().unwrap().as_ref().unwrap()), Signal::HUP).unwrap();
    wait::until("the question", || site.path("asked").exists()).await;
    let command: i32 = fs::read_to_string(site.path("asked")).unwrap().trim().parse().unwrap();
    site.end();
    // It is still there: nobody waited for its answer.
    kill_process(Pid::from_raw(command).unwrap(), Signal::KILL).unwrap();
    assert!(site.log().contains("the configuration was not reloaded: the agent ends"), "{}", site.log());
    assert!(site.log().contains("ended, nothing is left"), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_says_whose_it_is() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    fs::write(site.path("conf/levada.toml"), site.pipeline("one")).unwrap();
    site.start(&["--log-format", "json"]);
    wait::until("a line of the source", || site.log().contains("no file matches yet")).await;
    let log = site.log();
    let line = log.lines().find(|line| line.contains("no file matches yet")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["component_id"], &line["component_kind"]), (&"app".into(), &"source".into()), "{line}");
    assert_eq!((&line["component_type"], &line["level"]), (&"file".into(), &"INFO".into()), "{line}");
    site.end();
}

/// A destination that wants a password: it tells of each request's `authorization`.
fn guarded() -> (String, std::sync::mpsc::Receiver<Option<String>>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::sync_channel(100);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let head: Vec<_> = head.map(|line| line.to_ascii_lowercase()).collect();
            let authorization = head.iter().find_map(|line| line.strip_prefix("authorization: "));
            let _late = tell.try_send(authorization.map(str::to_owned));
            let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    (url, told)
}

#[test]
fn a_probe_asks_with_real_secrets_or_with_none() {
    let site = Site::new();
    fs::create_dir(site.path("conf")).unwrap();
    let (url, told) = guarded();
    fs::write(site.path("s.json"), r#"{"key":"hunter2"}"#).unwrap();
    let asked = |backend: &str| {
        let sink = format!("[sinks.web]\ntype = 'http'\ninputs = ['app']\nuri = '{url}'\nencoding.codec = 'json'\n");
        let auth = "auth = { strategy = 'basic', user = 'u', password = 'SECRET[s.key]' }\n";
        let source = format!("[scrub]\n[sources.app]\ntype = 'file'\ninclude = ['{}/*.log']\n", site.shown("logs"));
        fs::write(site.path("conf/levada.toml"), format!("{source}[secret.s]\n{backend}\n{sink}{auth}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.args(["validate", "--probe", "--config", &site.shown("conf")]).output().unwrap()
    };
    let by_file = asked(&format!("type = 'file'\npath = '{}'", site.shown("s.json")));
    assert_eq!(by_file.status.code(), Some(1), "{}", text(&by_file));
    assert!(text(&by_file).contains("does not take these credentials"), "{}", text(&by_file));
    assert_eq!(told.recv().unwrap(), Some("basic dTpodW50ZXIy".to_ascii_lowercase()));
    let by_command = asked(&format!("type = 'exec'\ncommand = ['touch', '{}']", site.shown("ran")));
    assert!(by_command.status.success(), "{}", text(&by_command));
    assert!(text(&by_command).contains("it asks for credentials (asked without"), "{}", text(&by_command));
    assert_eq!(told.recv().unwrap(), None, "a stand-in would be a failed login");
    assert!(!site.path("ran").exists(), "a check runs no command");
}
