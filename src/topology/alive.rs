//! How many sources are at work: when none is left, there is nothing more to come.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::component::signal::Stop;

/// Counts sources at work, and those that still read.
#[derive(Debug)]
pub(super) struct Alive(watch::Sender<usize>, watch::Sender<usize>);

impl Default for Alive {
    fn default() -> Self {
        Self(watch::Sender::new(0), watch::Sender::new(0))
    }
}

/// A source that reads, until it says that it rests or goes.
pub(super) struct Reader {
    count: watch::Sender<usize>,
    rests: AtomicBool,
}

impl Reader {
    /// It has read all there ever will be.
    pub(super) fn rest(&self) {
        if !self.rests.swap(true, Ordering::AcqRel) {
            self.count.send_modify(|count| *count -= 1);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.rest();
    }
}

/// One source at work, until it is dropped.
pub(super) struct Pulse {
    count: watch::Sender<usize>,
    id: String,
    stop: Stop,
}

impl Alive {
    /// The source `id` is at work, until it ends.
    pub(super) fn begin(&self, id: &str, stop: &Stop) -> Pulse {
        self.0.send_modify(|count| *count += 1);
        Pulse { count: self.0.clone(), id: id.to_owned(), stop: stop.clone() }
    }

    /// One more source reads.
    pub(super) fn reader(&self) -> Reader {
        self.1.send_modify(|count| *count += 1);
        Reader { count: self.1.clone(), rests: AtomicBool::new(false) }
    }

    /// How many read.
    pub(super) fn reading(&self) -> watch::Receiver<usize> {
        self.1.subscribe()
    }

    /// How many are at work.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until none is left.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut count = self.0.subscribe();
        async move {
            // An error means that nobody counts any more.
            let _ended = count.wait_for(|count| *count == 0).await;
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if !self.stop.is_requested() {
            tracing::info!(component_id = self.id, "the source has read all there is");
        }
        self.count.send_modify(|count| *count -= 1);
    }
}
