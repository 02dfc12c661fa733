//! The door of a sink's queue, as chains hold it.

use std::sync::Arc;
use std::task::Waker;

use super::tap::{Side, Taps};
use crate::buffer::Queue;
use crate::component::outlet::Inlet;
use crate::event::Batch;

/// Closes the queue when the last chain that can write to it is gone.
pub(super) struct Door {
    queue: Arc<Queue>,
    /// The component behind it.
    id: String,
    taps: Taps,
}

impl Door {
    /// A door to `queue`, which is of the component `id`; one that was closed is open again.
    pub(super) fn new(queue: Arc<Queue>, id: &str, taps: Taps) -> Self {
        queue.enter();
        Self { queue, id: id.to_owned(), taps }
    }
}

impl Inlet for Door {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        // Shown when it is taken, so that a batch that waits for room is not shown at each try.
        let looked_at = self.taps.is_open().then(|| batch.clone());
        let offered = self.queue.offer(batch, waker);
        if let Some(batch) = looked_at {
            if offered.is_ok() {
                self.taps.see((&self.id, None), Side::In, &batch);
            }
            batch.close();
        }
        offered
    }

    fn give_up(&self, batch: &Batch) {
        self.queue.give_up(batch);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.queue.leave();
    }
}
