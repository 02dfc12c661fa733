//! A plan's transforms without its sources and sinks: records go in where one says, and what comes out of each output
//! is kept. For the tests of a configuration.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::PoisonError;

use super::build::{BuildError, Ground};
use super::compile::BuiltStep;
use super::tap::Taps;
use crate::component::meters::Families;
use crate::component::transform::Ports;
use crate::config::{Component, OutputRef, Plan};
use crate::event::{Batch, Budget};

/// The output of what a step refused.
const DEAD_LETTER: &str = "dead_letter";

/// Transforms that are ready to be tried, in the order that records pass them.
pub struct Trial<'p> {
    steps: Vec<(&'p Component, BuiltStep)>,
}

/// What came out of each output.
#[derive(Default)]
pub struct Emitted(BTreeMap<OutputRef, Vec<Batch>>);

impl Emitted {
    /// What came out of `output`, in order.
    pub fn of<'e>(&'e self, output: &OutputRef) -> impl Iterator<Item = &'e Batch> + use<'e> {
        self.0.get(output).into_iter().flatten()
    }
}

impl<'p> Trial<'p> {
    /// Builds the transforms of `plan`, as new as at a start.
    pub fn new(plan: &'p Plan) -> Result<Self, BuildError> {
        let (families, budget, taps) = (Families::default(), Budget::new(usize::MAX), Taps::default());
        let ground = Ground { families, budget, data_dir: Path::new("").into(), taps };
        let build = |component: &'p Component| Ok((component, ground.transform(component, &plan.files)?));
        Ok(Self { steps: in_order(plan).into_iter().map(build).collect::<Result<_, _>>()? })
    }

    /// Gives each batch to the transform of that id, and what comes out to those that read it.
    pub fn run(&self, inputs: Vec<(String, Batch)>) -> Emitted {
        let mut emitted = Emitted::default();
        let mut waiting: HashMap<String, Vec<Batch>> = HashMap::new();
        for (id, batch) in inputs {
            waiting.entry(id).or_default().push(batch);
        }
        for (component, step) in &self.steps {
            let read = component.inputs.iter().flat_map(|input| emitted.of(input)).cloned().collect::<Vec<_>>();
            let inserted = waiting.remove(&component.id).unwrap_or_default();
            for batch in inserted.into_iter().chain(read) {
                pass(component, step, batch, &mut emitted);
            }
        }
        emitted
    }
}

/// Has `step` work on `batch`.
fn pass(component: &Component, step: &BuiltStep, mut batch: Batch, emitted: &mut Emitted) {
    let mut ports = Ports::default();
    step.transform.lock().unwrap_or_else(PoisonError::into_inner).apply(&mut batch, &mut ports);
    let mut emit = |port: Option<String>, batch: Batch| {
        let output = OutputRef { component: component.id.clone(), port };
        emitted.0.entry(output).or_default().push(batch);
    };
    for (port, batch) in ports.take_named() {
        emit(step.outputs[port].clone(), batch);
    }
    for (batch, _) in ports.take_rejected() {
        emit(Some(DEAD_LETTER.to_owned()), batch);
    }
    if !batch.is_empty() {
        emit(None, batch);
    }
}

/// The transforms, each behind all whose records it reads.
fn in_order(plan: &Plan) -> Vec<&Component> {
    let mut ordered: Vec<&Component> = Vec::new();
    let mut open: VecDeque<&Component> = plan.transforms.iter().collect();
    while let Some(component) = open.pop_front() {
        let waits = |input: &OutputRef| open.iter().any(|other| other.id == input.component);
        if component.inputs.iter().any(waits) {
            // There is no circle in a plan, so some other one need not wait.
            open.push_back(component);
        } else {
            ordered.push(component);
        }
    }
    ordered
}
