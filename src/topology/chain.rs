//! The compiled chain: everything stateless between a source and the next queues, as one program.
//!
//! An edge between two steps is a function call. A [`Chain`] is what the plan makes of the configuration; each lane
//! runs a copy of its own, and takes a new one with the first batch after a reload (one pointer swap).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use arc_swap::ArcSwap;
use tracing::Span;

use super::alive::Reader;
use super::guard::leaving;
use super::keeper::panic_text;
use super::suspect::{Excuse, Suspects, span};
use super::tap::{Side, Taps};
use crate::component::meters::Meters;
use crate::component::outlet::{Inlet, Lane, Offer, Outlet};
use crate::component::reason::Reason;
use crate::component::transform::{Ports, Transform};
use crate::component::utilization::Seat;
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

/// A transform as it was built, to make copies of.
pub(crate) type Shared = Arc<Mutex<Box<dyn Transform>>>;

/// A step of the chain.
pub(crate) struct Step {
    pub(crate) transform: Shared,
    pub(crate) meters: Meters,
    /// What reads each output, in the order the component names them.
    pub(crate) outputs: Vec<Edges>,
    /// The names of the outputs; the main one has none.
    pub(crate) ports: Vec<Option<String>>,
    /// Which of them is the main one.
    pub(crate) main: Option<usize>,
    /// What reads `ID.dead_letter`.
    pub(crate) rejects: Edges,
    /// What refused records go through, where a scrub is still ahead of them.
    pub(crate) exit: Option<Shared>,
}

/// Where a chain begins: an output of the component before it.
pub(crate) struct Gate {
    /// Its name; the main one has none.
    pub(crate) port: Option<String>,
    /// What reads it.
    pub(crate) edges: Edges,
}

/// What the plan makes of everything behind one source.
pub(crate) struct Chain {
    pub(crate) steps: Vec<Step>,
    /// The outputs of the component before it that lead into it.
    pub(crate) gates: Vec<Gate>,
    /// Meters of the component before it.
    pub(crate) source: Meters,
    pub(crate) front: Front,
    /// What records go through before anything else.
    pub(crate) guard: Option<Shared>,
    /// What a record goes through that makes a step panic, where there is a scrub among the steps.
    pub(crate) exit: Option<Shared>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) taps: Taps,
}

/// What enters a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// What a source sends.
    Source,
    /// What a stateful step sends. It may not make the same batch again: one that makes a step panic is run again,
    /// record by record, there and then.
    Held,
    /// What a sink or a stateful step refused.
    Refused,
}

impl Chain {
    /// The chain behind an output that nothing reads.
    pub(crate) fn unread(source: Meters, dead_letters: Arc<DeadLetters>) -> Self {
        let (gates, taps, guard, exit) = (Vec::new(), Taps::default(), None, None);
        Self { steps: Vec::new(), gates, source, front: Front::Refused, guard, exit, dead_letters, taps }
    }

    /// Shows a batch to whoever looks at this edge.
    fn show(&self, (of, port): (&Meters, Option<&str>), side: Side, batch: &Batch) {
        if self.taps.is_open() {
            self.taps.see((&of.label().id, port), side, batch);
        }
    }

    /// Lets go of records that nothing reads. What was refused is kept: its reader went with a reload just now.
    fn leave_unread(&self, batch: Batch) {
        if self.front != Front::Refused {
            self.source.discarded(Reason::Unrouted, batch.len());
            return batch.settle(Outcome::Dropped);
        }
        let outcome = self.dead_letters.write(&batch, ("rejected", "its reader is gone"), &self.source);
        batch.settle(outcome);
    }
}

/// An outlet that hands out lanes over the chain as it is configured now.
pub(crate) struct ChainOutlet {
    chain: Arc<ArcSwap<Chain>>,
    /// Of a source.
    reader: Option<Arc<Reader>>,
}

impl ChainOutlet {
    /// The outlet of a sink's or a step's output.
    pub(crate) fn new(chain: Arc<ArcSwap<Chain>>) -> Self {
        Self { chain, reader: None }
    }

    /// The outlet of a source.
    pub(super) fn of_source(chain: Arc<ArcSwap<Chain>>, reader: Reader) -> Self {
        Self { chain, reader: Some(Arc::new(reader)) }
    }
}

impl Outlet for ChainOutlet {
    fn lane_to(&self, output: usize) -> Box<dyn Lane> {
        let (current, reader, suspects) = (self.chain.clone(), self.reader.clone(), Suspects::default());
        Box::new(ChainLane {
            current,
            gate: output,
            reader,
            known: Weak::new(),
            guard: None,
            steps: Vec::new(),
            suspects,
        })
    }

    fn is_read(&self) -> bool {
        self.chain.load().gates.iter().any(|gate| !gate.edges.is_empty())
    }
}

struct ChainLane {
    current: Arc<ArcSwap<Chain>>,
    /// The number of the output that its batches come by.
    gate: usize,
    reader: Option<Arc<Reader>>,
    /// The chain that `steps` are a copy of. Between batches a lane holds no chain: one that a reload replaced goes
    /// with the last batch in it, and with it the doors to sinks that were removed.
    known: Weak<Chain>,
    guard: Option<Box<dyn Transform>>,
    steps: Vec<Copy>,
    suspects: Suspects,
}

/// What came out of the chain, in order. It is offered when all of a batch has passed: a step that panics on one way
/// leaves nothing half done on another.
type Outputs = Vec<(Arc<dyn Inlet>, Batch)>;

impl Lane for ChainLane {
    fn offer(&mut self, batch: Batch, waker: &Waker) -> Offer {
        self.run(batch, waker, false)
    }

    fn offer_once(&mut self, batch: Batch, waker: &Waker) -> Offer {
        self.run(batch, waker, true)
    }

    fn rest(&mut self) {
        if let Some(reader) = &self.reader {
            reader.rest();
        }
    }
}

impl ChainLane {
    /// Runs `batch`; one that comes once is run record by record there and then if a step panics.
    fn run(&mut self, mut batch: Batch, waker: &Waker, comes_once: bool) -> Offer {
        let chain = self.current.load_full();
        if !std::ptr::eq(self.known.as_ptr(), &raw const *chain) {
            self.follow(&chain);
        }
        if let Some(guard) = &mut self.guard {
            guard.apply(&mut batch, &mut Ports::default());
        }
        if chain.front != Front::Refused {
            chain.source.sent(batch.len(), 0);
            let port = chain.gates.get(self.gate).and_then(|gate| gate.port.as_deref());
            chain.show((&chain.source, port), Side::Out, &batch);
        }
        let mut run = Run { chain: &chain, gate: self.gate, steps: &mut self.steps, outputs: Outputs::new() };
        if comes_once || chain.front == Front::Held {
            run.at_once(batch);
        } else if self.suspects.has(&batch) {
            run.each(&batch);
            self.suspects.remove(&batch);
            batch.close();
        } else {
            let span = span(&batch);
            if run.guarded(batch).is_err() {
                // The batch went with the panic: its receipt says failed, the source offers it again.
                // What a panic says may hold a part of a record: it goes to the dead letter, not to the log.
                tracing::error!("a step panicked; its batch runs again, record by record");
                self.suspects.extend(span);
            }
        }
        Offer::make(run.outputs, waker)
    }

    /// Takes copies of what a new chain is made of.
    fn follow(&mut self, chain: &Arc<Chain>) {
        self.known = Arc::downgrade(chain);
        self.guard = chain.guard.as_ref().map(fork);
        let mut before = std::mem::take(&mut self.steps);
        self.steps = chain.steps.iter().map(|step| step.copy(&mut before)).collect();
    }
}

fn fork(transform: &Shared) -> Box<dyn Transform> {
    transform.lock().unwrap_or_else(PoisonError::into_inner).fork()
}

/// A lane's own copy of a step, with the step that it is a copy of.
struct Copy {
    of: Shared,
    transform: Box<dyn Transform>,
    /// What it logs is logged for the step, not for the source.
    span: Span,
    _seat: Seat,
}

impl Step {
    /// A lane's copy: that of before, if the reload left the step as it was, so that what it counts goes on.
    fn copy(&self, before: &mut Vec<Copy>) -> Copy {
        let known = before.iter().position(|copy| Arc::ptr_eq(&copy.of, &self.transform));
        known.map_or_else(|| self.fork(), |at| before.swap_remove(at))
    }

    fn fork(&self) -> Copy {
        let (of, span) = (self.transform.clone(), self.meters.label().span());
        Copy { of, transform: fork(&self.transform), span, _seat: self.meters.seat() }
    }
}

/// One batch on its way through the chain.
struct Run<'a> {
    chain: &'a Chain,
    gate: usize,
    steps: &'a mut [Copy],
    outputs: Outputs,
}

impl Run<'_> {
    /// Runs `batch` through the chain. If a step panics nothing is added to the outputs.
    fn guarded(&mut self, batch: Batch) -> Result<(), String> {
        let (gate, before) = (self.chain.gates.get(self.gate), self.outputs.len());
        let edges: &[(Edge, u32)] = gate.map_or(&[], |gate| &gate.edges);
        catch_unwind(AssertUnwindSafe(|| self.follow_all(batch, edges))).map_err(|payload| {
            self.outputs.truncate(before);
            for (copy, step) in self.steps.iter_mut().zip(&self.chain.steps) {
                *copy = step.fork();
            }
            panic_text(payload.as_ref())
        })
    }

    /// Runs `batch`, and if a step panics, each of its records.
    fn at_once(&mut self, mut batch: Batch) {
        let spare = batch.clone();
        let excuse = Excuse::put(&mut batch);
        if self.guarded(batch).is_ok() {
            excuse.not_needed();
        } else {
            excuse.accepted();
            tracing::error!("a step panicked; its batch runs again, record by record");
            self.each(&spare);
        }
        spare.close();
    }

    /// Runs each record alone; one that makes a step panic becomes a dead letter.
    fn each(&mut self, batch: &Batch) {
        for at in 0..batch.len() {
            let mut single = batch.pick(std::iter::once(at as u32));
            let spare = single.clone();
            let excuse = Excuse::put(&mut single);
            match self.guarded(single) {
                Ok(()) => {
                    spare.close();
                    excuse.not_needed();
                }
                Err(panic) => {
                    excuse.accepted();
                    self.chain.source.error("panic");
                    let spare = leaving(self.chain.exit.as_ref(), spare);
                    // What a panic says may hold a part of the record.
                    let why = if self.chain.exit.is_some() { "a step panicked" } else { &panic };
                    let outcome = self.chain.dead_letters.write(&spare, ("panic", why), &self.chain.source);
                    spare.settle(outcome);
                }
            }
        }
    }

    fn follow_all(&mut self, batch: Batch, edges: &[(Edge, u32)]) {
        let Some((last, others)) = edges.split_last() else {
            self.chain.leave_unread(batch);
            return;
        };
        for edge in others {
            self.follow(edge, batch.clone());
        }
        self.follow(last, batch);
    }

    fn follow(&mut self, (edge, hash): &(Edge, u32), mut batch: Batch) {
        if *hash != 0 {
            batch.took(*hash);
        }
        match edge {
            Edge::Step(number) => self.step(*number, batch),
            Edge::Queue(inlet) => self.outputs.push((inlet.clone(), batch)),
        }
    }

    fn step(&mut self, number: usize, mut batch: Batch) {
        let chain = self.chain;
        let step = &chain.steps[number];
        step.meters.received(batch.len(), 0);
        chain.show((&step.meters, None), Side::In, &batch);
        let mut ports = Ports::default();
        let working = step.meters.working();
        let Copy { transform, span, .. } = &mut self.steps[number];
        span.in_scope(|| transform.apply(&mut batch, &mut ports));
        drop(working);
        for (port, batch) in ports.take_named() {
            step.meters.sent(batch.len(), 0);
            chain.show((&step.meters, step.ports[port].as_deref()), Side::Out, &batch);
            self.follow_all(batch, &step.outputs[port]);
        }
        for (batch, why) in ports.take_rejected() {
            self.reject(step, batch, &why);
        }
        if batch.is_empty() {
            batch.close();
            return;
        }
        step.meters.sent(batch.len(), 0);
        chain.show((&step.meters, None), Side::Out, &batch);
        match step.main {
            Some(main) => self.follow_all(batch, &step.outputs[main]),
            // A step without a main output that leaves records behind has no reader for them.
            None => self.follow_all(batch, &[]),
        }
    }

    fn reject(&mut self, step: &Step, batch: Batch, why: &str) {
        let batch = leaving(step.exit.as_ref(), batch);
        self.chain.show((&step.meters, Some("dead_letter")), Side::Out, &batch);
        if !step.rejects.is_empty() {
            step.meters.sent(batch.len(), 0);
            self.follow_all(batch, &step.rejects);
            return;
        }
        let outcome = self.chain.dead_letters.write(&batch, ("rejected", why), &step.meters);
        batch.settle(outcome);
    }
}

#[cfg(test)]
mod tests;
