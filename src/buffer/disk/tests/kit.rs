//! A log on the model disk, sources that read again what was not acknowledged, and a sink.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use super::model::Model;
use crate::buffer::disk::ahead::Ahead;
use crate::buffer::disk::frame::runs;
use crate::buffer::disk::log::{Log, Options, Tools};
use crate::buffer::disk::parcel::Parcel;
use crate::buffer::disk::recover::Report;
use crate::buffer::disk::write::Stuck;
use crate::buffer::{Queue, WhenFull};
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::test_kit::meters;
use crate::event::test_kit::batch_of;
use crate::event::{Batch, Budget, Outcome, Receipt, Resolution, Resolve, Tracker};

pub(super) const OPTIONS: Options =
    Options { max_size: 1 << 20, when_full: WhenFull::Block, is_compressed: false, min_free: 0.15, is_strict: false };

/// A record: its stream, and its number in it.
pub(super) type Id = (u128, u64);

/// A stream that can be read again.
pub(super) struct Source {
    stream: u128,
    state: Mutex<(Tracker, bool)>,
    pub(super) read: Mutex<u64>,
}

impl Source {
    pub(super) fn new(stream: u128) -> Arc<Self> {
        Arc::new(Self { stream, state: Mutex::new((Tracker::new(0), false)), read: Mutex::new(0) })
    }

    /// The next records.
    pub(super) fn batch(self: &Arc<Self>, records: u64, pad: usize) -> Batch {
        let mut read = self.read.lock().unwrap();
        let lines: Vec<String> =
            (*read..*read + records).map(|number| format!("{number} {}", "x".repeat(pad))).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let token = self.lock().0.offer(*read + records);
        let batch = batch_of(self.stream, *read, &lines, Receipt::new(self.clone(), token));
        *read += records;
        batch
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Tracker, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything before is acknowledged.
    pub(super) fn committed(&self) -> u64 {
        self.lock().0.committed()
    }

    /// Reads on from what is acknowledged.
    pub(super) fn rewind(&self) {
        let mut state = self.lock();
        state.1 = false;
        *self.read.lock().unwrap() = state.0.rewind();
    }

    /// Was anything refused?
    pub(super) fn has_failed(&self) -> bool {
        self.lock().1
    }
}

impl Resolve for Source {
    fn resolved(&self, token: u64, resolution: Resolution) {
        let mut state = self.lock();
        if resolution.worst == Outcome::Failed {
            state.1 |= state.0.awaits(token);
        } else {
            state.0.resolve(token);
        }
    }
}

/// A log that is open, with its queue.
pub(super) struct Site {
    pub(super) log: Log,
    pub(super) queue: Queue,
    pub(super) waiting: VecDeque<Parcel>,
    pub(super) ahead: Ahead,
    pub(super) meters: Meters,
}

impl Site {
    pub(super) fn open(disk: &Model, options: Options, share: usize) -> std::io::Result<(Self, Report)> {
        let meters = meters();
        let tools = Tools {
            disk: Box::new(disk.clone()),
            budget: Budget::new(1 << 30),
            meters: meters.clone(),
            bell: Waker::noop().clone(),
        };
        let (log, report) = Log::open(tools, options, 0)?;
        let queue = Queue::new(share, WhenFull::Block, super::super::tests::unseen());
        let mut ahead = Ahead::default();
        ahead.begin(&log.positions);
        Ok((Self { log, queue, waiting: VecDeque::new(), ahead, meters }, report))
    }

    /// One that opens.
    pub(super) fn new(disk: &Model, options: Options) -> Self {
        Self::open(disk, options, 1 << 20).unwrap().0
    }

    pub(super) fn store(&mut self) -> Result<(), Stuck> {
        self.log.store(&mut self.waiting, &self.queue, 0)
    }

    pub(super) fn put(&mut self, batch: Batch) {
        self.waiting.push_back(Parcel::new(batch, true));
    }

    /// A batch comes; it goes ahead of the disk if it may.
    pub(super) fn offer(&mut self, batch: Batch) {
        let runs = runs(&batch);
        let mut parcel = Parcel::new(batch, true);
        let are_all_out = self.waiting.iter().all(|parcel| parcel.passing.is_some());
        let is_open = are_all_out && self.log.is_caught_up() && !self.log.is_offering();
        let waker = Waker::noop();
        if is_open && self.ahead.are_new(&runs) && !parcel.go_ahead(&self.queue, (waker, waker)) {
            self.queue.give_up(&parcel.batch);
        }
        self.ahead.came(&runs);
        self.waiting.push_back(parcel);
    }

    /// Writes down what is settled; true if it is all that the sink had.
    pub(super) fn note(&mut self) -> std::io::Result<bool> {
        self.log.settle_passed(&mut self.waiting, &self.queue, 0)?;
        self.log.note_passed(&self.queue, 0)?;
        self.log.save()?;
        Ok(!self.log.has_unwritten() && !self.waiting.iter().any(Parcel::has_passed))
    }

    /// Stores a batch; it must go.
    pub(super) fn put_now(&mut self, batch: Batch) {
        self.put(batch);
        self.store().unwrap();
    }

    /// What the sink takes now.
    pub(super) fn take(&self) -> Vec<Batch> {
        match self.queue.try_take_all() {
            std::task::Poll::Ready(Some(batches)) => batches,
            _ => Vec::new(),
        }
    }

    /// Everything there is, taken and delivered.
    pub(super) fn drain(&mut self) -> Vec<Id> {
        let mut got = Vec::new();
        loop {
            self.log.feed(&self.queue).unwrap();
            let batches = self.take();
            if batches.is_empty() {
                break;
            }
            for batch in batches {
                got.extend(ids(&batch));
                batch.settle(Outcome::Delivered);
            }
        }
        self.log.save().unwrap();
        got
    }
}

/// The records of a batch.
pub(super) fn ids(batch: &Batch) -> Vec<Id> {
    let id = |view: crate::event::View<'_>| {
        let text = String::from_utf8(view.text().to_vec()).unwrap();
        let number = text.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(view.identity().position, number, "the record is not what was stored");
        (view.identity().stream.0, number)
    };
    batch.iter().map(id).collect()
}
