//! `exec`, in Vector's protocol: `{"version": "1.0", "secrets": ["a"]}` on standard input,
//! `{"a": {"value": "...", "error": null}}` on standard output, exit code 0. Standard error may quote secrets: only its length is told.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Answers};

/// Bytes of an answer that are read.
const LARGEST: u64 = 16 << 20;
/// How often to look whether a command that has answered has ended.
const GLANCE: Duration = Duration::from_millis(5);

/// Seconds, as in Vector.
pub(super) const fn timeout() -> u64 {
    5
}

/// What the command says of one key.
#[derive(Deserialize)]
struct Told {
    value: Option<String>,
    error: Option<String>,
}

pub(super) fn ask(command: &[String], timeout: u64, keys: &BTreeSet<String>) -> Answers {
    let question = json!({ "version": "1.0", "secrets": keys }).to_string();
    let output = run(command, &question, Duration::from_secs(timeout))?;
    // The parser's own words may quote what it said.
    let mut told: BTreeMap<String, Told> = serde_json::from_slice(&output)
        .map_err(|_| format!("`{}` does not answer as `{{\"key\": {{\"value\": \"...\"}}}}`", command[0]))?;
    let mut answer = |key: &String| -> Answer {
        let told = told.remove(key).ok_or("the command says nothing of it")?;
        match told {
            Told { error: Some(error), .. } => Err(format!("the command says: {error}")),
            Told { value: Some(value), .. } => Ok(value),
            _ => Err("the command gives neither a value nor an error".to_owned()),
        }
    };
    Ok(keys.iter().map(|key| (key.clone(), answer(key))).collect())
}

/// What the command writes, if it ends well within `limit`. Whatever it started ends with it.
fn run(command: &[String], question: &str, limit: Duration) -> Result<Vec<u8>, String> {
    let program = &command[0];
    let mut asked = Command::new(program);
    asked.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let spawned = asked.spawn();
    let mut child = spawned.map_err(|error| format!("cannot run `{program}`: {error}"))?;
    let said = swallow(&mut child);
    let (done, ended) = mpsc::sync_channel(1);
    converse(&mut child, question.to_owned(), done);
    let output = ended.recv_timeout(limit);
    if !matches!(output, Ok(Ok(_))) {
        end(&mut child);
    }
    let output = match output {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("cannot read what `{program}` says: {error}")),
        Err(_) => return Err(format!("`{program}` did not answer within {} s", limit.as_secs())),
    };
    if output.len() as u64 > LARGEST {
        end(&mut child);
        return Err(format!("`{program}` says more than {} MiB", LARGEST >> 20));
    }
    let status = wait(&mut child, limit)
        .map_err(|error| format!("cannot wait for `{program}`: {error}"))?
        .ok_or_else(|| format!("`{program}` answered and did not end within {} s", limit.as_secs()))?;
    if status.success() {
        return Ok(output);
    }
    // Whatever it left running may hold the pipe.
    let said = match said.recv_timeout(GLANCE * 20) {
        Ok(0) => String::new(),
        Ok(bytes) => format!("; it wrote {bytes} bytes to its standard error, which are not shown: run it by hand"),
        Err(_) => "; run it by hand to see its standard error".to_owned(),
    };
    Err(format!("`{program}` ended with {status}{said}"))
}

/// Reads what the command writes to its standard error, and keeps only how much that was.
fn swallow(child: &mut Child) -> mpsc::Receiver<u64> {
    let (done, ended) = mpsc::sync_channel(1);
    let stderr = child.stderr.take();
    thread::spawn(move || {
        let read = stderr.map_or(Ok(0), |mut stderr| io::copy(&mut stderr, &mut io::sink()));
        // Nobody asks where it ended well.
        let _unasked = done.send(read.unwrap_or(0));
    });
    ended
}

/// Writes the question and reads the answer, each on a thread of its own: a command may do neither.
fn converse(child: &mut Child, question: String, done: mpsc::SyncSender<io::Result<Vec<u8>>>) {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    thread::spawn(move || {
        // One that knows its keys need not read.
        stdin.map(|mut stdin| stdin.write_all(question.as_bytes()))
    });
    thread::spawn(move || {
        let mut output = Vec::new();
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(LARGEST + 1).read_to_end(&mut output));
        // Nobody waits any more after the time limit.
        let _late = done.send(read.map(|_| output));
    });
}

/// How it ended; one that has not within `limit` is killed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= deadline => {
                end(child);
                return Ok(None);
            }
            // No event tells of the end of a process without a signal handler of our own.
            None => thread::park_timeout(GLANCE),
        }
    }
}

fn end(child: &mut Child) {
    if let Some(group) = Pid::from_raw(child.id() as i32) {
        // It may have ended by itself.
        let _gone = kill_process_group(group, Signal::KILL);
    }
    let _reaped = child.wait();
}
