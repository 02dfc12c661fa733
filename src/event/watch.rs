//! Hearing what became of a batch, on the way to its receipts.

use std::sync::{Arc, Mutex, PoisonError};

use super::batch::Batch;
use super::receipt::{Outcome, Receipt, Resolution, Resolve};

impl Batch {
    /// Has `hear` told once how all that is made of this batch ended: the worst outcome, before its source learns it.
    /// It is called on whatever thread lets the last holder go: it must not block.
    pub fn watch(&mut self, hear: impl FnOnce(Outcome) + Send + 'static) {
        let real = self.select(|_| false);
        let watch = Watch(Mutex::new(Some((real, Box::new(hear)))));
        self.answer_to(Receipt::new(Arc::new(watch), 0)).into_iter().for_each(Receipt::close);
    }

    /// Ends the batch with what another receipt in the place of its own resolved to.
    pub(crate) fn pass_on(self, resolution: Resolution) {
        let Resolution { worst, delivered, dropped, dead_lettered, failed } = resolution;
        let counts = [
            (Outcome::Delivered, delivered),
            (Outcome::Dropped, dropped),
            (Outcome::DeadLettered, dead_lettered),
            (Outcome::Failed, failed),
        ];
        for (outcome, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            self.note(outcome, count as usize);
        }
        // Dropped without a word it has failed.
        if worst != Outcome::Failed {
            self.close();
        }
    }
}

/// An empty batch with the real receipts, and who wants to know.
struct Watch(Mutex<Option<(Batch, Hear)>>);

type Hear = Box<dyn FnOnce(Outcome) + Send>;

impl Resolve for Watch {
    fn resolved(&self, _: u64, resolution: Resolution) {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((real, hear)) = told {
            hear(resolution.worst);
            real.pass_on(resolution);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::test_kit::{Ledger, batch};

    #[test]
    fn who_watches_hears_first_and_the_receipts_learn_the_same() {
        for outcome in [Outcome::Delivered, Outcome::Dropped, Outcome::DeadLettered, Outcome::Failed] {
            let ledger = Arc::new(Ledger::default());
            let mut batch = batch(&ledger, &["a", "b"]);
            let (heard, book) = (Arc::new(Mutex::new(None)), ledger.clone());
            batch.watch({
                let heard = heard.clone();
                move |worst| {
                    assert_eq!(book.worst(), [], "the source does not know yet");
                    *heard.lock().unwrap() = Some(worst);
                }
            });
            let copy = batch.clone();
            copy.close();
            assert_eq!(*heard.lock().unwrap(), None);
            batch.settle(outcome);
            assert_eq!(*heard.lock().unwrap(), Some(outcome));
            assert_eq!(ledger.worst(), [(0, outcome)]);
        }
    }
}
