//! Receipts: what a source learns of the records it offered.
//!
//! A source makes one receipt for a batch. Every batch and request that is made from it holds a clone. The receipt
//! resolves once, when the last holder is gone, to the worst outcome any of them met. A holder that goes without
//! saying what became of its records counts as [`Outcome::Failed`]: a forgotten ack re-sends, it never loses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What became of records, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Stored where the sink sends them, or durable in its buffer.
    Delivered,
    /// Dropped by a policy the configuration names (filter, sample, `drop_newest`).
    Dropped,
    /// Refused for good and durable as dead letters.
    DeadLettered,
    /// None of these: the source has to offer them again.
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Delivered, Self::Dropped, Self::DeadLettered, Self::Failed];
}

/// How a receipt resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The worst outcome of any record.
    pub worst: Outcome,
    /// Records delivered; one that went to two sinks counts twice.
    pub delivered: u64,
    /// Records dropped by policy.
    pub dropped: u64,
    /// Records that became dead letters.
    pub dead_lettered: u64,
    /// Records known to have failed.
    pub failed: u64,
}

/// Is told once how a receipt resolved. Called on whatever thread let the last holder go: it must not block.
pub trait Resolve: Send + Sync {
    /// `token` is what the source gave to [`Receipt::new`].
    fn resolved(&self, token: u64, resolution: Resolution);
}

/// One holder's share in a receipt.
#[derive(Debug)]
pub struct Receipt {
    state: Arc<State>,
    said: bool,
}

struct State {
    token: u64,
    is_until_queued: bool,
    worst: AtomicU8,
    counts: [AtomicU64; Outcome::ALL.len()],
    source: Arc<dyn Resolve>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receipt").field("token", &self.token).finish_non_exhaustive()
    }
}

impl Receipt {
    /// A receipt that tells `source` of `token` when the last of its holders is gone.
    pub fn new(source: Arc<dyn Resolve>, token: u64) -> Self {
        Self::made(source, token, false)
    }

    /// The same for a sender that waits only until its records are queued: a queue in memory counts as having delivered
    /// what it takes. One on disk does when it has them on the disk.
    pub fn until_queued(source: Arc<dyn Resolve>, token: u64) -> Self {
        Self::made(source, token, true)
    }

    fn made(source: Arc<dyn Resolve>, token: u64, is_until_queued: bool) -> Self {
        let state = State { token, is_until_queued, worst: AtomicU8::new(0), counts: Default::default(), source };
        Self { state: Arc::new(state), said: false }
    }

    /// Is it of a sender that waits no longer than until its records are queued?
    pub(super) fn is_until_queued(&self) -> bool {
        self.state.is_until_queued
    }

    /// Notes the outcome of `count` of this holder's records; to be called for each part of them, then
    /// [`close`](Self::close).
    pub fn note(&self, outcome: Outcome, count: u64) {
        self.state.worst.fetch_max(outcome as u8, Ordering::AcqRel);
        self.state.counts[outcome as usize].fetch_add(count, Ordering::AcqRel);
    }

    /// The token, if it answers to `source`.
    pub(super) fn token_for(&self, source: *const ()) -> Option<u64> {
        (Arc::as_ptr(&self.state.source).cast::<()>() == source).then_some(self.state.token)
    }

    /// Do both hold the same receipt?
    pub(super) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// Equal for holders of one receipt, while there are any.
    pub(super) fn place(&self) -> usize {
        Arc::as_ptr(&self.state).addr()
    }

    /// This holder has said what became of all its records.
    pub fn close(mut self) {
        self.said = true;
    }
}

impl Clone for Receipt {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), said: false }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.said {
            self.state.worst.fetch_max(Outcome::Failed as u8, Ordering::AcqRel);
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let [delivered, dropped, dead_lettered, failed] = self.counts.each_mut().map(|count| *count.get_mut());
        let worst = Outcome::ALL[usize::from(*self.worst.get_mut())];
        self.source.resolved(self.token, Resolution { worst, delivered, dropped, dead_lettered, failed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(u64, Resolution)>>);
    impl Resolve for Heard {
        fn resolved(&self, token: u64, resolution: Resolution) {
            self.0.lock().unwrap().push((token, resolution));
        }
    }

    #[test]
    fn resolves_once_to_the_worst_with_counts() {
        let heard = Arc::new(Heard::default());
        let one = Receipt::new(heard.clone(), 7);
        let two = one.clone();
        one.note(Outcome::Delivered, 3);
        one.close();
        assert!(heard.0.lock().unwrap().is_empty());
        two.note(Outcome::DeadLettered, 1);
        two.note(Outcome::Dropped, 2);
        two.close();
        let want = Resolution { worst: Outcome::DeadLettered, delivered: 3, dropped: 2, dead_lettered: 1, failed: 0 };
        assert_eq!(*heard.0.lock().unwrap(), [(7, want)]);
    }

    #[test]
    fn silence_is_failure_and_a_close_is_not() {
        let heard = Arc::new(Heard::default());
        let one = Receipt::new(heard.clone(), 1);
        let forgotten = one.clone();
        forgotten.note(Outcome::Delivered, 1);
        one.close();
        drop(forgotten);
        assert_eq!(heard.0.lock().unwrap()[0].1.worst, Outcome::Failed);
        Receipt::new(heard.clone(), 2).close();
        assert_eq!(heard.0.lock().unwrap()[1].1.worst, Outcome::Delivered);
    }
}
