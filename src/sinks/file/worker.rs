//! The work of a file sink: sorts a batch by path, appends each group, settles the records.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::{Instant, interval, sleep_until};

use super::journal::{Found, Journal, Marks, Note};
use super::open::OpenFiles;
use super::{FileSink, Fsync};
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

/// What was written is known for so long after a start: what comes again comes soon.
const KNOWN: Duration = Duration::from_hours(1);

pub(super) struct Worker {
    sink: Arc<FileSink>,
    open: OpenFiles,
    bench: Bench,
    /// None where it cannot be kept.
    journal: Option<Journal>,
    /// What an earlier run has written, until it does not come again.
    found: Option<(Found, Instant)>,
}

/// Lines for one path.
#[derive(Default)]
struct Group {
    lines: Vec<u8>,
    marks: Marks,
    /// The records whose lines these are: batch and place in it.
    records: Vec<(usize, usize)>,
}

/// A path, its lines, and these compressed.
type Packed = (String, Group, Option<Vec<u8>>);

/// Batches whose lines are being written.
struct Job {
    batches: Vec<Batch>,
    groups: Vec<(String, Group)>,
}

impl Worker {
    /// Looks at what an earlier run has written; blocks.
    pub(super) fn new(sink: Arc<FileSink>, bench: Bench) -> Self {
        let open = OpenFiles::new(sink.idle, sink.fsync);
        let mut worker = Self { sink, open, bench, journal: None, found: None };
        match Journal::open(&worker.sink.state_dir, worker.sink.path.base()) {
            Ok((journal, found)) => {
                worker.tell(&found);
                (worker.journal, worker.found) = (Some(journal), Some((found, Instant::now())));
            }
            Err(error) => worker.cannot_note(&error),
        }
        worker
    }

    fn tell(&self, found: &Found) {
        let (id, bytes, files) = (&self.bench.meters.label().id, found.torn, found.changed);
        if bytes > 0 {
            tracing::info!(component_id = id, bytes, "cut off half a line that an earlier run has written");
        }
        if files > 0 {
            self.bench.meters.errors("file_changed", files);
            let what = "somebody else has changed files where they were written to last";
            tracing::warn!(component_id = id, files, "{what}: they are appended to, some lines may be there twice");
        }
    }

    /// Without the journal everything is written all the same.
    fn cannot_note(&self, error: &io::Error) {
        self.bench.meters.error("file_journal");
        let (id, path) = (&self.bench.meters.label().id, self.sink.state_dir.display());
        let effect = "what is written now may be there twice if the agent is killed";
        tracing::warn!(component_id = id, %error, %path, "cannot write the journal of the files: {effect}");
    }

    /// Closes files that got nothing, and forgets what does not come again.
    fn tidy(&mut self) {
        self.open.close_idle();
        self.found.take_if(|(_, since)| since.elapsed() > KNOWN);
    }

    /// Encodes batches into a group for each path; refused records become dead letters here.
    fn sort(&self, batches: Vec<Batch>) -> Job {
        let mut groups: HashMap<String, Result<Group, Refusal>> = HashMap::new();
        let (mut path, mut refused, mut again) = (String::new(), Vec::new(), Vec::new());
        for (number, batch) in batches.iter().enumerate() {
            for (at, record) in batch.iter().enumerate() {
                if self.found.as_ref().is_some_and(|(found, _)| found.knows(&record.identity())) {
                    again.push((number, at));
                    continue;
                }
                let refusal = match self.sink.path.render(record, &mut path) {
                    Err(refusal) => Some(refusal),
                    Ok(()) => self.put(record, (&path, (number, at)), &mut groups),
                };
                refused.extend(refusal.map(|refusal| ((number, at), refusal)));
            }
        }
        self.bury(&batches, &refused);
        self.bench.meters.sent(again.len(), 0);
        note(&batches, &again, Outcome::Delivered);
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
                let start = group.lines.len();
                self.sink.encoder.write(record, &mut group.lines);
                group.lines.push(b'\n');
                group.marks.add(&record.identity(), &group.lines, start);
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

    /// Notes what is about to be written.
    fn note(&mut self, groups: &[Packed]) {
        let Some(journal) = &mut self.journal else { return };
        let note = |(path, group, compressed): &Packed| {
            // Where this fails the write will, too.
            let (file, offset) = self.open.stand(self.sink.path.base(), path).ok()?;
            let marks = group.marks.of(compressed.as_deref());
            Some(Note { path: path.clone(), file, offset, is_compressed: compressed.is_some(), marks })
        };
        let notes: Vec<_> = groups.iter().filter_map(note).collect();
        if let Err(error) = journal.note(&notes, self.sink.fsync == Fsync::Each) {
            self.cannot_note(&error);
        }
    }

    /// Writes the groups of a job; those that cannot be written stay in it.
    fn write(&mut self, job: &mut Job) {
        let groups = std::mem::take(&mut job.groups);
        let compression = self.sink.compression;
        let pack = |(path, group): (String, Group)| {
            let is_plain = compression == Compression::None;
            let compressed = (!is_plain).then(|| compression.compress(&group.lines));
            (path, group, compressed)
        };
        let groups: Vec<Packed> = groups.into_iter().map(pack).collect();
        self.note(&groups);
        let id = &self.bench.meters.label().id;
        for (path, group, compressed) in groups {
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
    let begin = |sink: Arc<FileSink>, bench: Bench| done(blocking(move || Worker::new(sink, bench)));
    let mut worker = Some(begin(sink.clone(), bench.clone()).await);
    let mut tidy = interval(Duration::from_secs(1));
    loop {
        let taken = tokio::select! {
            taken = bench.queue.take(TAKE) => taken,
            _ = stop.requested() => None,
            _ = tidy.tick() => {
                if let Some(worker) = &mut worker {
                    worker.tidy();
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
                Some(begin(sink.clone(), bench.clone()).await)
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
