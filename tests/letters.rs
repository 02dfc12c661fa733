//! Dead letters and their way back: what was refused is listed, shown scrubbed, and sent again as the records they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use levada::codecs::otlp;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::export::collector::{Act, Collector};
use crate::export::free_port;
use crate::export::kept::{Taken, count, fixture, post_all};
use crate::peer::{Peer, World};
use crate::wait;

/// An agent as a process, and its folder.
struct Site {
    folder: TempDir,
    agent: Option<Child>,
}

impl Site {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts an agent that reads `logs/` into the sink `id` at the peer.
    async fn start(&mut self, id: &str, peer: &Peer) {
        let logs = self.path("logs");
        let configuration = format!(
            "[sources.app]\ntype = 'file'\ninclude = ['{}/*.log']\ndecoding.codec = 'json'\n\
             glob_minimum_cooldown_ms = 50\n\
             [sinks.{id}]\ntype = 'elasticsearch'\ninputs = ['app']\nendpoints = ['{}']\nbulk.index = 'logs'\n\
             batch.timeout_secs = 0.02\n",
            logs.display(),
            peer.url()
        );
        self.run(&configuration).await;
    }

    /// Starts an agent with this configuration.
    async fn run(&mut self, configuration: &str) {
        let state = self.path("state");
        let configuration = format!("data_dir = '{}'\nmin_free = '0%'\n{configuration}", state.display());
        fs::write(self.path("levada.toml"), configuration).unwrap();
        let log = File::options().create(true).append(true).open(self.path("agent.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.arg("--config").arg(self.path("levada.toml")).stdout(Stdio::null()).stderr(log);
        self.agent = Some(command.spawn().unwrap());
        let socket = self.path("state/control.sock");
        wait::until("the control socket", || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
    }

    fn end(&mut self) {
        let mut agent = self.agent.take().unwrap();
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        assert!(agent.wait().unwrap().success());
    }

    async fn verb(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.args(arguments).arg("--config").arg(self.path("levada.toml"));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// What a verb that succeeds prints.
    async fn told(&self, arguments: &[&str]) -> String {
        let output = self.verb(arguments).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a verb that fails says.
    async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.verb(arguments).await;
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("agent.log")).unwrap()
    }

    /// Names and contents of the files with letters.
    fn letters(&self) -> Vec<(PathBuf, String)> {
        let Ok(entries) = fs::read_dir(self.path("state/dead_letters")) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
        files.sort();
        files
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ended = agent.kill().and_then(|()| agent.wait());
        }
    }
}

type Ids = Arc<Mutex<BTreeSet<String>>>;

/// An agent whose records 13 and 14 of twenty were refused, and the ids they came with.
async fn refused() -> (Site, Peer, Ids) {
    let (mut site, peer) = (Site { folder: tempfile::tempdir().unwrap(), agent: None }, Peer::start());
    fs::create_dir(site.path("logs")).unwrap();
    let ids = Ids::default();
    let noted = ids.clone();
    peer.judge(move |item| {
        let code = match item.document["n"].as_u64() {
            Some(13) => "mapper_parsing_exception",
            Some(14) => "document_parsing_exception",
            _ => return None,
        };
        noted.lock().unwrap().insert(item.id.clone());
        Some((400, code, "failed to parse"))
    });
    let line = |n: u64| format!("{{\"n\":{n},\"mail\":\"ann@example.com\",\"odd\":1.50}}\n");
    fs::write(site.path("logs/a.log"), (0..20).map(line).collect::<String>()).unwrap();
    site.start("out", &peer).await;
    peer.wait("the others", |world| world.len() == 18).await;
    wait::until("the letters", || site.letters().iter().map(|(_, text)| text.lines().count()).sum::<usize>() == 2)
        .await;
    (site, peer, ids)
}

fn stored_ids(world: &World) -> BTreeSet<String> {
    let of = |number: u64| {
        let all = world.stored.values().flatten();
        all.filter(move |(_, document)| document["n"] == number).map(|(id, _)| id.clone())
    };
    of(13).chain(of(14)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_and_shown_scrubbed_and_it_is_said_who_looked() {
    let (site, _peer, _) = refused().await;
    let listed = site.told(&["dead-letters", "ls"]).await;
    assert!(listed.starts_with("COMPONENT  CODE") && listed.lines().count() == 3, "{listed}");
    assert!(listed.contains("out        mapper_parsing_exception          1"), "{listed}");
    let json = site.told(&["dead-letters", "ls", "--json"]).await;
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["component"], &first["letters"]), (&"out".into(), &1.into()));
    let shown = site.told(&["dead-letters", "show", "out", "--where", ".n == 13"]).await;
    let letter: serde_json::Value = serde_json::from_str(shown.trim_end()).unwrap();
    assert_eq!(letter["record"]["dead_letter"]["code"], "mapper_parsing_exception");
    assert!(letter["record"]["n"] == 13 && !shown.contains("ann@example.com"), "{shown}");
    assert_eq!(site.told(&["dead-letters", "show", "--count", "1"]).await.lines().count(), 1);
    assert_eq!(site.told(&["dead-letters", "show", "other"]).await, "");
    assert!(site.refused(&["dead-letters", "show", "--where", ".n =="]).await.contains("syntax error"));
    assert!(site.log().contains("audit: records are shown") && site.log().contains("dead-letters"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_stores_each_once_however_often_it_is_done() {
    let (site, peer, ids) = refused().await;
    let before = site.letters();
    let replay = ["replay", "--to", "out"];
    // Refused again they are letters again.
    let told = site.told(&replay).await;
    assert_eq!(told, "2 letters sent, 0 delivered, 2 refused again (they are new letters)\n");
    assert_eq!(site.letters().iter().map(|(_, text)| text.lines().count()).sum::<usize>(), 2);
    peer.heal();
    assert_eq!(site.told(&replay).await, "2 letters sent, 2 delivered\n");
    assert_eq!((site.letters(), peer.look(World::len)), (vec![], 20));
    assert_eq!(peer.look(stored_ids), *ids.lock().unwrap(), "the ids they had");
    peer.look(|world| {
        let document = world.stored.values().flatten().find(|(_, document)| document["n"] == 13).unwrap().1;
        assert_eq!(*document, serde_json::json!({ "n": 13, "mail": "ann@example.com", "odd": 1.5 }));
    });
    // An end between the delivery and the letting go: they are sent once more.
    for (path, text) in &before {
        fs::write(path, text).unwrap();
    }
    assert_eq!(site.told(&replay).await, "2 letters sent, 2 delivered\n");
    assert_eq!((site.letters(), peer.look(World::len)), (vec![], 20));
    assert!(site.refused(&replay).await.contains("there are no dead letters of `out`; there are none at all"));
    assert!(site.log().contains("audit: dead letters are sent again"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_selects_and_a_dry_run_changes_nothing() {
    let (site, peer, _) = refused().await;
    peer.heal();
    let (before, asked) = (site.letters(), peer.look(|world| world.requests.len()));
    assert_eq!(site.told(&["replay", "--to", "out", "--dry-run"]).await, "2 letters would be sent\n");
    assert_eq!((site.letters(), peer.look(|world| world.requests.len())), (before, asked));
    let of_one = ".dead_letter.code == \"mapper_parsing_exception\"";
    assert_eq!(site.told(&["replay", "--to", "out", "--where", of_one]).await, "1 letter sent, 1 delivered\n");
    assert_eq!(peer.look(World::len), 19);
    let left = site.letters();
    assert!(left.len() == 1 && left[0].1.contains("document_parsing_exception") && left[0].1.lines().count() == 1);
    let failing = "to_int!(.mail) == 1";
    let told = site.told(&["replay", "--to", "out", "--where", failing]).await;
    assert_eq!(told, "0 letters sent, 0 delivered\nthe condition failed on 1, which stay\n");
    assert_eq!(site.letters(), left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_sink_that_is_gone_go_to_another() {
    let (mut site, peer, _) = refused().await;
    peer.heal();
    site.end();
    site.start("renamed", &peer).await;
    let why = site.refused(&["replay", "--to", "out"]).await;
    assert!(why.contains("no sink `out` runs") && why.contains("levada replay --from out --to ID"), "{why}");
    let why = site.refused(&["replay", "--to", "renamed"]).await;
    assert!(why.contains("there are some of out: `levada replay --from ID --to renamed`"), "{why}");
    let told = site.told(&["replay", "--from", "out", "--to", "renamed"]).await;
    assert_eq!((told.as_str(), site.letters()), ("2 letters sent, 2 delivered\n", vec![]));
    site.end();
    assert!(site.refused(&["replay", "--to", "renamed"]).await.contains("no agent listens"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_were_refused_are_sent_again_as_spans() {
    let (mut site, peer) = (Site { folder: tempfile::tempdir().unwrap(), agent: None }, Collector::start().await);
    let (port, taken) = (free_port(), Taken::at(&peer, Act::Http(400, &[])));
    site.run(&format!(
        "[sources.otlp]\ntype = 'opentelemetry'\nhttp.address = '127.0.0.1:{port}'\n\
         [sinks.out]\ntype = 'opentelemetry'\ninputs = ['otlp.traces', 'otlp.logs', 'otlp.metrics']\n\
         protocol = 'http'\nendpoint = '{}'\nbatch.timeout_secs = 0.02\n",
        peer.url()
    ))
    .await;
    post_all(port).await;
    let mut expected = BTreeMap::new();
    for signal in otlp::Signal::ALL {
        count(signal, &fixture(signal), 1, &mut expected);
    }
    let all: usize = expected.values().sum();
    let lines = || site.letters().iter().map(|(_, text)| text.lines().count()).sum::<usize>();
    wait::until("the letters", || lines() == all).await;
    let shown = site.told(&["dead-letters", "show", "out", "--where", ".kind == \"client\""]).await;
    let letter: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    assert!(letter["record"]["trace_id"].is_string() && letter["record"]["resource"].is_object(), "{shown}");
    taken.open();
    let told = site.told(&["replay", "--to", "out"]).await;
    assert_eq!(told, format!("{all} letters sent, {all} delivered\n"));
    assert_eq!(taken.counts(), expected, "byte for byte");
    assert_eq!(lines(), 0);
}
