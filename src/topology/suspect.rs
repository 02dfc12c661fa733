//! After a panic in a step: which batches run record by record, and how the receipt of a single record is spared.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{Batch, Receipt, Resolution, Resolve, StreamKey};

/// Stretches of streams that are remembered at once; the oldest goes first.
const MOST: usize = 256;

/// Positions of a stream, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    stream: StreamKey,
    first: u64,
    last: u64,
}

/// Where the records of `batch` come from; a batch is of one stream.
pub(super) fn span(batch: &Batch) -> Option<Span> {
    let last = batch.len().checked_sub(1)?;
    let [first, last] = [0, last].map(|at| batch.get(at).identity());
    Some(Span { stream: first.stream, first: first.position, last: last.position })
}

/// Stretches in which a step panicked and that have not been gone through record by record.
#[derive(Debug, Default)]
pub(super) struct Suspects(Vec<Span>);

impl Suspects {
    /// Must `batch` run record by record?
    pub(super) fn has(&self, batch: &Batch) -> bool {
        !self.0.is_empty() && span(batch).is_some_and(|span| self.0.iter().any(|suspect| suspect.meets(&span)))
    }

    pub(super) fn extend(&mut self, span: Option<Span>) {
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.extend(span);
    }

    /// `batch` was gone through. What it covers only in part may come again in another cut.
    pub(super) fn remove(&mut self, batch: &Batch) {
        let Some(done) = span(batch) else { return };
        self.0.retain_mut(|suspect| {
            if suspect.stream == done.stream && done.first <= suspect.first {
                suspect.first = suspect.first.max(done.last.saturating_add(1));
            }
            suspect.first <= suspect.last
        });
    }
}

impl Span {
    fn meets(&self, other: &Self) -> bool {
        self.stream == other.stream && self.first <= other.last && other.first <= self.last
    }
}

/// Stands between a record and its receipts while it runs alone. What a panic leaves unsaid counts as failed; here
/// nothing of it has been offered, and the record becomes a dead letter: then the failure is excused.
pub(super) struct Excuse {
    between: Arc<Between>,
    receipt: Receipt,
}

struct Between {
    /// An empty batch with the real receipts.
    real: Mutex<Option<Batch>>,
    is_excused: AtomicBool,
}

impl Excuse {
    pub(super) fn put(single: &mut Batch) -> Self {
        let real = single.answers();
        let between = Arc::new(Between { real: Mutex::new(Some(real)), is_excused: AtomicBool::new(false) });
        // Who waits for a queue alone waits for no more because of this.
        let receipt = if single.is_until_queued() {
            Receipt::until_queued(between.clone(), 0)
        } else {
            Receipt::new(between.clone(), 0)
        };
        single.answer_to(receipt.clone()).into_iter().for_each(Receipt::close);
        Self { between, receipt }
    }

    /// The record passed: its receipts learn what becomes of it.
    pub(super) fn not_needed(self) {
        self.receipt.close();
    }

    /// It did not, and has another outcome.
    pub(super) fn accepted(self) {
        self.between.is_excused.store(true, Ordering::Release);
        self.receipt.close();
    }
}

impl Resolve for Between {
    fn resolved(&self, _: u64, resolution: Resolution) {
        let real = self.real.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(real) = real else { return };
        if self.is_excused.load(Ordering::Acquire) {
            return real.close();
        }
        real.pass_on(resolution);
    }
}
