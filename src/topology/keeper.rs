//! A stateful step at work: it takes batches from its queue, applies the step, and offers what comes out to the chains
//! behind it. While they have no room it takes no more, so its queue fills, and then its streams wait.

use std::any::Any;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::suspect::Excuse;
use crate::buffer::Queue;
use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::outlet::{Held, Lane, Offer};
use crate::component::signal::Stop;
use crate::component::task::{blocking, done};
use crate::component::transform::{Ports, Stateful};
use crate::delivery::{DeadLetters, Refusals};
use crate::event::Batch;

/// Bytes taken from the queue at once.
const TAKE: usize = 256 << 10;

/// When the process ends, or no source reads any more, and nothing came for so long, what is held goes: the sources
/// wait for it.
const QUIET: Duration = Duration::from_millis(10);

/// Everything a stateful step runs with, but for what works.
#[derive(Clone)]
pub(super) struct Keeper {
    queue: Arc<Queue>,
    health: Health,
    /// How many sources still read.
    reading: watch::Receiver<usize>,
}

/// A keeper at work.
struct AtWork {
    keeper: Keeper,
    /// None while it is at work on another thread.
    worker: Option<Box<Worker>>,
}

/// What works on a thread that may compute for long.
pub(super) struct Worker {
    pub(super) step: Box<dyn Stateful>,
    /// By the number of the output.
    pub(super) lanes: Vec<Box<dyn Lane>>,
    pub(super) refusals: Refusals,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) meters: Meters,
    /// What came out and was not offered yet.
    pub(super) out: VecDeque<(usize, Batch)>,
}

/// What is to be done.
enum Work {
    Apply(Vec<Batch>),
    Wake,
    Finish,
}

impl Keeper {
    pub(super) fn new(queue: Arc<Queue>, health: Health, reading: watch::Receiver<usize>) -> Self {
        Self { queue, health, reading }
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Runs until the queue is closed and empty, or until `stop`: then it takes no more. Either way it gives out what
    /// it holds. What has found no room by the deadline of `stop` has failed: its sources offer it again.
    ///
    /// A panic of the step costs what it held, one of anything else the life of this.
    pub(super) async fn run(self, worker: Worker, stop: Stop) {
        self.health.succeeded(self.queue.id());
        let at_work = AtWork { keeper: self, worker: Some(Box::new(worker)) };
        tokio::select! {
            () = at_work.keep(&stop) => {}
            () = async { sleep_until(Instant::from_std(stop.requested().await)).await } => {}
        }
    }
}

impl AtWork {
    async fn keep(mut self, stop: &Stop) {
        let Some(meters) = self.worker.as_ref().map(|worker| worker.meters.clone()) else { return };
        let _seat = meters.seat();
        // When to give out what is held though no timer says so, since nobody waits for more: the process ends, or all
        // sources have read all there is. Did anything come since it was given out last?
        let (mut quiet, mut has_more) = (None, false);
        loop {
            // Seen once for this round: any change after this look ends the wait below.
            let is_last_call = *self.keeper.reading.borrow_and_update() == 0 || self.keeper.queue.is_hurried();
            quiet = quiet.filter(|_| is_last_call);
            if is_last_call && quiet.is_none() && has_more {
                quiet = Some(Instant::now() + QUIET);
            }
            let due = self.worker.as_ref().and_then(|worker| worker.step.due()).map(Instant::from_std);
            let work = tokio::select! {
                taken = self.keeper.queue.take(TAKE) => taken.map_or(Work::Finish, Work::Apply),
                () = at(due) => Work::Wake,
                () = at(quiet) => Work::Finish,
                () = changed(&mut self.keeper.reading) => continue,
                _ = stop.requested() => Work::Finish,
            };
            let finishes = matches!(work, Work::Finish);
            let is_last = finishes && quiet.take().is_none();
            has_more = matches!(work, Work::Apply(_)) || (has_more && matches!(work, Work::Wake));
            quiet = quiet.filter(|_| !matches!(work, Work::Apply(_)));
            self.carry_out(work).await;
            while finishes && self.worker.as_ref().is_some_and(|worker| worker.step.due().is_some()) {
                self.carry_out(Work::Finish).await;
            }
            if is_last || self.worker.is_none() {
                return;
            }
        }
    }

    /// Does some work and waits until all that came of it is in the queues. Not on the threads that serve sockets.
    async fn carry_out(&mut self, work: Work) {
        let mut work = Some(work);
        while let Some(mut worker) = self.worker.take() {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let (now, todo) = (Instant::now().into_std(), work.take());
            let working = blocking(move || {
                let waits = worker.work(todo, now, &waker);
                (worker, waits)
            });
            let (worker, waits) = done(working).await;
            self.worker = Some(worker);
            self.keeper.health.succeeded(self.keeper.queue.id());
            let Some(held) = waits else { return };
            room(held).await;
        }
    }
}

/// Waits until another number of sources read than was seen last.
async fn changed(reading: &mut watch::Receiver<usize>) {
    // An error means that nobody counts any more.
    if reading.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits until all that is held is in the queues.
async fn room(held: Held) {
    let mut held = Some(held);
    poll_fn(|cx| match held.take().map(|held| held.retry(cx.waker())) {
        Some(Offer::Waits(rest)) => {
            held = Some(rest);
            Poll::Pending
        }
        Some(Offer::Taken) | None => Poll::Ready(()),
    })
    .await;
}

impl Worker {
    /// Does what there is to do, then offers what came out, in order, until something has to wait.
    fn work(&mut self, work: Option<Work>, now: std::time::Instant, waker: &Waker) -> Option<Held> {
        match work {
            Some(Work::Apply(batches)) => batches.into_iter().for_each(|batch| self.apply(batch, now)),
            Some(Work::Wake) => self.let_go(|step, ports| step.wake(now, ports)),
            Some(Work::Finish) => self.let_go(|step, ports| step.finish(ports)),
            None => {}
        }
        while let Some((port, batch)) = self.out.pop_front() {
            if let Offer::Waits(held) = self.lanes[port].offer(batch, waker) {
                return Some(held);
            }
        }
        None
    }

    /// Applies the step to a batch, and if that panics, to each of its records; the culprit becomes a dead letter.
    fn apply(&mut self, batch: Batch, now: std::time::Instant) {
        if batch.is_empty() {
            return batch.close();
        }
        let spare = batch.clone();
        if self.attempt(batch, now).is_ok() {
            return spare.close();
        }
        self.lost();
        for at in 0..spare.len() {
            let single = spare.pick(std::iter::once(at as u32));
            let culprit = single.clone();
            match self.attempt(single, now) {
                Ok(()) => culprit.close(),
                Err(panic) => {
                    self.meters.error("panic");
                    let outcome = self.dead_letters.write(&culprit, ("panic", &panic), &self.meters);
                    culprit.settle(outcome);
                }
            }
        }
        spare.close();
    }

    /// After a panic nothing of the batch is held or has left, and its receipts know nothing of the attempt.
    fn attempt(&mut self, mut batch: Batch, now: std::time::Instant) -> Result<(), String> {
        let excuse = Excuse::put(&mut batch);
        let done = self.guarded(|step, ports| step.apply(batch, now, ports));
        if done.is_ok() {
            excuse.not_needed();
        } else {
            excuse.accepted();
        }
        done
    }

    /// Has the step give out something of what it holds.
    fn let_go(&mut self, work: impl FnOnce(&mut dyn Stateful, &mut Ports)) {
        if self.guarded(work).is_err() {
            self.meters.error("panic");
            self.lost();
        }
    }

    /// A panic leaves the step with nothing: what it held before has failed, its sources offer it again.
    fn guarded(&mut self, work: impl FnOnce(&mut dyn Stateful, &mut Ports)) -> Result<(), String> {
        let mut ports = Ports::default();
        let working = self.meters.working();
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut *self.step, &mut ports)));
        drop(working);
        if let Err(panic) = done {
            self.step = self.step.renew();
            return Err(panic_text(panic.as_ref()));
        }
        self.out.extend(ports.take_named());
        for (batch, why) in ports.take_rejected() {
            self.refusals.refuse(batch, &why, &self.meters);
        }
        Ok(())
    }

    /// What a panic says may hold a part of a record: it goes to the dead letter, not to the log.
    fn lost(&self) {
        let component_id = &self.meters.label().id;
        tracing::error!(component_id, "the step panicked: what it held is offered again by its sources");
    }
}

pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a step panicked".to_owned())
}

/// Waits until then; for ever if there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
