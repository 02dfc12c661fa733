//! The source as a whole, over real files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::job::Pace;
use super::settings::FileSettings;
use super::source::FileSource;
use crate::component::meters::Meters;
use crate::component::row::Settings;
use crate::component::signal::Stop;
use crate::component::source::Source;
use crate::component::test_kit::{Caught, Catcher, context};

/// A pace at which tests need not wait long.
pub(super) const QUICK: Pace =
    Pace { poll: Duration::from_millis(20), linger: Duration::from_millis(1), quiet: Duration::from_millis(100), retry: Duration::from_millis(5) };

/// A folder of files and the state of a source.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    pub(super) settings: String,
    pub(super) memory: usize,
}

/// A source that runs.
pub(super) struct Running {
    pub(super) meters: Meters,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        Self { folder, settings: String::new(), memory: 16 << 20 }
    }

    pub(super) fn with(settings: &str) -> Self {
        Self { settings: settings.to_owned(), ..Self::new() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(super) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        append(&self.path(name), bytes.as_ref());
    }

    pub(super) fn settings(&self) -> FileSettings {
        let text = match self.settings.contains("include") {
            true => self.settings.replace("LOGS", &self.path("").display().to_string()),
            false => format!("include = [\"{}\"]\n{}", self.path("*.log").display(), self.settings),
        };
        toml::from_str(&text).unwrap()
    }

    pub(super) fn start(&self, outlet: &Catcher) -> Running {
        let settings = self.settings();
        assert_eq!(settings.check(), []);
        let context = context(&self.state(), self.memory);
        let meters = context.meters.clone();
        let source = FileSource::with_pace(settings, &context, QUICK).unwrap();
        let stop = Stop::default();
        let running = Box::new(source).run(Arc::new(outlet.clone()), stop.clone());
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let thread = std::thread::spawn(move || runtime().block_on(running));
        Running { meters, stop, thread: Some(thread) }
    }
}

impl Running {
    /// Stops the source and waits for its end.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.request(Instant::now() + Duration::from_secs(5));
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

pub(super) fn append(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn positions(caught: &[Caught]) -> Vec<u64> {
    caught.iter().map(|caught| caught.identity.position).collect()
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
