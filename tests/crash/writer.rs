//! A program that writes numbered lines to a few logs, in bursts, and now and then half a line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;

use fastrand::Rng;

const FILES: usize = 3;
/// Lines of a burst at most.
const BURST: u64 = 80;
/// Between two bursts at most.
const PAUSE: Duration = Duration::from_millis(40);

/// The program; it writes until it is stopped.
pub(crate) struct Writer {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Writer {
    pub(crate) fn start(folder: PathBuf, mut rng: Rng) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = is_over.clone();
        let thread = std::thread::spawn(move || {
            let mut logs: Vec<File> = (0..FILES).map(|number| open(&folder, number)).collect();
            let mut next = 0;
            while !told.load(Ordering::Acquire) {
                let log = &mut logs[rng.usize(..FILES)];
                let end = next + rng.u64(1..=BURST);
                let text: String = (next..end).map(|number| line(number, &mut rng)).collect();
                next = end;
                let (one, two) = text.as_bytes().split_at(rng.usize(..=text.len()));
                log.write_all(one).unwrap();
                park_timeout(PAUSE.mul_f64(rng.f64()));
                log.write_all(two).unwrap();
            }
            next
        });
        Self { is_over, thread }
    }

    /// Ends it; gives the number of lines it wrote.
    pub(crate) fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

fn open(folder: &Path, number: usize) -> File {
    OpenOptions::new().create(true).append(true).open(folder.join(format!("app-{number}.log"))).unwrap()
}

fn line(number: u64, rng: &mut Rng) -> String {
    let part = ["a", "b", "c"][rng.usize(..3)];
    format!("{{\"n\":{number},\"part\":\"{part}\",\"text\":\"{}\"}}\n", "x".repeat(rng.usize(..100)))
}
