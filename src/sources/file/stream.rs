//! One generation of a file: what is in flight of it, what is not whole yet, and where to read on.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fingerprint::{Fingerprint, Guard, Reach};
use super::job::{FileId, Letter};
use super::mailbox::Mailbox;
use super::positions::Checkpoint;
use crate::codecs::units::{Assembler, Resume};
use crate::event::{Origin, Receipt, Resolution, Resolve, StreamKey, Tracker};

/// A place to read on from, and the guard there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) resume: Resume,
    pub(super) guard: Guard,
}

impl Mark {
    /// A place before which nothing is left to do.
    pub(super) fn at(offset: u64, guard: Guard) -> Self {
        Self { resume: Resume { offset, ..Resume::default() }, guard }
    }

    pub(super) fn checkpoint(self, (fingerprint, reach): (Fingerprint, Reach)) -> Checkpoint {
        let Self { resume: Resume { offset, ahead }, guard } = self;
        Checkpoint { offset, ahead, guard, fingerprint, reach }
    }
}

impl From<Checkpoint> for Mark {
    fn from(at: Checkpoint) -> Self {
        Self { resume: Resume { offset: at.offset, ahead: at.ahead }, guard: at.guard }
    }
}

/// One generation of a file: what was written to it from one truncation to the next.
pub(super) struct Stream {
    pub(super) origin: Arc<Origin>,
    pub(super) tracker: Tracker,
    /// What is not whole yet.
    pub(super) units: Assembler,
    /// Has the assembler been told where it begins?
    pub(super) is_begun: bool,
    /// How many batches were offered: the tracker counts in these, since the place to read on from does not always move.
    offered: u64,
    /// Where to read on when each batch in flight has resolved.
    marks: VecDeque<(u64, Mark)>,
    /// The last of them.
    pub(super) last: Mark,
    pub(super) resolved: Mark,
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
    pub(super) fn new(id: FileId, origin: Arc<Origin>, checkpoint: Checkpoint, lane: Arc<Mailbox<Letter>>) -> Self {
        let acks = Arc::new(Acks { id, stream: origin.stream(), lane });
        let resolved = Mark::from(checkpoint);
        Self {
            units: Assembler::new(&origin),
            origin,
            tracker: Tracker::default(),
            is_begun: false,
            offered: 0,
            marks: VecDeque::new(),
            last: resolved,
            resolved,
            acks,
        }
    }

    /// A receipt for all that was read: when it has resolved, reading goes on from `mark` should it begin again.
    pub(super) fn receipt(&mut self, mark: Mark) -> Receipt {
        self.offered += 1;
        let token = self.tracker.offer(self.offered);
        self.marks.push_back((self.offered, mark));
        self.last = mark;
        Receipt::new(self.acks.clone(), token)
    }

    /// Notes that `token` resolved well; gives the new place to read on from.
    pub(super) fn resolve(&mut self, token: u64) -> Option<Mark> {
        let count = self.tracker.resolve(token)?;
        while let Some((_, mark)) = self.marks.pop_front_if(|(offered, _)| *offered <= count) {
            self.resolved = mark;
        }
        Some(self.resolved)
    }

    /// All before this offset is resolved.
    pub(super) fn committed(&self) -> u64 {
        self.resolved.resume.offset
    }

    /// Forgets what is in flight and what is not whole; gives the place to read on from.
    pub(super) fn rewind(&mut self) -> (u64, Guard) {
        self.tracker.rewind();
        self.marks.clear();
        self.units.clear();
        (self.is_begun, self.last) = (false, self.resolved);
        (self.committed(), self.resolved.guard)
    }
}
