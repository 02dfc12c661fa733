//! One file that is followed: where it is read, what is in flight, what it is known by.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::fingerprint::{Fingerprint, Guard};
use super::job::{FileId, Job, LONGEST_RETRY, Letter};
use super::look::Desk;
use super::mailbox::Mailbox;
use super::positions::{Checkpoint, Entry};
use super::standing::Standing;
use crate::component::outlet::Held;
use crate::event::{Origin, Outcome, Receipt, Resolution, Resolve, StreamKey, Tracker};

/// A file that is followed.
pub(super) struct Tail {
    pub(super) id: FileId,
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) stream: Stream,
    pub(super) fingerprint: Fingerprint,
    /// Where to read on.
    pub(super) offset: u64,
    /// Of the bytes before `offset`.
    pub(super) guard: Guard,
    /// How the file stood when there was nothing more to read.
    pub(super) seen: Option<Seen>,
    /// How far to read ahead: the quantum, or more while a line does not end within it.
    pub(super) reach: usize,
    /// Records and members a record of the last batch: the next one is made as large.
    pub(super) guess: (usize, usize),
    pub(super) state: State,
    pub(super) calm: Calm,
    /// Set by the watch until the next look.
    pub(super) is_told: Arc<AtomicBool>,
    /// Since when no path has shown it.
    pub(super) gone_since: Option<Instant>,
    pub(super) standing: Standing,
    failures: u32,
    is_reported: bool,
}

/// What a lane may do with a file.
pub(super) enum State {
    /// It waits for its turn.
    Ready,
    /// A batch of it waits for room.
    Held(Held),
    /// There is nothing to do until then.
    Sleeps(Instant),
    /// Something failed: then it goes back to what is committed.
    Failed(Instant),
}

/// How a file stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) size: u64,
    /// Last modification in nanoseconds since the Unix epoch.
    pub(super) modified: i64,
}

/// How long a file has had nothing new.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calm {
    pub(super) since: Instant,
    pub(super) pause: Duration,
}

/// One generation of a file: what was written to it from one truncation to the next.
pub(super) struct Stream {
    pub(super) origin: Arc<Origin>,
    pub(super) tracker: Tracker,
    /// Where each batch in flight ends, and the guard there.
    ends: VecDeque<(u64, Guard)>,
    committed_guard: Guard,
    acks: Arc<dyn Resolve>,
}

/// Tells the lane how a batch of a stream resolved.
struct Acks {
    id: FileId,
    stream: StreamKey,
    lane: Arc<Mailbox<Letter>>,
}

impl Resolve for Acks {
    fn resolved(&self, token: u64, resolution: Resolution) {
        self.lane.post(Letter::Resolved { id: self.id, stream: self.stream, token, worst: resolution.worst });
    }
}

impl Stream {
    fn new(id: FileId, origin: Arc<Origin>, checkpoint: Checkpoint, lane: Arc<Mailbox<Letter>>) -> Self {
        let acks = Arc::new(Acks { id, stream: origin.stream(), lane });
        let tracker = Tracker::new(checkpoint.offset);
        Self { origin, tracker, ends: VecDeque::new(), committed_guard: checkpoint.guard, acks }
    }

    /// A receipt for all that is read up to `next`.
    pub(super) fn receipt(&mut self, next: u64, guard: Guard) -> Receipt {
        let token = self.tracker.offer(next);
        self.ends.push_back((next, guard));
        Receipt::new(self.acks.clone(), token)
    }

    /// Notes that `token` resolved well; gives the new checkpoint if it moved.
    fn resolve(&mut self, token: u64) -> Option<(u64, Guard)> {
        let offset = self.tracker.resolve(token)?;
        while let Some((_, guard)) = self.ends.pop_front_if(|(next, _)| *next <= offset) {
            self.committed_guard = guard;
        }
        Some((offset, self.committed_guard))
    }
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("path", &self.path).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Tail {
    /// Follows `file` from where its entry tells; its lane is told of what resolves.
    pub(super) fn new(id: FileId, file: File, entry: &Entry, of: (&Job, Arc<Mailbox<Letter>>)) -> Self {
        let (job, lane) = of;
        let origin = job.search.origin(entry.key, &entry.path);
        Self {
            id,
            file,
            path: entry.path.clone(),
            stream: Stream::new(id, origin, entry.at, lane),
            fingerprint: entry.at.fingerprint,
            offset: entry.at.offset,
            guard: entry.at.guard,
            seen: None,
            reach: job.tailing.max_read_bytes,
            guess: (0, 0),
            state: State::Ready,
            calm: Calm { since: Instant::now(), pause: job.pace.linger },
            is_told: Arc::default(),
            gone_since: None,
            standing: Standing::new(entry.at.offset),
            failures: 0,
            is_reported: false,
        }
    }

    /// Begins a new generation: what is in the file now was written after a truncation. Its key is durable on return.
    pub(super) fn renew(&mut self, job: &Job, lane: Arc<Mailbox<Letter>>) -> io::Result<()> {
        let key = job.search.key(&self.path, &[]);
        job.positions.renew(self.id, key)?;
        tracing::info!(path = %self.path.display(), "file was truncated, reading it from its beginning");
        self.begin_at(job, (key, Checkpoint::default()), lane);
        Ok(())
    }

    /// Reads from `at` on, under `key`: both are durable.
    pub(super) fn begin_at(&mut self, job: &Job, (key, at): (StreamKey, Checkpoint), lane: Arc<Mailbox<Letter>>) {
        self.stream = Stream::new(self.id, job.search.origin(key, &self.path), at, lane);
        (self.fingerprint, self.offset, self.guard) = (at.fingerprint, at.offset, at.guard);
        (self.seen, self.reach) = (None, job.tailing.max_read_bytes);
    }

    /// The generation has its first bytes, and with them its key. It is durable on return.
    pub(super) fn begin(&mut self, desk: &Desk<'_>, first: &[u8]) -> io::Result<()> {
        let key = desk.job.search.key(&self.path, first);
        desk.job.positions.begin(self.id, key, Fingerprint::of(first))?;
        let start = Checkpoint { offset: self.offset, guard: self.guard, fingerprint: self.fingerprint };
        self.stream = Stream::new(self.id, desk.job.search.origin(key, &self.path), start, desk.mailbox.clone());
        Ok(())
    }

    /// A batch has resolved. Returns when to go back to what is committed, if it failed.
    pub(super) fn resolved(&mut self, job: &Job, (token, worst): (u64, Outcome)) -> Option<Instant> {
        if worst != Outcome::Failed {
            if let Some((offset, guard)) = self.stream.resolve(token) {
                self.failures = 0;
                job.positions.commit(self.id, Checkpoint { offset, guard, fingerprint: self.fingerprint });
            }
            return None;
        }
        let is_new = self.stream.tracker.awaits(token) && !matches!(self.state, State::Failed(_));
        is_new.then(|| {
            job.meters.error("delivery_failed");
            self.standing.failed("a batch was not delivered");
            let until = Instant::now() + self.next_retry(job);
            self.state = State::Failed(until);
            until
        })
    }

    /// Goes back to what is committed: it is read and offered again, with the same identities.
    pub(super) fn rewind(&mut self) {
        self.offset = self.stream.tracker.rewind();
        self.stream.ends.clear();
        self.guard = self.stream.committed_guard;
        self.seen = None;
    }

    /// The file cannot be read now. Returns when to try again.
    pub(super) fn broke(&mut self, job: &Job, error: &io::Error) -> Instant {
        job.meters.error("read_failed");
        self.standing.failed(error.to_string());
        if !std::mem::replace(&mut self.is_reported, true) {
            tracing::warn!(path = %self.path.display(), %error, "cannot read file, trying again");
        }
        Instant::now() + self.next_retry(job)
    }

    /// Did the last look at it fail?
    pub(super) fn is_broken(&self) -> bool {
        self.is_reported
    }

    /// The file can be read.
    pub(super) fn works(&mut self) {
        self.is_reported = false;
    }

    /// How long to pause after one more failure: twice as long each time, with jitter.
    fn next_retry(&mut self, job: &Job) -> Duration {
        let pause = job.pace.retry.saturating_mul(1 << self.failures.min(16)).min(LONGEST_RETRY);
        self.failures += 1;
        pause.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Is nothing of it waiting or in flight?
    pub(super) fn is_settled(&self) -> bool {
        match self.state {
            State::Held(_) => false,
            State::Failed(_) => true,
            State::Ready | State::Sleeps(_) => self.stream.tracker.is_idle(),
        }
    }
}
