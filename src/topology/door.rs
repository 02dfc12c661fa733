//! The door of a sink's queue, as chains hold it.

use std::sync::Arc;
use std::task::Waker;

use crate::buffer::Queue;
use crate::component::outlet::Inlet;
use crate::event::Batch;

/// Closes the queue when the last chain that can write to it is gone.
pub(super) struct Door(Arc<Queue>);

impl Door {
    /// A door to `queue`; one that was closed is open again.
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        queue.enter();
        Self(queue)
    }
}

impl Inlet for Door {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        self.0.offer(batch, waker)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.leave();
    }
}
