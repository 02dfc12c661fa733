//! The memory queue in front of a sink, bounded in bytes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use super::line::Line;
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::reason::Reason;
use crate::component::signal::Waiters;
use crate::event::{Batch, Outcome, Resolution, Resolve, StreamKey};

/// What happens to a batch that finds the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Its stream waits: back-pressure, nothing is lost.
    #[default]
    Block,
    /// It is dropped and counted.
    DropNewest,
    /// What has waited longest is dropped and counted.
    DropOldest,
}

/// Is given batches on the thread that offers them.
pub type Passage = Arc<dyn Fn(Batch) + Send + Sync>;

/// A queue of batches. It belongs to the sink's id: a changed sink takes it over.
pub struct Queue {
    state: Mutex<State>,
    filled: Waiters,
    witness: Arc<dyn Resolve>,
    meters: Meters,
}

/// Counts records that were lost although their sender had been told that they are queued.
struct Witness(Meters);

impl Resolve for Witness {
    fn resolved(&self, records: u64, resolution: Resolution) {
        let Resolution { worst, delivered, dropped, dead_lettered, .. } = resolution;
        if worst == Outcome::Failed {
            let settled = delivered + dropped + dead_lettered;
            self.0.discarded(Reason::Abandoned, records.saturating_sub(settled) as usize);
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct State {
    /// With its bytes, and since when it is here.
    batches: VecDeque<(Batch, usize, Instant)>,
    bytes: usize,
    max_size: usize,
    when_full: WhenFull,
    phase: Phase,
    haste: Haste,
    passage: Opening,
    /// How many can write to it; see [`Queue::enter`].
    doors: usize,
    /// Streams that wait for room.
    line: Line,
}

/// What stands open for batches to pass by the queue.
#[derive(Default)]
struct Opening(Option<Passage>);

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "open" } else { "none" })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    None,
    /// The taker is to be told.
    Asked,
    Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// No more batches will come.
    Closed,
    /// Nobody will take what comes.
    Abandoned,
}

impl Queue {
    /// A queue of at most `max_size` bytes, counted as what its batches keep alive.
    pub fn new(max_size: usize, when_full: WhenFull, meters: Meters) -> Self {
        let state = State {
            batches: VecDeque::new(),
            bytes: 0,
            max_size,
            when_full,
            phase: Phase::Open,
            haste: Haste::None,
            passage: Opening::default(),
            doors: 0,
            line: Line::default(),
        };
        meters.buffer(0, max_size);
        let witness = Arc::new(Witness(meters.clone()));
        Self { state: Mutex::new(state), filled: Waiters::default(), witness, meters }
    }

    /// Changes bound and policy; what is queued stays.
    pub fn configure(&self, max_size: usize, when_full: WhenFull) {
        let mut state = self.lock();
        (state.max_size, state.when_full) = (max_size, when_full);
        self.meters.buffer(state.bytes, state.max_size);
        let waiting = state.line.dissolve();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// From now on what comes goes to `passage` and is not queued; `None` ends that. For a taker that does no work
    /// worth a task's wake-up. What is queued already is still there to be taken.
    pub fn pass_by(&self, passage: Option<Passage>) {
        let mut state = self.lock();
        state.passage = Opening(passage);
        let waiting = state.line.dissolve();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// One more can write to it. A queue that was closed is open again; one that was abandoned stays so.
    pub fn enter(&self) {
        let mut state = self.lock();
        state.doors += 1;
        if state.phase == Phase::Closed {
            state.phase = Phase::Open;
        }
    }

    /// One less can write to it: the last one closes it.
    pub fn leave(&self) {
        let mut state = self.lock();
        state.doors -= 1;
        if state.doors == 0 && state.phase == Phase::Open {
            state.phase = Phase::Closed;
        }
        drop(state);
        self.filled.wake();
    }

    /// No more batches will come: [`take`](Self::take) ends when what is queued has been taken.
    pub fn close(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closed;
        }
        drop(state);
        self.filled.wake();
    }

    /// What is queued shall go at once, without waiting to fill a request: the process ends.
    pub fn hurry(&self) {
        self.lock().haste = Haste::Asked;
        self.filled.wake();
    }

    /// Shall all go at once?
    pub fn is_hurried(&self) -> bool {
        self.lock().haste != Haste::None
    }

    /// Nobody takes from it any more. What is queued, and what is still offered, counts as failed: its source offers
    /// it again, to whatever stands there then. So nobody waits for room in the queue of a sink that is gone.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.phase = Phase::Abandoned;
        let batches = std::mem::take(&mut state.batches);
        state.bytes = 0;
        self.meters.buffer(0, state.max_size);
        let waiting = state.line.dissolve();
        drop(state);
        // Receipts resolve here, not under the lock.
        drop(batches);
        self.filled.wake();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whose it is.
    pub fn id(&self) -> &str {
        &self.meters.label().id
    }

    /// Does a stream wait for room?
    pub(super) fn has_line(&self) -> bool {
        self.lock().line.first().is_some()
    }

    /// Calls all streams that wait for room: there is another way.
    pub(super) fn call_all(&self) {
        let waiting = self.lock().line.dissolve();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Bytes queued now.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Takes queued batches of about `bytes` together, at least one; `None` when the queue is closed and empty. Takes
    /// none, once, to tell of [`hurry`](Self::hurry). Cancel-safe.
    pub async fn take(&self, bytes: usize) -> Option<Vec<Batch>> {
        poll_fn(|cx| {
            if let Poll::Ready(taken) = self.try_take(bytes) {
                return Poll::Ready(taken);
            }
            self.filled.leave(cx.waker());
            self.try_take(bytes)
        })
        .await
    }

    /// All that is queued now.
    #[cfg(test)]
    pub(crate) fn try_take_all(&self) -> Poll<Option<Vec<Batch>>> {
        self.try_take(usize::MAX)
    }

    fn try_take(&self, bytes: usize) -> Poll<Option<Vec<Batch>>> {
        let mut state = self.lock();
        if state.haste == Haste::Asked {
            state.haste = Haste::Told;
            return Poll::Ready(Some(Vec::new()));
        }
        if state.batches.is_empty() {
            return if state.phase == Phase::Open { Poll::Pending } else { Poll::Ready(None) };
        }
        let (mut taken, mut sum, now) = (Vec::new(), 0, Instant::now());
        while let Some((batch, weight, since)) =
            state.batches.pop_front_if(|(_, weight, _)| sum == 0 || sum + *weight <= bytes)
        {
            sum += weight;
            self.meters.waited(now.duration_since(since));
            taken.push(batch);
        }
        state.bytes -= sum;
        self.meters.buffer(state.bytes, state.max_size);
        let first = state.line.first();
        drop(state);
        first.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(taken))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, mut batch: Batch, waker: &Waker) -> Result<(), Batch> {
        let mut state = self.lock();
        if state.phase == Phase::Abandoned {
            drop(state);
            return Ok(());
        }
        if let Some(passage) = state.passage.0.clone() {
            drop(state);
            self.meters.received(batch.len(), 0);
            passage(batch);
            return Ok(());
        }
        let (stream, weight, events) = (stream(&batch), batch.weight(), batch.len());
        let fits = state.bytes == 0 || state.bytes + weight <= state.max_size;
        if state.when_full == WhenFull::Block && !(fits && state.line.is_next(stream)) {
            state.line.join(stream, waker);
            return Err(batch);
        }
        let mut dropped = Vec::new();
        if !fits && state.when_full == WhenFull::DropNewest {
            drop(state);
            self.drop_all([batch]);
            return Ok(());
        }
        if !fits {
            dropped = state.make_room(weight);
        }
        state.bytes += weight;
        let queued = batch.queued(&self.witness);
        state.batches.push_back((batch, weight, Instant::now()));
        state.line.leave(stream);
        self.meters.buffer(state.bytes, state.max_size);
        // There may be room for one more.
        let next = state.line.first().filter(|_| state.bytes < state.max_size);
        drop(state);
        // Receipts resolve here, not under the lock.
        queued.settle(Outcome::Delivered);
        self.drop_all(dropped);
        self.meters.received(events, 0);
        self.filled.wake();
        next.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Lets go of batches by policy. Not under the lock: receipts resolve here.
    fn drop_all(&self, batches: impl IntoIterator<Item = Batch>) {
        for batch in batches {
            self.meters.discarded(Reason::BufferFull, batch.len());
            batch.settle(Outcome::Dropped);
        }
    }
}

impl State {
    /// Takes out what has waited longest until `weight` more fits, or nothing is left.
    fn make_room(&mut self, weight: usize) -> Vec<Batch> {
        let mut dropped = Vec::new();
        while self.bytes + weight > self.max_size
            && let Some((batch, bytes, _)) = self.batches.pop_front()
        {
            self.bytes -= bytes;
            dropped.push(batch);
        }
        dropped
    }
}

/// Whose place in the line it has: a batch is of one stream.
fn stream(batch: &Batch) -> StreamKey {
    batch.get(0).identity().stream
}

impl Inlet for Queue {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        if batch.is_empty() {
            batch.close();
            return Ok(());
        }
        let batch = if batch.is_sparse() { batch.compact() } else { batch };
        self.put(batch, waker)
    }

    fn give_up(&self, batch: &Batch) {
        let mut state = self.lock();
        state.line.leave(stream(batch));
        // It may have been the first, and called.
        let first = state.line.first();
        drop(state);
        first.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
