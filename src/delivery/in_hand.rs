//! What a sink has taken from its queue and not settled: for whoever tells what is left at an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::Batch;

/// The sums of one sink; a clone tells of the same.
#[derive(Clone, Debug, Default)]
pub struct InHand(Arc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    records: AtomicUsize,
    bytes: AtomicUsize,
}

/// Batches in hand, until this is dropped.
#[derive(Debug)]
#[must_use = "they are in hand until this is dropped"]
pub struct Hold {
    of: InHand,
    records: AtomicUsize,
    bytes: usize,
}

impl InHand {
    /// These batches were taken.
    pub fn hold(&self, batches: &[Batch]) -> Hold {
        let records = batches.iter().map(Batch::len).sum();
        let bytes = batches.iter().map(Batch::weight).sum();
        self.0.records.fetch_add(records, Ordering::AcqRel);
        self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
        Hold { of: self.clone(), records: AtomicUsize::new(records), bytes }
    }

    /// Records, and the bytes that are kept alive for them.
    pub fn sum(&self) -> (usize, usize) {
        (self.0.records.load(Ordering::Acquire), self.0.bytes.load(Ordering::Acquire))
    }
}

impl Hold {
    /// So many of the records have an outcome.
    pub(crate) fn settled(&self, records: usize) {
        self.records.fetch_sub(records, Ordering::AcqRel);
        self.of.0.records.fetch_sub(records, Ordering::AcqRel);
    }

    /// The sums it counts in.
    pub(crate) fn of(&self) -> &InHand {
        &self.of
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.of.0.records.fetch_sub(*self.records.get_mut(), Ordering::AcqRel);
        self.of.0.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
