//! The work of a file sink: sorts a batch by path, appends each group, settles the records.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::{Instant, interval, sleep_until};

use super::FileSink;
use super::open::OpenFiles;
use crate::codecs::Compression;
use crate::component::signal::Stop;
use crate::component::sink::Refusal;
use crate::component::task::{blocking, done};
use crate::delivery::Bench;
use crate::delivery::confined::refusal;
use crate::event::{Batch, Outcome, View};

/// Bytes taken from the queue at once: one write and one fsync for each file among them.
const TAKE: usize = 1 << 20;
/// How long to wait before a write that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    sink: Arc<FileSink>,
    open: OpenFiles,
    bench: Bench,
}

/// Lines for one path.
#[derive(Default)]
struct Group {
    lines: Vec<u8>,
    /// The records whose lines these are: batch and place in it.
    records: Vec<(usize, usize)>,
}

/// Batches whose lines are being written.
struct Job {
    batches: Vec<Batch>,
    groups: Vec<(String, Group)>,
}

impl Worker {
    pub(super) fn new(sink: Arc<FileSink>, bench: &Bench) -> Self {
        let open = OpenFiles::new(sink.idle, sink.fsync);
        Self { sink, open, bench: bench.clone() }
    }

    /// Encodes batches into a group for each path; refused records become dead letters here.
    fn sort(&self, batches: Vec<Batch>) -> Job {
        let mut groups: HashMap<String, Result<Group, Refusal>> = HashMap::new();
        let (mut path, mut refused) = (String::new(), Vec::new());
        for (number, batch) in batches.iter().enumerate() {
            for (at, record) in batch.iter().enumerate() {
                let refusal = match self.sink.path.render(record, &mut path) {
                    Err(refusal) => Some(refusal),
                    Ok(()) => self.put(record, (&path, (number, at)), &mut groups),
                };
                refused.extend(refusal.map(|refusal| ((number, at), refusal)));
            }
        }
        self.bury(&batches, &refused);
        let groups = groups.into_iter().filter_map(|(path, group)| Some((path, group.ok()?))).collect();
        Job { batches, groups }
    }

    fn put(
        &self,
        record: View<'_>,
        (path, place): (&str, (usize, usize)),
        groups: &mut HashMap<String, Result<Group, Refusal>>,
    ) -> Option<Refusal> {
        if !groups.contains_key(path) {
            let admitted = self.sink.path.admit(path).map(|()| Group::default());
            groups.insert(path.to_owned(), admitted);
        }
        match groups.get_mut(path)? {
            Err(refusal) => Some(refusal.clone()),
            Ok(group) => {
                group.records.push(place);
                self.sink.encoder.write(record, &mut group.lines);
                group.lines.push(b'\n');
                None
            }
        }
    }

    /// Lets go of refused records; those of a batch together.
    fn bury(&self, batches: &[Batch], refused: &[((usize, usize), Refusal)]) {
        for run in refused.chunk_by(|one, other| one.0.0 == other.0.0) {
            let batch = batches[run[0].0.0].pick(run.iter().map(|((_, at), _)| *at as u32));
            let why = |at: usize| (run[at].1.code, run[at].1.why.as_str());
            self.bench.refusals.take(batch, why, &self.bench.meters);
        }
    }

    /// Writes the groups of a job; those that cannot be written stay in it.
    fn write(&mut self, job: &mut Job) {
        let id = &self.bench.meters.label().id;
        for (path, group) in std::mem::take(&mut job.groups) {
            let compressed = match self.sink.compression {
                Compression::None => None,
                compression => Some(compression.compress(&group.lines)),
            };
            let bytes = compressed.as_deref().unwrap_or(&group.lines);
            match self.open.append(self.sink.path.base(), &path, bytes) {
                Ok(()) => {
                    self.bench.health.succeeded(id);
                    self.bench.meters.sent(group.records.len(), group.lines.len());
                    note(&job.batches, &group.records, Outcome::Delivered);
                }
                Err(error) if self.sink.path.is_chosen() && is_permanent(&error) => {
                    let refusal = refusal("path_name", format!("its path cannot be a file: {error}"));
                    let refused: Vec<_> = group.records.iter().map(|place| (*place, refusal.clone())).collect();
                    self.bury(&job.batches, &refused);
                }
                Err(error) => {
                    self.bench.meters.error("file_write");
                    // The path is in part the record's: it does not go to the log.
                    let base = self.sink.path.base().display();
                    self.bench.health.troubled(id, &format!("cannot write a file below `{base}`: {error}"));
                    job.groups.push((path, group));
                }
            }
        }
    }
}

/// Tells the receipts of these records what became of them.
fn note(batches: &[Batch], records: &[(usize, usize)], outcome: Outcome) {
    for group in records.chunk_by(|(one, _), (other, _)| one == other) {
        batches[group[0].0].note(outcome, group.len());
    }
}

/// Is it the path that is at fault, so that another attempt would meet the same?
fn is_permanent(error: &io::Error) -> bool {
    let known = [Errno::LOOP, Errno::ISDIR, Errno::NOTDIR, Errno::NXIO, Errno::NAMETOOLONG, Errno::INVAL];
    Errno::from_io_error(error).is_some_and(|errno| known.contains(&errno))
}

/// Works until the queue is closed and empty, or until `stop`. What cannot be written until then counts as failed.
pub(super) async fn run(sink: Arc<FileSink>, bench: Bench, stop: Stop) {
    let mut worker = Some(Worker::new(sink.clone(), &bench));
    let mut tidy = interval(Duration::from_secs(1));
    loop {
        let taken = tokio::select! {
            taken = bench.queue.take(TAKE) => taken,
            _ = stop.requested() => None,
            _ = tidy.tick() => {
                if let Some(worker) = &mut worker {
                    worker.open.close_idle();
                }
                continue;
            }
        };
        let (Some(batches), Some(idle)) = (taken, worker.take()) else { return };
        let (_working, _in_hand) = (bench.meters.working(), bench.in_hand.hold(&batches));
        let sorted = blocking(move || {
            let job = idle.sort(batches);
            idle.finish(job)
        });
        worker = match sorted.await {
            Ok((back, job)) => match retry(back, job, &stop).await {
                None => return,
                back => back,
            },
            Err(error) => {
                // The batches went with the panic: their receipts say failed, their sources offer them again.
                bench.meters.error("panic");
                tracing::error!(component_id = bench.meters.label().id, %error, "writing ended early");
                Some(Worker::new(sink.clone(), &bench))
            }
        };
    }
}

impl Worker {
    /// Writes what it can of a job.
    fn finish(mut self, mut job: Job) -> (Self, Job) {
        self.write(&mut job);
        (self, job)
    }
}

/// Tries a job again until all of it is written; `None` if the time is over.
async fn retry(mut worker: Worker, mut job: Job, stop: &Stop) -> Option<Worker> {
    while !job.groups.is_empty() {
        let next = Instant::now() + PAUSE;
        tokio::select! {
            () = sleep_until(next) => {}
            () = async { sleep_until(Instant::from_std(stop.requested().await)).await } => return None,
        }
        (worker, job) = done(blocking(move || worker.finish(job))).await;
    }
    job.batches.into_iter().for_each(Batch::close);
    Some(worker)
}
