//! What is made of the bytes of a file: units, records, a batch.

use std::io;
use std::time::Instant;

use bytes::Bytes;

use super::fingerprint::{Guard, Reach, guard_len};
use super::job::Job;
use super::look::{Desk, Turn};
use super::stream::Mark;
use super::tail::{Seen, Tail};
use crate::codecs::units::{Input, Now, Rest, Taken, Tally};
use crate::component::clock;
use crate::component::meters::Meters;
use crate::component::outlet::Offer;
use crate::component::reason::Reason;
use crate::event::{Batch, Budget, Outcome, Receipt};

/// The longest byte order mark.
const MARK_BYTES: usize = 3;

impl Tail {
    /// Reads a block and offers what is whole in it.
    pub(super) fn read(&mut self, desk: &mut Desk<'_>, now: Seen) -> io::Result<Turn> {
        let job = desk.job;
        let Some(input) = &mut self.input else { return Ok(Turn::Quiet) };
        let before = guard_len(self.offset);
        let is_plain = input.is_plain();
        let there = if is_plain { now.size - self.offset } else { u64::MAX };
        let reach = job.tailing.max_read_bytes.max(self.stream.units.least_read(&job.tailing.layout));
        let ahead = there.min(reach as u64) as usize;
        let Some(permit) = job.budget.take(before + ahead, desk.waker) else { return Ok(Turn::Starved) };
        let mut buffer = job.budget.buffer(before + ahead);
        let got = input.read(&mut buffer, self.offset - before as u64)?;
        buffer.truncate(got);
        if got < before || Guard::of(&buffer[..before]) != self.guard {
            return self.restart(desk);
        }
        let at_end = got < before + ahead || (is_plain && ahead as u64 == there);
        let rest = match got - before {
            0 => return Ok(self.rest(now, 0)),
            _ if at_end && self.is_finished(desk) => Rest::Last,
            read if read == reach => Rest::InParts,
            _ => Rest::Waits,
        };
        self.begin_units(job, buffer.split_at(before))?;
        let block = permit.block(buffer);
        let (records, members) = self.guess;
        let mut batch = Batch::unanswered(block.clone(), self.stream.origin.clone()).with_capacity(records, members);
        let input =
            Input { block: &block, bytes: before..got, position: self.offset, now: self.moment(desk.now), rest };
        let taken = self.stream.units.take(&job.tailing.layout, &mut batch, &input);
        if taken.bytes == 0 {
            return Ok(self.rest(now, (got - before) as u64));
        }
        let receipt = self.advance(desk, &block[..before + taken.bytes], taken.bytes)?;
        self.guess = guess(&batch);
        drop(block);
        Ok(self.offer(desk, (batch, taken), receipt))
    }

    /// There is nothing to read: offers what has waited long enough for more, or what a file that has ended has left.
    pub(super) fn flush(&mut self, desk: &mut Desk<'_>) -> io::Result<Turn> {
        let (layout, now) = (&desk.job.tailing.layout, self.moment(desk.now));
        let is_last = self.stream.units.is_holding() && self.is_finished(desk) && !desk.has_heir;
        let is_due = self.stream.units.deadline(layout).is_some_and(|due| due <= now.tick);
        if self.input.is_none() || !(is_last || is_due) {
            return Ok(Turn::Quiet);
        }
        let mut batch = Batch::unanswered(Bytes::new(), self.stream.origin.clone());
        let units = &mut self.stream.units;
        let taken = if is_last { units.finish(layout, &mut batch, now) } else { units.flush(layout, &mut batch, now) };
        let mark = self.mark(&[])?;
        let receipt = self.stream.receipt(mark);
        Ok(self.offer(desk, (batch, taken), receipt))
    }

    /// When [`flush`](Self::flush) has something to do.
    pub(super) fn due(&self, job: &Job) -> Option<Instant> {
        self.input.as_ref()?;
        self.stream.units.deadline(&job.tailing.layout).map(|due| self.born + due)
    }

    /// Tells the units where they begin, if nobody has yet; `read` are the bytes before that and behind it.
    fn begin_units(&mut self, job: &Job, (before, behind): (&[u8], &[u8])) -> io::Result<()> {
        // While nothing was taken, the file may still have been too short to show its byte order mark.
        if self.stream.is_begun && self.offset > 0 {
            return Ok(());
        }
        let head = match &mut self.input {
            Some(input) if self.offset > 0 => input.first()?,
            _ => behind[..behind.len().min(MARK_BYTES)].to_vec(),
        };
        let first = &head[..head.len().min(MARK_BYTES)];
        self.stream.units.begin(&job.tailing.layout, &self.stream.resolved.resume, (first, before));
        self.stream.is_begun = true;
        Ok(())
    }

    pub(super) fn moment(&self, now: Instant) -> Now {
        Now { time: clock::now(), tick: now.saturating_duration_since(self.born) }
    }

    /// Moves on by `len` bytes, the last of `read`.
    fn advance(&mut self, desk: &Desk<'_>, read: &[u8], len: usize) -> io::Result<Receipt> {
        self.offset += len as u64;
        self.guard = Guard::of(read);
        if self.offset > self.reach.offset {
            self.reach = Reach { offset: self.offset, guard: self.guard };
            desk.job.positions.reached(self.id, (self.fingerprint, self.reach));
        }
        self.calm.since = desk.now;
        let mark = self.mark(read)?;
        Ok(self.stream.receipt(mark))
    }

    /// Where to read on if it begins again; `read` are the bytes before the offset that are at hand.
    fn mark(&mut self, read: &[u8]) -> io::Result<Mark> {
        let resume = self.stream.units.resume(self.offset);
        let back = (self.offset - resume.offset) as usize;
        let guard = if back == 0 {
            self.guard
        } else if resume.offset == self.stream.last.resume.offset {
            self.stream.last.guard
        } else if let Some(before) = read.len().checked_sub(back).filter(|len| *len >= guard_len(resume.offset)) {
            Guard::of(&read[..before])
        } else {
            // It began in an earlier block. The file is shorter only if it was truncated since: the next look finds out.
            let known = self.input.as_mut().map(|input| input.guard(resume.offset)).transpose()?;
            known.flatten().unwrap_or_default()
        };
        Ok(Mark { resume, guard })
    }

    fn offer(&mut self, desk: &mut Desk<'_>, (mut batch, taken): (Batch, Taken), receipt: Receipt) -> Turn {
        let Taken { bytes, joined, tally } = taken;
        let Job { budget, meters, .. } = desk.job;
        meters.received(batch.len(), bytes);
        count(meters, tally);
        self.charge(budget);
        batch.answer_also(receipt);
        if !self.stream.units.is_heir() {
            self.debts.drain(..).for_each(|debt| batch.answer_also(debt));
        }
        if !joined.is_empty() {
            batch.add_block(budget.charge(joined.len()).keep(joined));
        }
        if batch.is_empty() {
            batch.close();
            return Turn::More;
        }
        if self.is_dropping {
            meters.discarded(Reason::Throttled, batch.len());
            batch.settle(Outcome::Dropped);
            return Turn::More;
        }
        match desk.lane.offer(batch, desk.waker) {
            Offer::Taken => Turn::More,
            Offer::Waits(held) => Turn::Waits(held),
        }
    }

    /// Charges what is not whole yet.
    fn charge(&mut self, budget: &Budget) {
        let held = self.stream.units.held();
        if held > 0 || self.hold.is_some() {
            self.hold = (held > 0).then(|| budget.charge(held));
        }
    }
}

fn count(meters: &Meters, tally: Tally) {
    let Tally { not_json, truncated, unframed, dangling, split, invalid } = tally;
    let kinds = [
        ("not_json", not_json),
        ("line_truncated", truncated),
        ("line_not_framed", unframed),
        ("line_without_end", dangling),
        ("multiline_full", split),
        ("invalid_text", invalid),
    ];
    for (kind, count) in kinds {
        meters.errors(kind, count);
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
