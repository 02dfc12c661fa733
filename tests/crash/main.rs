//! The agent is killed again and again, at random times and at named points, while lines are written and its peers stall,
//! cut and refuse. In the end each line is there once.
//!
//! `LEVADA_CRASH=N` asks for N kills; `LEVADA_CRASH_SEED` repeats a run that failed (as far as time repeats itself).
#![allow(clippy::unwrap_used, reason = "in a test that is how things fail")]
#![allow(clippy::unnecessary_debug_formatting, reason = "quotes and escapes are what TOML needs")]

mod agent;
#[path = "../peer/mod.rs"]
#[allow(dead_code, reason = "shared with the tests in one process, which need more of it")]
mod peer;
mod table;
mod verbs;
#[path = "../wait.rs"]
#[allow(dead_code, reason = "shared with the tests in one process, which need more of it")]
mod wait;
mod writer;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use agent::{FILE_POINTS, Home, Mischief, POINTS};
use fastrand::Rng;
use peer::{Act, Peer};
use table::{Deed, Table};
use writer::Writer;

/// The agent lives so long at most before it is killed.
const LIFE: Duration = Duration::from_secs(2);

/// The kills that are asked for.
fn kills(test: &str) -> Option<usize> {
    let kills = std::env::var("LEVADA_CRASH").ok().and_then(|text| text.parse().ok());
    if kills.is_none() {
        // Past the capture of the test runner: a test that was not run should be seen.
        let _ = writeln!(std::io::stderr(), "{test}: not run, it takes a while; set LEVADA_CRASH=25 for 25 kills");
    }
    kills
}

/// A seed, printed so that a run can be repeated.
fn seed() -> u64 {
    let asked = std::env::var("LEVADA_CRASH_SEED").ok().and_then(|text| text.parse().ok());
    let seed = asked.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let _ = writeln!(std::io::stderr(), "LEVADA_CRASH_SEED={seed}");
    seed
}

/// What the peer does to the agent's requests.
fn trouble(rng: &mut Rng, storm: &mut u32) -> Act {
    if rng.u32(..100) == 0 {
        *storm = rng.u32(5..30);
    }
    if *storm > 0 {
        *storm -= 1;
        return Act::Answer(429, &[("retry-after", "0")], "");
    }
    match rng.u32(..20) {
        0 => Act::TakeAndCut,
        1 => Act::TakeAndStall,
        2 => Act::Stall,
        3 => Act::Answer(429, &[], ""),
        4 => Act::Answer(503, &[("retry-after", "0")], ""),
        5 => Act::TakeAndTruncate,
        _ => Act::Take,
    }
}

fn deed(rng: &mut Rng) -> Deed {
    match rng.u32(..20) {
        0 | 1 => Deed::TakeAndCut,
        2 => Deed::TakeAndStall,
        3 => Deed::Busy,
        _ => Deed::Take,
    }
}

/// Fails unless each of `0..count` is there once.
fn reconcile(numbers: &[u64], count: u64) -> Result<(), String> {
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for number in numbers {
        *times.entry(*number).or_default() += 1;
    }
    let lost: Vec<u64> = (0..count).filter(|number| !times.contains_key(number)).collect();
    let twice: Vec<u64> = times.iter().filter(|(_, times)| **times > 1).map(|(number, _)| *number).collect();
    let few = |numbers: &[u64]| format!("{} such as {:?}", numbers.len(), &numbers[..numbers.len().min(5)]);
    if lost.is_empty() && twice.is_empty() {
        return Ok(());
    }
    Err(format!("of {count} lines lost {}; twice {}", few(&lost), few(&twice)))
}

/// The agent is killed so often, while lines are written; `heal` ends all trouble. Then each line is in `numbers` once.
async fn survives(
    rng: &mut Rng,
    (kills, sink, points): (usize, &str, &[&str]),
    heal: impl Fn(),
    (numbers, explain): (impl Fn() -> Vec<u64>, impl Fn() -> Vec<String>),
) {
    let home = Home::new(sink);
    let writer = Writer::start(home.logs(), rng.fork());
    let mut deaths: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..kills {
        let point = (rng.u32(..3) > 0).then(|| (*rng.choice(points).unwrap(), rng.u64(1..8)));
        let life = LIFE.mul_f64(0.05 + 0.95 * rng.f64().powi(2));
        let mischief = match rng.u32(..6) {
            0 => Mischief::Stop(LIFE.mul_f64(0.2 * rng.f64())),
            1 => Mischief::Reload,
            _ => Mischief::None,
        };
        let death = home.start(point).die(life, &home, mischief).await;
        *deaths.entry(death).or_default() += 1;
    }
    let count = writer.stop();
    heal();
    let agent = home.start(None);
    agent.arrives(|| numbers().len() as u64 >= count).await;
    agent.stop();
    let _ = writeln!(std::io::stderr(), "{count} lines, killed at {deaths:?}");
    let found = reconcile(&numbers(), count);
    assert!(found.is_ok(), "{}\n{}\n{}", found.unwrap_err(), explain().join("\n"), home.keep());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_document_is_there_once_whatever_kills_the_agent() {
    let Some(kills) = kills("each_document_is_there_once_whatever_kills_the_agent") else { return };
    let (mut rng, peer) = (Rng::with_seed(seed()), Peer::start());
    let mut troubled = rng.fork();
    let mut storm = 0;
    peer.script(move |_, _| trouble(&mut troubled, &mut storm));
    let sink = format!(
        "type = \"elasticsearch\"\nendpoints = [{:?}]\nbulk.index = \"logs\"\nbatch.max_events = 70\n",
        peer.url()
    );
    survives(&mut rng, (kills, &sink, POINTS), || peer.heal(), (|| peer.look(peer::World::numbers), Vec::new)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_is_there_once_whatever_kills_the_agent() {
    let Some(kills) = kills("each_row_is_there_once_whatever_kills_the_agent") else { return };
    let (mut rng, table) = (Rng::with_seed(seed()), Table::start().await);
    let mut troubled = rng.fork();
    table.script(Some(Box::new(move || deed(&mut troubled))));
    let sink = format!(
        "type = \"clickhouse\"\nendpoint = {:?}\ntable = \"rows_{{{{ part }}}}\"\ncompression = \"none\"\n\
         batch.max_events = 300\n",
        table.url()
    );
    survives(&mut rng, (kills, &sink, POINTS), || table.script(None), (|| table.numbers(), || table.overlaps())).await;
    assert_eq!(table.reused(), [] as [&str; 0], "tokens with other rows");
}

/// The numbers of all whole lines of files in a folder.
fn lines_in(folder: &Path) -> Vec<u64> {
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let texts = files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let numbers = |text: Vec<u8>| {
        let number = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).ok()?["n"].as_u64();
        text.split(|byte| *byte == b'\n').filter_map(number).collect::<Vec<_>>()
    };
    texts.flat_map(numbers).collect()
}

async fn each_line_is_there_once((test, buffer): (&str, &str)) {
    let Some(kills) = kills(test) else { return };
    let (mut rng, folder) = (Rng::with_seed(seed()), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let sink = format!("type = \"file\"\npath = {:?}\nencoding.codec = \"json\"\n{buffer}", out.join("{{ part }}.log"));
    survives(&mut rng, (kills, &sink, FILE_POINTS), || {}, (|| lines_in(&out), Vec::new)).await;
    for file in std::fs::read_dir(&out).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let is_line = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        assert!(text.ends_with('\n') && text.lines().all(is_line), "half a line");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_a_file_is_there_once_whatever_kills_the_agent() {
    each_line_is_there_once(("each_line_of_a_file_is_there_once_whatever_kills_the_agent", "")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_a_file_behind_a_disk_is_there_once_whatever_kills_the_agent() {
    let disk = "buffer = { type = \"disk\", max_size = \"64MiB\" }\n";
    each_line_is_there_once(("each_line_of_a_file_behind_a_disk_is_there_once_whatever_kills_the_agent", disk)).await;
}
