//! The services of the demonstration: a thread that writes their logs and rotates them, as they would.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::component::clock;
use crate::component::meters::Meters;
use crate::sources::demo_logs::Flows;

/// Lines a second that all services write together: a busy node.
const RATE: f64 = 50_000.0;
/// How often they write.
const TICK: Duration = Duration::from_millis(10);
/// A log is rotated at this size.
const ROTATE_AT: u64 = 2 << 20;
/// Rotated logs are removed when they take so much, once all is read.
const SWEEP_AT: u64 = 64 << 20;
/// The services wait while so many records are not read: a disk is not endless, and neither is a slow machine's time.
const MOST_UNREAD: u64 = 50_000;

/// What the services have done.
#[derive(Debug, Default)]
pub(super) struct Written {
    lines: AtomicU64,
    bytes: AtomicU64,
    rotations: AtomicU64,
    is_over: AtomicBool,
}

/// The thread that writes.
pub(super) struct Services {
    pub(super) written: Arc<Written>,
    thread: JoinHandle<io::Result<()>>,
}

impl Services {
    /// Lets the services write into `folder`. `read` are the figures of the source that reads it.
    pub(super) fn start(folder: &Path, read: Meters) -> io::Result<Self> {
        let written = Arc::new(Written::default());
        let writer = Writer {
            folder: folder.to_owned(),
            flows: Flows::new(fastrand::u64(..)),
            logs: BTreeMap::new(),
            written: written.clone(),
            read,
            rotated: Vec::new(),
        };
        let thread = Builder::new().name("levada-demo".into()).spawn(|| writer.run())?;
        Ok(Self { written, thread })
    }

    /// Tells them to end, and waits for it.
    pub(super) fn end(self) -> io::Result<Arc<Written>> {
        self.written.is_over.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("the demonstration's services panicked")))?;
        Ok(self.written)
    }
}

impl Written {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Lines, bytes, rotations so far.
    pub(super) fn totals(&self) -> (u64, u64, u64) {
        let [lines, bytes, rotations] =
            [&self.lines, &self.bytes, &self.rotations].map(|figure| figure.load(Ordering::Acquire));
        (lines, bytes, rotations)
    }

    /// Lines that `read` has not read yet.
    pub(super) fn unread(&self, read: &Meters) -> u64 {
        self.lines.load(Ordering::Acquire).saturating_sub(read.received_events())
    }
}

struct Writer {
    folder: PathBuf,
    flows: Flows,
    logs: BTreeMap<&'static str, Log>,
    written: Arc<Written>,
    read: Meters,
    rotated: Vec<PathBuf>,
}

/// One service's log.
struct Log {
    file: File,
    size: u64,
    /// What this tick adds.
    added: String,
    lines: u64,
}

impl Writer {
    fn run(mut self) -> io::Result<()> {
        let begin = Instant::now();
        let mut made = 0;
        while !self.written.is_over() {
            let due = (begin.elapsed().as_secs_f64() * RATE) as u64 + 1;
            // Lines that could not be written in time are not made up for.
            let count = (due - made).min((RATE * 0.1) as u64);
            made = due;
            if self.written.unread(&self.read) < MOST_UNREAD {
                self.make(count)?;
                self.write()?;
                self.sweep()?;
            }
            std::thread::park_timeout(TICK);
        }
        Ok(())
    }

    fn make(&mut self, count: u64) -> io::Result<()> {
        let now = clock::now();
        let mut line = String::new();
        for _ in 0..count {
            line.clear();
            let service = self.flows.write_next(now, &mut line);
            if !self.logs.contains_key(service) {
                let file = create(&self.folder, service)?;
                self.logs.insert(service, Log { file, size: 0, added: String::new(), lines: 0 });
            }
            let Some(log) = self.logs.get_mut(service) else { continue };
            log.added.push_str(&line);
            log.added.push('\n');
            log.lines += 1;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        for (service, log) in &mut self.logs {
            log.file.write_all(log.added.as_bytes())?;
            self.written.lines.fetch_add(std::mem::take(&mut log.lines), Ordering::AcqRel);
            self.written.bytes.fetch_add(log.added.len() as u64, Ordering::AcqRel);
            log.size += log.added.len() as u64;
            log.added.clear();
            if log.size >= ROTATE_AT {
                let number = self.written.rotations.fetch_add(1, Ordering::AcqRel) + 1;
                let old = self.folder.join(format!("{service}.log.{number}"));
                fs::rename(self.folder.join(format!("{service}.log")), &old)?;
                self.rotated.push(old);
                (log.file, log.size) = (create(&self.folder, service)?, 0);
            }
        }
        Ok(())
    }

    /// Removes rotated logs, not before they have been read: a file that goes before it was ever opened is lost.
    fn sweep(&mut self) -> io::Result<()> {
        if (self.rotated.len() as u64) * ROTATE_AT < SWEEP_AT {
            return Ok(());
        }
        while self.written.unread(&self.read) > 0 {
            if self.written.is_over() {
                return Ok(());
            }
            std::thread::park_timeout(TICK);
        }
        self.rotated.drain(..).try_for_each(fs::remove_file)
    }
}

fn create(folder: &Path, service: &str) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).open(folder.join(format!("{service}.log")))
}
