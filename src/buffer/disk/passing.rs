//! A record that is larger than the log may be, on its way to the sink beside the log.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use crate::event::{Batch, Outcome, Receipt, Resolution, Resolve};

/// Learns what becomes of it. As long as it has no outcome nothing behind it may be stored: what is stored is left out
/// when a source reads again, and so would this be.
pub(super) struct Passing {
    told: Mutex<Option<Resolution>>,
    bell: Waker,
}

impl Passing {
    /// The records of `batch` as they go to the sink, and what learns of them. The sources of `batch` are not told.
    pub(super) fn of(batch: &Batch, bell: &Waker) -> (Batch, Arc<Self>) {
        let passing = Arc::new(Self { told: Mutex::default(), bell: bell.clone() });
        let mut own = batch.clone();
        own.answer_to(Receipt::new(passing.clone(), 0)).into_iter().for_each(Receipt::close);
        (own, passing)
    }

    pub(super) fn outcome(&self) -> Option<Resolution> {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Passing {
    fn resolved(&self, _: u64, resolution: Resolution) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(resolution);
        self.bell.wake_by_ref();
    }
}

/// Tells the sources of `batch` what became of it.
pub(super) fn tell(batch: Batch, told: Resolution) {
    let Resolution { delivered, dropped, dead_lettered, .. } = told;
    let each = [(Outcome::Delivered, delivered), (Outcome::Dropped, dropped), (Outcome::DeadLettered, dead_lettered)];
    for (outcome, records) in each.into_iter().filter(|(_, records)| *records > 0) {
        batch.note(outcome, records as usize);
    }
    batch.close();
}
