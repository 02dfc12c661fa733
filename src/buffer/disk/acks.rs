//! What the sink has of the log: frames that are in memory, with the receipts that move the log's cursor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::ledger::Ledger;
use super::windows::{Mark, Window, Windows};
use crate::component::signal::Waiters;
use crate::event::{Batch, Outcome, Receipt, Resolution, Resolve};

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Epoch and number of its segment.
    pub(crate) segment: (u16, u64),
    pub(crate) offset: u64,
    pub(crate) records: u32,
}

/// Frames that were handed to the sink and have no outcome; memory grows with these, not with the log.
#[derive(Debug)]
pub(crate) struct Acks {
    state: Mutex<State>,
    bell: Waker,
    /// Wait for marks to be durable.
    pub(super) marked: Waiters,
}

#[derive(Debug, Default)]
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
    windows: Windows,
    /// Nobody writes ledgers any more.
    is_over: bool,
}

impl Acks {
    /// Rings `bell` when there is a change to be noted. `windows` are those that an earlier run left.
    pub(crate) fn new((fed, gone): (u64, u64), windows: impl Iterator<Item = Window>, bell: Waker) -> Arc<Self> {
        let windows = Windows::of(windows.filter(|window| window.end > fed));
        let state = State { fed, gone, windows, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), bell, marked: Waiters::default() })
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
        if state.fed < fed {
            let before = std::mem::replace(&mut state.fed, fed);
            state.has_changed = true;
            state.shorten_windows((before, fed));
        }
    }

    /// The sequence of the frame that `batch` is.
    pub(crate) fn sequence(self: &Arc<Self>, batch: &Batch) -> Option<u64> {
        batch.token_for(self)
    }

    /// The window of a frame, if it has one.
    pub(crate) fn window(&self, sequence: u64) -> Option<Window> {
        self.lock().windows.of_frame(sequence)
    }

    /// How many frames of a window were handed out and have no outcome that counts: its frames are settled together.
    pub(crate) fn awaited(&self, window: Window) -> usize {
        self.lock().out.range(window.first..window.end).count()
    }

    /// Frames are sent together from now on, as far as they have no outcome. None if all have.
    pub(crate) fn mark(self: &Arc<Self>, window: Window) -> Option<Mark> {
        let mut state = self.lock();
        let mut frames = state.out.range(window.first..window.end).map(|(sequence, _)| *sequence);
        let first = frames.next()?;
        let end = frames.next_back().unwrap_or(first) + 1;
        let number = state.windows.mark(Window { first, end, ..window });
        state.has_changed = true;
        drop(state);
        self.bell.wake_by_ref();
        Some(Mark::new(self.clone(), number))
    }

    /// Is there a mark that is not durable?
    pub(crate) fn awaits_mark(&self) -> bool {
        let state = self.lock();
        !state.windows.is_durable(state.windows.made())
    }

    /// How many marks were made.
    pub(crate) fn marks(&self) -> u64 {
        self.lock().windows.made()
    }

    /// So many are durable.
    pub(crate) fn are_durable(&self, marks: u64) {
        self.lock().windows.are_durable(marks);
        self.marked.wake();
    }

    /// Is this mark durable? None as long as it may become so.
    pub(super) fn is_durable(&self, number: u64) -> Option<bool> {
        let state = self.lock();
        let is_durable = state.windows.is_durable(number);
        (is_durable || state.is_over).then_some(is_durable)
    }

    /// Nobody writes ledgers any more.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.marked.wake();
    }

    /// A receipt for a frame that is handed out.
    pub(crate) fn issue(self: &Arc<Self>, sequence: u64, place: Place) -> Receipt {
        self.handed(sequence, place);
        Receipt::new(self.clone(), sequence)
    }

    /// A frame is handed out, or was before it was one.
    pub(crate) fn handed(&self, sequence: u64, place: Place) {
        let mut state = self.lock();
        state.fed = state.fed.max(sequence + 1);
        state.out.insert(sequence, place);
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
        if let Some(window) = state.windows.of_frame(sequence) {
            state.conclude(window, None);
        }
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
        let mut bound = state.fed.clamp(first, end);
        let is_alone = |sequence: &u64| state.windows.of_frame(*sequence).is_none();
        let out = state.out.range(first..end).map(|(sequence, _)| *sequence);
        let mut open: Vec<u64> = out.filter(is_alone).collect();
        if bound < before.bound {
            // What an earlier run settled ahead of where this one reads.
            open.extend(before.open.iter().filter(|sequence| **sequence >= bound));
            bound = before.bound;
        } else {
            // The last ones need no names.
            while open.last().is_some_and(|last| *last + 1 == bound) {
                open.pop();
                bound -= 1;
            }
        }
        let windows = state.windows.within(first, end).collect();
        let mut ledger = Ledger { bound, open, windows, gone: state.gone };
        ledger.shorten();
        ledger
    }

    /// The ledger could not be written.
    pub(crate) fn unsaved(&self) {
        self.lock().has_changed = true;
    }
}

impl State {
    /// Settles the frames of a window, or has all of them come again, when the last of them has its outcome.
    fn conclude(&mut self, window: Window, outcome: Option<(u64, bool)>) {
        let frames = || self.out.range(window.first..window.end).map(|(sequence, _)| *sequence);
        let is_fed = self.fed >= window.end;
        // A frame that is yet to be handed out has no outcome.
        let to_come = (!is_fed).then_some(window.end - 1);
        let all: Vec<u64> = frames().collect();
        let ended = self.windows.resolved(window, outcome, all.iter().copied().chain(to_come));
        match ended {
            None => {}
            Some(true) => self.failed.extend(all),
            Some(false) => {
                for sequence in all {
                    let records = self.out.remove(&sequence).map_or(0, |place| place.records);
                    self.gone += u64::from(records);
                }
            }
        }
    }

    /// Frames below `to`, from `from` on, are not there: a window ends with the last of its frames that is.
    fn shorten_windows(&mut self, (from, to): (u64, u64)) {
        for window in self.windows.ending(from, to) {
            let last = self.out.range(window.first..window.end).next_back().map(|(sequence, _)| *sequence);
            if let Some(window) = self.windows.shorten(window, last.map_or(window.first, |last| last + 1)) {
                self.conclude(window, None);
            }
        }
    }
}

impl Resolve for Acks {
    fn resolved(&self, sequence: u64, resolution: Resolution) {
        let mut state = self.lock();
        let Some(place) = state.out.get(&sequence).copied() else { return };
        let has_failed = resolution.worst == Outcome::Failed;
        if let Some(window) = state.windows.of_frame(sequence) {
            state.conclude(window, Some((sequence, has_failed)));
        } else if has_failed {
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

    fn acks(fed: u64, gone: u64) -> Arc<Acks> {
        Acks::new((fed, gone), std::iter::empty(), Waker::noop().clone())
    }

    #[test]
    fn what_is_settled_out_of_order_is_named() {
        let acks = acks(10, 5);
        let receipts: Vec<_> = (10..14).map(|sequence| acks.issue(sequence, place(2))).collect();
        let [one, two, three, four] = receipts.try_into().unwrap();
        two.note(Outcome::Delivered, 2);
        two.close();
        four.note(Outcome::DeadLettered, 2);
        four.close();
        drop(three);
        assert!(!acks.is_settled(10, 14) && acks.is_settled(11, 12) && !acks.is_settled(13, 15));
        assert_eq!(
            acks.ledger((0, 100), &Ledger::default()),
            Ledger { bound: 14, open: vec![10, 12], gone: 9, windows: vec![] }
        );
        assert_eq!(acks.take_failed(), Some((12, place(2))));
        one.close();
        assert_eq!(acks.ledger((0, 100), &Ledger::default()).open, [12]);
        acks.forget(12);
        assert!(acks.is_settled(10, 14) && acks.gone() == 13);
    }

    #[test]
    fn what_finds_no_room_was_never_out() {
        let acks = acks(0, 0);
        let receipt = acks.issue(0, place(1));
        acks.withdraw(0);
        drop(receipt);
        assert!(!acks.has_failed() && acks.fed() == 0);
    }

    #[test]
    fn what_an_earlier_run_settled_stays_settled() {
        let acks = acks(5, 0);
        let before = Ledger { bound: 9, open: vec![3, 7], ..Ledger::default() };
        let now = acks.ledger((0, 100), &before);
        assert_eq!((now.bound, &now.open[..]), (9, &[7][..]));
        assert!(now.is_settled(8) && !now.is_settled(7) && !now.is_settled(9));
    }
}
