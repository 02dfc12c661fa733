//! The door of a sink's queue, as chains hold it.

use std::sync::Arc;
use std::task::Waker;

use super::tap::{Side, Taps};
use crate::buffer::{DiskBuffer, Entrance, Queue};
use crate::component::outlet::Inlet;
use crate::event::Batch;

/// Closes the queue, or the disk buffer, when the last chain that can write to it is gone.
pub(super) struct Door {
    way: Way,
    /// The component behind it.
    id: String,
    taps: Taps,
}

impl Door {
    /// A door to `queue`, which is of the component `id`; one that was closed is open again.
    pub(super) fn new(queue: Arc<Queue>, id: &str, taps: Taps) -> Self {
        queue.enter();
        Self { way: Way::Queue(queue), id: id.to_owned(), taps }
    }

    /// A door to a disk buffer; none if that has ended.
    pub(super) fn of_disk(buffer: &Arc<DiskBuffer>, is_counted: bool, (id, taps): (&str, Taps)) -> Option<Self> {
        let way = Way::Disk(Entrance { buffer: buffer.clone(), is_counted });
        buffer.enter().then(|| Self { way, id: id.to_owned(), taps })
    }
}

/// What is behind a door.
enum Way {
    Queue(Arc<Queue>),
    Disk(Entrance),
}

impl Way {
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
        let offered = self.way.offer(batch, waker);
        if let Some(batch) = looked_at {
            if offered.is_ok() {
                self.taps.see((&self.id, None), Side::In, &batch);
            }
            batch.close();
        }
        offered
    }

    fn give_up(&self, batch: &Batch) {
        match &self.way {
            Way::Queue(queue) => queue.give_up(batch),
            Way::Disk(entrance) => entrance.give_up(batch),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        match &self.way {
            Way::Queue(queue) => queue.leave(),
            Way::Disk(entrance) => entrance.buffer.leave(),
        }
    }
}
