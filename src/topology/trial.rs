//! A plan's transforms without its sources and sinks: records go in where one says, and what comes out of each output
//! is kept. For the tests of a configuration.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::build::{BuildError, Ground};
use super::compile::BuiltStep;
use super::pauses::Pauses;
use super::tables::Shelf;
use super::tap::Taps;
use crate::buffer::MinFree;
use crate::component::meters::Families;
use crate::component::transform::{Ports, Stateful};
use crate::config::{Component, OutputRef, Plan};
use crate::event::{Batch, Budget};

/// The output of what a step refused.
const DEAD_LETTER: &str = "dead_letter";

/// Transforms that are ready to be tried, in the order that records pass them.
pub struct Trial<'p> {
    steps: Vec<(&'p Component, Step)>,
}

enum Step {
    /// One that holds nothing.
    Plain(BuiltStep),
    /// One that holds records, and gives out all that it holds at the end.
    Keeping(Mutex<Box<dyn Stateful>>, Vec<Option<String>>),
}

/// What came out of each output.
#[derive(Default)]
pub struct Emitted(BTreeMap<OutputRef, Vec<Batch>>);

impl Emitted {
    /// What came out of `output`, in order.
    pub fn of<'e>(&'e self, output: &OutputRef) -> impl Iterator<Item = &'e Batch> + use<'e> {
        self.0.get(output).into_iter().flatten()
    }

    fn put(&mut self, component: &Component, port: Option<String>, batch: Batch) {
        self.0.entry(OutputRef { component: component.id.clone(), port }).or_default().push(batch);
    }

    fn take(&mut self, component: &Component, outputs: &[Option<String>], ports: &mut Ports) {
        for (port, batch) in ports.take_named() {
            self.put(component, outputs[port].clone(), batch);
        }
        for (batch, _) in ports.take_rejected() {
            self.put(component, Some(DEAD_LETTER.to_owned()), batch);
        }
    }
}

impl<'p> Trial<'p> {
    /// Builds the transforms of `plan`, as new as at a start.
    pub fn new(plan: &'p Plan) -> Result<Self, BuildError> {
        let (families, budget, taps) = (Families::default(), Budget::new(usize::MAX), Taps::default());
        let tables = Shelf::default().build(plan, &families, Path::new(""))?.tables();
        let (pauses, nowhere) = (Pauses::default(), Path::new(""));
        let (data_dir, min_free) = (nowhere.into(), MinFree::new(nowhere));
        let ground = Ground { families, budget, data_dir, min_free, taps, tables, pauses };
        let build = |component: &'p Component| {
            if !Ground::is_stateful(component) {
                return Ok((component, Step::Plain(ground.transform(component, &plan.files)?)));
            }
            let step = ground.keeper(component, &plan.files)?.step;
            Ok((component, Step::Keeping(Mutex::new(step), Ground::outputs(component))))
        };
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
            let all = inserted.into_iter().chain(read);
            match step {
                Step::Plain(step) => all.for_each(|batch| pass(component, step, batch, &mut emitted)),
                Step::Keeping(step, outputs) => keep(component, (step, outputs), all, &mut emitted),
            }
        }
        emitted
    }
}

/// Has a step that holds nothing work on `batch`.
fn pass(component: &Component, step: &BuiltStep, mut batch: Batch, emitted: &mut Emitted) {
    let mut ports = Ports::default();
    step.transform.lock().unwrap_or_else(PoisonError::into_inner).apply(&mut batch, &mut ports);
    emitted.take(component, &step.outputs, &mut ports);
    if !batch.is_empty() {
        emitted.put(component, None, batch);
    }
}

/// Has a step that holds records work on all batches, then give out what it holds.
fn keep(
    component: &Component,
    (step, outputs): (&Mutex<Box<dyn Stateful>>, &[Option<String>]),
    batches: impl Iterator<Item = Batch>,
    emitted: &mut Emitted,
) {
    let (mut ports, now) = (Ports::default(), Instant::now());
    let mut step = step.lock().unwrap_or_else(PoisonError::into_inner);
    batches.for_each(|batch| step.apply(batch, now, &mut ports));
    step.finish(&mut ports);
    while step.due().is_some() {
        step.finish(&mut ports);
    }
    emitted.take(component, outputs, &mut ports);
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
