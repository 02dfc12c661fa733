//! Streams that cannot be read again: a block is kept until its receipt has resolved, and offered again if it failed.
//!
//! For sources whose thread makes or reads lines one block after the other. The stream's key is random, so a new
//! process never gives a record the identity of an old one.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::codecs::{Decoder, Piece};
use crate::component::clock;
use crate::component::meters::Meters;
use crate::component::outlet::{Held, Lane, Offer, Outlet};
use crate::component::pause::Pause;
use crate::component::row::Context;
use crate::component::signal::Stop;
use crate::event::{Batch, Budget, Origin, Outcome, Permit, Receipt, Resolution, Resolve};

/// Pause before a block that failed is offered again.
const RETRY: Duration = Duration::from_millis(250);

/// A stream on its way into the chain. It belongs to one thread, which `waker` unparks.
pub(super) struct Feed {
    decoder: Decoder,
    origin: Arc<Origin>,
    meters: Meters,
    budget: Budget,
    pause: Pause,
    lane: Box<dyn Lane>,
    stop: Stop,
    waker: Waker,
    sheet: Arc<Sheet>,
    kept: Vec<Kept>,
    position: u64,
    tokens: u64,
}

/// A block whose receipt has not resolved.
struct Kept {
    token: u64,
    block: Bytes,
    piece: Piece,
}

/// How receipts resolved, for the thread to read.
struct Sheet {
    resolved: Mutex<Vec<(u64, Outcome)>>,
    waker: Waker,
}

impl Sheet {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Outcome)>> {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Sheet {
    fn resolved(&self, token: u64, resolution: Resolution) {
        self.lock().push((token, resolution.worst));
        self.waker.wake_by_ref();
    }
}

/// The deadline has passed, or the stream must take no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopped;

/// What a stream is made of.
pub(super) struct Stream {
    pub(super) decoder: Decoder,
    pub(super) origin: Origin,
}

impl Feed {
    pub(super) fn new(stream: Stream, context: &Context, outlet: &dyn Outlet, (stop, waker): (Stop, Waker)) -> Self {
        stop.leave(&waker);
        Self {
            decoder: stream.decoder,
            origin: Arc::new(stream.origin),
            meters: context.meters.clone(),
            budget: context.budget.clone(),
            pause: context.pause.clone(),
            lane: outlet.lane(),
            stop,
            sheet: Arc::new(Sheet { resolved: Mutex::default(), waker: waker.clone() }),
            waker,
            kept: Vec::new(),
            position: 0,
            tokens: 0,
        }
    }

    /// Memory for a block, as soon as there is some and the source is not paused.
    pub(super) fn room(&mut self, bytes: usize) -> Result<Permit, Stopped> {
        loop {
            self.attend();
            if self.stop.is_requested() {
                return Err(Stopped);
            }
            let permit = if self.pause.holds(&self.waker) { None } else { self.budget.take(bytes, &self.waker) };
            match permit {
                Some(permit) => return Ok(permit),
                None => std::thread::park(),
            }
        }
    }

    /// A buffer for a block.
    pub(super) fn buffer(&self, bytes: usize) -> Vec<u8> {
        self.budget.buffer(bytes)
    }

    /// Offers the lines of a block, `lines` of its bytes, and waits until they are in the queues.
    pub(super) fn offer(&mut self, permit: Permit, buffer: Vec<u8>, lines: Range<usize>) -> Result<(), Stopped> {
        let piece = Piece { lines, position: self.position, time: clock::now() };
        let bytes = piece.lines.len();
        self.skip(bytes);
        let (batch, records) = self.decode(permit.block(buffer), piece);
        self.meters.received(records, bytes);
        self.send(batch)
    }

    /// Counts bytes that belong to no record.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.position += bytes as u64;
    }

    fn decode(&mut self, block: Bytes, piece: Piece) -> (Batch, usize) {
        let token = self.tokens;
        self.tokens += 1;
        let receipt = Receipt::new(self.sheet.clone(), token);
        let mut batch = Batch::new(block.clone(), self.origin.clone(), receipt);
        let counts = self.decoder.fill(&mut batch, &block, &piece);
        self.meters.errors("not_json", counts.not_json);
        self.meters.errors("line_truncated", counts.truncated);
        self.kept.push(Kept { token, block, piece });
        let records = batch.len();
        (batch, records)
    }

    fn send(&mut self, batch: Batch) -> Result<(), Stopped> {
        if batch.is_empty() {
            batch.close();
            return Ok(());
        }
        match self.lane.offer(batch, &self.waker) {
            Offer::Taken => Ok(()),
            Offer::Waits(held) => self.wait(held),
        }
    }

    /// Work in hand may go on until the deadline.
    fn wait(&mut self, mut held: Held) -> Result<(), Stopped> {
        loop {
            if self.is_over() {
                return Err(Stopped);
            }
            self.park();
            held = match held.retry(&self.waker) {
                Offer::Taken => return Ok(()),
                Offer::Waits(held) => held,
            };
        }
    }

    /// Reads how receipts resolved; offers again what failed.
    pub(super) fn attend(&mut self) {
        let resolved = std::mem::take(&mut *self.sheet.lock());
        for (token, worst) in resolved {
            let Some(at) = self.kept.iter().position(|kept| kept.token == token) else { continue };
            let Kept { block, piece, .. } = self.kept.swap_remove(at);
            if worst == Outcome::Failed && !self.is_over() {
                self.meters.error("delivery_failed");
                std::thread::park_timeout(RETRY);
                let (batch, _) = self.decode(block, piece);
                // At the deadline the batch goes undelivered, and its receipt says so to nobody.
                if self.send(batch) == Err(Stopped) {
                    return;
                }
            }
        }
    }

    /// Sleeps until someone wakes the thread, or to the deadline.
    fn park(&self) {
        self.stop.leave(&self.waker);
        if let Some(deadline) = self.stop.deadline() {
            std::thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        } else {
            std::thread::park();
        }
    }

    fn is_over(&self) -> bool {
        self.stop.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Waits until all receipts have resolved, or the deadline has passed.
    pub(super) fn finish(mut self) {
        self.lane.rest();
        while !self.is_over() {
            self.attend();
            if self.kept.is_empty() {
                return;
            }
            self.park();
        }
        if !self.kept.is_empty() {
            let blocks = self.kept.len();
            tracing::warn!(
                component_id = self.meters.label().id,
                blocks,
                "ended with records under way; they cannot be read again"
            );
        }
    }
}
