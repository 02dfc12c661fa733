//! Ahead of the disk: what the sink takes at once need not be written.
//!
//! A record that its destination stored is as safe as one that is synced here, and whichever comes first tells the source.
//! So, as long as all that is stored has been handed to the sink, new records go to its queue right away, while their batch
//! waits for the disk. What has its outcome before its group goes is never written; the rest becomes frames that the sink
//! has already. In the steady state the disk is for what the sink does not take in time, and sends go on while a sync runs.
//!
//! Why this is sound:
//! - Until one of the two has it nobody was told, and the source offers it again, with the same identity.
//! - Frames are written in the order of offers, and what is left out of them has its outcome. So below a stored position
//!   everything is stored or settled, and positions tell a re-read as before. They are noted once a second of what was
//!   left out, as the ledger is.
//! - Only records that are new go this way: a re-read is for the log to tell, and waits for it.
//! - A sink that knows requests needs the sequence of its frames, and gets nothing that is not stored.

use std::collections::HashMap;
use std::task::Waker;

use super::frame::Run;
use super::parcel::Parcel;
use super::passing::Passing;
use super::positions::Positions;
use crate::buffer::Queue;
use crate::component::outlet::Inlet;
use crate::event::StreamKey;

/// What may go ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    is_open: bool,
    /// The highest position of each stream and way that came.
    reached: HashMap<(StreamKey, u32), u64>,
    /// With so many streams it is time to forget those that the log has forgotten.
    many: usize,
}

impl Ahead {
    /// Does what comes go to the sink first?
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Everything stored was handed to the sink, and everything that waits to be.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// The log goes first from now on; whoever waits for the queue comes to it.
    pub(super) fn close(&mut self, queue: &Queue) {
        if std::mem::take(&mut self.is_open) {
            queue.call_all();
        }
    }

    /// Begins with what is stored.
    pub(super) fn begin(&mut self, positions: &Positions) {
        self.reached = positions.all().map(|(key, position, _)| (key, position)).collect();
        self.many = 2 * self.reached.len() + (1 << 10);
    }

    /// Are records of these runs behind all that came before? Not as long as nobody knows what is stored.
    pub(super) fn are_new(&self, runs: &[Run]) -> bool {
        let is_new = |run: &Run| self.reached.get(&(run.stream, run.path)).is_none_or(|last| run.first > *last);
        self.has_begun() && runs.iter().all(is_new)
    }

    fn has_begun(&self) -> bool {
        self.many > 0
    }

    /// Records of these runs come.
    pub(super) fn came(&mut self, runs: &[Run]) {
        for run in runs {
            let reached = self.reached.entry((run.stream, run.path)).or_insert(run.last);
            *reached = run.last.max(*reached);
        }
    }

    /// Is it time to [`begin`](Self::begin) anew?
    pub(super) fn is_crowded(&self) -> bool {
        self.reached.len() > self.many
    }
}

impl Parcel {
    /// Hands its records to the sink, if there is room and they are new; else its stream waits in the queue's line.
    pub(super) fn go_ahead(&mut self, queue: &Queue, (bell, waker): (&Waker, &Waker)) -> bool {
        let (own, passing) = Passing::of(&self.batch, bell);
        match queue.offer(own, waker) {
            Ok(()) => self.passing = Some(passing),
            Err(own) => own.close(),
        }
        self.passing.is_some()
    }
}
