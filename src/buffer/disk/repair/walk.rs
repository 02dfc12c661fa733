//! What stands in a segment that is to be repaired, read frame by frame.

use std::io;

use bytes::Bytes;

use crate::buffer::disk::frame;
use crate::buffer::disk::ledger::Ledger;
use crate::buffer::disk::log::{Segment, epoch_of};
use crate::buffer::disk::positions::Positions;
use crate::buffer::disk::recover::whole_groups;
use crate::buffer::disk::scan::{Found, Scanner};
use crate::buffer::disk::segment;
use crate::buffer::disk::storage::{Create, Disk};

/// Frames that are missing in one place are counted up to here.
const MISSING: usize = 1 << 16;

/// What stands in a segment.
#[derive(Default)]
pub(super) struct Walk {
    /// Frames with where they stand. Their heads are as they are to be.
    pub(super) frames: Vec<(u64, frame::Head)>,
    /// What is no frame, or one that holds no records: where it begins and ends.
    pub(super) gaps: Vec<(u64, u64)>,
    /// Frames among the gaps: where they begin and end, and their sequence. They were stored as they are.
    unread: Vec<(u64, u64, u64)>,
    /// Streams of the frames, as far as their positions count.
    runs: Vec<Vec<frame::Run>>,
    /// Where what is to be kept ends.
    pub(super) end: u64,
    group: Group,
    /// Sequence of the frame that comes next.
    next: u64,
}

/// The group of frames that is gone over.
#[derive(Default)]
struct Group {
    /// By the heads of its frames.
    number: u64,
    /// Is none missing so far?
    is_whole: bool,
    /// The group that the frames to come are to be of: where one is taken out, those behind would look torn.
    becomes: u64,
}

impl Group {
    fn saw(&mut self, sequence: u64, group: u64, next: u64) {
        if self.number == group {
            self.is_whole &= sequence == next;
        } else {
            *self = Self { number: group, is_whole: sequence == group || sequence == next, becomes: group };
        }
    }
}

impl Walk {
    /// Over frames below `end`: the others are void. What is not settled by `ledger` has to hold records.
    pub(super) fn over(
        look: &dyn Disk,
        segment: &Segment,
        (end, ledger): (Option<u64>, Option<&Ledger>),
    ) -> io::Result<Self> {
        let mut scanner = Scanner::new(look.open(&segment::name(segment.id.0, segment.id.1), Create::No)?);
        let (mut at, mut walk) = (segment.body, Self { end: segment.len, next: segment.first, ..Self::default() });
        loop {
            match scanner.look(at, segment.len)? {
                Found::Frame(head) => {
                    if end.is_none_or(|end| head.sequence < end) {
                        let is_settled = ledger.is_some_and(|ledger| ledger.is_settled(head.sequence));
                        walk.see((at, head), scanner.body(at, &head, segment.len)?, is_settled);
                    }
                    at += head.len();
                }
                Found::Damage(len) => {
                    walk.gaps.push((at, at + len));
                    at += len;
                }
                Found::End => return Ok(walk),
            }
        }
    }

    fn see(&mut self, (at, mut head): (u64, frame::Head), body: &[u8], is_settled: bool) {
        let (sequence, is_new) = (head.sequence, head.sequence >= self.next);
        if is_new {
            self.group.saw(sequence, head.group, self.next);
            self.next = sequence + 1;
        }
        if !is_settled && head.batch(&Bytes::copy_from_slice(body)).is_err() {
            self.gaps.push((at, at + head.len()));
            self.unread.push((at, at + head.len(), sequence));
            if is_new && self.group.is_whole {
                self.group.becomes = self.next;
            }
        } else if is_new {
            head.group = self.group.becomes;
            let runs = frame::Head::runs(body).unwrap_or_default();
            self.runs.push(if head.is_counted { runs } else { Vec::new() });
            self.frames.push((at, head));
        }
    }

    /// Of the last segment: forgets what is behind the last whole group; tells whether there was anything.
    pub(super) fn cut_off_torn(&mut self, segment: &Segment) -> bool {
        let kept = whole_groups(&self.frames, segment).len();
        self.frames.truncate(kept);
        self.runs.truncate(kept);
        let whole = self.frames.last().map_or(segment.body, |(at, head)| at + head.len());
        self.end = self.unread.iter().fold(whole, |end, (from, to, _)| if *from == end { *to } else { end });
        self.gaps.retain(|(from, _)| *from < self.end);
        self.unread.retain(|(from, ..)| *from < self.end);
        self.end < segment.len
    }

    /// Adds its frames to `positions`.
    pub(super) fn tell(&self, positions: &mut Positions, now: u32) {
        self.runs.iter().flatten().for_each(|run| positions.wrote(run, now));
        positions.keep();
    }

    /// Frames that should be there, from `first` to `end`, and were not settled.
    pub(super) fn missing(&self, first: u64, end: Option<u64>, ledger: Option<&Ledger>) -> u64 {
        let is_open = |sequence: &u64| !ledger.is_some_and(|ledger| ledger.is_settled(*sequence));
        let stood = self.frames.last().map(|(_, head)| head.sequence);
        let stood = stood.into_iter().chain(self.unread.last().map(|(.., sequence)| *sequence));
        let last = stood.max().map_or(first, |sequence| sequence + 1);
        // The end of an epoch is not known.
        let end = end.filter(|end| epoch_of(*end) == epoch_of(first)).unwrap_or(last);
        let after = self.frames.iter().map(|(_, head)| head.sequence).chain([end]);
        let mut next = first;
        let gaps = after.map(|sequence| {
            let gap = next..sequence;
            next = sequence + 1;
            gap.take(MISSING).filter(is_open).count() as u64
        });
        gaps.sum()
    }

    /// The gaps in which frames were. Where none is missing a write that failed has left them.
    pub(super) fn damage(&self, first: u64, end: Option<u64>) -> Vec<(u64, u64)> {
        let is_damage = |(from, to): &(u64, u64)| {
            let before = self.frames.iter().rfind(|(at, _)| at < from).map_or(first, |(_, head)| head.sequence + 1);
            let after = self.frames.iter().find(|(at, _)| at >= to).map(|(_, head)| head.sequence).or(end);
            let is_unread = self.unread.iter().any(|(at, ..)| at == from);
            *from == 0 || is_unread || after.is_some_and(|after| after > before)
        };
        self.gaps.iter().copied().filter(is_damage).collect()
    }
}
