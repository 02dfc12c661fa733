//! From the plan's edges to chains: everything stateless behind a source, up to the next queues.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::chain::{Chain, Edge, Edges, Front, Gate, Shared, Step};
use super::guard::Guards;
use super::tap::Taps;
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::transform::Transform;
use crate::config::{Component, Kind, OutputRef, Plan};
use crate::delivery::DeadLetters;
use crate::event::hash32;

/// A transform as built, shared by all chains it is part of.
#[derive(Clone)]
pub(super) struct BuiltStep {
    pub(super) transform: Arc<Mutex<Box<dyn Transform>>>,
    pub(super) meters: Meters,
    pub(super) outputs: Vec<Option<String>>,
}

/// What chains are made of.
pub(super) struct Compiler<'a> {
    pub(super) plan: &'a Plan,
    pub(super) steps: &'a HashMap<String, BuiltStep>,
    pub(super) doors: &'a HashMap<String, Arc<dyn Inlet>>,
    pub(super) dead_letters: &'a Arc<DeadLetters>,
    pub(super) taps: &'a Taps,
    pub(super) guards: &'a Guards,
}

const DEAD_LETTER: &str = "dead_letter";
/// The type of steps that scrub.
const SCRUB: &str = "scrub";

impl Compiler<'_> {
    /// The chain behind the source `id`.
    pub(super) fn chain(&self, id: &str, meters: Meters) -> Chain {
        let guard = self.guards.of_source(id, &meters);
        let source = self.plan.sources.iter().find(|source| source.id == id);
        let outputs = source.map_or(&[][..], |source| &source.outputs);
        let chain = Chain { front: Front::Source, ..self.behind((id, None), (meters, guard)) };
        // A source with several outputs has one chain behind them all: its lanes know which of them they are of.
        let numbers = numbers(&self.reached(id, None));
        let gate = |port: &Option<String>| self.gate((id, port.as_deref()), &numbers);
        Chain { gates: outputs.iter().map(gate).collect(), ..chain }
    }

    /// The chain behind an output of the stateful step `id`.
    pub(super) fn exit(&self, id: &str, port: Option<&str>, meters: Meters) -> Chain {
        Chain { front: Front::Held, ..self.behind((id, port), (meters, None)) }
    }

    /// The chain behind the output `dead_letter` of the sink or the stateful step `id`.
    pub(super) fn rejects(&self, id: &str, meters: Meters) -> Chain {
        self.behind((id, Some(DEAD_LETTER)), (meters, None))
    }

    fn behind(&self, (id, port): (&str, Option<&str>), (meters, guard): (Meters, Option<Shared>)) -> Chain {
        let reached = self.reached(id, port);
        let numbers = numbers(&reached);
        let is_guarded = guard.is_some();
        let steps: Vec<Step> = reached
            .iter()
            .filter_map(|step| Some(Step { exit: self.way_out(step, is_guarded), ..self.step(step, &numbers)? }))
            .collect();
        let exit = steps.iter().find_map(|step| step.exit.clone());
        let gates = vec![self.gate((id, port), &numbers)];
        let (dead_letters, taps) = (self.dead_letters.clone(), self.taps.clone());
        Chain { steps, gates, source: meters, front: Front::Refused, guard, exit, dead_letters, taps }
    }

    fn gate(&self, (id, port): (&str, Option<&str>), numbers: &HashMap<&str, usize>) -> Gate {
        Gate { port: port.map(str::to_owned), edges: self.edges(id, port, numbers) }
    }

    /// The transforms that records of an output can come to. Others stay out of its chain: their edges would hold open
    /// the doors of sinks that nothing of it can reach, that of the sink itself among them.
    fn reached(&self, id: &str, port: Option<&str>) -> Vec<&str> {
        let reads = |reader: &Component, component: &str, port: Option<&str>| {
            let is_it =
                |input: &OutputRef| input.component == component && (port.is_none() || input.port.as_deref() == port);
            reader.inputs.iter().any(is_it)
        };
        let all = self.plan.transforms.iter().filter(|step| self.steps.contains_key(&step.id));
        let (mut reached, mut rest): (Vec<_>, Vec<_>) = all.partition(|step| reads(step, id, port));
        let mut looked_at = 0;
        while let Some(before) = reached.get(looked_at).copied() {
            reached.extend(rest.extract_if(.., |step| reads(step, &before.id, None)));
            looked_at += 1;
        }
        reached.into_iter().map(|step| step.id.as_str()).collect()
    }

    fn step(&self, id: &str, numbers: &HashMap<&str, usize>) -> Option<Step> {
        let built = self.steps.get(id)?.clone();
        let outputs = built.outputs.iter().map(|port| self.edges(id, port.as_deref(), numbers)).collect();
        Some(Step {
            transform: built.transform,
            meters: built.meters,
            outputs,
            main: built.outputs.iter().position(Option::is_none),
            ports: built.outputs.clone(),
            rejects: self.edges(id, Some(DEAD_LETTER), numbers),
            exit: None,
        })
    }

    /// What records go through that the step `id` refuses: a scrub, if one is still ahead of them and none was at the
    /// head of the chain.
    fn way_out(&self, id: &str, is_guarded: bool) -> Option<Shared> {
        (!is_guarded && self.leads_to_scrub(id)).then(|| self.guards.exit())
    }

    /// Is the step a scrub, or can its records come to one?
    fn leads_to_scrub(&self, id: &str) -> bool {
        let (mut seen, mut open) = (HashSet::from([id]), vec![id]);
        while let Some(id) = open.pop() {
            let step = self.plan.transforms.iter().find(|step| step.id == id);
            if step.is_some_and(|step| step.type_name == SCRUB) {
                return true;
            }
            let readers =
                self.plan.transforms.iter().filter(|reader| reader.inputs.iter().any(|input| input.component == id));
            open.extend(readers.map(|reader| reader.id.as_str()).filter(|id| seen.insert(*id)));
        }
        false
    }

    /// What reads an output, each with the way to it.
    fn edges(&self, id: &str, port: Option<&str>, numbers: &HashMap<&str, usize>) -> Edges {
        let output = OutputRef { component: id.to_owned(), port: port.map(str::to_owned) };
        let readers: Vec<_> = self.plan.components().filter(|component| component.inputs.contains(&output)).collect();
        let edge = |reader: &&Component| {
            let edge = match numbers.get(reader.id.as_str()) {
                Some(number) => Edge::Step(*number),
                None => Edge::Queue(self.doors.get(&reader.id)?.clone()),
            };
            Some((edge, self.way(&output, reader, &readers)))
        };
        readers.iter().filter_map(edge).collect()
    }

    /// What the way from `output` to `reader` adds to a record's path. It must tell apart two ways into one index, and
    /// must stay the same when a sink beside it comes or goes: a record that is read again after that is stored
    /// already under its old identity. So it is the sink's own name; and the edge, only where the output has a name or
    /// several ways lead to the same sink.
    fn way(&self, output: &OutputRef, reader: &Component, readers: &[&Component]) -> u32 {
        let others: HashSet<_> =
            readers.iter().filter(|other| other.id != reader.id).flat_map(|other| self.sinks_behind(other)).collect();
        let meets = !others.is_empty() && self.sinks_behind(reader).iter().any(|sink| others.contains(sink));
        if output.port.is_some() || meets {
            return hash32(format!("{output}>{}", reader.id).as_bytes()).max(1);
        }
        if reader.kind == Kind::Sink { hash32(reader.id.as_bytes()).max(1) } else { 0 }
    }

    /// Ids of the sinks that records reach from `first` on.
    fn sinks_behind<'c>(&'c self, first: &'c Component) -> HashSet<&'c str> {
        let (mut seen, mut open, mut sinks) = (HashSet::from([first.id.as_str()]), vec![first], HashSet::new());
        while let Some(component) = open.pop() {
            if component.kind == Kind::Sink {
                sinks.insert(component.id.as_str());
                continue;
            }
            let readers = self.plan.components().filter(|reader| reads(reader, component));
            open.extend(readers.filter(|reader| seen.insert(reader.id.as_str())));
        }
        sinks
    }
}

fn numbers<'s>(reached: &[&'s str]) -> HashMap<&'s str, usize> {
    reached.iter().enumerate().map(|(number, step)| (*step, number)).collect()
}

fn reads(reader: &Component, component: &Component) -> bool {
    reader.inputs.iter().any(|input| input.component == component.id)
}
