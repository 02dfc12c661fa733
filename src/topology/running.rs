//! What runs, and how it becomes what a new plan says: build everything, then swap.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};

use super::build::{BuildError, Ground};
use super::chain::{Chain, ChainOutlet};
use super::compile::{BuiltStep, Compiler};
use super::door::Door;
use crate::buffer::Queue;
use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::signal::Stop;
use crate::component::source::Source;
use crate::config::{Component, Plan};
use crate::delivery::{Bench, DeadLetters, Drain};

/// How long a component that is replaced or removed may finish what it has in hand.
const HAND_OVER: Duration = Duration::from_secs(10);

/// Everything that runs.
pub struct Topology {
    ground: Ground,
    dead_letters: Arc<DeadLetters>,
    sources: HashMap<String, RunningSource>,
    steps: HashMap<String, RunningStep>,
    sinks: HashMap<String, RunningSink>,
}

struct RunningSource {
    made_of: Component,
    meters: Meters,
    chain: Arc<ArcSwap<Chain>>,
    stop: Stop,
    task: JoinHandle<()>,
}

struct RunningStep {
    made_of: Component,
    built: BuiltStep,
}

struct RunningSink {
    made_of: Component,
    queue: Arc<Queue>,
    door: Arc<Door>,
    bench: Bench,
    stop: Stop,
    task: JoinHandle<()>,
}

/// What was built for a new plan, before anything is swapped. `None`: unchanged, what runs stays.
struct Built {
    sources: Vec<(Component, Option<Box<dyn Source>>)>,
    steps: HashMap<String, RunningStep>,
    sinks: Vec<(Component, Option<Box<dyn Drain>>)>,
}

/// What was still there when the time was over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Components that had not ended.
    pub components: Vec<String>,
    /// Bytes in the queues of sinks.
    pub queued_bytes: usize,
}

impl Topology {
    pub(super) fn new(ground: Ground, dead_letters: Arc<DeadLetters>) -> Self {
        Self { ground, dead_letters, sources: HashMap::new(), steps: HashMap::new(), sinks: HashMap::new() }
    }

    /// Makes what runs be what `plan` says. An error changes nothing.
    pub fn apply(&mut self, plan: &Plan) -> Result<(), BuildError> {
        self.apply_with(plan, &mut HashMap::new())
    }

    /// The same, with drains of the caller's, by id, in the place of sinks: for a program that wants the records.
    pub fn apply_with(&mut self, plan: &Plan, guests: &mut HashMap<String, Box<dyn Drain>>) -> Result<(), BuildError> {
        let built = self.build(plan, guests)?;
        self.swap(plan, built);
        Ok(())
    }

    /// Health of each sink, by id.
    pub fn health(&self) -> impl Iterator<Item = (&str, &Health)> {
        self.sinks.iter().map(|(id, sink)| (id.as_str(), &sink.bench.health))
    }

    fn build(&self, plan: &Plan, guests: &mut HashMap<String, Box<dyn Drain>>) -> Result<Built, BuildError> {
        let mut built = Built { sources: Vec::new(), steps: HashMap::new(), sinks: Vec::new() };
        for component in &plan.sinks {
            let runs = self.sinks.get(&component.id).is_some_and(|sink| is_same(&sink.made_of, component));
            let sink = match guests.remove(&component.id) {
                Some(guest) => Some(guest),
                None if runs => None,
                None => Some(self.ground.sink(component)?),
            };
            built.sinks.push((component.clone(), sink));
        }
        for component in &plan.transforms {
            let step = match self.steps.get(&component.id).filter(|step| is_same(&step.made_of, component)) {
                Some(step) => step.built.clone(),
                None => self.ground.transform(component)?,
            };
            built.steps.insert(component.id.clone(), RunningStep { made_of: component.clone(), built: step });
        }
        for component in &plan.sources {
            let runs = self.sources.get(&component.id).is_some_and(|source| is_same(&source.made_of, component));
            let source = if runs { None } else { Some(self.ground.source(component)?) };
            built.sources.push((component.clone(), source));
        }
        Ok(built)
    }

    fn swap(&mut self, plan: &Plan, built: Built) {
        let retired = self.swap_sinks(built.sinks);
        self.steps = built.steps;
        self.swap_sources(plan, built.sources);
        // The doors of removed sinks go last: their queues close when no chain leads there any more.
        retired.into_iter().for_each(RunningSink::retire);
    }

    fn swap_sinks(&mut self, sinks: Vec<(Component, Option<Box<dyn Drain>>)>) -> Vec<RunningSink> {
        let mut before = std::mem::take(&mut self.sinks);
        for (component, drain) in sinks {
            let running = match (before.remove(&component.id), drain) {
                (Some(running), None) => running,
                (old, Some(drain)) => self.start_sink(component.clone(), drain, old),
                (None, None) => continue,
            };
            self.sinks.insert(component.id, running);
        }
        before.into_values().collect()
    }

    /// Starts a sink; one of the same id that runs hands its queue over and finishes its requests.
    fn start_sink(&self, made_of: Component, drain: Box<dyn Drain>, old: Option<RunningSink>) -> RunningSink {
        let meters = self.ground.context(&made_of).meters;
        let buffer = drain.buffer().clone();
        let (queue, door, before) = match old {
            Some(old) => {
                old.queue.configure(buffer.max_size, buffer.when_full);
                old.stop.request(Instant::now() + HAND_OVER);
                (old.queue, old.door, Some(old.task))
            }
            None => {
                let queue = Arc::new(Queue::new(buffer.max_size, buffer.when_full, meters.clone()));
                (queue.clone(), Arc::new(Door(queue)), None)
            }
        };
        let bench =
            Bench { queue: queue.clone(), meters, health: Health::default(), dead_letters: self.dead_letters.clone() };
        let stop = Stop::default();
        let wait_for = before.filter(|_| drain.is_ordered());
        let work = drain.run(bench.clone(), stop.clone());
        let task = tokio::spawn(async move {
            if let Some(before) = wait_for {
                let _ended = before.await;
            }
            work.await;
        });
        RunningSink { made_of, queue, door, bench, stop, task }
    }

    fn swap_sources(&mut self, plan: &Plan, sources: Vec<(Component, Option<Box<dyn Source>>)>) {
        let steps = self.steps.iter().map(|(id, step)| (id.clone(), step.built.clone())).collect();
        let doors = self.sinks.iter().map(|(id, sink)| (id.clone(), sink.door.clone() as Arc<dyn Inlet>)).collect();
        let dead_letters = self.dead_letters.clone();
        let compiler = Compiler { plan, steps: &steps, doors: &doors, dead_letters: &dead_letters };
        let mut before = std::mem::take(&mut self.sources);
        for (component, source) in sources {
            let meters = self.ground.context(&component).meters;
            let chain = Arc::new(compiler.chain(&component.id, meters.clone()));
            let running = match (before.remove(&component.id), source) {
                (Some(running), None) => {
                    running.chain.store(chain);
                    running
                }
                (old, Some(source)) => RunningSource::start((component.clone(), meters), source, chain, old),
                (None, None) => continue,
            };
            self.sources.insert(component.id, running);
        }
        for removed in before.into_values() {
            removed.stop.request(Instant::now() + HAND_OVER);
        }
    }

    /// Takes no more, lets everything in hand arrive until `deadline`, and tells what did not.
    pub async fn shut_down(mut self, deadline: Instant) -> Leftover {
        let mut left = Leftover::default();
        for source in self.sources.values() {
            source.stop.request(deadline);
        }
        let at = tokio::time::Instant::from_std(deadline);
        for (id, mut source) in self.sources.drain() {
            if timeout_at(at, &mut source.task).await.is_err() {
                source.task.abort();
                left.components.push(id);
            }
        }
        for (id, mut sink) in self.sinks.drain() {
            drop(sink.door);
            if timeout_at(at, &mut sink.task).await.is_err() {
                sink.stop.request(deadline);
                sink.task.abort();
                left.queued_bytes += sink.queue.bytes();
                left.components.push(id);
            }
        }
        left.components.sort();
        left
    }
}

impl RunningSource {
    fn start(
        (made_of, meters): (Component, Meters),
        source: Box<dyn Source>,
        chain: Arc<Chain>,
        old: Option<Self>,
    ) -> Self {
        let chain = Arc::new(ArcSwap::new(chain));
        let (outlet, stop) = (Arc::new(ChainOutlet(chain.clone())), Stop::default());
        if let Some(old) = &old {
            old.stop.request(Instant::now() + HAND_OVER);
        }
        let ending = stop.clone();
        let task = tokio::spawn(async move {
            // Positions and ports pass from the one to the other.
            if let Some(old) = old {
                let _ended = old.task.await;
            }
            source.run(outlet, ending).await;
        });
        Self { made_of, meters, chain, stop, task }
    }

    /// Its figures.
    pub(super) fn meters(&self) -> &Meters {
        &self.meters
    }
}

impl RunningSink {
    /// Lets a removed sink deliver what its queue holds, for a while.
    fn retire(self) {
        let Self { door, queue, stop, mut task, .. } = self;
        drop(door);
        tokio::spawn(async move {
            if timeout(HAND_OVER, &mut task).await.is_err() {
                stop.request(Instant::now());
                let _ended = task.await;
            }
            queue.abandon();
        });
    }
}

/// Would building it again give the same?
fn is_same(one: &Component, other: &Component) -> bool {
    one.type_name == other.type_name && one.section.settings == other.section.settings
}
