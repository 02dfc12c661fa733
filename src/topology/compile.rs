//! From the plan's edges to chains: everything stateless behind a source, up to the next queues.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::chain::{Chain, Edge, Edges, Step};
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::transform::Transform;
use crate::config::{Component, OutputRef, Plan};
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
}

const DEAD_LETTER: &str = "dead_letter";

impl Compiler<'_> {
    /// The chain behind the source `id`.
    pub(super) fn chain(&self, id: &str, meters: Meters) -> Chain {
        Chain { is_source: true, ..self.behind((id, None), meters) }
    }

    /// The chain behind the output `dead_letter` of the sink `id`.
    pub(super) fn rejects(&self, id: &str, meters: Meters) -> Chain {
        self.behind((id, Some(DEAD_LETTER)), meters)
    }

    fn behind(&self, (id, port): (&str, Option<&str>), meters: Meters) -> Chain {
        let reached = self.reached(id, port);
        let numbers = reached.iter().enumerate().map(|(number, step)| (*step, number)).collect();
        let steps = reached.iter().filter_map(|step| self.step(step, &numbers)).collect();
        let entry = self.edges(id, port, &numbers);
        Chain { steps, entry, source: meters, is_source: false, dead_letters: self.dead_letters.clone() }
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
            rejects: self.edges(id, Some(DEAD_LETTER), numbers),
        })
    }

    /// What reads an output. Where it is not the only way on, the way taken becomes part of a record's path.
    fn edges(&self, id: &str, port: Option<&str>, numbers: &HashMap<&str, usize>) -> Edges {
        let output = OutputRef { component: id.to_owned(), port: port.map(str::to_owned) };
        let readers: Vec<_> = self.plan.components().filter(|component| component.inputs.contains(&output)).collect();
        let is_only_way = readers.len() == 1 && port.is_none();
        let edge = |reader: &&Component| {
            let edge = match numbers.get(reader.id.as_str()) {
                Some(number) => Edge::Step(*number),
                None => Edge::Queue(self.doors.get(&reader.id)?.clone()),
            };
            let way = if is_only_way { 0 } else { hash32(format!("{output}>{}", reader.id).as_bytes()).max(1) };
            Some((edge, way))
        };
        readers.iter().filter_map(edge).collect()
    }
}
