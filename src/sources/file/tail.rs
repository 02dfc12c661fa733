//! One file that is followed: where it is read, what is in flight, what it is known by.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::board::Row;
use super::fingerprint::{Fingerprint, Guard, Reach};
use super::input::{Input, node, seen};
use super::job::{FileId, Job, LONGEST_RETRY, Letter};
use super::limits::Bucket;
use super::look::Desk;
use super::mailbox::Mailbox;
use super::positions::{Checkpoint, Entry, has_left};
use super::standing::Standing;
use super::stream::Stream;
use crate::component::file_meters::Abandoned;
use crate::component::outlet::Held;
use crate::event::{Outcome, Permit, Receipt, StreamKey};

/// How many turns a file that may soon be gone has for one of another.
const LEAVING_WEIGHT: i64 = 4;
/// After so many bytes the kernel is told that it need not keep them.
const RELEASE_BYTES: u64 = 1 << 20;

/// A file that is followed.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Tail {
    pub(super) id: FileId,
    /// None of what was truncated away: it waits for receipts, and for a copy.
    pub(super) input: Option<Input>,
    pub(super) path: PathBuf,
    pub(super) stream: Stream,
    pub(super) fingerprint: Fingerprint,
    /// Where to read on.
    pub(super) offset: u64,
    /// Of the bytes before `offset`.
    pub(super) guard: Guard,
    /// How far it is known: as it was found, or read if that is further.
    pub(super) reach: Reach,
    /// How the file stood when there was nothing more to read.
    pub(super) seen: Option<Seen>,
    /// How many bytes were there then and are no whole line.
    pub(super) remains: u64,
    /// When it was found: what its units wait for is told from here.
    pub(super) born: Instant,
    /// Memory for what is not whole yet.
    pub(super) hold: Option<Permit>,
    /// Of files that ended with what this one goes on with: they wait for its record.
    pub(super) debts: Vec<Receipt>,
    /// The file that came to its path after it, and the one that was there before.
    pub(super) heir: Option<FileId>,
    pub(super) elder: Option<FileId>,
    /// Records and members a record of the last batch: the next one is made as large.
    pub(super) guess: (usize, usize),
    pub(super) state: State,
    pub(super) calm: Calm,
    /// Set by the watch until the next look.
    pub(super) is_told: Arc<AtomicBool>,
    /// Since when no path has shown it, or only one that it was rotated to.
    pub(super) left_since: Option<Instant>,
    /// Did this generation begin with a truncation? Then it may begin with a hole.
    pub(super) is_renewed: bool,
    /// Is its end still to be reached before another is read, or before all end?
    pub(super) is_awaited: bool,
    /// Bytes that it may still read before it is the next file's turn; less than none if it read too much.
    pub(super) credit: i64,
    pub(super) limits: Vec<Arc<Bucket>>,
    /// Is what is read now beyond a limit that drops?
    pub(super) is_dropping: bool,
    pub(super) row: Arc<Row>,
    /// Up to where the kernel was told that it need not keep the file in its cache.
    released: u64,
    pub(super) standing: Standing,
    failures: u32,
    is_reported: bool,
    /// Why its rest is not read.
    pub(super) given_up: Option<Abandoned>,
    /// How the file stood when it was given up.
    stood: Option<Seen>,
}

/// What a lane may do with a file.
pub(super) enum State {
    /// It waits for its turn.
    Ready,
    /// A batch of it waits for room.
    Held(Held),
    /// There is nothing to do until then.
    Sleeps(Instant),
    /// There is nothing to do until it is written to.
    Rests,
    /// A rate limit lets nothing through until then.
    Waits(Instant),
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

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("path", &self.path).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Tail {
    /// Follows a file from where its entry tells; its lane is told of what resolves.
    pub(super) fn new(
        id: FileId,
        input: Option<Input>,
        entry: &Entry,
        of: (&Job, Arc<Mailbox<Letter>>, Instant),
    ) -> Self {
        let (job, lane, now) = of;
        let origin = job.search.origin(entry.key, &entry.path);
        let own = job.tailing.rate_limit.map(|limit| limit.bytes_per_sec.0);
        let row = job.board.row(id);
        row.read_to(entry.at.offset);
        Self {
            id,
            input,
            path: entry.path.clone(),
            stream: Stream::new(id, origin, entry.at, lane),
            fingerprint: entry.at.fingerprint,
            offset: entry.at.offset,
            guard: entry.at.guard,
            reach: entry.at.reach,
            seen: None,
            remains: 0,
            born: now,
            hold: None,
            debts: Vec::new(),
            heir: None,
            elder: None,
            guess: (0, 0),
            state: State::Ready,
            calm: Calm { since: now, pause: job.pace.linger },
            is_told: Arc::default(),
            left_since: None,
            is_renewed: false,
            is_awaited: false,
            credit: 0,
            limits: job.buckets.of(own, job.search.rate_limits(&entry.path)),
            is_dropping: false,
            row,
            released: entry.at.offset,
            standing: Standing::new(entry.at.offset),
            failures: 0,
            is_reported: false,
            given_up: None,
            stood: None,
        }
    }

    /// Begins a new generation: what is in the file now was written after a truncation. Its key is durable on return.
    /// Returns what is left of the old one.
    pub(super) fn renew(&mut self, desk: &Desk<'_>) -> io::Result<Option<Box<Self>>> {
        let job = desk.job;
        let key = job.search.key(&self.path, &[]);
        let old = job.positions.split(self.id, key)?;
        tracing::info!(path = %self.path.display(), "file was truncated, reading it from its beginning");
        job.files.truncations.inc();
        let start = Checkpoint::default();
        let stream = Stream::new(self.id, job.search.origin(key, &self.path), start, desk.mailbox.clone());
        let stream = std::mem::replace(&mut self.stream, stream);
        let orphan = old.map(|id| Box::new(self.orphan(id, stream, desk)));
        (self.fingerprint, self.offset, self.guard) = (start.fingerprint, start.offset, start.guard);
        (self.reach, self.seen, self.remains, self.hold) = (start.reach, None, 0, None);
        (self.is_renewed, self.released) = (true, 0);
        self.row.read_to(0);
        Ok(orphan)
    }

    /// What is left of a generation that was truncated away: what is in flight, and what was not read of it.
    fn orphan(&self, id: FileId, stream: Stream, desk: &Desk<'_>) -> Self {
        let row = desk.job.board.row(id);
        // It may have been truncated before it was looked at here.
        row.lost(self.row.size().max(self.reach.offset), self.offset);
        Self {
            id,
            input: None,
            path: self.path.clone(),
            stream,
            fingerprint: self.fingerprint,
            offset: self.offset,
            guard: self.guard,
            reach: self.reach,
            seen: None,
            remains: 0,
            born: self.born,
            hold: None,
            debts: Vec::new(),
            heir: None,
            elder: None,
            guess: self.guess,
            state: State::Ready,
            calm: Calm { since: desk.now, pause: desk.job.pace.linger },
            is_told: Arc::default(),
            left_since: Some(desk.now),
            is_renewed: false,
            is_awaited: false,
            credit: 0,
            limits: self.limits.clone(),
            is_dropping: false,
            row,
            released: 0,
            standing: Standing::new(self.offset),
            failures: self.failures,
            is_reported: false,
            given_up: Some(Abandoned::Truncated),
            stood: None,
        }
    }

    /// Reads from `at` on, under `key`: both are durable.
    pub(super) fn begin_at(&mut self, job: &Job, (key, at): (StreamKey, Checkpoint), lane: Arc<Mailbox<Letter>>) {
        self.stream = Stream::new(self.id, job.search.origin(key, &self.path), at, lane);
        (self.fingerprint, self.offset, self.guard, self.reach) = (at.fingerprint, at.offset, at.guard, at.reach);
        (self.seen, self.remains, self.hold, self.released) = (None, 0, None, at.offset);
        self.debts.clear();
        self.row.read_to(at.offset);
    }

    /// The generation has its first bytes, and with them its key. It is durable on return.
    pub(super) fn begin(&mut self, desk: &Desk<'_>, first: &[u8]) -> io::Result<()> {
        let key = desk.job.search.key(&self.path, first);
        let size = self.row.size();
        self.reach = self.input.as_mut().map(|input| input.reach(size)).transpose()?.unwrap_or_default();
        desk.job.positions.begin(self.id, key, (Fingerprint::of(first), self.reach))?;
        let start = Checkpoint { offset: self.offset, guard: self.guard, ..Checkpoint::default() };
        self.stream = Stream::new(self.id, desk.job.search.origin(key, &self.path), start, desk.mailbox.clone());
        Ok(())
    }

    /// A batch has resolved. Returns when to go back to what is committed, if it failed.
    pub(super) fn resolved(&mut self, job: &Job, (token, worst): (u64, Outcome), now: Instant) -> Option<Instant> {
        if worst != Outcome::Failed {
            if let Some(mark) = self.stream.resolve(token) {
                self.failures = 0;
                let at = mark.checkpoint((self.fingerprint, self.reach));
                job.positions.commit(self.id, at, self.row.modified());
            }
            self.row.set_idle(self.is_idle());
            return None;
        }
        let is_new = self.stream.tracker.awaits(token) && !matches!(self.state, State::Failed(_));
        is_new.then(|| {
            job.meters.error("delivery_failed");
            self.standing.failed("a batch was not delivered");
            let until = now + self.next_retry(job);
            self.state = State::Failed(until);
            until
        })
    }

    /// Goes back to what is committed: it is read and offered again, with the same identities.
    pub(super) fn rewind(&mut self) {
        (self.offset, self.guard) = self.stream.rewind();
        (self.seen, self.hold, self.released) = (None, None, self.offset);
        // What they are for is offered again by those who wait for it.
        self.debts.clear();
        self.row.read_to(self.offset);
    }

    /// The file cannot be read now. Returns when to try again.
    pub(super) fn broke(&mut self, job: &Job, error: &io::Error, now: Instant) -> Instant {
        job.meters.error("read_failed");
        self.standing.failed(error.to_string());
        if !std::mem::replace(&mut self.is_reported, true) {
            tracing::warn!(path = %self.path.display(), %error, "cannot read file, trying again");
        }
        now + self.next_retry(job)
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
            State::Ready | State::Sleeps(_) | State::Rests | State::Waits(_) => self.stream.tracker.is_idle(),
        }
    }

    /// Is it read to its end, with nothing in flight, and still in its place? Then its descriptor can be opened again.
    pub(super) fn is_idle(&self) -> bool {
        let is_calm = matches!(self.state, State::Rests) && self.seen.is_some() && self.remains == 0;
        is_calm && self.left_since.is_none() && self.stream.tracker.is_idle() && !self.stream.units.is_holding()
    }

    /// Is it to stay open although it is read, since it is to be deleted later?
    pub(super) fn is_kept(&self, job: &Job) -> bool {
        job.tailing.remove_after_secs.is_some() && self.input.is_some() && !self.row.is_deleted()
    }

    /// Deletes the file if that is asked for, it was all delivered, and nothing came for long enough. True if it is to be
    /// looked at again for this.
    pub(super) fn remove_if_due(&mut self, job: &Job, now: Instant) -> bool {
        let Some(seconds) = job.tailing.remove_after_secs else { return false };
        let Some(Ok(about)) = self.input.as_ref().map(Input::metadata) else { return false };
        let is_old = now.saturating_duration_since(self.calm.since) >= Duration::from_secs(seconds);
        let is_done = self.remains == 0 && self.is_settled() && self.stream.committed() == self.offset;
        if !is_old || !is_done || has_left(&self.path, Some(node(&about))) {
            return true;
        }
        match std::fs::remove_file(&self.path) {
            Ok(()) => job.files.deleted.inc(),
            Err(error) => {
                job.meters.error("remove_failed");
                if !std::mem::replace(&mut self.is_reported, true) {
                    tracing::warn!(path = %self.path.display(), %error, "cannot delete file that is read, trying again");
                }
            }
        }
        true
    }

    /// The file is closed, and its rest not read.
    pub(super) fn give_up(&mut self, why: Abandoned, now: Instant) {
        let input = self.input.take();
        self.stood = input.as_ref().and_then(|input| input.metadata().ok()).map(|about| seen(&about));
        // What came since the last look is given up too.
        if let (Some(Input::Plain(_)), Some(stood)) = (input, self.stood) {
            self.row.lost(stood.size, self.offset);
        }
        self.given_up = Some(why);
        self.row.closed();
        self.left_since.get_or_insert(now);
    }

    /// Counts what is not read of a file that is no longer followed. Returns how it stood, if there was one.
    pub(super) fn finish(&self, job: &Job) -> Option<Seen> {
        let committed = self.stream.committed();
        let Some(input) = &self.input else {
            let why = self.given_up.unwrap_or(Abandoned::Truncated);
            job.files.abandoned(why, self.row.size().saturating_sub(committed));
            if self.failures > 0 {
                job.meters.error("truncated_before_delivery");
            }
            return self.stood;
        };
        if self.left_since.is_some() {
            job.positions.ended(self.id);
        }
        input.metadata().ok().map(|about| seen(&about))
    }

    /// More of its bytes count for a turn while it may soon be gone.
    pub(super) fn weight(&self) -> i64 {
        if self.left_since.is_some() { LEAVING_WEIGHT } else { 1 }
    }

    /// Tells the kernel that it need not keep what was read in its cache.
    pub(super) fn release(&mut self) {
        let Some(Input::Plain(file)) = &self.input else { return };
        let Some(len) = std::num::NonZeroU64::new(self.offset.saturating_sub(self.released)) else { return };
        if len.get() >= RELEASE_BYTES {
            // It is only a hint: where the file system has no such thing, nothing is lost.
            let _ = rustix::fs::fadvise(file, self.released, Some(len), rustix::fs::Advice::DontNeed);
            self.released = self.offset;
        }
    }
}
