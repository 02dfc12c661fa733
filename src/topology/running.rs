//! What runs, and how it becomes what a new plan says: build everything, then swap.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};
use tracing::Instrument;

use super::alive::Alive;
use super::build::{BuildError, Ground, Made};
use super::chain::{Chain, ChainOutlet};
use super::changes::{self, Change};
use super::compile::{BuiltStep, Compiler};
use super::entry::{self, Buffers, Entry};
use super::guard::Guards;
use super::keepers::{self, Around, Keepers};
use super::leftover::Leftover;
use super::pauses::Pauses;
use super::retired::{HAND_OVER, Retired};
use super::roster::{Member, Roster};
use super::running_sink::{self, ClosedSink, RunningSink};
use super::running_source::{NewSource, RunningSource};
use super::tables::Shelf;
use super::tap::Taps;
use crate::buffer::Queue;
use crate::component::health::Health;
use crate::component::outlet::Inlet;
use crate::component::signal::Stop;
use crate::component::source::Source;
use crate::config::{Files, Plan};
use crate::delivery::{Bench, DeadLetters, Drain, InHand, Refusals};

/// How long a disk buffer may take to write its ledger at the end of the process.
const DISK: Duration = Duration::from_secs(5);

/// Everything that runs.
pub struct Topology {
    ground: Ground,
    dead_letters: Arc<DeadLetters>,
    sources: HashMap<String, RunningSource>,
    steps: HashMap<String, RunningStep>,
    keepers: Keepers,
    tables: Shelf,
    sinks: HashMap<String, RunningSink>,
    buffers: Buffers,
    retired: Retired,
    alive: Alive,
    roster: Roster,
}

struct RunningStep {
    made_of: Made,
    built: BuiltStep,
}

/// A source that is new or changed, and where it tells how it is.
type NewOne = (Box<dyn Source>, Health);

/// What was built for a new plan, before anything is swapped. `None`: unchanged, what runs stays.
struct Built {
    tables: Shelf,
    sources: Vec<(Made, Option<NewOne>)>,
    steps: HashMap<String, RunningStep>,
    keepers: keepers::Built,
    sinks: Vec<(Made, Option<Box<dyn Drain>>)>,
    guards: Guards,
}

/// Takes the place of a sink, and gets it as it was built, to pass records on to or to let go.
pub type Guest = Box<dyn FnOnce(Box<dyn Drain>) -> Box<dyn Drain>>;

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
            buffers: Buffers::default(),
            retired: Retired::default(),
            alive: Alive::default(),
            roster: Roster::default(),
        }
    }

    /// Makes what runs be what `plan` says. An error changes nothing.
    pub fn apply(&mut self, plan: &Plan) -> Result<(), BuildError> {
        self.apply_with(plan, &mut HashMap::new())
    }

    /// The same, with guests, by id, in the place of sinks: for a program that wants the records.
    pub fn apply_with(&mut self, plan: &Plan, guests: &mut HashMap<String, Guest>) -> Result<(), BuildError> {
        let built = self.build(plan, guests)?;
        self.swap(plan, built);
        Ok(())
    }

    /// What `plan` would change.
    pub fn changes(&self, plan: &Plan) -> Vec<Change> {
        let sources = self.sources.values().map(|source| &source.made_of);
        let steps = self.steps.values().map(|step| &step.made_of);
        let steps = steps.chain(self.keepers.made());
        let all = sources.chain(steps).chain(self.sinks.values().map(|sink| &sink.made_of));
        changes::changes(&all.map(|made| (made.component.id.as_str(), made)).collect(), plan)
    }

    /// Where records can be looked at.
    pub fn taps(&self) -> Taps {
        self.ground.taps.clone()
    }

    /// Where refused records are kept.
    pub fn dead_letters(&self) -> Arc<DeadLetters> {
        self.dead_letters.clone()
    }

    /// Which sources are paused.
    pub fn pauses(&self) -> Pauses {
        self.ground.pauses.clone()
    }

    /// Who runs, and how each is.
    pub fn roster(&self) -> Roster {
        self.roster.clone()
    }

    /// Waits until no source is at work: each has read all there ever will be.
    pub fn sources_ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.alive.ended()
    }

    fn swap(&mut self, plan: &Plan, built: Built) {
        self.retired.sweep();
        self.leave_free(entry::min_free(plan));
        let removed = self.swap_sinks(built.sinks, &plan.files);
        self.steps = built.steps;
        self.tables = built.tables;
        self.tables.keep();
        self.ground.tables = self.tables.tables();
        let around = Around { ground: &self.ground, alive: &self.alive, dead_letters: &self.dead_letters };
        let mut keepers = self.keepers.swap(built.keepers, &plan.files, around);
        self.swap_sources((plan, &built.guards), built.sources, || keepers.start());
        self.roster.replace(self.members());
        keepers.retire();
        // The doors of removed sinks go last: their queues close when no chain leads there any more.
        for (id, sink) in removed {
            let ClosedSink { queue, stop, task, .. } = sink.close();
            self.retired.sink(id, (queue, stop), task);
        }
        self.buffers.tell_orphans(plan, &self.ground);
        self.buffers.tell_capacity(plan, &self.ground);
    }

    fn leave_free(&self, share: f64) {
        if share.to_bits() != self.ground.min_free.wanted().to_bits() {
            self.ground.min_free.set(share);
            self.buffers.leave_free(share);
        }
    }

    fn members(&self) -> Vec<Member> {
        let sources = self.sources.values().map(Member::of_source);
        let steps = self.steps.values().map(|step| Member::of(&step.made_of.component, &running()));
        let sinks = self.sinks.values().map(Member::of_sink);
        sources.chain(steps).chain(self.keepers.members()).chain(sinks).collect()
    }

    fn swap_sinks(
        &mut self,
        sinks: Vec<(Made, Option<Box<dyn Drain>>)>,
        files: &Files,
    ) -> HashMap<String, RunningSink> {
        let mut before = std::mem::take(&mut self.sinks);
        for (made_of, drain) in sinks {
            let id = made_of.component.id.clone();
            let running = match (before.remove(&id), drain) {
                (Some(running), None) => running,
                (old, Some(drain)) => self.start_sink(made_of, (drain, files), old),
                (None, None) => continue,
            };
            self.sinks.insert(id, running);
        }
        before
    }

    /// The queue of a sink, with the ways to it. One of the same id that runs, or has not ended, hands it over and
    /// finishes its requests: its end comes with it.
    fn queue(
        &mut self,
        made_of: &Made,
        drain: &dyn Drain,
        old: Option<RunningSink>,
    ) -> (Arc<Queue>, Entry, Option<JoinHandle<()>>) {
        let (component, buffer) = (&made_of.component, drain.buffer());
        // The old ways stay open until there are new ones.
        let (queue, _old_ways, before) = if let Some(old) = old {
            old.stop.request(Instant::now() + HAND_OVER);
            (old.queue, Some(old.entry), Some(old.task))
        } else if let Some((queue, end)) = self.retired.take_sink(&component.id) {
            (queue, None, Some(end))
        } else {
            (entry::queue(component, buffer, &self.ground), None, None)
        };
        let entry = self.buffers.entry(component, (drain, &queue), &self.ground);
        let (size, when_full) = entry::bounds(buffer, &self.ground);
        queue.configure(size, when_full);
        // From now on records are the new one's.
        queue.pass_by(None);
        (queue, entry, before)
    }

    fn start_sink(
        &mut self,
        made_of: Made,
        (drain, files): (Box<dyn Drain>, &Files),
        old: Option<RunningSink>,
    ) -> RunningSink {
        let meters = self.ground.context(&made_of.component).meters;
        let (queue, entry, before) = self.queue(&made_of, &*drain, old);
        let unread = Chain::unread(meters.clone(), self.dead_letters.clone());
        let rejects = Arc::new(ArcSwap::from_pointee(unread));
        let (stop, in_hand) = (Stop::default(), InHand::default());
        let outlet = Arc::new(ChainOutlet::new(rejects.clone()));
        let refusals = Refusals::new(self.dead_letters.clone(), outlet, stop.clone());
        let (health, budget) = (Health::default(), self.ground.budget.clone());
        let frames = entry.disk.as_ref().map(|disk| disk.frames());
        let bench = Bench { queue: queue.clone(), meters, health, refusals, in_hand: in_hand.clone(), frames, budget };
        let wait_for = before.filter(|_| drain.is_ordered());
        let (health, span) = (bench.health.clone(), bench.meters.label().span());
        let ward = running_sink::ward(&made_of, (&self.ground, files), (&bench, &stop));
        let life = running_sink::life(drain, (&bench, &stop));
        let disk = entry.disk.clone();
        let task = async move {
            if let Some(before) = wait_for {
                let _ended = before.await;
            }
            ward.live(life).await;
            if let Some(disk) = disk {
                disk.finish().await;
            }
        };
        let task = tokio::spawn(task.instrument(span));
        RunningSink { made_of, in_hand, queue, entry, rejects, health, stop, task }
    }

    /// Leads everything to what reads it now; calls `connected` when the chains behind stateful steps are there, before
    /// any source writes to those.
    fn swap_sources(
        &mut self,
        (plan, guards): (&Plan, &Guards),
        sources: Vec<(Made, Option<NewOne>)>,
        connected: impl FnOnce(),
    ) {
        let steps = self.steps.iter().map(|(id, step)| (id.clone(), step.built.clone())).collect();
        let doors = |is_counted| -> HashMap<String, Arc<dyn Inlet>> {
            let sinks = self.sinks.iter().map(|(id, sink)| (id.clone(), sink.entry.inlet(is_counted)));
            sinks.chain(self.keepers.doors()).collect()
        };
        let (doors, asides) = (doors(true), doors(false));
        let dead_letters = self.dead_letters.clone();
        let taps = self.ground.taps.clone();
        let compiler =
            Compiler { plan, steps: &steps, doors: &doors, dead_letters: &dead_letters, taps: &taps, guards };
        let aside = Compiler { doors: &asides, ..compiler };
        for (id, sink) in &self.sinks {
            let meters = self.ground.context(&sink.made_of.component).meters;
            sink.rejects.store(Arc::new(aside.rejects(id, meters)));
        }
        self.keepers.connect(&aside, &self.ground);
        connected();
        let mut before = std::mem::take(&mut self.sources);
        for (made_of, source) in sources {
            let id = made_of.component.id.clone();
            let context = self.ground.context(&made_of.component);
            let (meters, pause) = (context.meters, context.pause);
            let chain = Arc::new(compiler.chain(&id, meters));
            let running = match (before.remove(&id), source) {
                (Some(running), None) => {
                    running.chain.store(chain);
                    running
                }
                (old, Some((source, health))) => {
                    let old = old.map(RunningSource::hand_over).or_else(|| self.retired.take_source(&id));
                    let files = plan.files.clone();
                    NewSource { made_of, chain, pause, source, health, files }.start(old, (&self.ground, &self.alive))
                }
                (None, None) => continue,
            };
            self.sources.insert(id, running);
        }
        for (id, removed) in before {
            self.retired.source(id, removed.stop, removed.task);
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
        self.retired.hurry(deadline);
        let at = tokio::time::Instant::from_std(deadline);
        for (id, mut source) in self.sources.drain() {
            if timeout_at(at, &mut source.task).await.is_err() {
                source.task.abort();
                left.components.push(id);
            }
        }
        left.components.extend(self.retired.sources_end(deadline).await);
        self.keepers.shut_down(deadline, &mut left).await;
        // All doors at once: a sink that cannot deliver does not keep the others from ending, and one that another
        // sends its refused records to ends after it.
        let sinks: Vec<_> = self.sinks.drain().map(|(id, sink)| (id, sink.close())).collect();
        for (id, mut sink) in sinks {
            if timeout_at(at, &mut sink.task).await.is_err() {
                let (queued, in_hand) = (sink.queue.bytes(), sink.in_hand.sum());
                // One that has nothing waits only for sources that are late: it has finished. What is in a disk buffer
                // stays there.
                if sink.disk.is_none() && (queued > 0 || in_hand.0 > 0) {
                    left.queued_bytes.push((id.clone(), queued));
                    left.in_hand.push((id.clone(), in_hand));
                    left.components.push(id);
                }
                sink.stop.request(deadline);
                sink.task.abort();
            }
            if let Some(disk) = sink.disk {
                let _written = timeout(DISK, disk.end()).await;
            }
        }
        for (id, bytes) in self.retired.sinks_end(deadline).await {
            left.queued_bytes.push((id.clone(), bytes));
            left.components.push(id);
        }
        left.tidy();
        left
    }
}

/// How a step is: it runs where its source reads.
fn running() -> Health {
    let health = Health::default();
    health.succeeded("");
    health
}

mod new;
#[cfg(test)]
mod tests;
