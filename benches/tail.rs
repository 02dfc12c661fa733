//! Tailing under load, one case for each name given: `slow` (lines of slow files beside one at full speed), `pods` (500
//! short-lived pods a minute), `rotate` (2 GiB rotated at 10 MiB while it is written as fast as that goes). Each fails at its bar.
#![allow(clippy::print_stdout, reason = "figures are for people")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use levada::component::files::Files;
use levada::component::meters::{Families, Label, Meters};
use levada::component::outlet::{Lane, Offer, Outlet};
use levada::component::row::Context;
use levada::component::signal::Stop;
use levada::event::{Batch, Budget, Outcome};

const SLOW_FILES: u64 = 500;
const MOST_WAITED: Duration = Duration::from_secs(2);
const PODS_A_MINUTE: u64 = 500;
const LINES_OF_A_POD: u64 = 20;
const ROTATED: u64 = 2 << 30;
const ROTATED_AT: u64 = 10 << 20;
/// So far the writer of the file at full speed may be ahead of what was read: deleted files hold their room on the disk.
const MOST_AHEAD: u64 = 256 << 20;
const PATIENCE: Duration = Duration::from_mins(2);

/// What came: how many lines, and how long those of slow files had waited.
#[derive(Clone, Default)]
struct Sea {
    lines: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    waited: Arc<Mutex<Vec<Duration>>>,
}

impl Outlet for Sea {
    fn lane_to(&self, _: usize) -> Box<dyn Lane> {
        Box::new(self.clone())
    }
}

impl Lane for Sea {
    fn offer(&mut self, batch: Batch, _: &Waker) -> Offer {
        let now = since_epoch();
        let texts = (0..batch.len()).map(|index| batch.get(index).text());
        let slow = texts.clone().filter_map(|text| text.strip_prefix(b"slow "));
        let written = slow.filter_map(|rest| std::str::from_utf8(rest).ok()?.parse().ok());
        let waited: Vec<Duration> = written.map(|at: u64| now.saturating_sub(Duration::from_nanos(at))).collect();
        if !waited.is_empty() {
            self.waited.lock().unwrap_or_else(PoisonError::into_inner).extend(waited);
        }
        self.bytes.fetch_add(texts.map(|text| text.len() as u64 + 1).sum(), Ordering::Relaxed);
        self.lines.fetch_add(batch.len() as u64, Ordering::Release);
        batch.settle(Outcome::Delivered);
        Offer::Taken
    }
}

/// A source that runs.
struct Source {
    sea: Sea,
    meters: Meters,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Source {
    fn start(name: &str, settings: &str, folder: &Path) -> Self {
        let row = levada::sources::ROWS.iter().find(|row| row.name == name).expect("the shelf has it");
        let families = Families::default();
        let meters = families.meters(&Label { id: "tail".to_owned(), kind: "source", type_name: row.name });
        let context = Context {
            id: "tail".to_owned(),
            meters: meters.clone(),
            budget: Budget::new(64 << 20),
            state_dir: folder.join("state"),
            files: Files::default(),
            tables: levada::lang::Tables::default(),
            pause: levada::component::pause::Pause::default(),
            health: levada::component::health::Health::default(),
        };
        let table = settings.parse().expect("settings are TOML");
        let source = (row.read)(table).and_then(|settings| settings.build(context)).expect("settings are right");
        let (sea, stop) = (Sea::default(), Stop::default());
        let running = source.run(Arc::new(sea.clone()), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("threads can be started");
        let thread = std::thread::spawn(move || runtime.block_on(running));
        Self { sea, meters, stop, thread }
    }

    fn lines(&self) -> u64 {
        self.sea.lines.load(Ordering::Acquire)
    }

    /// Waits until so many lines are there, or nothing comes for long.
    fn wait_for(&self, lines: u64) {
        let mut last = (self.lines(), Instant::now());
        while last.0 < lines && last.1.elapsed() < PATIENCE {
            std::thread::park_timeout(Duration::from_millis(20));
            let now = self.lines();
            if now > last.0 {
                last = (now, Instant::now());
            }
        }
    }

    fn end(self) {
        self.stop.request(Instant::now() + Duration::from_secs(10));
        self.thread.join().expect("the source ends");
    }
}

fn since_epoch() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().expect("it is later")
}

/// A folder that goes with its owner.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("levada-tail-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("logs")).expect("the folder for temporary files can be written");
        Self(path)
    }

    fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let cases: HashMap<&str, fn()> = HashMap::from([("slow", slow as fn()), ("pods", pods), ("rotate", rotate)]);
    for name in ["slow", "pods", "rotate"] {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            cases[name]();
        }
    }
}

/// One file is written as fast as it goes, and each of many others twice a second.
fn slow() {
    let place = Place::new("slow");
    let logs = place.logs();
    let source = Source::start("file", &format!("include = ['{}/*.log']", logs.display()), &place.0);
    let ends = Arc::new(AtomicBool::new(false));
    let (is_over, path, read) = (ends.clone(), logs.join("full.log"), source.sea.bytes.clone());
    let full = std::thread::spawn(move || {
        let block = "a line of a file that is written as fast as that goes, and longer than most\n".repeat(800);
        let mut file = File::create(&path).expect("it can be written");
        let (mut written, mut all) = (0, 0);
        while !is_over.load(Ordering::Acquire) {
            if all > read.load(Ordering::Relaxed) + MOST_AHEAD {
                std::thread::park_timeout(Duration::from_millis(1));
                continue;
            }
            all += block.len() as u64;
            file.write_all(block.as_bytes()).expect("there is room");
            written += block.len() as u64;
            if written > 1 << 30 {
                fs::remove_file(&path).expect("it is there");
                (file, written) = (File::create(&path).expect("it can be written"), 0);
            }
        }
    });
    let mut files: Vec<File> = (0..SLOW_FILES)
        .map(|number| File::create(logs.join(format!("{number}.log"))).expect("it can be written"))
        .collect();
    let began = Instant::now();
    let mut count = 0;
    for round in 1.. {
        for file in &mut files {
            writeln!(file, "slow {}", since_epoch().as_nanos()).expect("there is room");
            count += 1;
        }
        if began.elapsed() > Duration::from_secs(20) {
            break;
        }
        std::thread::park_timeout(
            (began + Duration::from_millis(500) * round).saturating_duration_since(Instant::now()),
        );
    }
    ends.store(true, Ordering::Release);
    full.join().expect("it ends");
    let waited = || source.sea.waited.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let deadline = Instant::now() + PATIENCE;
    while waited().len() < count && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let mut waited = waited();
    waited.sort();
    let at = |share: f64| waited[((waited.len() - 1) as f64 * share) as usize].as_secs_f64();
    let rate = source.sea.bytes.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64() / 1e6;
    println!(
        "slow: {} of {count} lines of {SLOW_FILES} files; waited {:.3} s at p50, {:.3} s at p99, {:.3} s at most; {rate:.0} MB/s beside",
        waited.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    source.end();
    assert_eq!(waited.len(), count, "lines are missing");
    assert!(at(0.99) <= MOST_WAITED.as_secs_f64(), "lines waited too long");
}

/// Pods come, write, and are gone with their folders a second later.
fn pods() {
    let place = Place::new("pods");
    let logs = place.logs();
    let source = Source::start("kubernetes_logs", &format!("logs_dir = '{}'", logs.display()), &place.0);
    let (began, every) = (Instant::now(), Duration::from_mins(1) / PODS_A_MINUTE as u32);
    let mut figures = Vec::new();
    let folder = |number: u64| logs.join(format!("shop_job-{number}_00000000-0000-0000-0000-{number:012}"));
    // As many go as come, a second after they came.
    let behind = Duration::from_secs(1).as_nanos() as u64 / every.as_nanos() as u64;
    for number in 0..PODS_A_MINUTE * 3 / 2 {
        let container = folder(number).join("app");
        fs::create_dir_all(&container).expect("it can be written");
        let mut log = File::create(container.join("0.log")).expect("it can be written");
        for line in 0..LINES_OF_A_POD {
            let nanos = since_epoch().subsec_nanos();
            writeln!(log, "2026-11-21T01:30:00.{nanos:09}Z stdout F pod {number} line {line}").expect("there is room");
        }
        drop(log);
        if let Some(old) = number.checked_sub(behind) {
            fs::remove_dir_all(folder(old)).expect("it is there");
        }
        if number % (PODS_A_MINUTE / 4) == 0 {
            figures.push((resident(), descriptors()));
        }
        std::thread::park_timeout((began + every * (number as u32 + 1)).saturating_duration_since(Instant::now()));
    }
    let written = PODS_A_MINUTE * 3 / 2 * LINES_OF_A_POD;
    source.wait_for(written);
    let lines = source.lines();
    println!("pods: {lines} of {written} lines; resident MiB and descriptors each quarter of a minute: {figures:?}");
    source.end();
    assert_eq!(lines, written, "not exact");
    let (early, late) = (figures[figures.len() / 2], figures[figures.len() - 1]);
    assert!(late.0 <= early.0 + 16 && late.1 <= early.1 + early.1 / 2, "memory or descriptors grow");
}

/// A log is written without a pause, and renamed at its size.
fn rotate() {
    let place = Place::new("rotate");
    let logs = place.logs();
    let source = Source::start("file", &format!("include = ['{}/app.log']", logs.display()), &place.0);
    // Each line has its number, as a log's lines have their times: files that begin and end alike are taken for copies.
    let (before, after) = (b"{\"level\":\"info\",\"message\":\"order accepted\",\"customer\":\"", b"\"}\n");
    let lines_of_a_block = 900;
    let mut block = Vec::new();
    let path = logs.join("app.log");
    let (began, mut written, mut of_this) = (Instant::now(), 0, 0);
    let mut file = File::create(&path).expect("it can be written");
    let (mut blocks, mut rotations) = (0, 0);
    while written < ROTATED {
        block.clear();
        for line in blocks * lines_of_a_block..(blocks + 1) * lines_of_a_block {
            block.extend_from_slice(before);
            write!(block, "{line:010}").expect("memory takes it");
            block.extend_from_slice(after);
        }
        file.write_all(&block).expect("there is room");
        (written, of_this, blocks) = (written + block.len() as u64, of_this + block.len() as u64, blocks + 1);
        if of_this >= ROTATED_AT {
            rotations += 1;
            fs::rename(&path, logs.join(format!("app.log.20261121-{rotations:06}"))).expect("it is there");
            (file, of_this) = (File::create(&path).expect("it can be written"), 0);
        }
    }
    let took = began.elapsed().as_secs_f64();
    let lines = blocks * lines_of_a_block;
    source.wait_for(lines);
    let (came, all) = (source.lines(), began.elapsed().as_secs_f64());
    let abandoned = source.meters.files().abandoned_bytes();
    println!(
        "rotate: {came} of {lines} lines; written at {:.0} MB/s, read at {:.0} MB/s; {abandoned} bytes abandoned",
        written as f64 / took / 1e6,
        written as f64 / all / 1e6
    );
    source.end();
    assert_eq!(came, lines, "not exact");
}

/// Resident memory in MiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("it has one");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// How many descriptors are open.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
