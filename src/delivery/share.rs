//! Shares: a batch whose records are spread over requests and settle one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::in_hand::{Hold, InHand};
use crate::event::{Batch, Outcome, View};

/// A batch in delivery. When the last of its records has an outcome its receipts are closed; a share that goes
/// before that leaves them unsaid, which counts as failed.
#[derive(Debug)]
pub(crate) struct Share {
    batch: Option<Batch>,
    left: AtomicUsize,
    hold: Hold,
    fingerprint: u32,
}

impl Share {
    /// A share that nobody counts as in hand.
    #[cfg(test)]
    pub(crate) fn new(batch: Batch) -> Arc<Self> {
        Self::held(batch, &InHand::default(), 0)
    }

    /// A share whose requests have this [fingerprint](Self::fingerprint).
    pub(crate) fn held(batch: Batch, in_hand: &InHand, fingerprint: u32) -> Arc<Self> {
        let hold = in_hand.hold(std::slice::from_ref(&batch));
        Arc::new(Self { left: AtomicUsize::new(batch.len()), batch: Some(batch), hold, fingerprint })
    }

    /// A share of its own for some records of `share`, in this order, which hold its block no longer.
    pub(crate) fn detach(share: &Arc<Self>, records: impl Iterator<Item = u32>) -> Arc<Self> {
        Self::held(share.withdraw(records), share.in_hand(), share.fingerprint)
    }

    /// Of the settings with which its records were first sent: see
    /// [`KnownBy::Request`](crate::component::sink::KnownBy::Request).
    pub(crate) fn fingerprint(&self) -> u32 {
        self.fingerprint
    }

    /// The sums it counts in.
    pub(crate) fn in_hand(&self) -> &InHand {
        self.hold.of()
    }

    /// Some of its records as a batch that answers for them from now on and holds their block no longer.
    pub(crate) fn withdraw(&self, records: impl Iterator<Item = u32>) -> Batch {
        let own = self.batch().pick(records).compact();
        self.less(own.len());
        own
    }

    fn batch(&self) -> &Batch {
        self.batch.as_ref().expect("taken only on drop")
    }

    pub(crate) fn len(&self) -> usize {
        self.batch().len()
    }

    pub(crate) fn weight(&self) -> usize {
        self.batch().weight()
    }

    pub(crate) fn get(&self, record: u32) -> View<'_> {
        self.batch().get(record as usize)
    }

    /// `count` of its records met `outcome`.
    pub(crate) fn note(&self, outcome: Outcome, count: usize) {
        self.batch().note(outcome, count);
        self.less(count);
    }

    fn less(&self, records: usize) {
        self.left.fetch_sub(records, Ordering::AcqRel);
        self.hold.settled(records);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if *self.left.get_mut() == 0
            && let Some(batch) = self.batch.take()
        {
            batch.close();
        }
    }
}
