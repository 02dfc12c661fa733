//! The log of one sink: its segments, how much they take, what may go. It does one thing at a time and knows no clock;
//! `write`, `read` and `recover` are the rest of it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::task::Waker;

use super::acks::Acks;
use super::ledger::Ledger;
use super::passing::Passing;
use super::positions::{ENTRY, Positions};
use super::read::Reader;
use super::segment;
use super::storage::Disk;
use super::unwritten::Unwritten;
use super::write::Writer;
use crate::buffer::{Space, WhenFull};
use crate::component::meters::{BufferMeters, Meters};
use crate::component::reason::Reason;
use crate::event::Budget;

/// The largest a segment gets, but for a single frame that is larger.
const SEGMENT: u64 = 64 << 20;
/// A small log is cut into so many.
const SEGMENTS: u64 = 8;
/// When all is settled, no more than this stays on the disk.
const IDLE: u64 = 1 << 20;
/// Damaged bytes that are kept at most.
const QUARANTINE: u64 = 64 << 20;
/// Bits of a sequence that count within an epoch.
const EPOCH: u32 = 48;

/// How a disk buffer behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Bytes of all its files.
    pub max_size: u64,
    /// What happens to records that find it full.
    pub when_full: WhenFull,
    /// Is what it stores compressed?
    pub is_compressed: bool,
    /// The share of the file system that others need, 0 to 1: with less than this free it is full.
    pub min_free: f64,
    /// Does the sink get nothing but frames that are stored? Else what it takes at once is not written.
    pub is_strict: bool,
}

/// What a log works with.
pub(crate) struct Tools {
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) budget: Budget,
    pub(crate) meters: Meters,
    /// Rung when outcomes are to be noted, and when there is room in the queue.
    pub(crate) bell: Waker,
}

/// One file of the log.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Epoch and number.
    pub(crate) id: (u16, u64),
    /// Sequence of its first frame.
    pub(crate) first: u64,
    /// Where its first frame begins.
    pub(crate) body: u64,
    /// Where its last frame ends.
    pub(crate) len: u64,
    /// Bytes behind that could not be cut off.
    pub(crate) void: u64,
    /// Records that were stored before it.
    pub(crate) records_before: u64,
}

/// A log, open.
pub(crate) struct Log {
    pub(super) tools: Tools,
    pub(super) figures: BufferMeters,
    pub(super) options: Options,
    /// Oldest first.
    pub(super) segments: VecDeque<Segment>,
    /// New frames are of this epoch.
    pub(super) epoch: u16,
    /// Sequence of the next frame.
    pub(super) next: u64,
    /// Records stored since the log began.
    pub(super) records: u64,
    pub(super) positions: Positions,
    pub(super) acks: Arc<Acks>,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// What goes to the sink beside the log: the first of those that wait to be stored.
    pub(super) passing: Option<Arc<Passing>>,
    /// What was settled without being written.
    pub(super) unwritten: Unwritten,
    /// What the ledgers said at the start, and their generations.
    pub(super) ledgers: BTreeMap<u16, (Ledger, u64)>,
    /// Bytes of files that are no segments of ours.
    pub(super) others: u64,
    pub(super) quarantined: u64,
    /// What of the file system was free when it was last looked at.
    pub(crate) space: Space,
    /// Number of the last segment.
    pub(super) last_number: u64,
}

/// The first sequence of an epoch.
pub(crate) fn first_of(epoch: u16) -> u64 {
    u64::from(epoch) << EPOCH
}

/// The epoch of a sequence.
pub(crate) fn epoch_of(sequence: u64) -> u16 {
    (sequence >> EPOCH) as u16
}

/// Damaged bytes that a log of so many bytes keeps at most.
pub(super) fn kept_at_most(max_size: u64) -> u64 {
    QUARANTINE.min(max_size / SEGMENTS)
}

impl Log {
    /// Takes other settings; what is stored stays.
    pub(crate) fn configure(&mut self, options: Options) {
        self.options = options;
        self.show();
    }

    /// How large a segment gets.
    pub(super) fn target(&self) -> u64 {
        SEGMENT.min(self.options.max_size / SEGMENTS).max(1)
    }

    /// What the head of a segment may take for positions.
    pub(super) fn head_room(&self) -> u64 {
        self.options.max_size / 16
    }

    /// Bytes on the disk, without the ledgers.
    fn used(&self) -> u64 {
        let segments = self.segments.iter().map(|segment| segment.len + segment.void);
        let ledgers = self.ledgers.values().map(|(ledger, _)| ledger.excess());
        segments.chain(ledgers).sum::<u64>() + self.others + self.writer.unsynced()
    }

    /// Are there `bytes` left? Space for ledgers and for the head of another segment is always kept.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        self.used() + bytes + self.reserve() <= self.options.max_size
    }

    /// Could `bytes` ever be stored?
    pub(super) fn could_fit(&self, bytes: u64) -> bool {
        self.others + bytes + 2 * self.reserve() <= self.options.max_size
    }

    fn reserve(&self) -> u64 {
        let positions = (self.positions.len() * ENTRY) as u64;
        Ledger::room() + segment::HEAD as u64 + positions.min(self.head_room())
    }

    /// Where the frames of the segment at `index` end.
    pub(super) fn end_of(&self, index: usize) -> u64 {
        self.segments.get(index + 1).map_or(self.next, |next| next.first)
    }

    /// Has the sink everything?
    pub(crate) fn is_settled(&self) -> bool {
        self.acks.is_settled(0, self.next)
    }

    /// Writes the ledger, if it says something new, and removes what is settled.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        if self.acks.has_changed() {
            self.save_ledgers().inspect_err(|_| self.acks.unsaved())?;
        }
        self.remove_settled()?;
        self.show();
        Ok(())
    }

    fn save_ledgers(&mut self) -> io::Result<()> {
        let marks = self.acks.marks();
        let mut epochs: Vec<u16> = self.segments.iter().map(|segment| segment.id.0).collect();
        epochs.dedup();
        for epoch in epochs {
            let (before, generation) = self.ledgers.entry(epoch).or_default();
            let range = (first_of(epoch), first_of(epoch + 1));
            let ledger = self.acks.ledger(range, before);
            if ledger != *before {
                ledger.save(&*self.tools.disk, epoch, *generation + 1)?;
                (*before, *generation) = (ledger, *generation + 1);
            }
        }
        self.acks.are_durable(marks);
        Ok(())
    }

    /// Removes segments all of whose frames are settled, durably: a frame that is open in the ledger and not there would
    /// be lost, and its window another one. Never the last, which knows the positions.
    pub(super) fn remove_settled(&mut self) -> io::Result<()> {
        let mut index = 0;
        while index + 1 < self.segments.len() {
            let segment = &self.segments[index];
            let frames = segment.first..self.end_of(index);
            let is_noted = || self.ledgers.get(&segment.id.0).is_some_and(|(ledger, _)| ledger.has_settled(&frames));
            if frames.is_empty() || is_noted() {
                self.remove_segment(index)?;
            } else {
                index += 1;
            }
        }
        Ok(())
    }

    pub(super) fn remove_segment(&mut self, index: usize) -> io::Result<()> {
        let id = self.segments[index].id;
        match self.tools.disk.remove(&segment::name(id.0, id.1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.segments.remove(index);
        self.reader.leave(id);
        if id.0 < self.epoch && self.segments.iter().all(|segment| segment.id.0 != id.0) {
            self.ledgers.remove(&id.0);
            Ledger::remove(&*self.tools.disk, id.0)?;
        }
        Ok(())
    }

    /// Lets go of what is settled: at rest a log takes little of the disk.
    pub(crate) fn rest(&mut self, now: u32) -> io::Result<()> {
        if self.segments.back().is_some_and(|last| last.len > IDLE) {
            self.begin_segment(now)?;
        }
        self.save()
    }

    /// Would [`make_room`](Self::make_room) gain anything?
    pub(crate) fn may_free(&self) -> bool {
        let Some(oldest) = self.segments.front() else { return false };
        self.acks.is_settled(oldest.first, self.end_of(0)) && (self.segments.len() > 1 || oldest.len > oldest.body)
    }

    /// Makes room for `bytes`; tells whether there is.
    pub(super) fn make_room(&mut self, bytes: u64, now: u32) -> io::Result<bool> {
        if self.fits(bytes) {
            return Ok(true);
        }
        self.save()?;
        if !self.fits(bytes) && self.is_settled() && self.segments.back().is_some_and(|last| last.len > last.body) {
            self.begin_segment(now)?;
            self.save()?;
        }
        while !self.fits(bytes) && self.options.when_full == WhenFull::DropOldest && !self.segments.is_empty() {
            self.drop_oldest(now)?;
        }
        Ok(self.fits(bytes))
    }

    /// Drops the oldest segment with all that is in it.
    pub(super) fn drop_oldest(&mut self, now: u32) -> io::Result<()> {
        if self.segments.len() == 1 {
            self.begin_segment(now)?;
        }
        let (first, end) = (self.segments[0].first, self.end_of(0));
        let unread = self.count_unread()?;
        self.acks.lose(unread);
        self.acks.pass(end.max(first));
        let held = self.reader.drop_held_below(end, &self.acks);
        self.tools.meters.discarded(Reason::BufferFull, unread as usize + held);
        self.save_ledgers()?;
        self.remove_segment(0)
    }

    /// Keeps damaged bytes, as far as there is room for such.
    pub(super) fn quarantine(&mut self, name: &str, bytes: &[u8]) {
        let room =
            kept_at_most(self.options.max_size).saturating_sub(self.quarantined).min(bytes.len() as u64) as usize;
        if room == 0 || !self.fits(room as u64) {
            return;
        }
        let disk = &self.tools.disk;
        let kept = disk.open(name, super::storage::Create::New).and_then(|file| {
            super::storage::write_all(&*file, 0, &bytes[..room])?;
            file.sync()
        });
        if kept.is_ok() {
            self.quarantined += room as u64;
            self.others += room as u64;
        } else {
            let _gone = disk.remove(name);
        }
    }

    /// Brings the figures up to date.
    pub(crate) fn show(&self) {
        let used = self.used();
        if self.is_settled() {
            // What was lost to damage was never counted.
            self.acks.lose(self.records.saturating_sub(self.acks.gone()));
        }
        self.tools.meters.buffer(used as usize, self.options.max_size as usize);
        self.figures.events(self.records.saturating_sub(self.acks.gone()));
        self.figures.quarantined(self.quarantined);
    }

    /// Bytes on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.used()
    }
}
