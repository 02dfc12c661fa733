//! Reading back: frames go to the sink in order, each checked as its turn comes. Memory does not depend on the backlog.

use std::io;

use bytes::Bytes;

use super::acks::{Acks, Place};
use super::frame::Head;
use super::log::Log;
use super::scan::{Found, Scanner};
use super::segment;
use super::storage::Create;
use crate::buffer::Queue;
use crate::component::outlet::Inlet;
use crate::component::reason::Reason;
use crate::event::Batch;

/// A read that fails so often in a row is given up with the rest of its segment.
const ATTEMPTS: u32 = 10;
/// Bytes of one damaged region that are looked at for keeping.
const DAMAGE: usize = 1 << 20;

/// How far the log is read.
#[derive(Default)]
pub(crate) struct Reader {
    /// The segment that is open, and where in it to read on.
    open: Option<((u16, u64), Scanner)>,
    at: u64,
    /// Where to go on, after frames were handed out from memory.
    resume: Option<Place>,
    /// A batch that found no room: it has its receipt, and its stream a place in the queue's line.
    held: Option<Held>,
    /// One that was dropped while it waited: its stream is to leave the line.
    dropped: Option<Batch>,
    failures: u32,
    /// Is what the sink failed on being handed out? It goes in one piece, in order.
    is_again: bool,
}

struct Held {
    sequence: u64,
    place: Place,
    batch: Batch,
}

/// What is left of a frame that the sink failed on.
enum Again {
    Batch(Batch),
    /// Its segment was the oldest, and made room.
    Removed,
    Damaged,
}

impl Reader {
    /// A segment is removed.
    pub(super) fn leave(&mut self, id: (u16, u64)) {
        if self.open.as_ref().is_some_and(|(open, _)| *open == id) {
            (self.open, self.at) = (None, 0);
        }
    }

    /// The next frame to be read.
    pub(super) fn resume(&mut self, place: Place) {
        self.resume = Some(place);
    }

    /// Drops a batch that waits for room, if it lies below `end`; gives how many records it has.
    pub(super) fn drop_held_below(&mut self, end: u64, acks: &Acks) -> usize {
        let Some(held) = self.held.take_if(|held| held.sequence < end) else { return 0 };
        acks.forget(held.sequence);
        self.dropped = Some(held.batch);
        held.place.records as usize
    }
}

impl Log {
    /// Has everything that is stored been handed to the sink?
    pub(crate) fn is_caught_up(&self) -> bool {
        self.reader.held.is_none() && self.acks.fed() == self.next
    }

    /// Is this frame the next one for the sink?
    pub(super) fn is_next(&self, sequence: u64) -> bool {
        self.reader.held.is_none() && !self.reader.is_again && self.acks.fed() == sequence
    }

    /// Hands stored frames to `queue` until it is full or has all of them.
    pub(crate) fn feed(&mut self, queue: &Queue) -> io::Result<()> {
        self.leave_line(queue);
        loop {
            let next = match self.reader.held.take() {
                Some(held) => Some(held),
                None => match self.next_failed()? {
                    Some(held) => Some(held),
                    None => self.read_next()?,
                },
            };
            let Some(held) = next else { return Ok(()) };
            if !self.hand_out(held, queue) {
                return Ok(());
            }
        }
    }

    /// Hands a batch out, or holds it until there is room.
    fn hand_out(&mut self, held: Held, queue: &Queue) -> bool {
        let Held { sequence, place, batch } = held;
        match queue.offer(batch, &self.tools.bell) {
            Ok(()) => true,
            Err(batch) => {
                self.reader.held = Some(Held { sequence, place, batch });
                false
            }
        }
    }

    /// A batch that was dropped keeps nobody waiting behind it.
    pub(super) fn leave_line(&mut self, queue: &Queue) {
        if let Some(batch) = self.reader.dropped.take() {
            queue.give_up(&batch);
            batch.close();
        }
    }

    /// Hands out no more for now: what waits for room is as if it had not been read.
    pub(crate) fn let_go(&mut self, queue: &Queue) {
        self.leave_line(queue);
        let Some(Held { sequence, place, batch }) = self.reader.held.take() else { return };
        queue.give_up(&batch);
        if self.acks.fed() == sequence + 1 {
            self.acks.withdraw(sequence);
            self.reader.resume(place);
        }
        // One that was handed out before has failed once more.
        drop(batch);
    }

    /// What the sink failed on is handed out once more, with the next [`feed`](Self::feed).
    pub(crate) fn offer_failed(&mut self) {
        self.reader.is_again = true;
    }

    /// Is some of it still to be handed out?
    pub(crate) fn is_offering(&self) -> bool {
        self.reader.is_again
    }

    /// The next frame that the sink failed on.
    fn next_failed(&mut self) -> io::Result<Option<Held>> {
        while self.reader.is_again {
            let Some((sequence, place)) = self.acks.take_failed() else {
                self.reader.is_again = false;
                break;
            };
            match self.read_again(place) {
                Ok(Again::Batch(mut batch)) => {
                    batch.answer_to(self.acks.issue(sequence, place));
                    return Ok(Some(Held { sequence, place, batch }));
                }
                Ok(Again::Removed) => {
                    self.acks.forget(sequence);
                    self.tools.meters.discarded(Reason::BufferFull, place.records as usize);
                    let (component_id, records) = (self.id(), place.records);
                    tracing::warn!(component_id, records, "the oldest were dropped before the sink took them");
                }
                Ok(Again::Damaged) => {
                    self.acks.forget(sequence);
                    self.figures.lost(1);
                    let (component_id, records) = (self.id(), place.records);
                    tracing::error!(component_id, records, "a frame that the sink failed on is damaged by now");
                }
                Err(error) => {
                    self.acks.fail(sequence);
                    self.reader.is_again = false;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    pub(super) fn id(&self) -> &str {
        &self.tools.meters.label().id
    }

    fn read_again(&mut self, place: Place) -> io::Result<Again> {
        let Some(segment) = self.segments.iter().find(|segment| segment.id == place.segment) else {
            return Ok(Again::Removed);
        };
        let end = segment.len;
        let mut scanner = self.scanner(place.segment)?;
        let Found::Frame(head) = scanner.look(place.offset, end)? else { return Ok(Again::Damaged) };
        let body = self.block(scanner.body(place.offset, &head, end)?);
        Ok(head.batch(&body).map_or(Again::Damaged, Again::Batch))
    }

    /// The bytes of a body as a block that is charged to the memory of the process. It is not asked for: what others
    /// hold comes back only if this goes on, and the queue behind bounds it.
    fn block(&self, body: &[u8]) -> Bytes {
        let mut buffer = self.tools.budget.buffer(body.len());
        buffer.copy_from_slice(body);
        self.tools.budget.charge(body.len()).block(buffer)
    }

    fn scanner(&self, id: (u16, u64)) -> io::Result<Scanner> {
        Ok(Scanner::new(self.tools.disk.open(&segment::name(id.0, id.1), Create::No)?))
    }

    /// The next frame that is not settled, with a receipt.
    fn read_next(&mut self) -> io::Result<Option<Held>> {
        while self.acks.fed() < self.next {
            match self.read_one() {
                Ok(Some((sequence, place, mut batch))) => {
                    self.reader.failures = 0;
                    batch.answer_to(self.acks.issue(sequence, place));
                    return Ok(Some(Held { sequence, place, batch }));
                }
                Ok(None) => self.reader.failures = 0,
                Err(error) => {
                    self.reader.failures += 1;
                    if self.reader.failures < ATTEMPTS {
                        return Err(error);
                    }
                    tracing::error!(component_id = self.id(), %error, "a segment of the buffer cannot be read on");
                    self.skip_segment();
                }
            }
        }
        Ok(None)
    }

    /// The segment with the next frame.
    fn reading(&self) -> Option<usize> {
        let fed = self.acks.fed();
        (0..self.segments.len()).find(|index| self.end_of(*index) > fed)
    }

    fn read_one(&mut self) -> io::Result<Option<(u64, Place, Batch)>> {
        let Some(index) = self.reading() else {
            self.lose_up_to(self.next);
            return Ok(None);
        };
        let (segment, end) = (self.segments[index].clone(), self.end_of(index));
        if self.acks.fed() < segment.first {
            self.lose_up_to(segment.first);
        }
        let (mut scanner, at) = self.turn_to(segment.id, segment.body)?;
        let found = scanner.look(at, segment.len);
        let read = match found {
            Ok(Found::Frame(head)) => {
                let taken = self.take_frame((&segment, end), (at, head), &mut scanner);
                // A read that failed is tried again at the same place.
                self.reader.at = if taken.is_ok() { at + head.len() } else { at };
                taken
            }
            Ok(Found::Damage(len)) => self.pass_damage((&segment, end), (at, len), &mut scanner),
            Ok(Found::End) => {
                self.lose_up_to(end);
                Ok(None)
            }
            Err(error) => Err(error),
        };
        self.reader.open = Some((segment.id, scanner));
        read
    }

    /// The scanner of a segment, and where to read on.
    fn turn_to(&mut self, id: (u16, u64), body: u64) -> io::Result<(Scanner, u64)> {
        let resume = self.reader.resume.take().filter(|place| place.segment == id).map(|place| place.offset);
        let (scanner, at) = match self.reader.open.take() {
            Some((open, scanner)) if open == id => (scanner, resume.unwrap_or(self.reader.at)),
            _ => (self.scanner(id)?, resume.unwrap_or(body)),
        };
        self.reader.at = at;
        Ok((scanner, at))
    }

    fn take_frame(
        &mut self,
        (segment, end): (&super::log::Segment, u64),
        (at, head): (u64, Head),
        scanner: &mut Scanner,
    ) -> io::Result<Option<(u64, Place, Batch)>> {
        let fed = self.acks.fed();
        if head.sequence < fed || head.sequence >= end {
            return Ok(None);
        }
        self.lose_up_to(head.sequence);
        if self.ledgers.get(&segment.id.0).is_some_and(|(ledger, _)| ledger.is_settled(head.sequence)) {
            self.acks.pass(head.sequence + 1);
            return Ok(None);
        }
        let body = self.block(scanner.body(at, &head, segment.len)?);
        let place = Place { segment: segment.id, offset: at, records: head.records };
        let Ok(batch) = head.batch(&body) else {
            self.damaged(segment.id, (at, head.len()), &body);
            return Ok(None);
        };
        if batch.is_empty() {
            self.acks.pass(head.sequence + 1);
            return Ok(None);
        }
        Ok(Some((head.sequence, place, batch)))
    }

    /// How many frames below `next` were not found, and not settled by an earlier run.
    fn missing(&self, next: u64) -> usize {
        let fed = self.acks.fed();
        let epoch = (fed >> 48) as u16;
        // The end of an epoch is not known: what follows its last frame was never written.
        if next >= super::log::first_of(epoch + 1) {
            return 0;
        }
        let ledger = self.ledgers.get(&epoch).map(|(ledger, _)| ledger);
        let is_open = |sequence: &u64| !ledger.is_some_and(|ledger| ledger.is_settled(*sequence));
        (fed..next).take(1 << 16).filter(is_open).count()
    }

    /// Frames below `next` that were not found are lost, unless they were settled.
    fn lose_up_to(&mut self, next: u64) {
        let lost = self.missing(next);
        if lost > 0 {
            self.figures.lost(lost);
            tracing::error!(component_id = self.id(), frames = lost, "frames of the buffer are damaged or missing");
        }
        self.acks.pass(next);
    }

    /// Passes over bytes that are no frame. Where nothing is missing they are what a write that failed has left.
    fn pass_damage(
        &mut self,
        (segment, end): (&super::log::Segment, u64),
        (at, len): (u64, u64),
        scanner: &mut Scanner,
    ) -> io::Result<Option<(u64, Place, Batch)>> {
        let next = match scanner.look(at + len, segment.len)? {
            Found::Frame(head) => head.sequence.min(end),
            Found::Damage(_) | Found::End => end,
        };
        if self.missing(next) > 0 {
            let bytes = scanner.fetch(at, (len as usize).min(DAMAGE), segment.len)?.to_vec();
            self.damaged(segment.id, (at, len), &bytes);
        }
        self.reader.at = at + len;
        Ok(None)
    }

    fn damaged(&mut self, id: (u16, u64), (at, len): (u64, u64), bytes: &[u8]) {
        self.figures.corrupted(len);
        let name = segment::name(id.0, id.1);
        tracing::error!(
            component_id = self.id(),
            segment = name,
            offset = at,
            bytes = len,
            "the buffer is damaged here"
        );
        self.quarantine(&format!("{}/{name}.{at}", super::storage::QUARANTINE), bytes);
    }

    /// Gives up the rest of the segment that is being read.
    fn skip_segment(&mut self) {
        self.reader.failures = 0;
        if let Some(index) = self.reading() {
            let (len, end) =
                (self.segments[index].len - self.reader.at.min(self.segments[index].len), self.end_of(index));
            self.figures.corrupted(len);
            self.lose_up_to(end);
        }
        (self.reader.open, self.reader.at) = (None, 0);
    }

    /// Records in the oldest segment that were not handed to the sink.
    pub(super) fn count_unread(&mut self) -> io::Result<u64> {
        let segment = self.segments[0].clone();
        let (end, fed) = (self.end_of(0), self.acks.fed());
        let after = self.segments.get(1).map_or(self.records, |next| next.records_before);
        if fed <= segment.first {
            return Ok(after.saturating_sub(segment.records_before));
        }
        let (mut scanner, mut at, mut unread) = (self.scanner(segment.id)?, segment.body, 0);
        loop {
            match scanner.look(at, segment.len)? {
                Found::Frame(head) => {
                    let is_unread = head.sequence >= fed && head.sequence < end;
                    unread += if is_unread { u64::from(head.records) } else { 0 };
                    at += head.len();
                }
                Found::Damage(len) => at += len,
                Found::End => return Ok(unread),
            }
        }
    }
}
