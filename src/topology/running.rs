//! What runs, and how it becomes what a new plan says: build everything, then swap.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};

use super::alive::Alive;
use super::build::{BuildError, Ground};
use super::chain::{Chain, ChainOutlet};
use super::compile::{BuiltStep, Compiler};
use super::door::Door;
use super::keepers::{self, Keepers};
use super::roster::{Member, Roster};
use super::tables::{self, Shelf};
use crate::buffer::Queue;
use crate::component::health::Health;
use crate::component::outlet::Inlet;
use crate::component::signal::Stop;
use crate::component::source::Source;
use crate::config::{Component, Plan};
use crate::delivery::{Bench, DeadLetters, Drain, Refusals};

/// How long a component that is replaced or removed may finish what it has in hand.
pub(super) const HAND_OVER: Duration = Duration::from_secs(10);

/// Everything that runs.
pub struct Topology {
    ground: Ground,
    dead_letters: Arc<DeadLetters>,
    sources: HashMap<String, RunningSource>,
    steps: HashMap<String, RunningStep>,
    keepers: Keepers,
    tables: Shelf,
    sinks: HashMap<String, RunningSink>,
    alive: Alive,
    roster: Roster,
}

struct RunningSource {
    made_of: Component,
    health: Health,
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
    /// What reads its output `dead_letter`.
    rejects: Arc<ArcSwap<Chain>>,
    health: Health,
    stop: Stop,
    task: JoinHandle<()>,
}

/// What was built for a new plan, before anything is swapped. `None`: unchanged, what runs stays.
struct Built {
    tables: Shelf,
    sources: Vec<(Component, Option<Box<dyn Source>>)>,
    steps: HashMap<String, RunningStep>,
    keepers: keepers::Built,
    sinks: Vec<(Component, Option<Box<dyn Drain>>)>,
}

/// What was still there when the time was over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Components that had not ended.
    pub components: Vec<String>,
    /// Bytes in the queue of each sink that has some.
    pub queued_bytes: Vec<(String, usize)>,
}

impl Topology {
    pub(super) fn new(ground: Ground, dead_letters: Arc<DeadLetters>) -> Self {
        Self {
            ground,
            dead_letters,
            sources: HashMap::new(),
            steps: HashMap::new(),
            keepers: Keepers::default(),
            tables: Shelf::default(),
            sinks: HashMap::new(),
            alive: Alive::default(),
            roster: Roster::default(),
        }
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

    /// Who runs, and how each is.
    pub fn roster(&self) -> Roster {
        self.roster.clone()
    }

    /// Waits until no source is at work: each has read all there ever will be.
    pub fn sources_ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.alive.ended()
    }

    fn build(&self, plan: &Plan, guests: &mut HashMap<String, Box<dyn Drain>>) -> Result<Built, BuildError> {
        let shelf = self.tables.build(plan, &self.ground.families)?;
        let ground = Ground { tables: shelf.tables(), ..self.ground.clone() };
        // A program holds the tables that it was compiled with.
        let has_tables = self.tables.is_same(&shelf);
        let keepers = self.keepers.build(plan, &ground, has_tables)?;
        let mut built = Built { tables: shelf, sources: Vec::new(), steps: HashMap::new(), keepers, sinks: Vec::new() };
        for component in &plan.sinks {
            let runs = self.sinks.get(&component.id).is_some_and(|sink| is_same(&sink.made_of, component));
            let sink = match guests.remove(&component.id) {
                Some(guest) => Some(guest),
                None if runs => None,
                None => Some(self.ground.sink(component)?),
            };
            built.sinks.push((component.clone(), sink));
        }
        for component in plan.transforms.iter().filter(|component| !Ground::is_stateful(component)) {
            let runs = |step: &&RunningStep| {
                is_same(&step.made_of, component) && (has_tables || !tables::may_look_up(component))
            };
            let step = match self.steps.get(&component.id).filter(runs) {
                Some(step) => step.built.clone(),
                None => ground.transform(component)?,
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
        self.tables = built.tables;
        let mut keepers = self.keepers.swap(built.keepers, (&self.ground, &self.alive), &self.dead_letters);
        self.swap_sources(plan, built.sources, || keepers.start());
        self.roster.replace(self.members());
        keepers.retire();
        // The doors of removed sinks go last: their queues close when no chain leads there any more.
        retired.into_iter().for_each(RunningSink::retire);
    }

    fn members(&self) -> Vec<Member> {
        let sources = self.sources.values().map(|source| Member::of(&source.made_of, &source.health));
        let sinks = self.sinks.values().map(|sink| Member::of(&sink.made_of, &sink.health));
        sources.chain(self.keepers.members()).chain(sinks).collect()
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
        let (queue, door, before) = if let Some(old) = old {
            old.queue.configure(buffer.max_size, buffer.when_full);
            old.stop.request(Instant::now() + HAND_OVER);
            (old.queue, old.door, Some(old.task))
        } else {
            let queue = Arc::new(Queue::new(buffer.max_size, buffer.when_full, meters.clone()));
            (queue.clone(), Arc::new(Door(queue)), None)
        };
        let unread = Chain::unread(meters.clone(), self.dead_letters.clone());
        let rejects = Arc::new(ArcSwap::from_pointee(unread));
        let refusals = Refusals::new(self.dead_letters.clone(), Arc::new(ChainOutlet::new(rejects.clone())));
        let bench = Bench { queue: queue.clone(), meters, health: Health::default(), refusals };
        let stop = Stop::default();
        let wait_for = before.filter(|_| drain.is_ordered());
        let work = drain.run(bench.clone(), stop.clone());
        let task = tokio::spawn(async move {
            if let Some(before) = wait_for {
                let _ended = before.await;
            }
            work.await;
        });
        RunningSink { made_of, queue, door, rejects, health: bench.health, stop, task }
    }

    /// Leads everything to what reads it now; calls `connected` when the chains behind stateful steps are there, before
    /// any source writes to those.
    fn swap_sources(
        &mut self,
        plan: &Plan,
        sources: Vec<(Component, Option<Box<dyn Source>>)>,
        connected: impl FnOnce(),
    ) {
        let steps = self.steps.iter().map(|(id, step)| (id.clone(), step.built.clone())).collect();
        let doors = self.sinks.iter().map(|(id, sink)| (id.clone(), sink.door.clone() as Arc<dyn Inlet>));
        let doors = doors.chain(self.keepers.doors()).collect();
        let dead_letters = self.dead_letters.clone();
        let compiler = Compiler { plan, steps: &steps, doors: &doors, dead_letters: &dead_letters };
        for (id, sink) in &self.sinks {
            let meters = self.ground.context(&sink.made_of).meters;
            sink.rejects.store(Arc::new(compiler.rejects(id, meters)));
        }
        self.keepers.connect(&compiler, &self.ground);
        connected();
        let mut before = std::mem::take(&mut self.sources);
        for (component, source) in sources {
            let meters = self.ground.context(&component).meters;
            let chain = Arc::new(compiler.chain(&component.id, meters));
            let running = match (before.remove(&component.id), source) {
                (Some(running), None) => {
                    running.chain.store(chain);
                    running
                }
                (old, Some(source)) => {
                    let new = NewSource { made_of: component.clone(), chain, source };
                    new.start(old, &self.alive)
                }
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
        self.keepers.hurry();
        for sink in self.sinks.values() {
            sink.queue.hurry();
        }
        let at = tokio::time::Instant::from_std(deadline);
        for (id, mut source) in self.sources.drain() {
            if timeout_at(at, &mut source.task).await.is_err() {
                source.task.abort();
                left.components.push(id);
            }
        }
        self.keepers.shut_down(deadline, &mut left).await;
        // All doors at once: a sink that cannot deliver does not keep the others from ending, and one that another
        // sends its refused records to ends after it.
        let sinks: Vec<_> = self.sinks.drain().map(|(id, sink)| (id, sink.close())).collect();
        for (id, mut sink) in sinks {
            if timeout_at(at, &mut sink.task).await.is_err() {
                sink.stop.request(deadline);
                sink.task.abort();
                left.queued_bytes.push((id.clone(), sink.queue.bytes()));
                left.components.push(id);
            }
        }
        left.queued_bytes.retain(|(_, bytes)| *bytes > 0);
        left.queued_bytes.sort();
        left.components.sort();
        left
    }
}

/// A source that was built and does not run yet.
struct NewSource {
    made_of: Component,
    chain: Arc<Chain>,
    source: Box<dyn Source>,
}

impl NewSource {
    fn start(self, old: Option<RunningSource>, alive: &Alive) -> RunningSource {
        let Self { made_of, chain, source } = self;
        let chain = Arc::new(ArcSwap::new(chain));
        let outlet = Arc::new(ChainOutlet::of_source(chain.clone(), alive.reader()));
        let (stop, health) = (Stop::default(), Health::default());
        if let Some(old) = &old {
            old.stop.request(Instant::now() + HAND_OVER);
        }
        let (id, ending, state) = (made_of.id.clone(), stop.clone(), health.clone());
        let pulse = alive.begin(&id, &health, &stop);
        let task = tokio::spawn(async move {
            let _at_work = pulse;
            // Positions and ports pass from the one to the other.
            if let Some(old) = old {
                let _ended = old.task.await;
            }
            state.succeeded(&id);
            source.run(outlet, ending).await;
        });
        RunningSource { made_of, health, chain, stop, task }
    }
}

/// A sink whose queue nothing of ours writes to any more.
struct ClosedSink {
    queue: Arc<Queue>,
    stop: Stop,
    task: JoinHandle<()>,
}

impl RunningSink {
    fn close(self) -> ClosedSink {
        let Self { queue, stop, task, .. } = self;
        ClosedSink { queue, stop, task }
    }

    /// Lets a removed sink deliver what its queue holds, for a while.
    fn retire(self) {
        let ClosedSink { queue, stop, mut task } = self.close();
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
pub(super) fn is_same(one: &Component, other: &Component) -> bool {
    one.type_name == other.type_name && one.section.settings == other.section.settings
}

#[cfg(test)]
mod tests;
