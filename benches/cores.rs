//! The chain of the node job into `blackhole`, over eight files: how much faster are two cores than one?
//!
//! Runs the agent itself, under `taskset`; fails below 1.8 times. Needs a quiet machine with two cores.
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]
#![allow(clippy::unnecessary_debug_formatting, reason = "quotes and escapes are what TOML needs")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use support::{Job, logs};

const FILES: u64 = 8;
const RECORDS: u64 = 500_000;
const ROUNDS: usize = 5;
const EXPECTED: f64 = 1.8;
/// How often to look; looking takes time from the two cores that are measured.
const GLANCE: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut bytes = 0;
    for file in 0..FILES {
        let text = logs(RECORDS, file);
        bytes += text.len() as u64;
        fs::write(folder.path().join(format!("{file}.log")), text).expect("there is room for the logs");
    }
    let mut best = [0.0_f64; 2];
    for _ in 0..ROUNDS {
        for (best, cores) in best.iter_mut().zip(["0", "0,1"]) {
            *best = best.max(run(folder.path(), cores, bytes) / 1e6);
        }
    }
    let [one, two] = best;
    println!("one core {one:.0} MB/s, two cores {two:.0} MB/s: {:.2} times", two / one);
    if two / one < EXPECTED { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Bytes a second that the agent reads on these cores, from when it is at work to the end of all `bytes`.
fn run(folder: &Path, cores: &str, bytes: u64) -> f64 {
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let config = data.path().join("levada.toml");
    fs::write(&config, configuration(folder, data.path())).expect("there is room for the configuration");
    let mut agent = Command::new("taskset")
        .args(["--cpu-list", cores, env!("CARGO_BIN_EXE_levada"), "--config"])
        .arg(config)
        .spawn()
        .expect("the command `taskset` is there");
    let counted = format!("/proc/{}/io", agent.id());
    let (begun, first) = wait_for(&counted, bytes / 16);
    let (ended, last) = wait_for(&counted, bytes);
    agent.kill().and_then(|()| agent.wait()).expect("the agent runs until it is killed");
    (last - first) as f64 / (ended - begun).as_secs_f64()
}

/// When the process had read so much, and how much it was then.
fn wait_for(counted: &str, bytes: u64) -> (Instant, u64) {
    loop {
        let read = bytes_read(counted);
        if read >= bytes {
            return (Instant::now(), read);
        }
        std::thread::park_timeout(GLANCE);
    }
}

/// What a process has read so far (`proc(5)`).
fn bytes_read(counted: &str) -> u64 {
    let text = fs::read_to_string(counted).expect("the agent runs");
    text.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).expect("`rchar` counts what is read")
}

fn configuration(folder: &Path, data: &Path) -> String {
    format!(
        "data_dir = {:?}\n\n\
         [sources.app]\ntype = \"file\"\ninclude = [{:?}]\ndecoding.codec = \"json\"\n\n\
         [transforms.where]\ntype = \"enrich\"\ninputs = [\"app\"]\n{}\n\n\
         [transforms.private]\ntype = \"scrub\"\ninputs = [\"where\"]\n{}\n\n\
         [sinks.nowhere]\ntype = \"blackhole\"\ninputs = [\"private\"]\n",
        data.join("data"),
        folder.join("*.log"),
        Job::ENRICH,
        Job::SCRUB,
    )
}
