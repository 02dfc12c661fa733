//! What is made of the bytes of a file: lines, records, a batch.

use std::io;

use super::fingerprint::{Guard, guard_len};
use super::look::{Desk, Turn};
use super::tail::{Seen, Tail};
use crate::codecs::{Piece, lines};
use crate::component::clock;
use crate::component::outlet::Offer;
use crate::component::reason::Reason;
use crate::event::{Batch, Permit, Receipt};

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
    /// Reads a block and offers what is whole in it.
    pub(super) fn read(&mut self, desk: &mut Desk<'_>, now: Seen) -> io::Result<Turn> {
        let Some(input) = &mut self.input else { return Ok(Turn::Quiet) };
        let before = guard_len(self.offset);
        let is_plain = input.is_plain();
        let there = if is_plain { now.size - self.offset } else { u64::MAX };
        let ahead = there.min(self.reach as u64) as usize;
        let Some(permit) = desk.job.budget.take(before + ahead, desk.waker) else { return Ok(Turn::Starved) };
        let mut buffer = desk.job.budget.buffer(before + ahead);
        let got = input.read(&mut buffer, self.offset - before as u64)?;
        buffer.truncate(got);
        if got < before || Guard::of(&buffer[..before]) != self.guard {
            return self.restart(desk);
        }
        let at_end = got < before + ahead || (is_plain && ahead as u64 == there);
        match self.cut(desk, &buffer[..], at_end) {
            Cut::Longer => {
                // Not beyond what tells that the line is too long.
                self.reach = (self.reach * 2).min(desk.job.tailing.decoder.max_line_bytes + 1);
                Ok(Turn::More)
            }
            Cut::Partial => Ok(self.rest(now, (got - before) as u64)),
            Cut::Skip(len) => {
                let receipt = self.advance(desk, &buffer[..before + len], len);
                desk.job.meters.received(0, len);
                receipt.close();
                Ok(Turn::More)
            }
            Cut::Lines(len) if self.is_dropping => Ok(self.pass_over(desk, &buffer[..before + len], len)),
            Cut::Lines(len) => {
                self.reach = desk.job.tailing.max_read_bytes;
                Ok(self.offer(desk, (permit, buffer), len))
            }
        }
    }

    /// Leaves out lines that are beyond the rate limit.
    fn pass_over(&mut self, desk: &Desk<'_>, read: &[u8], len: usize) -> Turn {
        let lines = lines(&read[read.len() - len..]).count();
        self.advance(desk, read, len).close();
        desk.job.meters.received(lines, len);
        desk.job.meters.discarded(Reason::Throttled, lines);
        Turn::More
    }

    /// Decides about the bytes behind the guard. A line whose beginning is not read here was cut: that is known from
    /// the byte before, so it needs no memory and holds after a restart.
    fn cut(&self, desk: &Desk<'_>, buffer: &[u8], at_end: bool) -> Cut {
        let (before, body) = buffer.split_at(guard_len(self.offset));
        // Behind a hole a line begins.
        let is_hole = || before.iter().all(|byte| *byte == 0);
        if before.last().is_some_and(|byte| *byte != b'\n') && !is_hole() {
            return if body.is_empty() { Cut::Partial } else { Cut::Skip(skip(body)) };
        }
        match memchr::memrchr(b'\n', body) {
            Some(at) => Cut::Lines(at + 1),
            None if body.len() > desk.job.tailing.decoder.max_line_bytes => Cut::Lines(body.len()),
            None if body.is_empty() => Cut::Partial,
            None if !at_end => Cut::Longer,
            None if self.is_finished(desk) => Cut::Lines(body.len()),
            None => Cut::Partial,
        }
    }

    /// Moves on by `len` bytes, the last of `read`.
    fn advance(&mut self, desk: &Desk<'_>, read: &[u8], len: usize) -> Receipt {
        self.offset += len as u64;
        self.guard = Guard::of(read);
        self.calm.since = desk.now;
        self.stream.receipt(self.offset, self.guard)
    }

    fn offer(&mut self, desk: &mut Desk<'_>, (permit, buffer): (Permit, Vec<u8>), len: usize) -> Turn {
        let before = guard_len(self.offset);
        let position = self.offset;
        let receipt = self.advance(desk, &buffer[..before + len], len);
        let block = permit.block(buffer);
        let (records, members) = self.guess;
        let mut batch = Batch::new(block.clone(), self.stream.origin.clone(), receipt).with_capacity(records, members);
        let piece = Piece { lines: before..before + len, position, time: clock::now() };
        let counts = desk.job.tailing.decoder.fill(&mut batch, &block, &piece);
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

/// How much of `body` belongs to a line that was cut.
fn skip(body: &[u8]) -> usize {
    memchr::memchr(b'\n', body).map_or(body.len(), |at| at + 1)
}

/// How large to make the tables of the next batch, given the last one.
fn guess(last: &Batch) -> (usize, usize) {
    if last.is_empty() {
        return (0, 0);
    }
    let members = last.get(last.len() / 2).own_count();
    (last.len() + last.len() / 16, members as usize)
}
