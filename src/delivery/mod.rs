//! What every sink shares: cutting requests, retries, outcomes, holds, dead letters.
//!
//! A sink says how to encode and how to send. The [`Delivery`] of its id owns the queue in front of it and
//! everything between: `pump` (the loop) has `cutter` make requests, and a `courier` carries each to its end.

pub mod address;
pub(crate) mod backoff;
mod body;
pub mod confined;
mod connector;
mod courier;
mod cutter;
mod dead_letter;
mod freezer;
mod gate;
pub mod grpc;
pub mod http;
mod in_hand;
mod pump;
mod refusals;
mod request;
pub mod settings;
mod share;
mod sorted;
#[cfg(test)]
pub(crate) mod test_batch;
#[cfg(test)]
pub(crate) mod test_peer;
#[cfg(test)]
pub(crate) mod test_tls;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::buffer::{Frames, Queue};
use crate::codecs::Compression;
use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::signal::Stop;
use crate::component::sink::{Encoder, KnownBy, Probing, Sink};
use crate::component::source::Running;
use crate::event::Budget;

use body::Bodies;
use courier::{Attempts, Courier};
use cutter::Limits;
use gate::Gate;
use pump::{Pace, Pump};

pub use dead_letter::{DeadLetters, Letter, Line, Lines};
pub use in_hand::{Hold, InHand};
pub use refusals::{Refusals, mark};

/// A sink as its settings make it: the destination and how records are delivered to it.
pub struct Delivery {
    /// Encodes and sends.
    pub sink: Arc<dyn Sink>,
    /// How requests are cut and sent.
    pub plan: DeliveryPlan,
}

/// How requests are cut, sent and buffered, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryPlan {
    /// Encoded bytes of a request, before compression.
    pub max_bytes: usize,
    /// Records of a request.
    pub max_events: usize,
    /// How long a request may wait to be filled.
    pub linger: Duration,
    /// How bodies are compressed.
    pub compression: Compression,
    /// How requests are sent.
    pub request: settings::RequestSettings,
    /// Does a record count as delivered only when this sink has it?
    pub is_required: bool,
    /// What stands before the sink.
    pub buffer: settings::BufferSettings,
}

impl DeliveryPlan {
    /// The plan of a sink whose requests are by default `max_bytes` long and wait for one second.
    pub fn new(batch: &settings::BatchSettings, max_bytes: usize) -> Self {
        Self {
            max_bytes: batch.max_bytes.unwrap_or(max_bytes),
            max_events: batch.max_events.unwrap_or(usize::MAX),
            linger: Duration::from_secs_f64(batch.timeout_secs.unwrap_or(1.0)),
            compression: Compression::None,
            request: settings::RequestSettings::default(),
            is_required: true,
            buffer: settings::BufferSettings::default(),
        }
    }
}

/// What a delivery works with besides the sink.
#[derive(Clone)]
pub struct Bench {
    /// The queue in front of the sink; it belongs to the sink's id.
    pub queue: Arc<Queue>,
    /// The sink's figures.
    pub meters: Meters,
    /// The sink's health.
    pub health: Health,
    /// Where refused records go.
    pub refusals: Refusals,
    /// What is taken from the queue and not settled.
    pub in_hand: InHand,
    /// What of the queue are frames of a disk buffer.
    pub frames: Option<Frames>,
    /// The process's memory: bodies under way are charged to it.
    pub budget: Budget,
}

/// What takes records out of a sink's queue.
pub trait Drain: Send {
    /// Works until the queue is closed and empty, or until `stop`: then it takes no more and finishes what it has
    /// until the deadline.
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running;

    /// Must a new instance wait until this one has ended?
    fn is_ordered(&self) -> bool {
        false
    }

    /// What stands before it.
    fn buffer(&self) -> &settings::BufferSettings;

    /// Does a record count as delivered only when this one has it?
    fn is_required(&self) -> bool {
        true
    }

    /// Does it have to know each record's frame in the disk buffer? Then it gets none that is not stored.
    fn needs_frames(&self) -> bool {
        false
    }

    /// Asks the destination whether it is there; see [`Sink::probe`].
    fn probe(&self) -> Option<Probing<'_>> {
        None
    }

    /// An encoder as its requests are made with, where it makes any: for what measures or shows them.
    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        None
    }
}

impl Drain for Delivery {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        Box::pin(self.deliver(bench, stop))
    }

    fn is_ordered(&self) -> bool {
        self.sink.is_ordered()
    }

    fn buffer(&self) -> &settings::BufferSettings {
        &self.plan.buffer
    }

    fn is_required(&self) -> bool {
        self.plan.is_required
    }

    fn needs_frames(&self) -> bool {
        matches!(self.sink.identity(), KnownBy::Request { .. })
    }

    fn probe(&self) -> Option<Probing<'_>> {
        self.sink.probe()
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(self.sink.encoder())
    }
}

impl Delivery {
    async fn deliver(self: Box<Self>, bench: Bench, stop: Stop) {
        let Self { sink, plan } = *self;
        let limits = Limits { bytes: plan.max_bytes, records: plan.max_events, compression: plan.compression };
        let request = &plan.request;
        let attempts = Attempts {
            timeout: request.timeout(),
            backoff: request.backoff(),
            retries: request.retry_attempts,
            limits,
            max_held_bytes: plan.buffer.in_memory() / 4,
        };
        let Bench { queue, meters, health, refusals, in_hand, frames, budget } = bench;
        let limit = request.limit(sink.is_ordered());
        let gate = Gate::new(limit, request.rate(), request.backoff(), meters.of_requests());
        let courier = Courier {
            sink,
            attempts,
            meters,
            health,
            refusals,
            in_hand,
            gate,
            bodies: Bodies::new(budget),
            held: AtomicUsize::new(0),
        };
        let pace = Pace { limits, linger: plan.linger };
        Pump::new(Arc::new(courier), (queue, frames), pace).run(stop).await;
    }
}
