//! `logrotate` in its modes, while a writer writes.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::need;
use super::tally::{Tally, line};
use crate::agent::{Agent, Home};
use crate::{GLANCE, is_asked, wait_for};

const ROTATIONS: usize = 8;
/// Lines that are written between two rotations, at least.
const BETWEEN: u64 = 300;
/// And at most, or the slowest part of this test would be to read them all back.
const AHEAD: u64 = 10_000;
/// Rotations that the agent does not see.
const AWAY: std::ops::Range<usize> = 3..5;

#[test]
fn logrotate_creates_a_new_file() {
    rotate("create", "create\n", Writer::Watches, "app.log");
}

#[test]
fn logrotate_tells_the_writer_to_reopen() {
    rotate("postrotate", "nocreate\npostrotate\ntouch REOPEN\nendscript\n", Writer::IsTold, "app.log");
}

#[test]
fn logrotate_copies_and_truncates() {
    rotate("copytruncate", "copytruncate\n", Writer::Holds, "app.log");
}

#[test]
fn logrotate_copies_to_where_the_pattern_looks() {
    rotate("copies", "copytruncate\n", Writer::Holds, "app.log*");
}

#[test]
fn logrotate_compresses_what_a_pattern_finds_too() {
    rotate("compress", "create\ncompress\n", Writer::Watches, "app.log*");
}

#[test]
fn logrotate_compresses_one_rotation_later() {
    rotate("delaycompress", "create\ncompress\ndelaycompress\n", Writer::Watches, "app.log*");
}

#[test]
fn logrotate_compresses_by_other_programs() {
    for (program, end, package) in [("xz", "xz", "xz-utils"), ("zstd", "zst", "zstd"), ("bzip2", "bz2", "bzip2")] {
        if !is_asked(program) {
            continue;
        }
        need(program, package);
        let mode = format!("create\ncompress\ncompresscmd /usr/bin/{program}\ncompressext .{end}\n");
        rotate(program, &mode, Writer::Watches, "app.log*");
    }
}

#[test]
fn logrotate_keeps_the_extension_of_what_it_renames() {
    rotate("extension", "create\nextension .log\n", Writer::Watches, "*.log");
}

#[test]
fn logrotate_moves_to_a_folder_of_its_own() {
    rotate("olddir", "create\nolddir old\ncreateolddir 700\n", Writer::Watches, "app.log");
}

/// How a writer comes to write to the new file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// It looks at the path before each line.
    Watches,
    /// It opens the path again when it is told.
    IsTold,
    /// It never does.
    Holds,
}

/// A thread that writes numbered lines until it is stopped.
struct Pen {
    written: Arc<AtomicU64>,
    /// How many lines it may write so far.
    allowed: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    /// Held while a line is written: whoever holds it keeps the writer from writing.
    turn: Arc<Mutex<()>>,
    thread: JoinHandle<()>,
}

impl Pen {
    fn new(folder: PathBuf, how: Writer) -> Self {
        let (written, allowed) = (Arc::<AtomicU64>::default(), Arc::new(AtomicU64::new(AHEAD)));
        let (ends, turn) = (Arc::<AtomicBool>::default(), Arc::default());
        let (count, limit) = (written.clone(), allowed.clone());
        let (is_over, mine) = (ends.clone(), Arc::<Mutex<()>>::clone(&turn));
        let thread = std::thread::spawn(move || {
            let path = folder.join("app.log");
            let mut file = open(&path);
            while !is_over.load(Ordering::Acquire) {
                if count.load(Ordering::Acquire) >= limit.load(Ordering::Acquire) {
                    std::thread::park_timeout(GLANCE);
                    continue;
                }
                let turn = mine.lock().unwrap();
                let seq = count.load(Ordering::Acquire);
                if must_reopen(how, &folder, &file) {
                    file = open(&path);
                }
                writeln!(file, "{}", line("app", seq)).unwrap();
                count.store(seq + 1, Ordering::Release);
                drop(turn);
                if seq.is_multiple_of(16) {
                    std::thread::yield_now();
                }
            }
        });
        Self { written, allowed, ends, turn, thread }
    }

    fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Lets it write on, and tells where it is then.
    fn goes_on(&self) -> u64 {
        let written = self.written();
        self.allowed.store(written + AHEAD, Ordering::Release);
        written
    }

    /// Ends it and tells how much it wrote.
    fn finish(self) -> u64 {
        self.ends.store(true, Ordering::Release);
        self.thread.join().unwrap();
        self.written.load(Ordering::Acquire)
    }
}

fn open(path: &Path) -> File {
    File::options().append(true).create(true).open(path).unwrap()
}

fn must_reopen(how: Writer, folder: &Path, file: &File) -> bool {
    match how {
        Writer::Holds => false,
        Writer::IsTold => fs::remove_file(folder.join("REOPEN")).is_ok(),
        // Not before the new file is there: logrotate fails where another has created it first.
        Writer::Watches => {
            fs::metadata(folder.join("app.log")).is_ok_and(|at_path| at_path.ino() != file.metadata().unwrap().ino())
        }
    }
}

/// Rotates under a writer, under the agent, which is stopped and started in between, and compares.
fn rotate(test: &str, mode: &str, how: Writer, include: &str) {
    if !is_asked(test) {
        return;
    }
    need("logrotate", "logrotate");
    let home = Home::new();
    let logs = home.as_ref().join("logs");
    fs::create_dir(&logs).unwrap();
    let script = rules(&logs, mode);
    let config = config(&home, &logs.join(include));

    let pen = Pen::new(logs.clone(), how);
    let output = home.as_ref().join("out.ndjson");
    let mut agent: Option<Agent<'_>> = None;
    for rotation in 0..ROTATIONS {
        // Two rotations without the agent, where what was rotated can still be found and read.
        let can_be_read = include != "app.log" && !mode.contains("compresscmd");
        if can_be_read && AWAY.contains(&rotation) {
            if let Some(agent) = agent.take() {
                agent.stop();
            }
        } else {
            agent.get_or_insert_with(|| home.launch(&config));
        }
        let enough = pen.goes_on() + BETWEEN;
        wait_for("the writer", || (pen.written() >= enough).then_some(()), || home.log());
        // By design of that mode it loses what is written between the copy and the truncation, and what was not read
        // before it, unless the copy is found too.
        let pause = (how == Writer::Holds).then(|| pen.turn.lock().unwrap());
        if pause.is_some() && include == "app.log" {
            let agent = agent.as_ref().unwrap();
            agent.wait("the lines before the copy", || Tally::read(&output).len() >= pen.written());
        }
        run_logrotate(&logs, &script);
        drop(pause);
    }
    let written = pen.finish();
    let agent = agent.unwrap();
    agent.wait("all lines", || Tally::read(&output).len() >= written);
    agent.stop();
    Tally::read(&output).assert_is(&[("app", written)]);
}

fn rules(logs: &Path, mode: &str) -> PathBuf {
    let path = logs.parent().unwrap().join("logrotate.conf");
    let mode = mode.replace("REOPEN", &logs.join("REOPEN").display().to_string());
    fs::write(&path, format!("{}/app.log {{\nrotate 100\nsize 1\n{mode}}}\n", logs.display())).unwrap();
    path
}

fn run_logrotate(logs: &Path, script: &Path) {
    let state = logs.parent().unwrap().join("logrotate.state");
    let mut command = Command::new("/usr/sbin/logrotate");
    let status = command.args(["--force", "--state"]).arg(state).arg(script).status().unwrap();
    assert!(status.success(), "logrotate: {status}");
}

fn config(home: &Home, include: &Path) -> String {
    format!(
        "data_dir = {:?}\n\n\
         [sources.app]\ntype = \"file\"\ninclude = [{include:?}]\ndecoding.codec = \"json\"\n\n\
         [sinks.out]\ntype = \"file\"\ninputs = [\"app\"]\npath = {:?}\nencoding.codec = \"json\"\n",
        home.as_ref().join("data"),
        home.as_ref().join("out.ndjson"),
    )
}
