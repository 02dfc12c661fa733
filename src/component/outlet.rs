//! What a source writes to: lanes that run the compiled chain, and batches that wait for room.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::signal::Stop;
use crate::event::Batch;

/// The way out of a source. Each thread or task that reads takes lanes of its own.
pub trait Outlet: Send + Sync {
    /// A lane for an ordered stream of work, to the first output.
    fn lane(&self) -> Box<dyn Lane> {
        self.lane_to(0)
    }

    /// A lane to the output of this number: see [`Settings::outputs`](super::row::Settings::outputs).
    fn lane_to(&self, output: usize) -> Box<dyn Lane>;

    /// Does anything read what comes out here?
    fn is_read(&self) -> bool {
        true
    }
}

/// Runs batches through the chain of stateless steps, there and then, up to the next queues.
pub trait Lane: Send {
    /// Runs `batch` and offers the results at once to every queue that has room. What has none is given back: the
    /// stream it came from waits with it, the lane goes on with others. `waker` is called when there is room.
    fn offer(&mut self, batch: Batch, waker: &Waker) -> Offer;

    /// The same for a batch that nobody offers again as it is: its sender knows no positions. A record that makes a step panic
    /// is found at once, and the others pass.
    fn offer_once(&mut self, batch: Batch, waker: &Waker) -> Offer {
        self.offer(batch, waker)
    }

    /// The source has read all there ever will be, and waits for its receipts: steps that hold records need not wait
    /// for more of its.
    fn rest(&mut self) {}
}

/// The door of a queue.
pub trait Inlet: Send + Sync {
    /// Takes `batch`, or gives it back and calls `waker` when there may be room. Streams that wait are served in the order
    /// in which they came.
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch>;

    /// What was given back will not be offered again: its stream does not wait any more.
    fn give_up(&self, _batch: &Batch) {}
}

/// What became of an offer.
pub enum Offer {
    /// All of it is in the queues.
    Taken,
    /// Some of it waits.
    Waits(Held),
}

/// Batches of one stream that wait for room. No later batch of the stream may be offered before they are gone.
pub struct Held(Vec<(Arc<dyn Inlet>, Batch)>);

impl Offer {
    /// Offers each batch to its queue.
    pub fn make(batches: Vec<(Arc<dyn Inlet>, Batch)>, waker: &Waker) -> Self {
        let mut waiting: Vec<(Arc<dyn Inlet>, Batch)> = Vec::new();
        for (inlet, batch) in batches {
            // Order within a stream: what follows a waiting batch for the same queue waits behind it.
            let is_behind = waiting.iter().any(|(other, _)| Arc::ptr_eq(other, &inlet));
            let refused = if is_behind { Some(batch) } else { inlet.offer(batch, waker).err() };
            waiting.extend(refused.map(|batch| (inlet, batch)));
        }
        Self::of(waiting)
    }

    /// What an offer comes to, given what did not fit.
    pub fn of(waiting: Vec<(Arc<dyn Inlet>, Batch)>) -> Self {
        if waiting.is_empty() { Self::Taken } else { Self::Waits(Held(waiting)) }
    }
}

impl Offer {
    /// Waits until all of it is in the queues, or the deadline of `stop` is past: what waits then is let go, unsaid.
    /// Tells whether all of it is in. Blocks the thread that `waker` unparks.
    pub fn wait(self, waker: &Waker, stop: &Stop) -> bool {
        let mut offer = self;
        while let Self::Waits(held) = offer {
            // Left anew each time: a signal wakes whom it finds once.
            stop.leave(waker);
            match stop.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => std::thread::park(),
                Some(Duration::ZERO) => return false,
                Some(left) => std::thread::park_timeout(left),
            }
            stop.forget(waker);
            offer = held.retry(waker);
        }
        true
    }
}

impl Held {
    /// Offers once more what waits.
    pub fn retry(mut self, waker: &Waker) -> Offer {
        Offer::make(std::mem::take(&mut self.0), waker)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.iter().for_each(|(inlet, batch)| inlet.give_up(batch));
    }
}
