//! The door of a sink's queue, as chains hold it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use super::tap::{Side, Taps};
use crate::buffer::{DiskBuffer, Entrance, Queue};
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::reason::Reason;
use crate::event::{Batch, Receipt, Resolution, Resolve};

/// Closes the queue, or the disk buffer, when the last chain that can write to it is gone.
pub(super) struct Door {
    behind: Behind,
    /// The component behind it.
    id: String,
    taps: Taps,
    /// Counts what the component fails on, where nobody waits for it.
    unasked: Option<Meters>,
}

impl Door {
    /// A door to `queue`, which is of the component `id`; one that was closed is open again.
    pub(super) fn new(queue: Arc<Queue>, id: &str, taps: Taps) -> Self {
        queue.enter();
        Self { behind: Behind::Queue(queue), id: id.to_owned(), taps, unasked: None }
    }

    /// A door to a disk buffer; none if that has ended.
    pub(super) fn of_disk(buffer: &Arc<DiskBuffer>, is_counted: bool, (id, taps): (&str, Taps)) -> Option<Self> {
        let behind = Behind::Disk(Entrance { buffer: buffer.clone(), is_counted });
        buffer.enter().then(|| Self { behind, id: id.to_owned(), taps, unasked: None })
    }
}

impl Door {
    /// Offers a copy that answers to nobody's source.
    fn offer_unasked(&self, batch: Batch, meters: &Meters, waker: &Waker) -> Result<(), Batch> {
        let lost = Arc::new(Lost { meters: meters.clone(), is_taken: AtomicBool::new(true) });
        let mut own = batch.clone();
        let receipt = Receipt::new(lost.clone(), batch.len() as u64);
        own.answer_to(receipt).into_iter().for_each(Receipt::close);
        if let Err(own) = self.behind.offer(own, waker) {
            lost.is_taken.store(false, Ordering::Release);
            own.close();
            return Err(batch);
        }
        batch.close();
        Ok(())
    }

    /// One whose component nobody waits for: what it takes is done with, for its source; what it fails on is counted.
    pub(super) fn unasked(mut self, meters: Option<Meters>) -> Self {
        self.unasked = meters;
        self
    }
}

/// Counts what had no outcome of a batch that nobody waits for.
struct Lost {
    meters: Meters,
    /// Else it was given back, and is offered again.
    is_taken: AtomicBool,
}

impl Resolve for Lost {
    fn resolved(&self, records: u64, told: Resolution) {
        let lost = records.saturating_sub(told.delivered + told.dropped + told.dead_lettered);
        if self.is_taken.load(Ordering::Acquire) {
            self.meters.discarded(Reason::Unacknowledged, lost as usize);
        }
    }
}

/// What is behind a door.
enum Behind {
    Queue(Arc<Queue>),
    Disk(Entrance),
}

impl Behind {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        match self {
            Self::Queue(queue) => queue.offer(batch, waker),
            Self::Disk(entrance) => entrance.offer(batch, waker),
        }
    }
}

impl Door {
    /// Offers a batch; `unasked` counts where nobody waits for the component.
    fn take(&self, batch: Batch, unasked: Option<&Meters>, waker: &Waker) -> Result<(), Batch> {
        // Shown when it is taken, so that a batch that waits for room is not shown at each try.
        let looked_at = self.taps.is_open().then(|| batch.clone());
        let offered = match unasked {
            None => self.behind.offer(batch, waker),
            Some(meters) => self.offer_unasked(batch, meters, waker),
        };
        if let Some(batch) = looked_at {
            if offered.is_ok() {
                self.taps.see((&self.id, None), Side::In, &batch);
            }
            batch.close();
        }
        offered
    }
}

impl Inlet for Door {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        self.take(batch, self.unasked.as_ref(), waker)
    }

    fn give_up(&self, batch: &Batch) {
        match &self.behind {
            Behind::Queue(queue) => queue.give_up(batch),
            Behind::Disk(entrance) => entrance.give_up(batch),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        match &self.behind {
            Behind::Queue(queue) => queue.leave(),
            Behind::Disk(entrance) => entrance.buffer.leave(),
        }
    }
}

/// Leads to a door as long as there is one, and keeps none open.
#[derive(Clone, Default)]
pub(super) struct Way(Weak<Door>);

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.strong_count() > 0 { "open" } else { "none" })
    }
}

impl Way {
    pub(super) fn to(door: &Arc<Door>) -> Self {
        Self(Arc::downgrade(door))
    }

    pub(super) fn open(&self) -> Option<Arc<dyn Inlet>> {
        self.0.upgrade().map(|door| Arc::new(Awaited(door)) as Arc<dyn Inlet>)
    }
}

/// A door for those who wait for what becomes of their records, whatever sources do.
struct Awaited(Arc<Door>);

impl Inlet for Awaited {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        self.0.take(batch, None, waker)
    }

    fn give_up(&self, batch: &Batch) {
        self.0.give_up(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::WhenFull;
    use crate::component::test_kit::meters;
    use crate::event::Outcome;
    use crate::event::test_kit::{Ledger, batch};

    #[test]
    fn what_nobody_waits_for_is_done_with_and_counted_where_it_is_lost() {
        let (ledger, meters) = (Arc::new(Ledger::default()), meters());
        let queue = Arc::new(Queue::new(1, WhenFull::Block, meters.clone()));
        let door = Door::new(queue.clone(), "out", Taps::default()).unasked(Some(meters.clone()));
        let lost = || meters.discarded_events(Reason::Unacknowledged);
        assert!(door.offer(batch(&ledger, &["a", "b"]), Waker::noop()).is_ok());
        assert_eq!((ledger.worst(), lost()), (vec![(0, Outcome::Delivered)], 0));
        let back = door.offer(batch(&ledger, &["c"]), Waker::noop()).unwrap_err();
        assert_eq!((ledger.worst().len(), lost()), (1, 0), "given back, it is neither done with nor lost");
        drop(back);
        queue.abandon();
        assert_eq!((ledger.worst(), lost()), (vec![(0, Outcome::Delivered), (1, Outcome::Failed)], 2));
    }

    #[test]
    fn whoever_replays_waits_for_what_becomes_of_it() {
        let (ledger, meters) = (Arc::new(Ledger::default()), meters());
        let queue = Arc::new(Queue::new(1, WhenFull::Block, meters.clone()));
        let door = Arc::new(Door::new(queue.clone(), "out", Taps::default()).unasked(Some(meters)));
        let way = Way::to(&door).open().unwrap();
        assert!(way.offer(batch(&ledger, &["a"]), Waker::noop()).is_ok());
        assert_eq!(ledger.worst(), vec![], "it is only queued");
        queue.abandon();
        assert_eq!(ledger.worst(), vec![(0, Outcome::Failed)]);
    }
}
