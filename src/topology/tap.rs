//! Taps: a look at the records that pass an edge while everything goes on. Each is scrubbed before it is shown, and a
//! reader that is too slow misses records, never holds them up. Lanes look side by side: none waits for another. With no
//! tap open an edge pays one load.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::component::transform::{Ports, Transform};
use crate::event::Batch;
use crate::lang::{Condition, Runner};

/// Records that wait for the reader of a tap.
const WAITING: usize = 1024;

/// Which edge of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What goes into it.
    In,
    /// What comes out of it.
    Out,
}

/// What to look at.
pub struct Wanted {
    /// A component, or one of its outputs (`ID.PORT`).
    pub edge: String,
    /// Before or behind it.
    pub side: Side,
    /// Only records that meet this, as they are shown: scrubbed.
    pub condition: Option<Condition>,
    /// What every record goes through before anyone sees it.
    pub scrub: Box<dyn Transform>,
}

/// The open taps of a process; a clone has the same. They outlive reloads.
#[derive(Clone, Debug, Default)]
pub struct Taps(Arc<Inner>);

#[derive(Default)]
struct Inner {
    open: AtomicUsize,
    taps: ArcSwap<Vec<Arc<Tap>>>,
    last: AtomicU64,
    /// Held to open or close one.
    changes: Mutex<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Taps").field("open", &self.open).finish_non_exhaustive()
    }
}

struct Tap {
    number: u64,
    edge: String,
    side: Side,
    condition: Option<Condition>,
    eyes: Mutex<Eyes>,
    to: Sender<Shown>,
    unseen: Arc<Unseen>,
}

/// What lanes look with, each with one of its own at a time. The lock is held to take one or to put it back, never while
/// anyone looks.
struct Eyes {
    first: Box<dyn Transform>,
    idle: Vec<Eye>,
}

/// Scrubs and judges records.
struct Eye {
    scrub: Box<dyn Transform>,
    runner: Runner,
}

/// What a tap gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A record, as JSON.
    Record(Vec<u8>),
    /// The condition failed on a record for the first time: why.
    Failed(String),
}

/// Records that passed and were not shown.
#[derive(Debug, Default)]
struct Unseen {
    missed: AtomicU64,
    failed: AtomicU64,
}

/// An open tap: it closes when dropped.
#[derive(Debug)]
pub struct Tapped {
    /// Records as they pass.
    pub records: Receiver<Shown>,
    unseen: Arc<Unseen>,
    number: u64,
    taps: Taps,
}

impl Taps {
    /// Opens a tap.
    pub fn open(&self, wanted: Wanted) -> Tapped {
        let (to, records) = channel(WAITING);
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let unseen = Arc::<Unseen>::default();
        let Wanted { edge, side, condition, scrub } = wanted;
        let eyes = Mutex::new(Eyes { first: scrub, idle: Vec::new() });
        let tap = Arc::new(Tap { number, edge, side, condition, eyes, to, unseen: unseen.clone() });
        self.change(|taps| taps.push(tap));
        Tapped { records, unseen, number, taps: self.clone() }
    }

    /// Is any open? What a lane asks at every edge.
    pub(super) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > 0
    }

    /// `batch` passes: its records are shown to whoever looks at this edge. No lane waits for another.
    pub(super) fn see(&self, edge: (&str, Option<&str>), side: Side, batch: &Batch) {
        for tap in self.0.taps.load().iter().filter(|tap| tap.is_at(edge, side)) {
            if tap.show(batch).is_err() {
                self.close(tap.number);
            }
        }
    }

    fn close(&self, number: u64) {
        self.change(|taps| taps.retain(|tap| tap.number != number));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Tap>>)) {
        let _one_by_one = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taps = Vec::clone(&self.0.taps.load());
        change(&mut taps);
        self.0.open.store(taps.len(), Ordering::Relaxed);
        self.0.taps.store(Arc::new(taps));
    }
}

/// The condition, or the scrub, panicked.
struct Broken;

impl Tap {
    fn is_at(&self, (id, port): (&str, Option<&str>), side: Side) -> bool {
        let rest = self.edge.strip_prefix(id);
        let is_named = match (rest, port) {
            (Some(""), None) => true,
            (Some(rest), Some(port)) => rest.strip_prefix('.') == Some(port),
            _ => false,
        };
        side == self.side && is_named
    }

    fn show(&self, batch: &Batch) -> Result<(), Broken> {
        let Some(mut eye) = self.take_eye() else {
            self.miss(batch.len());
            return Ok(());
        };
        let room = self.to.capacity();
        // Without a condition every record is shown: those that have no place need no scrubbing.
        let most = if self.condition.is_some() && room > 0 { batch.len() } else { batch.len().min(room) };
        self.miss(batch.len() - most);
        let mut copy = batch.select(|at| at < most);
        // Whatever goes wrong here is no business of the records that pass.
        let shown = catch_unwind(AssertUnwindSafe(|| self.send(&mut copy, &mut eye)));
        copy.close();
        shown.map_err(|_| Broken)?;
        if let Ok(mut eyes) = self.eyes.try_lock() {
            eyes.idle.push(eye);
        }
        Ok(())
    }

    /// None where another lane is taking one at this very moment.
    fn take_eye(&self) -> Option<Eye> {
        let mut eyes = self.eyes.try_lock().ok()?;
        let idle = eyes.idle.pop();
        Some(idle.unwrap_or_else(|| Eye { scrub: eyes.first.fork(), runner: Runner::new() }))
    }

    fn send(&self, copy: &mut Batch, eye: &mut Eye) {
        eye.scrub.apply(copy, &mut Ports::default());
        for record in copy.iter() {
            match self.condition.as_ref().map(|condition| eye.runner.check(condition, &record)) {
                None | Some(Ok(true)) => {}
                Some(Ok(false)) => continue,
                Some(Err(why)) => {
                    self.tell_failure(why);
                    continue;
                }
            }
            let mut text = Vec::new();
            record.write_json(&mut text);
            if self.to.try_send(Shown::Record(text)).is_err() {
                self.miss(1);
            }
        }
    }

    /// Tells of the first record that the condition fails on, and counts them all.
    fn tell_failure(&self, why: String) {
        if self.unseen.failed.fetch_add(1, Ordering::Relaxed) == 0 {
            // A full channel is being read: the count at the end tells as much.
            let _full = self.to.try_send(Shown::Failed(why));
        }
    }

    fn miss(&self, records: usize) {
        self.unseen.missed.fetch_add(records as u64, Ordering::Relaxed);
    }
}

impl Tapped {
    /// Records that passed and were not shown, because the reader was too slow, or two lanes came at once.
    pub fn missed(&self) -> u64 {
        self.unseen.missed.load(Ordering::Relaxed)
    }

    /// Records on which the condition failed: they do not meet it.
    pub fn failed(&self) -> u64 {
        self.unseen.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        self.taps.close(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::event::test_kit::{Ledger, batch};
    use crate::lang::{TimeZone, compile_condition};

    /// Leaves records as they are.
    struct Nothing;

    impl Transform for Nothing {
        fn apply(&mut self, _: &mut Batch, _: &mut Ports) {}

        fn fork(&self) -> Box<dyn Transform> {
            Box::new(Self)
        }
    }

    fn wanted(edge: &str, condition: Option<&str>) -> Wanted {
        let condition = condition.map(|text| compile_condition(text, TimeZone::default()).unwrap());
        Wanted { edge: edge.to_owned(), side: Side::Out, condition, scrub: Box::new(Nothing) }
    }

    /// The messages that were shown.
    fn shown(tapped: &mut Tapped) -> Vec<String> {
        let records = std::iter::from_fn(|| tapped.records.try_recv().ok());
        let message = |shown: Shown| {
            let Shown::Record(text) = shown else { panic!("{shown:?}") };
            serde_json::from_slice::<serde_json::Value>(&text).unwrap()["message"].take()
        };
        records.map(|text| message(text).as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_tap_sees_its_edge_alone_and_says_nothing_of_receipts() {
        let (taps, ledger) = (Taps::default(), Arc::new(Ledger::default()));
        assert!(!taps.is_open());
        let mut main = taps.open(wanted("app", None));
        let mut port = taps.open(wanted("app.errors", Some(".message == \"b\"")));
        let passes = batch(&ledger, &["a", "b"]);
        taps.see(("app", None), Side::Out, &passes);
        taps.see(("app", None), Side::In, &passes);
        taps.see(("app", Some("errors")), Side::Out, &passes);
        taps.see(("application", None), Side::Out, &passes);
        assert_eq!(shown(&mut main), ["a", "b"]);
        assert_eq!(shown(&mut port), ["b"]);
        drop((main, port));
        assert!(!taps.is_open());
        passes.settle(crate::event::Outcome::Delivered);
        assert_eq!(ledger.worst(), [(0, crate::event::Outcome::Delivered)]);
    }

    #[test]
    fn a_condition_that_fails_is_told_once_and_counted() {
        let (taps, ledger) = (Taps::default(), Arc::new(Ledger::default()));
        let mut tapped = taps.open(wanted("app", Some("int!(.message) > 1")));
        taps.see(("app", None), Side::Out, &batch(&ledger, &["a", "b"]));
        let Ok(Shown::Failed(why)) = tapped.records.try_recv() else { panic!("it is not told") };
        assert!(why.contains("expected integer"), "{why}");
        assert!(tapped.records.try_recv().is_err());
        assert_eq!((tapped.failed(), tapped.missed()), (2, 0));
    }

    #[test]
    fn a_slow_reader_misses_records() {
        let (taps, ledger) = (Taps::default(), Arc::new(Ledger::default()));
        let mut tapped = taps.open(wanted("app", None));
        let lines = vec!["x"; WAITING - 1];
        for _ in 0..2 {
            taps.see(("app", None), Side::Out, &batch(&ledger, &lines));
        }
        assert_eq!((shown(&mut tapped).len(), tapped.missed()), (WAITING, WAITING as u64 - 2));
    }

    /// Stays where it is, in the hands of the first lane, until it is told to go on.
    struct Slow(mpsc::SyncSender<()>, Arc<Mutex<mpsc::Receiver<()>>>);

    impl Transform for Slow {
        fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
            if batch.get(0).text() == b"slow" {
                self.0.send(()).unwrap();
                self.1.lock().unwrap().recv().unwrap();
            }
        }

        fn fork(&self) -> Box<dyn Transform> {
            Box::new(Self(self.0.clone(), self.1.clone()))
        }
    }

    #[test]
    fn a_lane_that_looks_for_long_holds_no_other_up() {
        let (taps, ledger) = (Taps::default(), Arc::new(Ledger::default()));
        let ((began, begins), (goes_on, waits)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
        let scrub = Box::new(Slow(began, Arc::new(Mutex::new(waits))));
        let mut tapped = taps.open(Wanted { scrub, ..wanted("app", None) });
        let passes = |line: &str| taps.see(("app", None), Side::Out, &batch(&ledger, &[line]));
        std::thread::scope(|scope| {
            scope.spawn(|| passes("slow"));
            begins.recv().unwrap();
            let (done, is_done) = mpsc::sync_channel(1);
            scope.spawn(move || {
                passes("quick");
                done.send(()).unwrap();
            });
            let quick = is_done.recv_timeout(Duration::from_mins(1));
            goes_on.send(()).unwrap();
            quick.expect("it does not wait");
        });
        assert_eq!((shown(&mut tapped), tapped.missed()), (vec!["quick".to_owned(), "slow".to_owned()], 0));
    }

    /// Panics.
    struct Breaks;

    impl Transform for Breaks {
        fn apply(&mut self, _: &mut Batch, _: &mut Ports) {
            panic!("as the test says");
        }

        fn fork(&self) -> Box<dyn Transform> {
            Box::new(Self)
        }
    }

    #[test]
    fn a_tap_that_panics_closes_and_nothing_else_happens() {
        let (taps, ledger) = (Taps::default(), Arc::new(Ledger::default()));
        let mut tapped = taps.open(Wanted { scrub: Box::new(Breaks), ..wanted("app", None) });
        taps.see(("app", None), Side::Out, &batch(&ledger, &["a"]));
        assert!(!taps.is_open() && tapped.records.blocking_recv().is_none());
    }
}
