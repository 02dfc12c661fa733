//! The compiled chain: everything stateless between a source and the next queues, as one program.
//!
//! An edge between two steps is a function call. A [`Chain`] is what the plan makes of the configuration; each lane
//! runs a copy of its own, and takes a new one with the first batch after a reload (one pointer swap).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use arc_swap::ArcSwap;

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
        Box::new(ChainLane { current: self.0.clone(), chain, steps, ports: Ports::default(), careful: 0 })
    }
}

fn fork(chain: &Chain) -> Vec<Box<dyn Transform>> {
    let fork = |step: &Step| step.transform.lock().unwrap_or_else(PoisonError::into_inner).fork();
    chain.steps.iter().map(fork).collect()
}

/// After a panic this many batches run record by record, to find the culprit.
const CAREFUL_BATCHES: u32 = 64;

struct ChainLane {
    current: Arc<ArcSwap<Chain>>,
    chain: Arc<Chain>,
    steps: Vec<Box<dyn Transform>>,
    ports: Ports,
    careful: u32,
}

type Waiting = Vec<(Arc<dyn Inlet>, Batch)>;

impl Lane for ChainLane {
    fn offer(&mut self, batch: Batch, waker: &Waker) -> Offer {
        if !Arc::ptr_eq(&self.chain, &self.current.load()) {
            self.chain = self.current.load_full();
            self.steps = fork(&self.chain);
        }
        self.chain.source.sent(batch.len(), 0);
        let mut waiting = Vec::new();
        if self.careful > 0 {
            self.careful -= 1;
            self.run_each(&batch, waker, &mut waiting);
            batch.close();
        } else if let Err(panic) = self.run_guarded(batch, waker, &mut waiting) {
            // The batch went with the panic: its receipt says failed, the source offers it again.
            tracing::error!(panic, "a step panicked; its batch runs again, record by record");
            self.careful = CAREFUL_BATCHES;
        }
        Offer::of(waiting)
    }
}

impl ChainLane {
    fn run_guarded(&mut self, batch: Batch, waker: &Waker, waiting: &mut Waiting) -> Result<(), String> {
        let entry = self.chain.entry.clone();
        let run = AssertUnwindSafe(|| self.run(batch, &entry, &mut |inlet, batch| offer(inlet, batch, waker, waiting)));
        catch_unwind(run).map_err(|payload| {
            self.steps = fork(&self.chain);
            self.ports = Ports::default();
            panic_text(payload.as_ref())
        })
    }

    /// Runs each record alone; one that makes a step panic becomes a dead letter.
    fn run_each(&mut self, batch: &Batch, waker: &Waker, waiting: &mut Waiting) {
        for at in 0..batch.len() {
            let single = batch.select(|index| index == at);
            let spare = single.clone();
            match self.run_guarded(single, waker, waiting) {
                Ok(()) => spare.close(),
                Err(panic) => {
                    self.chain.source.error("panic");
                    let outcome = self.chain.dead_letters.write(&spare, "panic", &panic, &self.chain.source);
                    spare.settle(outcome);
                }
            }
        }
    }

    fn run(&mut self, batch: Batch, edges: &Edges, offer: &mut dyn FnMut(&Arc<dyn Inlet>, Batch)) {
        let Some(((last, hash), others)) = edges.split_last() else {
            self.chain.source.discarded(Reason::Unrouted, batch.len());
            batch.settle(Outcome::Dropped);
            return;
        };
        for (edge, hash) in others {
            self.follow(edge, *hash, batch.clone(), offer);
        }
        self.follow(last, *hash, batch, offer);
    }

    fn follow(&mut self, edge: &Edge, hash: u32, mut batch: Batch, offer: &mut dyn FnMut(&Arc<dyn Inlet>, Batch)) {
        if hash != 0 {
            batch.took(hash);
        }
        match edge {
            Edge::Step(number) => self.step(*number, batch, offer),
            Edge::Queue(inlet) => offer(inlet, batch),
        }
    }

    fn step(&mut self, number: usize, mut batch: Batch, offer: &mut dyn FnMut(&Arc<dyn Inlet>, Batch)) {
        let chain = self.chain.clone();
        let step = &chain.steps[number];
        step.meters.received(batch.len(), 0);
        let mut ports = std::mem::take(&mut self.ports);
        self.steps[number].apply(&mut batch, &mut ports);
        for (port, batch) in ports.take_named() {
            step.meters.sent(batch.len(), 0);
            self.run(batch, &step.outputs[port], offer);
        }
        for (batch, why) in ports.take_rejected() {
            self.reject(step, batch, &why, offer);
        }
        self.ports = ports;
        let Some(main) = step.main.filter(|_| !batch.is_empty()) else {
            batch.close();
            return;
        };
        step.meters.sent(batch.len(), 0);
        self.run(batch, &step.outputs[main], offer);
    }

    fn reject(&mut self, step: &Step, batch: Batch, why: &str, offer: &mut dyn FnMut(&Arc<dyn Inlet>, Batch)) {
        if !step.rejects.is_empty() {
            step.meters.sent(batch.len(), 0);
            self.run(batch, &step.rejects, offer);
            return;
        }
        let outcome = self.chain.dead_letters.write(&batch, "rejected", why, &step.meters);
        batch.settle(outcome);
    }
}

fn offer(inlet: &Arc<dyn Inlet>, batch: Batch, waker: &Waker, waiting: &mut Waiting) {
    // Order within a stream: what follows a waiting batch for the same queue waits behind it.
    let behind = waiting.iter().any(|(other, _)| Arc::ptr_eq(other, inlet));
    let refused = if behind { Some(batch) } else { inlet.offer(batch, waker).err() };
    if let Some(batch) = refused {
        waiting.push((inlet.clone(), batch));
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a step panicked".to_owned())
}
