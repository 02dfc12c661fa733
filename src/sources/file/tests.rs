//! The source as a whole, over real files.

mod drain;
mod engine;
mod exact;
mod hostile;
mod known;
mod model;
mod restart;
mod rotation;
mod seen;
mod threads;
mod turns;
mod twins;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::job::Pace;
use super::named::Named;
use super::settings::FileSettings;
use super::source::FileSource;
use prometheus::proto::MetricFamily;

use crate::component::inspect::Inspect;
use crate::component::meters::{Families, Meters};
use crate::component::pause::{Pause, Paused};
use crate::component::row::Settings;
use crate::component::signal::Stop;
use crate::component::source::Source;
use crate::component::test_kit::{Catcher, Caught, context};

/// A pace at which tests need not wait long.
pub(in crate::sources) const QUICK: Pace = Pace {
    poll: Duration::from_millis(20),
    linger: Duration::from_millis(1),
    quiet: Duration::from_millis(100),
    retry: Duration::from_millis(5),
};

/// A folder of files and the state of a source.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    /// In memory where the system has such a place: positions are synced often.
    state: tempfile::TempDir,
    pub(super) settings: String,
    pub(super) memory: usize,
}

/// A source that runs.
pub(super) struct Running {
    pub(super) meters: Meters,
    pub(super) families: Families,
    pub(super) pause: Pause,
    inspect: Arc<dyn Inspect>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let quick = Path::new("/dev/shm");
        let state = if quick.is_dir() { tempfile::tempdir_in(quick) } else { tempfile::tempdir() };
        Self { folder, state: state.unwrap(), settings: String::new(), memory: 16 << 20 }
    }

    pub(super) fn with(settings: &str) -> Self {
        Self { settings: settings.to_owned(), ..Self::new() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    pub(super) fn state(&self) -> PathBuf {
        self.state.path().join("state")
    }

    pub(super) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        append(&self.path(name), bytes.as_ref());
    }

    /// Waits until the positions tell of a file: it is followed from here on.
    fn wait_until_known(&self, name: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let is_known = || fs::read_to_string(self.state().join("positions.json")).is_ok_and(|text| text.contains(name));
        while !is_known() {
            assert!(Instant::now() < deadline, "`{name}` is not followed");
            std::thread::yield_now();
        }
    }

    pub(super) fn settings(&self) -> FileSettings {
        let text = if self.settings.contains("include") {
            self.settings.replace("LOGS", &self.path("").display().to_string())
        } else {
            format!("include = [\"{}\"]\n{}", self.path("*.log").display(), self.settings)
        };
        toml::from_str(&text).unwrap()
    }

    /// What it would do, without running it.
    pub(super) fn inspect(&self) -> Arc<dyn Inspect> {
        self.settings().inspect(&context(&self.state(), self.memory).1).unwrap()
    }

    pub(super) fn start(&self, outlet: &Catcher) -> Running {
        self.start_with(outlet, None)
    }

    /// One that is paused before it begins.
    pub(super) fn start_paused(&self, outlet: &Catcher) -> Running {
        self.start_with(outlet, Some(Paused::default()))
    }

    fn start_with(&self, outlet: &Catcher, paused: Option<Paused>) -> Running {
        let settings = self.settings();
        assert_eq!(settings.check(), []);
        let (families, context) = context(&self.state(), self.memory);
        context.pause.set(paused);
        let (meters, pause) = (context.meters.clone(), context.pause.clone());
        let (search, tailing) = (Box::new(Named::new(&settings)), settings.tailing(&context).unwrap());
        let source = FileSource::with_pace(search, tailing, (&context, QUICK)).unwrap();
        let (stop, inspect) = (Stop::default(), source.inspect().unwrap());
        let running = Box::new(source).run(Arc::new(outlet.clone()), stop.clone());
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let thread = std::thread::spawn(move || runtime().block_on(running));
        Running { meters, families, pause, inspect, stop, thread: Some(thread) }
    }
}

impl Running {
    pub(super) fn inspect(&self) -> &dyn Inspect {
        &*self.inspect
    }

    /// Stops the source and waits for its end.
    pub(super) fn stop(mut self) {
        self.end();
    }

    /// Stops when `count` records were caught.
    pub(super) fn stop_after(self, outlet: &Catcher, count: usize) {
        outlet.wait_for(count);
        self.stop();
    }

    /// Ends at once, whatever is in flight.
    pub(super) fn kill(mut self) {
        self.stop.request(Instant::now());
        self.end();
    }

    fn end(&mut self) {
        self.stop.request(Instant::now() + Duration::from_secs(30));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

pub(in crate::sources) fn append(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn positions(caught: &[Caught]) -> Vec<u64> {
    caught.iter().map(|caught| caught.identity.position).collect()
}

/// How often the error `kind` was counted.
pub(super) fn errors(families: &Families, kind: &str) -> f64 {
    let families = families.registry().gather();
    let errors = families.iter().filter(|family| family.name() == "levada_component_errors_total");
    let counters = errors.flat_map(MetricFamily::get_metric);
    let of_kind = counters.filter(|metric| metric.get_label().iter().any(|label| label.value() == kind));
    of_kind.map(|metric| metric.get_counter().get_value()).sum()
}

#[test]
fn reads_a_file_to_its_end_and_follows_it() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "one\n\ntwo\nthr");
    let running = bench.start(&outlet);
    assert_eq!(outlet.wait_for(2), ["one", "two"]);
    bench.append("a.log", "ee\nfour\n");
    assert_eq!(outlet.wait_for(4), ["one", "two", "three", "four"]);
    assert_eq!(positions(&outlet.caught()), [0, 5, 9, 15]);
    assert_eq!(running.meters.received_events(), 4);
    assert_eq!(running.meters.received_bytes(), 20);
}

#[test]
fn a_stream_without_room_waits_alone() {
    let bench = Bench::with("max_read_bytes = 8");
    let outlet = Catcher::default();
    outlet.refuse(|record| record.text().starts_with(b"slow"));
    bench.append("slow.log", "slow1\nslow2\nslow3\n");
    let _running = bench.start(&outlet);
    outlet.wait_for_refusals(1);
    bench.append("quick.log", "quick1\nquick2\n");
    assert_eq!(outlet.wait_for(2), ["quick1", "quick2"]);
    outlet.accept_all();
    assert_eq!(outlet.wait_for(5)[2..], ["slow1", "slow2", "slow3"]);
}

#[test]
fn a_small_budget_slows_and_stops_nothing() {
    let bench = Bench { memory: 4096, ..Bench::with("max_read_bytes = 2048") };
    let outlet = Catcher::default();
    for file in 0..8 {
        let lines: Vec<String> = (0..500).map(|line| format!("file {file} line {line}\n")).collect();
        bench.append(&format!("{file}.log"), lines.concat());
    }
    let _running = bench.start(&outlet);
    let mut lines = outlet.wait_for(4000);
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 4000);
}

#[test]
fn a_file_reached_by_two_paths_is_read_once() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "one\n");
    fs::hard_link(bench.path("a.log"), bench.path("b.log")).unwrap();
    std::os::unix::fs::symlink(bench.path("a.log"), bench.path("c.log")).unwrap();
    let running = bench.start(&outlet);
    outlet.wait_for(1);
    bench.append("b.log", "two\n");
    outlet.wait_for(2);
    running.stop();
    assert_eq!(outlet.lines(), ["one", "two"]);
}

#[test]
fn read_from_end_is_for_files_that_are_there_at_the_start() {
    let bench = Bench::with("read_from = \"end\"");
    let outlet = Catcher::default();
    bench.append("old.log", "old\npart");
    bench.append("empty.log", "");
    let running = bench.start(&outlet);
    bench.wait_until_known("old.log");
    bench.append("empty.log", "first\n");
    outlet.wait_for_line("first");
    bench.append("new.log", "new\n");
    bench.append("old.log", "ial\nmore\n");
    outlet.wait_for_line("new");
    outlet.wait_for_line("more");
    running.stop();
    assert_eq!(outlet.lines().len(), 3);
}

#[test]
fn excluded_and_old_files_are_left_out() {
    let bench = Bench::with("include = [\"LOGS*.log\"]\nexclude = [\"LOGSx*\"]\nignore_older_secs = 3600");
    let outlet = Catcher::default();
    for name in ["old.log", "x.log", "a.log"] {
        bench.append(name, format!("{name}\n"));
    }
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::options().append(true).open(bench.path("old.log")).unwrap().set_modified(old).unwrap();
    let running = bench.start(&outlet);
    outlet.wait_for_line("a.log");
    running.stop();
    assert_eq!(outlet.lines(), ["a.log"]);
}

#[test]
fn bytes_get_members_and_json_gets_none() {
    let outlet = Catcher::default();
    let plain = Bench::with("host_key = \"\"\nfile_key = \"log\"");
    plain.append("a.log", "{\"a\":1}\n");
    let json = Bench::with("decoding.codec = \"json\"");
    json.append("a.log", "{\"a\":1}\n");
    plain.start(&outlet).stop_after(&outlet, 1);
    json.start(&outlet).stop_after(&outlet, 2);
    let caught = outlet.caught();
    let record: serde_json::Value = serde_json::from_slice(&caught[0].json).unwrap();
    assert_eq!(record["message"], "{\"a\":1}");
    assert_eq!(record["log"], plain.path("a.log").to_str().unwrap());
    assert_eq!(record["source_type"], "file");
    assert!(record.get("host").is_none() && record.get("timestamp").is_some());
    assert_eq!(caught[1].json, b"{\"a\":1}");
}

#[test]
fn a_record_tells_where_it_begins_if_that_is_asked_for() {
    for (codec, line) in [("bytes", "text"), ("json", "{\"a\":1}")] {
        let (bench, outlet) =
            (Bench::with(&format!("offset_key = \"offset\"\ndecoding.codec = \"{codec}\"")), Catcher::default());
        bench.append("a.log", format!("{line}\n\n{line}\n"));
        bench.start(&outlet).stop_after(&outlet, 2);
        let offsets = outlet.caught().into_iter().map(|caught| {
            let record: serde_json::Value = serde_json::from_slice(&caught.json).unwrap();
            record["offset"].as_u64().unwrap()
        });
        assert_eq!(offsets.collect::<Vec<_>>(), [0, line.len() as u64 + 2]);
    }
}

#[test]
fn faulty_settings_are_all_told() {
    let text = "include = [\"a/**b\"]\nmax_line_bytes = 0\nglob_minimum_cooldown_ms = 0\nfile_key = \"a.b\"";
    let settings: FileSettings = toml::from_str(text).unwrap();
    let at: Vec<String> = settings.check().into_iter().map(|problem| problem.setting).collect();
    assert_eq!(at, ["include", "max_line_bytes", "glob_minimum_cooldown_ms", "file_key"]);
    assert!(toml::from_str::<FileSettings>("include = []\nincludes = []").is_err());
    assert_eq!(toml::from_str::<FileSettings>("include = []").unwrap().check().len(), 1);
}

#[test]
fn a_file_whose_name_is_not_utf8_is_followed_also_by_the_next_agent() {
    use std::os::unix::ffi::OsStrExt;

    let (bench, outlet) = (Bench::new(), Catcher::default());
    let path = bench.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9.log"));
    append(&path, b"one\n");
    bench.start(&outlet).stop_after(&outlet, 1);
    append(&path, b"two\n");
    bench.start(&outlet).stop_after(&outlet, 2);
    assert_eq!(outlet.lines(), ["one", "two"], "none twice");
    let record: serde_json::Value = serde_json::from_slice(&outlet.caught()[0].json).unwrap();
    assert_eq!(record["file"], path.to_string_lossy().as_ref());
}
