//! The circuit breaker: while a destination is down one request at a time asks whether it is back.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::backoff::Backoff;

/// Attempts that must fail one after the other, none succeeding between them, before the destination counts as down.
const FAILURES: u32 = 3;
/// The first pause before a destination that waits for a person is asked again; it doubles up to the longest.
const HOLD: Backoff = Backoff { initial: Duration::from_secs(5), max: Duration::from_mins(1) };

#[derive(Debug)]
pub(super) struct Breaker {
    backoff: Backoff,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    /// Nothing leaves until then; after it a single probe. So many probes failed.
    Open {
        until: Instant,
        failed: u32,
        is_probed: bool,
    },
}

/// What the breaker says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Go,
    /// Go, and tell what came of it: others wait for that.
    Probe,
    /// Ask again then; without a time when the probe is back.
    Wait(Option<Instant>),
}

/// How the destination fared in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fared {
    /// It is there.
    Well,
    /// It is not, or is busy; with the time for which it asks to be left alone.
    Badly(Option<Duration>),
    /// It takes nothing until a person acts.
    Held,
}

impl Breaker {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, state: State::Closed { failures: 0 } }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    pub(super) fn ask(&mut self, now: Instant) -> Says {
        match &mut self.state {
            State::Closed { .. } => Says::Go,
            State::Open { is_probed: true, .. } => Says::Wait(None),
            State::Open { until, .. } if now < *until => Says::Wait(Some(*until)),
            State::Open { is_probed, .. } => {
                *is_probed = true;
                Says::Probe
            }
        }
    }

    /// What came of an attempt. An attempt that left before the breaker opened and still succeeds closes it, one that
    /// fails tells nothing new.
    pub(super) fn told(&mut self, fared: Fared, was_probe: bool, now: Instant) {
        let failed = match (fared, self.state) {
            (Fared::Well, _) => {
                self.state = State::Closed { failures: 0 };
                return;
            }
            (Fared::Badly(_), State::Closed { failures }) if failures + 1 < FAILURES => {
                self.state = State::Closed { failures: failures + 1 };
                return;
            }
            (_, State::Open { .. }) if !was_probe => return,
            (_, State::Open { failed, .. }) => failed + 1,
            (_, State::Closed { .. }) => 0,
        };
        let pause = match fared {
            Fared::Badly(Some(asked)) => self.backoff.pause(failed, Some(asked)),
            Fared::Held => HOLD.long_pause(failed),
            _ => self.backoff.long_pause(failed),
        };
        self.state = State::Open { until: now + pause, failed, is_probed: false };
    }

    /// The probe came back without an answer: another may go.
    pub(super) fn untold(&mut self) {
        if let State::Open { is_probed, .. } = &mut self.state {
            *is_probed = false;
        }
    }
}
