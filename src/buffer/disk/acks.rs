//! What the sink has of the log: frames that are in memory, with the receipts that move the log's cursor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::ledger::Ledger;
use crate::event::{Outcome, Receipt, Resolution, Resolve};

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Epoch and number of its segment.
    pub(crate) segment: (u16, u64),
    pub(crate) offset: u64,
    pub(crate) records: u32,
}

/// Frames that were handed to the sink and have no outcome; memory grows with these, not with the log.
pub(crate) struct Acks {
    state: Mutex<State>,
    bell: Waker,
}

#[derive(Default)]
struct State {
    /// Frames below were handed out, or are settled.
    fed: u64,
    out: BTreeMap<u64, Place>,
    /// Of those in `out`: the sink failed, they are to be offered again.
    failed: BTreeSet<u64>,
    /// Records that have an outcome.
    gone: u64,
    /// Since the last ledger?
    has_changed: bool,
    /// Does the log wait for outcomes, since it is full?
    is_awaited: bool,
}

impl Acks {
    /// Rings `bell` when there is a change to be noted.
    pub(crate) fn new(fed: u64, gone: u64, bell: Waker) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { fed, gone, ..State::default() }), bell })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first frame that was never handed out.
    pub(crate) fn fed(&self) -> u64 {
        self.lock().fed
    }

    /// All frames below have been handed out, or never will be.
    pub(crate) fn pass(&self, fed: u64) {
        let mut state = self.lock();
        state.has_changed |= state.fed < fed;
        state.fed = state.fed.max(fed);
    }

    /// A receipt for a frame that is handed out.
    pub(crate) fn issue(self: &Arc<Self>, sequence: u64, place: Place) -> Receipt {
        let mut state = self.lock();
        state.fed = state.fed.max(sequence + 1);
        state.out.insert(sequence, place);
        drop(state);
        Receipt::new(self.clone(), sequence)
    }

    /// The next frame to be handed out found no room: it is as if it had not been tried.
    pub(crate) fn withdraw(&self, sequence: u64) {
        let mut state = self.lock();
        state.out.remove(&sequence);
        state.fed = sequence;
    }

    /// Records that nobody will deliver.
    pub(crate) fn lose(&self, records: u64) {
        let mut state = self.lock();
        state.gone += records;
        state.has_changed |= records > 0;
    }

    /// A frame that was handed out and cannot be offered again.
    pub(crate) fn forget(&self, sequence: u64) -> Option<Place> {
        let mut state = self.lock();
        state.failed.remove(&sequence);
        let place = state.out.remove(&sequence)?;
        state.gone += u64::from(place.records);
        state.has_changed = true;
        Some(place)
    }

    /// The first frame that has to be offered again, if there is one.
    pub(crate) fn take_failed(&self) -> Option<(u64, Place)> {
        let mut state = self.lock();
        let sequence = state.failed.pop_first()?;
        state.out.get(&sequence).map(|place| (sequence, *place))
    }

    /// Is there one?
    pub(crate) fn has_failed(&self) -> bool {
        !self.lock().failed.is_empty()
    }

    /// It could not be offered now.
    pub(crate) fn fail(&self, sequence: u64) {
        self.lock().failed.insert(sequence);
    }

    /// Are all frames from `first` up to, but not including, `end` settled?
    pub(crate) fn is_settled(&self, first: u64, end: u64) -> bool {
        let state = self.lock();
        state.fed >= end && (first >= end || state.out.range(first..end).next().is_none())
    }

    /// Records that have an outcome.
    pub(crate) fn gone(&self) -> u64 {
        self.lock().gone
    }

    /// Has anything changed since the last ledger?
    pub(crate) fn has_changed(&self) -> bool {
        self.lock().has_changed
    }

    /// From now on each outcome rings the bell, or only the first one after a ledger.
    pub(crate) fn await_each(&self, is_awaited: bool) {
        self.lock().is_awaited = is_awaited;
    }

    /// What the ledger of the frames `first..end` is now, given what it was at the start.
    pub(crate) fn ledger(&self, (first, end): (u64, u64), before: &Ledger) -> Ledger {
        let mut state = self.lock();
        state.has_changed = false;
        let bound = state.fed.clamp(first, end);
        let mut open: Vec<u64> = state.out.range(first..end).map(|(sequence, _)| *sequence).collect();
        // What an earlier run settled ahead of where this one reads.
        open.extend(before.open.iter().filter(|sequence| **sequence >= bound));
        let mut ledger = Ledger { bound: bound.max(before.bound), open, gone: state.gone };
        ledger.shorten();
        ledger
    }

    /// The ledger could not be written.
    pub(crate) fn unsaved(&self) {
        self.lock().has_changed = true;
    }
}

impl Resolve for Acks {
    fn resolved(&self, sequence: u64, resolution: Resolution) {
        let mut state = self.lock();
        let Some(place) = state.out.get(&sequence).copied() else { return };
        let has_failed = resolution.worst == Outcome::Failed;
        if has_failed {
            state.failed.insert(sequence);
        } else {
            state.out.remove(&sequence);
            state.gone += u64::from(place.records);
        }
        let is_heard = has_failed || state.is_awaited || !state.has_changed;
        state.has_changed = true;
        drop(state);
        if is_heard {
            self.bell.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(records: u32) -> Place {
        Place { segment: (1, 1), offset: 0, records }
    }

    #[test]
    fn what_is_settled_out_of_order_is_named() {
        let acks = Acks::new(10, 5, Waker::noop().clone());
        let receipts: Vec<_> = (10..14).map(|sequence| acks.issue(sequence, place(2))).collect();
        let [one, two, three, four] = receipts.try_into().unwrap();
        two.note(Outcome::Delivered, 2);
        two.close();
        four.note(Outcome::DeadLettered, 2);
        four.close();
        drop(three);
        assert!(!acks.is_settled(10, 14) && acks.is_settled(11, 12) && !acks.is_settled(13, 15));
        assert_eq!(acks.ledger((0, 100), &Ledger::default()), Ledger { bound: 14, open: vec![10, 12], gone: 9 });
        assert_eq!(acks.take_failed(), Some((12, place(2))));
        one.close();
        assert_eq!(acks.ledger((0, 100), &Ledger::default()).open, [12]);
        acks.forget(12);
        assert!(acks.is_settled(10, 14) && acks.gone() == 13);
    }

    #[test]
    fn what_finds_no_room_was_never_out() {
        let acks = Acks::new(0, 0, Waker::noop().clone());
        let receipt = acks.issue(0, place(1));
        acks.withdraw(0);
        drop(receipt);
        assert!(!acks.has_failed() && acks.fed() == 0);
    }

    #[test]
    fn what_an_earlier_run_settled_stays_settled() {
        let acks = Acks::new(5, 0, Waker::noop().clone());
        let before = Ledger { bound: 9, open: vec![3, 7], gone: 0 };
        let now = acks.ledger((0, 100), &before);
        assert_eq!((now.bound, &now.open[..]), (9, &[7][..]));
        assert!(now.is_settled(8) && !now.is_settled(7) && !now.is_settled(9));
    }
}
