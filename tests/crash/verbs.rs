//! `levada buffer`, after an agent was killed with a backlog.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::agent::Home;
use crate::peer::{Act, Peer, World};
use crate::wait;

fn buffer(home: &Home, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
    command.arg("buffer").args(arguments).arg("--config").arg(home.config()).env("NO_COLOR", "1");
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = [stdout, stderr].concat();
    (status.success(), String::from_utf8(text).unwrap())
}

fn sink(peer: &Peer) -> String {
    format!("type = \"elasticsearch\"\nendpoints = [{:?}]\nbulk.index = \"logs\"\n", peer.url())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_orphan_holds_is_moved_to_another_sink() {
    let peer = Peer::start();
    peer.script(|_, _| Act::Answer(503, &[], ""));
    let home = Home::new(&sink(&peer));
    let line = |number| format!("{{\"n\":{number}}}\n");
    let lines: String = (0..500).map(line).collect();
    std::fs::write(home.logs().join("app.log"), lines).unwrap();
    let agent = home.start(None);
    let folder = home.state().join("buffers/out");
    let stored = || levada::buffer::inspect::summary(&folder).map_or(0, |found| found.records);
    wait::until("the backlog", || stored() == 500).await;
    let (is_done, text) = buffer(&home, &["ls"]);
    assert!(is_done && text.contains("out: 500 records") && !text.contains("an orphan"), "{text}");
    // It reads while the agent writes, and disturbs nothing.
    let (is_done, text) = buffer(&home, &["verify"]);
    assert!(is_done && text.contains("out: 500 records") && text.contains(" 0 bytes damaged\n"), "{text}");
    let (is_done, text) = buffer(&home, &["verify", "uot"]);
    assert!(!is_done && text.contains("no disk buffer `uot`"), "{text}");
    let (is_done, text) = buffer(&home, &["dump", "out", "--limit", "3"]);
    assert!(is_done && text.lines().count() == 3 && text.contains("{\"n\":2}"), "{text}");
    assert!(home.log().contains("act=\"buffer dump\" buffer=\"out\""), "{}", home.log());
    let (is_done, text) = buffer(&home, &["repair"]);
    assert!(!is_done && text.contains("stop the agent"), "{text}");
    drop(agent);
    let (is_done, text) = buffer(&home, &["repair"]);
    assert!(is_done && text.contains("out: sound"), "{text}");
    let (is_done, text) = buffer(&home, &["drain", "out", "--to", "other"]);
    assert!(!is_done && text.contains("has no sink `other`"), "{text}");

    // The log goes, and the sink gets another name.
    std::fs::remove_file(home.logs().join("app.log")).unwrap();
    home.rename_sink("other", &sink(&peer));
    let (is_done, text) = buffer(&home, &["ls"]);
    assert!(is_done && text.contains("out: 500 records") && text.contains("an orphan"), "{text}");
    let (is_done, text) = buffer(&home, &["verify"]);
    assert!(is_done && text.contains("out: 500 records") && text.contains("0 bytes damaged"), "{text}");
    let (is_done, text) = buffer(&home, &["drain", "out", "--to", "other"]);
    assert!(is_done && text.contains("500 records of `out`"), "{text}");
    assert!(!folder.exists());
    let (is_done, text) = buffer(&home, &["drain", "other", "--to", "other"]);
    assert!(!is_done && text.contains("is no orphan"), "{text}");
    let (is_done, text) = buffer(&home, &["dump", "other", "--limit", "3"]);
    assert!(is_done && text.lines().count() == 3 && text.contains("{\"n\":2}"), "{text}");

    peer.heal();
    let agent = home.start(None);
    peer.wait_for_all(500).await;
    agent.stop();
    assert_eq!(peer.look(World::len), 500);
}

/// The files of a buffer that are segments.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_buffer_is_mended_and_the_rest_arrives() {
    let peer = Peer::start();
    peer.script(|_, _| Act::Answer(503, &[], ""));
    let home = Home::new(&sink(&peer));
    let lines: Vec<_> = (0..500).map(|number| format!("{{\"n\":{number},\"pad\":\"{}\"}}", "x".repeat(200))).collect();
    let text = lines.join("\n") + "\n";
    std::fs::write(home.logs().join("app.log"), text).unwrap();
    let agent = home.start(None);
    let folder = home.state().join("buffers/out");
    wait::until("the backlog", || levada::buffer::inspect::summary(&folder).is_ok_and(|found| found.records == 500))
        .await;
    drop(agent);
    // A start writes the last group anew: what is hit next is not of the last group.
    let agent = home.start(None);
    peer.wait("an attempt", |world| !world.requests.is_empty()).await;
    drop(agent);
    let hurt = segments(&folder).into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&hurt).unwrap();
    bytes[1_000] ^= 1;
    std::fs::write(&hurt, bytes).unwrap();
    let (is_done, text) = buffer(&home, &["verify"]);
    assert!(!is_done && text.contains("`levada buffer repair` mends it"), "{text}");
    let (is_done, text) = buffer(&home, &["repair", "--dry-run"]);
    assert!(is_done && text.starts_with("out: would be mended: "), "{text}");
    assert!(!buffer(&home, &["verify"]).0, "nothing was done");
    let (is_done, text) = buffer(&home, &["repair"]);
    assert!(is_done && text.starts_with("out: ") && !text.contains("would"), "{text}");
    let (is_done, text) = buffer(&home, &["verify"]);
    assert!(is_done && text.contains(" 0 bytes damaged\n"), "{text}");
    let left = levada::buffer::inspect::summary(&folder).unwrap();
    assert!(left.quarantined > 0 || text.contains("0 records"), "{left:?}");
}
