//! The pump of a sink: takes batches from its queue, has them cut into requests, keeps so many under way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use super::courier::Courier;
use super::cutter::{Cut, Cutter, Limits, PANIC};
use super::freezer::Freezer;
use super::request::Request;
use super::sorted::{Told, Why};
use crate::buffer::{Frames, Queue};
use crate::component::signal::Stop;
use crate::component::task::blocking;
use crate::component::utilization::AtWork;
use crate::event::Batch;

/// How one sink's records are cut and sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) limits: Limits,
    /// How long a request may wait to be filled.
    pub(crate) linger: Duration,
}

/// Loads that are held at most, each by a task.
const MAX_HELD: usize = 1024;

/// A burst is over when nothing came for so long.
const BURST_ENDS: Duration = Duration::from_millis(10);

pub(crate) struct Pump {
    courier: Arc<Courier>,
    queue: Arc<Queue>,
    frames: Option<Frames>,
    pace: Pace,
    cutter: Option<Cutter>,
    /// When the open bodies must go.
    due: Option<Instant>,
    /// The oldest open body, and when it must go though others are filled and sent meanwhile.
    oldest: Option<(u64, Instant)>,
    /// Has a body been filled since the last one that went unfilled?
    is_burst: bool,
    ready: VecDeque<Request>,
    under_way: JoinSet<Vec<Told>>,
    held: JoinSet<()>,
    at_work: Option<AtWork>,
}

impl Pump {
    /// Takes from this queue, which a disk buffer feeds if there are `frames`.
    pub(crate) fn new(courier: Arc<Courier>, (queue, frames): (Arc<Queue>, Option<Frames>), pace: Pace) -> Self {
        let (under_way, held) = (JoinSet::new(), JoinSet::new());
        let ready = VecDeque::new();
        let (due, oldest, at_work) = (None, None, None);
        let cutter = None;
        let is_burst = false;
        let mut pump =
            Self { courier, queue, frames, pace, cutter, due, oldest, is_burst, ready, under_way, held, at_work };
        pump.cutter = Some(pump.new_cutter());
        pump
    }

    fn new_cutter(&self) -> Cutter {
        let cutter = Cutter::new(self.courier.sink().clone(), self.pace.limits, self.courier.bodies());
        cutter.frozen(self.frames.clone().map(Freezer::new))
    }

    /// Runs until the queue is closed and empty, or until `stop`: then it takes no more. What is not settled by the
    /// deadline counts as failed, and its source offers it again.
    pub(crate) async fn run(mut self, stop: Stop) {
        let mut ending = false;
        while !(ending && self.is_done()) {
            tokio::select! {
                taken = self.queue.take(self.pace.limits.bytes), if !ending && self.has_room() => match taken {
                    Some(batches) => self.cut(batches).await,
                    None => ending = true,
                },
                () = at(self.due) => self.flush(ending).await,
                Some(done) = self.under_way.join_next() => self.landed(done),
                Some(_) = self.held.join_next() => {}
                _ = stop.requested(), if !ending => ending = true,
                () = overdue(&stop) => return,
            }
            if ending && self.due.is_some() {
                self.flush(true).await;
            }
            self.launch();
            if self.courier.has_room(self.under_way.len()) {
                self.at_work = None;
            } else {
                self.begin_work();
            }
        }
    }

    /// May it take more? What is held is bounded in bytes, and here in number.
    fn has_room(&self) -> bool {
        self.ready.is_empty() && self.held.len() < MAX_HELD
    }

    fn is_done(&self) -> bool {
        self.ready.is_empty() && self.under_way.is_empty() && self.held.is_empty() && self.due.is_none()
    }

    /// Encoding is work, and so is waiting for answers when no further request may leave.
    fn begin_work(&mut self) {
        let meters = &self.courier.meters;
        self.at_work.get_or_insert_with(|| meters.at_work());
    }

    fn launch(&mut self) {
        while self.courier.has_room(self.under_way.len()) {
            let Some(request) = self.ready.pop_front() else { return };
            let courier = self.courier.clone();
            self.under_way.spawn(async move { courier.deliver(request).await }.in_current_span());
        }
    }

    fn landed(&mut self, done: Result<Vec<Told>, tokio::task::JoinError>) {
        let Ok(refused) = done else {
            // The requests went with the panic: their receipts say failed.
            return self.panicked("an internal error ended the delivery of a request: its records come again");
        };
        for told in refused {
            let courier = self.courier.clone();
            self.held.spawn(async move { courier.hold(told).await }.in_current_span());
        }
    }

    fn panicked(&self, why: &str) {
        self.courier.meters.error(PANIC);
        self.courier.health.troubled(self.courier.id(), why);
    }

    /// Encoding does not run on the threads that serve sockets.
    async fn cut(&mut self, batches: Vec<Batch>) {
        let in_hand = self.courier.in_hand.clone();
        self.with_cutter(move |cutter, cut| {
            for batch in batches {
                if batch.is_empty() {
                    batch.close();
                } else {
                    cutter.take(batch, &in_hand, cut);
                }
            }
        })
        .await;
    }

    async fn flush(&mut self, is_end: bool) {
        // What may not go yet has its time counted anew.
        (self.due, self.oldest) = (None, None);
        self.with_cutter(move |cutter, cut| cutter.flush(is_end, cut)).await;
        self.is_burst = false;
    }

    /// A body that is being filled slowly waits for its time. The end of a burst does not: when nothing more comes
    /// for a moment it goes, which is one request more for each burst of full ones.
    fn next_due(&self, counted: Option<Instant>) -> Instant {
        let now = Instant::now();
        if self.queue.is_hurried() {
            return now;
        }
        if self.is_burst { now + self.pace.linger.min(BURST_ENDS) } else { counted.unwrap_or(now + self.pace.linger) }
    }

    async fn with_cutter(&mut self, work: impl FnOnce(&mut Cutter, &mut Cut) + Send + 'static) {
        let Some(mut cutter) = self.cutter.take() else { return };
        self.begin_work();
        let courier = self.courier.clone();
        let worked = blocking(move || {
            let mut cut = Cut::default();
            work(&mut cutter, &mut cut);
            for (load, refusal) in cut.refused.drain(..) {
                if refusal.code == PANIC {
                    courier.meters.error(PANIC);
                }
                courier.bury_blocking(&load, Why { code: refusal.code.to_owned(), why: refusal.why });
            }
            (cutter, cut.requests)
        });
        let (cutter, requests) = if let Ok(done) = worked.await {
            done
        } else {
            self.panicked("an internal error ended the encoding of a request: its records come again");
            (self.new_cutter(), Vec::new())
        };
        // A request that was closed took the record along that the time was counted from.
        let counted = self.due.filter(|_| requests.is_empty());
        self.is_burst |= !requests.is_empty();
        self.ready.extend(requests);
        self.oldest = cutter.oldest().map(|number| match self.oldest {
            Some((known, latest)) if known == number => (number, latest),
            _ => (number, Instant::now() + self.pace.linger),
        });
        self.due = self.oldest.map(|(_, latest)| self.next_due(counted).min(latest));
        self.cutter = Some(cutter);
    }
}

/// Waits until then; for ever if there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Waits until the deadline of `stop` is past.
async fn overdue(stop: &Stop) {
    sleep_until(Instant::from_std(stop.requested().await)).await;
}
