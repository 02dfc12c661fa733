//! The compiled chain: everything stateless between a source and the next queues, as one program.
//!
//! An edge between two steps is a function call. A [`Chain`] is what the plan makes of the configuration; each lane
//! runs a copy of its own, and takes a new one with the first batch after a reload (one pointer swap).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use arc_swap::ArcSwap;

use super::suspect::{Excuse, Suspects, span};
use crate::component::meters::Meters;
use crate::component::outlet::{Inlet, Lane, Offer, Outlet};
use crate::component::reason::Reason;
use crate::component::transform::{Ports, Transform};
use crate::delivery::DeadLetters;
use crate::event::{Batch, Outcome};

/// Where an output leads.
#[derive(Clone)]
pub(crate) enum Edge {
    /// Into a step of this chain, by number.
    Step(usize),
    /// Through the door of a queue.
    Queue(Arc<dyn Inlet>),
}

/// What reads one output: each edge with the hash it adds to a record's path (0: the only way on).
pub(crate) type Edges = Arc<[(Edge, u32)]>;

/// A step of the chain.
pub(crate) struct Step {
    pub(crate) transform: Arc<Mutex<Box<dyn Transform>>>,
    pub(crate) meters: Meters,
    /// What reads each output, in the order the component names them.
    pub(crate) outputs: Vec<Edges>,
    /// Which of them is the main one.
    pub(crate) main: Option<usize>,
    /// What reads `ID.dead_letter`.
    pub(crate) rejects: Edges,
}

/// What the plan makes of everything behind one source.
pub(crate) struct Chain {
    pub(crate) steps: Vec<Step>,
    pub(crate) entry: Edges,
    /// The source's meters: what it sends is what enters the chain.
    pub(crate) source: Meters,
    pub(crate) dead_letters: Arc<DeadLetters>,
}

/// The outlet of a source: hands out lanes over the chain as it is configured now.
pub(crate) struct ChainOutlet(pub(crate) Arc<ArcSwap<Chain>>);

impl Outlet for ChainOutlet {
    fn lane(&self) -> Box<dyn Lane> {
        let chain = self.0.load_full();
        let steps = fork(&chain);
        Box::new(ChainLane {
            current: self.0.clone(),
            chain,
            steps,
            ports: Ports::default(),
            suspects: Suspects::default(),
        })
    }
}

fn fork(chain: &Chain) -> Vec<Box<dyn Transform>> {
    let fork = |step: &Step| step.transform.lock().unwrap_or_else(PoisonError::into_inner).fork();
    chain.steps.iter().map(fork).collect()
}

struct ChainLane {
    current: Arc<ArcSwap<Chain>>,
    chain: Arc<Chain>,
    steps: Vec<Box<dyn Transform>>,
    ports: Ports,
    suspects: Suspects,
}

/// What came out of the chain, in order. It is offered when all of a batch has passed: a step that panics on one way
/// leaves nothing half done on another.
type Outputs = Vec<(Arc<dyn Inlet>, Batch)>;

impl Lane for ChainLane {
    fn offer(&mut self, batch: Batch, waker: &Waker) -> Offer {
        if !Arc::ptr_eq(&self.chain, &self.current.load()) {
            self.chain = self.current.load_full();
            self.steps = fork(&self.chain);
        }
        self.chain.source.sent(batch.len(), 0);
        let mut outputs = Outputs::new();
        if self.suspects.has(&batch) {
            self.run_each(batch, &mut outputs);
        } else {
            let span = span(&batch);
            if let Err(panic) = self.run_guarded(batch, &mut outputs) {
                // The batch went with the panic: its receipt says failed, the source offers it again.
                tracing::error!(panic, "a step panicked; its batch runs again, record by record");
                self.suspects.extend(span);
            }
        }
        offer(outputs, waker)
    }
}

impl ChainLane {
    /// Runs `batch` through the chain. If a step panics nothing is added to `outputs`.
    fn run_guarded(&mut self, batch: Batch, outputs: &mut Outputs) -> Result<(), String> {
        let (entry, before) = (self.chain.entry.clone(), outputs.len());
        let run = AssertUnwindSafe(|| self.run(batch, &entry, outputs));
        catch_unwind(run).map_err(|payload| {
            outputs.truncate(before);
            self.steps = fork(&self.chain);
            self.ports = Ports::default();
            panic_text(payload.as_ref())
        })
    }

    /// Runs each record alone; one that makes a step panic becomes a dead letter.
    fn run_each(&mut self, batch: Batch, outputs: &mut Outputs) {
        for at in 0..batch.len() {
            let mut single = batch.select(|index| index == at);
            let spare = single.clone();
            let excuse = Excuse::put(&mut single);
            match self.run_guarded(single, outputs) {
                Ok(()) => {
                    spare.close();
                    excuse.not_needed();
                }
                Err(panic) => {
                    excuse.accepted();
                    self.chain.source.error("panic");
                    let outcome = self.chain.dead_letters.write(&spare, "panic", &panic, &self.chain.source);
                    spare.settle(outcome);
                }
            }
        }
        self.suspects.remove(&batch);
        batch.close();
    }

    fn run(&mut self, batch: Batch, edges: &Edges, outputs: &mut Outputs) {
        let Some(((last, hash), others)) = edges.split_last() else {
            self.chain.source.discarded(Reason::Unrouted, batch.len());
            batch.settle(Outcome::Dropped);
            return;
        };
        for (edge, hash) in others {
            self.follow(edge, *hash, batch.clone(), outputs);
        }
        self.follow(last, *hash, batch, outputs);
    }

    fn follow(&mut self, edge: &Edge, hash: u32, mut batch: Batch, outputs: &mut Outputs) {
        if hash != 0 {
            batch.took(hash);
        }
        match edge {
            Edge::Step(number) => self.step(*number, batch, outputs),
            Edge::Queue(inlet) => outputs.push((inlet.clone(), batch)),
        }
    }

    fn step(&mut self, number: usize, mut batch: Batch, outputs: &mut Outputs) {
        let chain = self.chain.clone();
        let step = &chain.steps[number];
        step.meters.received(batch.len(), 0);
        let mut ports = std::mem::take(&mut self.ports);
        self.steps[number].apply(&mut batch, &mut ports);
        for (port, batch) in ports.take_named() {
            step.meters.sent(batch.len(), 0);
            self.run(batch, &step.outputs[port], outputs);
        }
        for (batch, why) in ports.take_rejected() {
            self.reject(step, batch, &why, outputs);
        }
        self.ports = ports;
        if batch.is_empty() {
            batch.close();
            return;
        }
        step.meters.sent(batch.len(), 0);
        // A step without a main output that leaves records behind has no reader for them.
        let main = step.main.map_or_else(|| Edges::from([]), |main| step.outputs[main].clone());
        self.run(batch, &main, outputs);
    }

    fn reject(&mut self, step: &Step, batch: Batch, why: &str, outputs: &mut Outputs) {
        if !step.rejects.is_empty() {
            step.meters.sent(batch.len(), 0);
            self.run(batch, &step.rejects, outputs);
            return;
        }
        let outcome = self.chain.dead_letters.write(&batch, "rejected", why, &step.meters);
        batch.settle(outcome);
    }
}

/// Offers what came out to the queues it is for.
fn offer(outputs: Outputs, waker: &Waker) -> Offer {
    let mut waiting = Outputs::new();
    for (inlet, batch) in outputs {
        // Order within a stream: what follows a waiting batch for the same queue waits behind it.
        let is_behind = waiting.iter().any(|(other, _)| Arc::ptr_eq(other, &inlet));
        let refused = if is_behind { Some(batch) } else { inlet.offer(batch, waker).err() };
        waiting.extend(refused.map(|batch| (inlet, batch)));
    }
    Offer::of(waiting)
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a step panicked".to_owned())
}

#[cfg(test)]
mod tests;
