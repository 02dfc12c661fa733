//! The gate: each attempt of a sink passes it. It keeps to a limit of attempts under way and to a rate, and while the
//! destination is down it lets a single probe through.

mod breaker;
mod limit;
mod rate;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use crate::component::meters::RequestMeters;
use crate::component::sink::{Answer, Verdict};

use breaker::{Breaker, Fared, Says};
pub(crate) use limit::Limit;
use limit::Sign;
pub(crate) use rate::Rate;

/// The gate of one sink.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// An attempt came back.
    moved: Notify,
    meters: RequestMeters,
}

#[derive(Debug)]
struct State {
    limit: Limit,
    under_way: usize,
    rate: Option<Rate>,
    breaker: Breaker,
}

/// An attempt on its way; it gives its place back when it is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    began: Instant,
    is_probe: bool,
    /// What the attempt showed, once it is known.
    told: Option<(Fared, Sign)>,
}

impl Gate {
    pub(crate) fn new(limit: Limit, rate: Option<Rate>, backoff: Backoff, meters: RequestMeters) -> Self {
        let state = State { limit, under_way: 0, rate, breaker: Breaker::new(backoff) };
        state.show(&meters);
        Self { state: Mutex::new(state), moved: Notify::new(), meters }
    }

    /// How many may be under way now.
    pub(crate) fn limit(&self) -> usize {
        self.lock().limit.get()
    }

    /// Waits until one more attempt may leave. Cancel-safe.
    pub(crate) async fn enter(&self) -> Pass<'_> {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before the look: what moves between the two is not missed.
            moved.as_mut().enable();
            let until = match self.try_enter(Instant::now()) {
                Ok(pass) => return pass,
                Err(until) => until,
            };
            match until {
                Some(until) => tokio::select! {
                    () = moved => {}
                    () = sleep_until(until) => {}
                },
                None => moved.await,
            }
        }
    }

    /// A pass, or when to ask again: without a time when something moved.
    fn try_enter(&self, now: Instant) -> Result<Pass<'_>, Option<Instant>> {
        let mut state = self.lock();
        if state.under_way >= state.limit.get() {
            return Err(None);
        }
        if let Some(until) = state.rate.as_mut().and_then(|rate| rate.wait(now)) {
            return Err(Some(until));
        }
        let is_probe = match state.breaker.ask(now) {
            Says::Go => false,
            Says::Probe => true,
            Says::Wait(until) => return Err(until),
        };
        if let Some(rate) = &mut state.rate {
            rate.sent();
        }
        state.under_way += 1;
        let under_way = state.under_way;
        state.limit.began(under_way);
        state.show(&self.meters);
        Ok(Pass { gate: self, began: now, is_probe, told: None })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn show(&self, meters: &RequestMeters) {
        meters.under_way(self.under_way, self.limit.get());
        meters.destination(self.limit.mean(), self.breaker.is_open());
    }
}

impl Pass<'_> {
    /// This is what the destination said.
    pub(crate) fn tell(mut self, answer: &Answer) {
        self.told = judge(answer, Instant::now() - self.began);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.under_way -= 1;
        let now = Instant::now();
        match self.told {
            Some((fared, sign)) => {
                let was_open = state.breaker.is_open();
                state.breaker.told(fared, self.is_probe, now);
                state.limit.ended(sign, now);
                if was_open && !state.breaker.is_open() {
                    state.limit.begin_again();
                }
            }
            None if self.is_probe => state.breaker.untold(),
            None => {}
        }
        state.show(&self.gate.meters);
        drop(state);
        self.gate.moved.notify_waiters();
    }
}

/// What an answer says of the destination, and of its load; nothing where nothing was sent.
fn judge(answer: &Answer, took: Duration) -> Option<(Fared, Sign)> {
    Some(match answer {
        Answer::Retry { after, .. } => (Fared::Badly(*after), Sign::PushedBack),
        Answer::Hold { .. } => (Fared::Held, Sign::Neither),
        Answer::Partial(verdicts) if verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Retry { .. })) => {
            (Fared::Well, Sign::PushedBack)
        }
        Answer::Delivered | Answer::AlreadyThere | Answer::DeliveredInPart { .. } | Answer::Partial(_) => {
            (Fared::Well, Sign::Taken(took))
        }
        Answer::Split | Answer::Rejected { .. } => (Fared::Well, Sign::Neither),
        Answer::Anew => return None,
    })
}
