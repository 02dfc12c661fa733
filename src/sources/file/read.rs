//! A file's turn: look, read a block, split it, offer it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use super::fingerprint::{Guard, guard_len, read_on};
use super::job::{Job, Letter};
use super::mailbox::Mailbox;
use super::tail::{Seen, Tail};
use crate::codecs::Piece;
use crate::component::clock;
use crate::component::outlet::{Held, Lane, Offer};
use crate::event::{Batch, Permit, Receipt};

/// A file whose time of modification is younger than this may be written again without a change of that time: some
/// file systems keep it in steps of two seconds.
const TICK_NANOS: i64 = 2_000_000_000;

/// What a lane's thread lends a file for its turn.
pub(super) struct Desk<'a> {
    pub(super) job: &'a Job,
    pub(super) lane: &'a mut dyn Lane,
    pub(super) mailbox: &'a Arc<Mailbox<Letter>>,
    pub(super) waker: &'a Waker,
}

/// What a turn came to.
pub(super) enum Turn {
    /// There may be more to read.
    More,
    /// A batch waits for room.
    Waits(Held),
    /// Nothing more to read now.
    Quiet,
    /// There is no memory to read into.
    Starved,
}

/// What to do with the bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// They belong to a line that was cut: skip so many.
    Skip(usize),
    /// So many bytes are lines.
    Lines(usize),
    /// The line is longer; read on.
    Longer,
    /// The line is not whole yet.
    Partial,
}

impl Tail {
    /// Reads what there is, up to a quantum, and offers it.
    pub(super) fn turn(&mut self, desk: &mut Desk<'_>) -> io::Result<Turn> {
        // Before the look: a write after it is told of again.
        self.is_told.store(false, Ordering::Release);
        let about = self.file.metadata()?;
        let modified = about.mtime().saturating_mul(1_000_000_000).saturating_add(about.mtime_nsec());
        let now = Seen { size: about.len(), modified };
        let is_last = self.is_finished(desk.job);
        if self.seen == Some(now) && !(is_last && now.size > self.offset) {
            return Ok(Turn::Quiet);
        }
        if now.size < self.offset {
            return self.restart(desk);
        }
        if !self.fingerprint.is_full() {
            let Some(grown) = self.fingerprint.grow(&self.file)? else { return self.restart(desk) };
            if self.fingerprint.len == 0 && grown.len > 0 {
                desk.job.positions.begin(self.id, grown)?;
            }
            self.fingerprint = grown;
        }
        if now.size == self.offset {
            let is_same = Guard::read(&self.file, self.offset)? == Some(self.guard);
            return if is_same { Ok(self.rest(now)) } else { self.restart(desk) };
        }
        self.read(desk, now)
    }

    /// Has it been gone and quiet for so long that nothing more will come?
    pub(super) fn is_finished(&self, job: &Job) -> bool {
        let Some(gone) = self.gone_since else { return false };
        gone.max(self.calm.since).elapsed() >= job.pace.quiet
    }

    fn restart(&mut self, desk: &Desk<'_>) -> io::Result<Turn> {
        self.renew(desk.job, desk.mailbox.clone())?;
        Ok(Turn::More)
    }

    /// Nothing more to read. A look at it is trusted only if a later write must change what is seen.
    fn rest(&mut self, now: Seen) -> Turn {
        self.seen = (clock::now() - now.modified > TICK_NANOS).then_some(now);
        Turn::Quiet
    }

    fn read(&mut self, desk: &mut Desk<'_>, now: Seen) -> io::Result<Turn> {
        let before = guard_len(self.offset);
        let ahead = (now.size - self.offset).min(self.reach as u64) as usize;
        let Some(permit) = desk.job.budget.take(before + ahead, desk.waker) else { return Ok(Turn::Starved) };
        let mut buffer = desk.job.budget.buffer(before + ahead);
        let got = read_on(&self.file, &mut buffer, self.offset - before as u64)?;
        buffer.truncate(got);
        if got < before || Guard::of(&buffer[..before]) != self.guard {
            return self.restart(desk);
        }
        let at_end = got < before + ahead || self.offset + ahead as u64 == now.size;
        match self.cut(desk.job, &buffer[..], at_end) {
            Cut::Longer => {
                // Not beyond what tells that the line is too long.
                self.reach = (self.reach * 2).min(desk.job.settings.max_line_bytes + 1);
                Ok(Turn::More)
            }
            Cut::Partial => Ok(self.rest(now)),
            Cut::Skip(len) => {
                let receipt = self.advance(&buffer[..before + len], len);
                desk.job.meters.received(0, len);
                receipt.close();
                Ok(Turn::More)
            }
            Cut::Lines(len) => {
                self.reach = desk.job.settings.max_read_bytes;
                Ok(self.offer(desk, (permit, buffer), len))
            }
        }
    }

    /// Decides about the bytes behind the guard. A line whose beginning is not read here was cut: that is known from
    /// the byte before, so it needs no memory and holds after a restart.
    fn cut(&self, job: &Job, buffer: &[u8], at_end: bool) -> Cut {
        let (before, body) = buffer.split_at(guard_len(self.offset));
        if before.last().is_some_and(|byte| *byte != b'\n') {
            return Cut::Skip(memchr::memchr(b'\n', body).map_or(body.len(), |at| at + 1));
        }
        match memchr::memrchr(b'\n', body) {
            Some(at) => Cut::Lines(at + 1),
            None if body.len() > job.settings.max_line_bytes => Cut::Lines(body.len()),
            None if !at_end => Cut::Longer,
            None if self.is_finished(job) => Cut::Lines(body.len()),
            None => Cut::Partial,
        }
    }

    /// Moves on by `len` bytes, the last of `read`.
    fn advance(&mut self, read: &[u8], len: usize) -> Receipt {
        self.offset += len as u64;
        self.guard = Guard::of(read);
        self.calm.since = Instant::now();
        self.stream.receipt(self.offset, self.guard)
    }

    fn offer(&mut self, desk: &mut Desk<'_>, (permit, buffer): (Permit, Vec<u8>), len: usize) -> Turn {
        let before = guard_len(self.offset);
        let position = self.offset;
        let receipt = self.advance(&buffer[..before + len], len);
        let block = permit.block(buffer);
        let (records, members) = self.guess;
        let mut batch = Batch::new(block.clone(), self.stream.origin.clone(), receipt).with_capacity(records, members);
        let piece = Piece { lines: before..before + len, position, time: clock::now() };
        let counts = desk.job.decoder.fill(&mut batch, &block, &piece);
        self.guess = guess(&batch);
        let meters = &desk.job.meters;
        meters.received(batch.len(), len);
        meters.errors("not_json", counts.not_json);
        meters.errors("line_truncated", counts.truncated);
        if batch.is_empty() {
            batch.close();
            return Turn::More;
        }
        drop(block);
        match desk.lane.offer(batch, desk.waker) {
            Offer::Taken => Turn::More,
            Offer::Waits(held) => Turn::Waits(held),
        }
    }
}

/// How large to make the tables of the next batch, given the last one.
fn guess(last: &Batch) -> (usize, usize) {
    if last.is_empty() {
        return (0, 0);
    }
    let members = last.get(last.len() / 2).own_count();
    (last.len() + last.len() / 16, members as usize)
}
