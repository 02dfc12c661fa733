//! What people see of files: a process that reads files in many states, and the verbs that tell of them.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait;

/// A folder with logs, and the agent over it: the source `app` to the file `out`, the source `slow` to a sink that never
/// answers.
struct Site {
    folder: TempDir,
    agent: Option<Child>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["app", "slow"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let site = Self { folder, agent: None };
        fs::write(site.path("levada.toml"), site.configuration()).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn configuration(&self) -> String {
        let source = |id: &str, more: &str| {
            let folder = self.shown(id);
            format!(
                "[sources.{id}]\ntype = 'file'\ninclude = ['{folder}/*.log']\nexclude = ['{folder}/no*']\n\
                 decoding.codec = 'json'\nglob_minimum_cooldown_ms = 50\n{more}\n"
            )
        };
        // Nobody listens there: what it takes waits.
        let stuck = "[sinks.stuck]\ntype = 'http'\ninputs = ['slow']\nuri = 'http://127.0.0.1:1'\n\
                     encoding.codec = 'json'\nbuffer.max_size = '64KiB'\nbatch.max_bytes = 4096\n\
                     request.concurrency = 'none'\n";
        let out = format!(
            "[sinks.out]\ntype = 'file'\ninputs = ['app']\npath = '{}'\nencoding.codec = 'json'\n",
            self.shown("out")
        );
        format!(
            "data_dir = '{}'\ngraceful_shutdown_limit_secs = 1.0\n{}{}{out}{stuck}",
            self.shown("state"),
            source("app", "ignore_older_secs = 86400"),
            source("slow", "max_read_bytes = 4096")
        )
    }

    fn write(&self, name: &str, numbers: std::ops::Range<u64>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        let lines: String = numbers.map(|number| format!("{{\"n\":{number}}}\n")).collect();
        file.write_all(lines.as_bytes()).unwrap();
    }

    async fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.path("agent.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.args(["--config", &self.shown("levada.toml")]).stdout(Stdio::null()).stderr(log);
        self.agent = Some(command.spawn().unwrap());
        let socket = self.path("state/control.sock");
        wait::until("the control socket", || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
    }

    fn verb(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.args(arguments).args(["--config", &self.shown("levada.toml")]).output().unwrap()
    }

    /// How a verb ends, and what it prints.
    fn says(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.verb(arguments);
        let [out, error] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        (output.status.code().unwrap(), out + &error)
    }

    /// How a file stands, if the agent knows it.
    fn file(&self, name: &str) -> Option<Value> {
        let output = self.verb(&["files", "--json"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let files = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        files.into_iter().find(|file| file["path"] == self.shown(name))
    }

    async fn until_file(&self, name: &str, is_met: impl Fn(&Value) -> bool) -> Value {
        wait::until(name, || self.file(name).is_some_and(|file| is_met(&file))).await;
        self.file(name).unwrap()
    }

    async fn until_state(&self, name: &str, state: &str) -> Value {
        self.until_file(name, |file| file["state"] == state).await
    }

    fn arrived(&self) -> Vec<u64> {
        let text = fs::read_to_string(self.path("out")).unwrap_or_default();
        let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64().unwrap();
        text.lines().map(number).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("agent.log")).unwrap()
    }

    fn end(&mut self) {
        let mut agent = self.agent.take().unwrap();
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        assert!(agent.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ended = agent.kill().and_then(|()| agent.wait());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_many_states_are_told_of_and_why_one_is_absent() {
    let mut site = Site::new();
    site.write("app/quiet.log", 0..3);
    site.write("app/no.log", 0..1);
    site.write("app/old.log", 0..1);
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    File::options().append(true).open(site.path("app/old.log")).unwrap().set_modified(long_ago).unwrap();
    symlink("/nowhere/at/all.log", site.path("app/link.log")).unwrap();
    site.write("slow/big.log", 0..100_000);
    site.start().await;
    site.until_file("app/quiet.log", |file| file["state"] == "quiet" && file["delivered"] == 24).await;
    let big = site.until_state("slow/big.log", "waits_for_room").await;
    assert!(big["lag_bytes"].as_u64() > Some(0) && big["source"] == "slow", "{big}");
    let (code, text) = site.says(&["files"]);
    let first = text.lines().nth(1).unwrap();
    assert!(code == 0 && first.contains("big.log") && text.contains("2 sources"), "{text}");
    assert_eq!(site.says(&["files", "app"]).1.matches("big.log").count(), 0);
    let (code, text) = site.says(&["files", "ap"]);
    assert!(code == 1 && text.contains("did you mean `app`?"), "{text}");
    let live = site.says(&["files", "app", "--live", "--count", "2"]).1;
    assert_eq!(live.matches("DEVICE:INODE").count(), 2, "{live}");

    let table = [
        ("app/quiet.log", 0, "read to its end, 24 bytes of 24 bytes delivered"),
        ("slow/big.log", 1, "it waits for room in a queue"),
        ("app/no.log", 1, "left out by `exclude`"),
        ("app/old.log", 1, "`ignore_older_secs` is 86400"),
        ("app/link.log", 1, "mount `/nowhere/at` into the agent"),
        ("app/quiet.lo", 1, "did you mean"),
        ("ap/quiet.log", 1, "there is no folder"),
        ("app/quiet.txt", 1, "`quiet.txt` is not `*.log`"),
    ];
    for (name, expected, words) in table {
        let (code, text) = site.says(&["why-not", &site.shown(name)]);
        assert!(code == expected && text.contains(words), "{name}: {code} {text}");
    }
    let (code, text) = site.says(&["why-not", "shop/cart"]);
    assert!(code == 1 && text.contains("/var/log/pods"), "{text}");
    site.end();
    let (code, text) = site.says(&["why-not", &site.shown("app/quiet.log")]);
    let alone = text.contains("from the configuration alone") && text.contains("all 24 bytes of it were delivered");
    assert!(code == 1 && alone, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_one_source_and_outlives_reload_and_restart() {
    let mut site = Site::new();
    site.write("app/a.log", 0..2);
    site.start().await;
    wait::until("the first lines", || site.arrived() == [0, 1]).await;
    assert_eq!(site.says(&["pause", "app"]).0, 0);
    assert!(site.says(&["pause", "app"]).1.contains("was paused before"));
    let (code, text) = site.says(&["pause", "out"]);
    assert!(code == 1 && text.contains("`out` is a sink: only a source can be paused"), "{text}");
    assert!(site.says(&["resume", "ap"]).1.contains("did you mean `app`?"));
    site.write("app/a.log", 2..4);
    site.write("slow/b.log", 0..1);
    // The other source runs on, and this one has seen what came and reads nothing of it.
    site.until_file("slow/b.log", |file| file["offset"] == 8).await;
    let paused = site.until_file("app/a.log", |file| file["lag_bytes"] == 16).await;
    assert_eq!((&paused["state"], &paused["delivered"]), (&"paused".into(), &16.into()));
    assert!(site.says(&["status"]).1.contains("app (source, file) paused: by user"));
    assert!(site.says(&["files"]).1.contains("paused: `app`"));
    assert!(site.says(&["why-not", &site.shown("app/a.log")]).1.contains("`levada resume app`"));
    // Other settings make it a new source under the same name.
    let changed = site.configuration().replace("ignore_older_secs = 86400", "ignore_older_secs = 86401");
    fs::write(site.path("levada.toml"), changed).unwrap();
    assert_eq!(site.says(&["reload"]).0, 0);
    site.until_state("app/a.log", "paused").await;
    site.end();
    site.start().await;
    site.until_state("app/a.log", "paused").await;
    assert_eq!(site.arrived(), [0, 1]);
    assert!(site.log().contains("the source is paused and reads nothing"), "{}", site.log());
    assert!(site.says(&["resume", "app"]).1.contains("reads again"));
    wait::until("the rest", || site.arrived() == [0, 1, 2, 3]).await;
    let audit = site.log();
    for act in ["act=\"pause\" ", "act=\"resume\" "] {
        let told =
            |line: &&str| line.contains(act) && line.contains("is_changed=true uid=") && line.contains("\"app\"");
        assert_eq!(audit.lines().filter(told).count(), 1, "{act}: {audit}");
    }
    site.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_shown_and_set_with_an_agent_and_without() {
    let mut site = Site::new();
    site.write("app/a.log", 0..3);
    site.start().await;
    wait::until("all lines", || site.arrived() == [0, 1, 2]).await;
    let path = site.shown("app/a.log");
    let before = site.until_file("app/a.log", |file| file["delivered"] == 24).await;
    let listed = site.says(&["positions", "ls", "--json"]).1;
    assert!(listed.contains(before["stream_key"].as_str().unwrap()), "{listed}");
    let (code, text) = site.says(&["positions", "set", &path, "10"]);
    assert!(code == 1 && text.contains("inside a line that begins at byte 8"), "{text}");
    let (code, text) = site.says(&["positions", "set", &path, "16"]);
    assert!(code == 0 && text.contains("from byte 16 on, under the new stream key"), "{text}");
    wait::until("the last line again", || site.arrived() == [0, 1, 2, 2]).await;
    let after = site.until_file("app/a.log", |file| file["delivered"] == 24).await;
    assert_ne!(after["stream_key"], before["stream_key"]);
    assert!(site.log().contains("audit: a position was set") && site.log().contains("audit: a position was not set"));
    site.end();
    let (code, text) = site.says(&["positions", "ls"]);
    assert!(code == 0 && text.contains("no agent listens") && text.contains(&path), "{text}");
    let (code, text) = site.says(&["positions", "reset", &path]);
    assert!(code == 0 && text.contains("from byte 0 on"), "{text}");
    let (code, text) = site.says(&["positions", "reset", &site.shown("app/b.log")]);
    assert!(code == 1 && text.contains("no source has a position of"), "{text}");
    site.start().await;
    wait::until("all lines again", || site.arrived() == [0, 1, 2, 2, 0, 1, 2]).await;
    site.end();
}
