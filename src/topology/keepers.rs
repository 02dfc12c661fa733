//! The stateful steps that run, each with its queue, and how they become what a new plan says.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};
use tracing::Instrument;

use super::alive::Alive;
use super::build::{BuildError, Ground, Made};
use super::chain::{Chain, ChainOutlet};
use super::compile::Compiler;
use super::door::Door;
use super::keeper::{Keeper, Worker};
use super::leftover::Leftover;
use super::retired::HAND_OVER;
use super::revive::Ward;
use super::roster::Member;
use super::tables;
use crate::buffer::Queue;
use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::outlet::{Inlet, Outlet};
use crate::component::signal::Stop;
use crate::component::source;
use crate::config::{Component, Files, Plan};
use crate::delivery::{DeadLetters, Refusals};
use crate::transforms::Keeping;

/// All of them, by id.
#[derive(Default)]
pub(super) struct Keepers(HashMap<String, Running>);

/// What stands around them.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) ground: &'a Ground,
    pub(super) alive: &'a Alive,
    pub(super) dead_letters: &'a Arc<DeadLetters>,
}

/// What was built for a new plan. `None`: unchanged, what runs stays.
pub(super) type Built = Vec<(Made, Option<Keeping>)>;

struct Running {
    made_of: Made,
    queue: Arc<Queue>,
    door: Arc<Door>,
    exits: Vec<Exit>,
    /// What reads its output `dead_letter`.
    rejects: Arc<ArcSwap<Chain>>,
    health: Health,
    stop: Stop,
    task: JoinHandle<()>,
}

/// What reads one output.
struct Exit {
    port: Option<String>,
    chain: Arc<ArcSwap<Chain>>,
}

/// One that is to start when the chains behind it are there.
struct Waiting {
    made_of: Made,
    keeping: Keeping,
    old: Option<Running>,
}

impl Keepers {
    /// Builds those that are new or changed, and where the tables are others, those that may hold one.
    pub(super) fn build(&self, plan: &Plan, ground: &Ground, has_tables: bool) -> Result<Built, BuildError> {
        let stateful = plan.transforms.iter().filter(|step| Ground::is_stateful(step));
        let build = |component: &Component| {
            let made_of = Made::of(component, &plan.files);
            let known = self.0.get(&component.id).filter(|_| has_tables || !tables::may_look_up(component));
            let runs = known.is_some_and(|running| running.made_of.is_same(&made_of));
            let keeping = if runs { None } else { Some(ground.keeper(component, &plan.files)?) };
            Ok((made_of, keeping))
        };
        stateful.map(build).collect()
    }

    /// Puts the queues and exits in place that a new plan needs; [`Swap::start`] brings them to life.
    pub(super) fn swap(&mut self, built: Built, files: &Files, around: Around<'_>) -> Swap {
        let mut before = std::mem::take(&mut self.0);
        let mut swap = Swap { ready: Vec::new(), retired: Vec::new() };
        for (made_of, keeping) in built {
            let id = made_of.component.id.clone();
            match (before.remove(&id), keeping) {
                (Some(running), None) => _ = self.0.insert(id, running),
                (old, Some(keeping)) => {
                    let (running, ready) = Waiting { made_of, keeping, old }.prepare(files, around);
                    self.0.insert(id, running);
                    swap.ready.push(ready);
                }
                (None, None) => {}
            }
        }
        swap.retired = before.into_values().collect();
        swap
    }

    /// The doors of their queues, for the chains that lead to them.
    pub(super) fn doors(&self) -> impl Iterator<Item = (String, Arc<dyn Inlet>)> {
        self.0.iter().map(|(id, running)| (id.clone(), running.door.clone() as Arc<dyn Inlet>))
    }

    /// Leads each output to what reads it now.
    pub(super) fn connect(&self, compiler: &Compiler<'_>, ground: &Ground) {
        for (id, running) in &self.0 {
            let meters = ground.context(&running.made_of.component).meters;
            for exit in &running.exits {
                exit.chain.store(Arc::new(compiler.exit(id, exit.port.as_deref(), meters.clone())));
            }
            running.rejects.store(Arc::new(compiler.rejects(id, meters)));
        }
    }

    /// What the step of this id was made of.
    #[cfg(test)]
    pub(super) fn made_of(&self, id: &str) -> Option<&Component> {
        self.0.get(id).map(|running| &running.made_of.component)
    }

    /// What all of them were made of.
    pub(super) fn made(&self) -> impl Iterator<Item = &Made> {
        self.0.values().map(|running| &running.made_of)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = Member> {
        self.0.values().map(|running| Member::of(&running.made_of.component, &running.health))
    }

    /// What is held and queued shall go at once: the process ends.
    pub(super) fn hurry(&self) {
        self.0.values().for_each(|running| running.queue.hurry());
    }

    /// Ends them all when nothing is left to come, or at the deadline.
    pub(super) async fn shut_down(self, deadline: Instant, left: &mut Leftover) {
        let at = tokio::time::Instant::from_std(deadline);
        // All doors at once: one that another leads to ends after it.
        let closed: Vec<_> = self.0.into_iter().map(|(id, running)| (id, running.close())).collect();
        for (id, (queue, _, mut task)) in closed {
            if timeout_at(at, &mut task).await.is_err() {
                task.abort();
                left.queued_bytes.push((id.clone(), queue.bytes()));
                left.components.push(id);
            }
        }
    }
}

/// What a swap has yet to do.
#[must_use = "steps that are not started take nothing"]
pub(super) struct Swap {
    ready: Vec<Ready>,
    retired: Vec<Running>,
}

impl Swap {
    /// Starts what is new, now that its chains are there.
    pub(super) fn start(&mut self) {
        self.ready.drain(..).for_each(Ready::start);
    }

    /// Lets go of what is not in the plan any more, now that no new chain leads there.
    pub(super) fn retire(self) {
        self.retired.into_iter().for_each(Running::retire);
    }
}

/// A keeper, and the signal that its task waits for.
struct Ready(tokio::sync::oneshot::Sender<Worker>, Worker);

impl Ready {
    fn start(self) {
        // The task is there until the signal: it cannot have gone.
        let _sent = self.0.send(self.1);
    }
}

impl Waiting {
    /// A step that replaces another takes over its queue, and those of its exits that it still has.
    fn prepare(self, files: &Files, around: Around<'_>) -> (Running, Ready) {
        let Self { made_of, keeping, old } = self;
        let Around { ground, alive, dead_letters } = around;
        let meters = ground.context(&made_of.component).meters;
        let (max_size, when_full) = (keeping.buffer.max_size, keeping.buffer.when_full);
        let unread = || Arc::new(ArcSwap::from_pointee(Chain::unread(meters.clone(), dead_letters.clone())));
        let (queue, door, mut known, rejects, before) = if let Some(old) = old {
            old.queue.configure(max_size, when_full);
            old.stop.request(Instant::now() + HAND_OVER);
            (old.queue, old.door, old.exits, old.rejects, Some(old.task))
        } else {
            let queue = Arc::new(Queue::new(max_size, when_full, meters.clone()));
            let door = Door::new(queue.clone(), &made_of.component.id, ground.taps.clone());
            (queue, Arc::new(door), Vec::new(), unread(), None)
        };
        let mut exit = |port: Option<String>| {
            let known = known.iter().position(|exit| exit.port == port).map(|at| known.swap_remove(at));
            known.unwrap_or_else(|| Exit { port, chain: unread() })
        };
        let exits: Vec<Exit> = Ground::outputs(&made_of.component).into_iter().map(&mut exit).collect();
        let (health, stop) = (Health::default(), Stop::default());
        let refusals = Refusals::new(dead_letters.clone(), Arc::new(ChainOutlet::new(rejects.clone())), stop.clone());
        let chains = exits.iter().map(|exit| exit.chain.clone()).collect();
        let bench = Bench { chains, refusals, dead_letters: dead_letters.clone(), meters };
        let worker = bench.worker(keeping);
        let keeper = Keeper::new(queue.clone(), health.clone(), alive.reading());
        let (start, started) = tokio::sync::oneshot::channel();
        let span = bench.meters.label().span();
        let life = Box::pin(run(before, started, (keeper.clone(), stop.clone())));
        let ward = bench.ward(made_of.recipe(files), ground.clone(), (keeper, &stop));
        let task = tokio::spawn(ward.live(life).instrument(span));
        (Running { made_of, queue, door, exits, rejects, health, stop, task }, Ready(start, worker))
    }
}

/// What a step works with, whichever life it is.
struct Bench {
    /// What reads each output.
    chains: Vec<Arc<ArcSwap<Chain>>>,
    refusals: Refusals,
    dead_letters: Arc<DeadLetters>,
    meters: Meters,
}

impl Bench {
    fn worker(&self, keeping: Keeping) -> Worker {
        Worker {
            step: keeping.step,
            lanes: self.chains.iter().map(|chain| ChainOutlet::new(chain.clone()).lane()).collect(),
            refusals: self.refusals.clone(),
            dead_letters: self.dead_letters.clone(),
            meters: self.meters.clone(),
            out: VecDeque::new(),
        }
    }

    /// What has the step start again after a panic outside of what it does with records.
    fn ward(self, (component, files): (Component, Files), ground: Ground, (keeper, stop): (Keeper, &Stop)) -> Ward {
        let (meters, health, asked) = (self.meters.clone(), keeper.health().clone(), stop.clone());
        let stop = stop.clone();
        let again = move || {
            let keeping = ground.keeper(&component, &files).map_err(|error| error.why)?;
            Ok(Box::pin(keeper.clone().run(self.worker(keeping), stop.clone())) as source::Running)
        };
        Ward { meters, health, stop: asked, again: Arc::new(again) }
    }
}

/// Waits for the one before, which gives out what it holds first, and for the start.
async fn run(
    before: Option<JoinHandle<()>>,
    started: tokio::sync::oneshot::Receiver<Worker>,
    (keeper, stop): (Keeper, Stop),
) {
    let Ok(worker) = started.await else { return };
    if let Some(before) = before {
        let _ended = before.await;
    }
    keeper.run(worker, stop).await;
}

impl Running {
    /// Lets go of what leads to it and from it.
    fn close(self) -> (Arc<Queue>, Stop, JoinHandle<()>) {
        (self.queue, self.stop, self.task)
    }

    /// Lets it give out what it holds, for a while.
    fn retire(self) {
        let (queue, stop, mut task) = self.close();
        tokio::spawn(async move {
            if timeout(HAND_OVER, &mut task).await.is_err() {
                stop.request(Instant::now());
                let _ended = task.await;
            }
            queue.abandon();
        });
    }
}
