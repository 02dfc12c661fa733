//! Batches on their way to the disk, and what of them is stored already.

use std::sync::Arc;

use super::frame::Run;
use super::passing::Passing;
use super::positions::Positions;
use crate::event::{Batch, Identity, Outcome, Resolution, StreamKey, View};

/// A batch on its way to the disk.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) batch: Batch,
    /// Do its positions tell a re-read?
    pub(crate) is_counted: bool,
    /// Records that were left out since they are stored.
    pub(crate) rereads: usize,
    /// Are its records behind all of their streams that came before?
    pub(super) is_new: bool,
    /// What learns of its records, if the sink got them before they were stored.
    pub(super) passing: Option<Arc<Passing>>,
}

impl Parcel {
    pub(crate) fn new(batch: Batch, is_counted: bool) -> Self {
        Self { batch, is_counted, rereads: 0, is_new: false, passing: None }
    }

    /// What became of its records, if they went ahead.
    pub(super) fn told(&self) -> Option<Resolution> {
        self.passing.as_ref()?.outcome()
    }

    /// Did they go ahead, and are done with?
    pub(super) fn has_passed(&self) -> bool {
        self.told().is_some_and(|told| told.worst != Outcome::Failed)
    }

    /// Did they go ahead, and the sink has not failed on them?
    pub(super) fn is_ahead(&self) -> bool {
        self.has_passed() || self.is_out()
    }

    /// Did they go ahead, and have no outcome yet?
    pub(super) fn is_out(&self) -> bool {
        self.passing.as_ref().is_some_and(|passing| passing.outcome().is_none())
    }

    /// Says that the records that were left out are stored.
    pub(super) fn settle_rereads(&self) {
        if self.rereads > 0 {
            self.batch.note(Outcome::Delivered, self.rereads);
        }
    }

    /// Its two halves, if it can be cut: what one record became stays together, or a re-read could not be told.
    pub(super) fn halves(self) -> Result<(Self, Self), Self> {
        let place = |index: usize| {
            let id = self.batch.get(index).identity();
            (id.stream, id.path, id.position)
        };
        let len = self.batch.len();
        let cuts = (len / 2..len).chain((1..len / 2).rev()).filter(|at| *at > 0);
        let Some(at) = cuts.into_iter().find(|at| place(*at - 1) != place(*at)) else { return Err(self) };
        let Self { batch, is_counted, rereads, is_new, passing } = self;
        let (one, two) = (batch.select(|index| index < at), batch.select(|index| index >= at));
        batch.close();
        let one = Self { batch: one, is_counted, rereads, is_new, passing: passing.clone() };
        Ok((one, Self { batch: two, is_counted, rereads: 0, is_new, passing }))
    }
}

/// What of a stream and way is stored, where a batch reaches back to it.
pub(super) struct End {
    stream: StreamKey,
    path: u32,
    /// Records below are stored.
    below: u64,
    /// So is what stands there.
    has_last: bool,
}

impl End {
    /// None where all of a run is new.
    pub(super) fn of(run: &Run, batch: &Batch, positions: &Positions) -> Option<Self> {
        let (position, sub) = positions.last(run).filter(|(position, _)| run.first <= *position)?;
        let is_there = |id: &Identity| (id.stream, id.path, id.position) == (run.stream, run.path, position);
        let at_end = batch.iter().map(View::identity).filter(is_there).last();
        // What was stored of it may have been a part: then it is another record now.
        let has_last = at_end.is_some_and(|id| id.sub == sub);
        Some(Self { stream: run.stream, path: run.path, below: position, has_last })
    }

    /// Is this record stored?
    pub(super) fn has(&self, id: &Identity) -> bool {
        let is_stored = id.position < self.below || (id.position == self.below && self.has_last);
        is_stored && (id.stream, id.path) == (self.stream, self.path)
    }
}
