//! What the system refuses: files and folders that may not be read, descriptors that run out. Nothing of it is a deletion.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::wait;

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// Folders of logs, and an agent over them for which rights count: it is not root.
struct Site {
    folder: TempDir,
    agent: Option<Child>,
}

impl Site {
    fn new(sources: &[&str]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), agent: None };
        let of = |id: &&str| {
            fs::create_dir(site.path(id)).unwrap();
            let include = site.shown(&format!("{id}/*.log"));
            format!("[sources.{id}]\ntype = 'file'\ninclude = ['{include}']\nglob_minimum_cooldown_ms = 50\n")
        };
        let head = format!("data_dir = '{}'\n", site.shown("state"));
        let out = format!(
            "[sinks.out]\ntype = 'file'\ninputs = {sources:?}\npath = '{}'\nencoding.codec = 'text'\n",
            site.shown("out")
        );
        let parts: Vec<String> = [head].into_iter().chain(sources.iter().map(of)).chain([out]).collect();
        fs::write(site.path("levada.toml"), parts.concat()).unwrap();
        if geteuid().is_root() {
            for path in [site.folder.path().to_owned(), site.path("levada.toml")] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Opens a log for its writer, and writes `lines` to it.
    fn write(&self, name: &str, lines: std::ops::Range<u32>) -> File {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        append(&mut file, lines);
        file
    }

    fn allow(&self, name: &str, mode: u32) {
        let path = self.path(name);
        // Root reads all: the folder is another's, so that its mode holds for the agent.
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// Starts the agent in a shell, behind the words `before`.
    fn start(&mut self, before: &str) {
        let log = OpenOptions::new().create(true).append(true).open(self.path("agent.log")).unwrap();
        let mut command = Command::new("sh");
        let line = format!("{before} exec \"$0\" --config \"$1\"");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_levada"), &self.shown("levada.toml")]);
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.agent = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    fn end(&mut self) {
        let mut agent = self.agent.take().unwrap();
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        assert!(agent.wait().unwrap().success(), "{}", self.log());
    }

    /// The lines that arrived, in their order.
    fn arrived(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.path("out")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    async fn until_arrived(&self, lines: std::ops::Range<u32>) {
        let all: BTreeSet<u32> = lines.collect();
        wait::until("all lines", || self.arrived().into_iter().collect::<BTreeSet<_>>() == all).await;
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("agent.log")).unwrap_or_default()
    }

    async fn until_told(&self, words: &[&str]) {
        let is_told = || self.log().lines().any(|line| words.iter().all(|word| line.contains(word)));
        wait::until(&format!("{words:?} in the log"), is_told).await;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ended = agent.kill().and_then(|()| agent.wait());
        }
        // Else an owner who is not root could not remove what is in it.
        let _opened = fs::set_permissions(self.path("app"), Permissions::from_mode(0o755));
    }
}

fn append(file: &mut File, lines: std::ops::Range<u32>) {
    let lines: Vec<String> = lines.map(|line| format!("{line}\n")).collect();
    file.write_all(lines.concat().as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_told_of_and_read_once_when_it_may() {
    let mut site = Site::new(&["app"]);
    let mut open = site.write("app/open.log", 0..3);
    site.write("app/closed.log", 3..6);
    site.allow("app/closed.log", 0);
    site.start("");
    site.until_arrived(0..3).await;
    site.until_told(&["closed.log", "cannot read, trying again at every look", "Permission denied"]).await;
    // The folder is closed: what is open is read on, and nothing is taken for deleted.
    site.allow("app", 0);
    append(&mut open, 6..8);
    wait::until("what is open", || site.arrived() == [0, 1, 2, 6, 7]).await;
    site.until_told(&["cannot read, trying again at every look", &format!("path={} ", site.shown("app"))]).await;
    // Also for an agent that starts so.
    site.end();
    append(&mut open, 8..10);
    let before = site.log().len();
    site.start("");
    let is_told = || site.log()[before..].contains("Permission denied");
    wait::until("the closed folder in the log of the second agent", is_told).await;
    site.allow("app", 0o755);
    wait::until("what came meanwhile", || site.arrived() == [0, 1, 2, 6, 7, 8, 9]).await;
    site.allow("app/closed.log", 0o644);
    site.until_arrived(0..10).await;
    site.end();
    assert_eq!(site.arrived().len(), 10, "none twice: {:?}", site.arrived());
    assert!(!site.log().contains("truncated"), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_beyond_the_descriptors_of_two_sources_wait_their_turn_and_none_is_lost() {
    const FILES: u32 = 100;
    let mut site = Site::new(&["app", "web"]);
    let name = |file: u32| format!("{}/{file}.log", if file.is_multiple_of(2) { "app" } else { "web" });
    for file in 0..FILES {
        site.write(&name(file), file..file + 1);
    }
    site.start("ulimit -n 72;");
    site.until_arrived(0..FILES).await;
    site.until_told(&["files wait until others are read and closed"]).await;
    for file in 0..FILES {
        site.write(&name(file), FILES + file..FILES + file + 1);
    }
    site.until_arrived(0..2 * FILES).await;
    // Gone before anyone could open it a second time: what was read is not read again, what was not is not lost.
    for file in 0..FILES {
        fs::remove_file(site.path(&name(file))).unwrap();
    }
    site.write("app/0.log", 2 * FILES..2 * FILES + 1);
    site.until_arrived(0..2 * FILES + 1).await;
    site.end();
    assert_eq!(site.arrived().len() as u32, 2 * FILES + 1, "none twice");
}
