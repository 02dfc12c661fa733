//! The door of a sink's queue, as chains hold it.

use std::sync::{Arc, Weak};
use std::task::Waker;

use super::tap::{Side, Taps};
use crate::buffer::{DiskBuffer, Entrance, Queue};
use crate::component::outlet::Inlet;
use crate::event::Batch;

/// Closes the queue, or the disk buffer, when the last chain that can write to it is gone.
pub(super) struct Door {
    behind: Behind,
    /// The component behind it.
    id: String,
    taps: Taps,
}

impl Door {
    /// A door to `queue`, which is of the component `id`; one that was closed is open again.
    pub(super) fn new(queue: Arc<Queue>, id: &str, taps: Taps) -> Self {
        queue.enter();
        Self { behind: Behind::Queue(queue), id: id.to_owned(), taps }
    }

    /// A door to a disk buffer; none if that has ended.
    pub(super) fn of_disk(buffer: &Arc<DiskBuffer>, is_counted: bool, (id, taps): (&str, Taps)) -> Option<Self> {
        let behind = Behind::Disk(Entrance { buffer: buffer.clone(), is_counted });
        buffer.enter().then(|| Self { behind, id: id.to_owned(), taps })
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

impl Inlet for Door {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        // Shown when it is taken, so that a batch that waits for room is not shown at each try.
        let looked_at = self.taps.is_open().then(|| batch.clone());
        let offered = self.behind.offer(batch, waker);
        if let Some(batch) = looked_at {
            if offered.is_ok() {
                self.taps.see((&self.id, None), Side::In, &batch);
            }
            batch.close();
        }
        offered
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
        self.0.upgrade().map(|door| door as Arc<dyn Inlet>)
    }
}
