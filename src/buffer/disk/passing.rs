//! Records on their way to the sink beside the log: of the log nothing is known there, and of them nothing here, until
//! they have an outcome.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::acks::Acks;
use super::log::Log;
use super::parcel::Parcel;
use super::write::{Put, Stuck};
use crate::buffer::Queue;
use crate::component::outlet::Inlet;
use crate::event::{Batch, Outcome, Receipt, Resolution, Resolve};

/// Learns what becomes of records, and tells the frames that they became meanwhile.
#[derive(Debug)]
pub(super) struct Passing {
    state: Mutex<State>,
    bell: Waker,
}

#[derive(Debug, Default)]
struct State {
    told: Option<Resolution>,
    frames: Vec<(Arc<Acks>, u64)>,
}

impl Passing {
    /// The records of `batch` as they go to the sink, and what learns of them. The sources of `batch` are not told.
    pub(super) fn of(batch: &Batch, bell: &Waker) -> (Batch, Arc<Self>) {
        let passing = Arc::new(Self { state: Mutex::default(), bell: bell.clone() });
        let mut own = batch.clone();
        own.answer_to(Receipt::new(passing.clone(), 0)).into_iter().for_each(Receipt::close);
        (own, passing)
    }

    pub(super) fn outcome(&self) -> Option<Resolution> {
        self.lock().told
    }

    /// The records, or a part of them, are a frame: their outcome is its outcome.
    pub(super) fn became(&self, acks: &Arc<Acks>, sequence: u64) {
        let mut state = self.lock();
        if let Some(told) = state.told {
            drop(state);
            acks.resolved(sequence, told);
        } else {
            state.frames.push((acks.clone(), sequence));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Passing {
    fn resolved(&self, _: u64, resolution: Resolution) {
        let mut state = self.lock();
        state.told = Some(resolution);
        let frames = std::mem::take(&mut state.frames);
        drop(state);
        if frames.is_empty() {
            return self.bell.wake_by_ref();
        }
        for (acks, sequence) in frames {
            acks.resolved(sequence, resolution);
        }
    }
}

impl Log {
    /// Nothing waits any more.
    pub(crate) fn forget_passing(&mut self) {
        self.passing = None;
    }

    /// Is no record on its way to the sink beside the log? The first that waits is; one that the sink failed on goes again.
    pub(super) fn has_passed(&mut self, waiting: &mut VecDeque<Parcel>) -> bool {
        let Some(passing) = &self.passing else { return true };
        let Some(told) = passing.outcome() else { return false };
        self.passing = None;
        if told.worst != Outcome::Failed
            && let Some(parcel) = waiting.pop_front()
        {
            tell(parcel.batch, told);
        }
        true
    }

    /// A record that is larger than the log may be goes to the sink directly, when all before it has. It stays the first
    /// that waits until it has an outcome.
    pub(super) fn pass_by(&mut self, mut parcel: Parcel, queue: &Queue) -> Put {
        if parcel.is_out() || !self.is_caught_up() {
            return Put::Waits(parcel, Stuck::Passes);
        }
        // It failed, if it went ahead.
        parcel.passing = None;
        parcel.settle_rereads();
        parcel.rereads = 0;
        let (own, passing) = Passing::of(&parcel.batch, &self.tools.bell);
        match queue.offer(own, &self.tools.bell) {
            Ok(()) => self.passing = Some(passing),
            Err(own) => own.close(),
        }
        Put::Waits(parcel, Stuck::Passes)
    }
}

impl Parcel {
    /// It will not be stored. Its sources are told what became of its records, if the sink is done with them; else that they
    /// failed.
    pub(super) fn let_go(self) {
        if self.has_passed()
            && let Some(told) = self.told()
        {
            tell(self.batch, told);
        }
    }
}

/// Tells the sources of `batch` what became of it.
pub(super) fn tell(batch: Batch, told: Resolution) {
    let Resolution { delivered, dropped, dead_lettered, .. } = told;
    if delivered + dropped + dead_lettered != batch.len() as u64 {
        // It is a part of what was told of.
        return batch.settle(told.worst);
    }
    let each = [(Outcome::Delivered, delivered), (Outcome::Dropped, dropped), (Outcome::DeadLettered, dead_lettered)];
    for (outcome, records) in each.into_iter().filter(|(_, records)| *records > 0) {
        batch.note(outcome, records as usize);
    }
    batch.close();
}
