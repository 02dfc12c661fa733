//! How many requests may be under way: a number, or what the destination shows that it bears.
//!
//! Additive increase, multiplicative decrease, judged once in each mean round trip, as Vector does it. What differs: it
//! begins where a fixed number would stand, delay alone never takes it below that, and it grows only while less than one
//! request, or a quarter of them, waits at the destination, as TCP Vegas counts them: beyond that more of them take
//! memory and gain nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::settings::AdaptiveSettings;

/// Growth ends where so many of the requests under way wait for others, `limit * (1 - least / took)`, or a share of them
/// that is no noise.
const QUEUED: f64 = 1.0;
/// A delay of less than this share of the mean is noise, however even the round trips were before.
const NOISE: f64 = 0.25;
/// How much of the difference is learnt from a window that did not use the limit up, or whose limit was no higher than at
/// the beginning: what the fastest answers take changes.
const LEARNT: f64 = 0.01;

/// The limit of one sink.
#[derive(Clone, Debug)]
pub(crate) enum Limit {
    Fixed(usize),
    Adaptive(Box<Adaptive>),
}

/// What an attempt showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The destination took it, after so long.
    Taken(Duration),
    /// It refused for now, or did not answer.
    PushedBack,
    /// Nothing about load.
    Neither,
}

#[derive(Clone, Debug)]
pub(crate) struct Adaptive {
    settings: AdaptiveSettings,
    now: usize,
    past: Option<Past>,
    window: Window,
}

/// Round trips of all windows so far, in seconds.
#[derive(Clone, Copy, Debug)]
struct Past {
    mean: f64,
    variance: f64,
    least: f64,
    /// When the window ends.
    until: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    sum: f64,
    count: u32,
    was_full: bool,
    was_pushed_back: bool,
}

impl Limit {
    pub(crate) fn adaptive(settings: AdaptiveSettings) -> Self {
        let now = settings.initial().min(settings.max_concurrency_limit.get());
        Self::Adaptive(Box::new(Adaptive { settings, now, past: None, window: Window::default() }))
    }

    pub(crate) fn get(&self) -> usize {
        match self {
            Self::Fixed(limit) => *limit,
            Self::Adaptive(adaptive) => adaptive.now,
        }
    }

    /// The mean round trip, in seconds.
    pub(super) fn mean(&self) -> f64 {
        match self {
            Self::Fixed(_) => 0.0,
            Self::Adaptive(adaptive) => adaptive.past.map_or(0.0, |past| past.mean),
        }
    }

    /// So many are under way, one of them new.
    pub(super) fn began(&mut self, under_way: usize) {
        if let Self::Adaptive(adaptive) = self {
            adaptive.window.was_full |= under_way >= adaptive.now;
        }
    }

    pub(super) fn ended(&mut self, sign: Sign, now: Instant) {
        if let Self::Adaptive(adaptive) = self {
            adaptive.window.add(sign);
            adaptive.judge(now);
        }
    }

    /// The destination is back: what it refused while it was down says nothing about what it bears.
    pub(super) fn begin_again(&mut self) {
        if let Self::Adaptive(adaptive) = self {
            adaptive.now = adaptive.now.max(adaptive.floor());
            adaptive.window = Window::default();
        }
    }
}

impl Window {
    fn add(&mut self, sign: Sign) {
        match sign {
            Sign::Taken(after) => {
                self.sum += after.as_secs_f64();
                self.count += 1;
            }
            Sign::PushedBack => self.was_pushed_back = true,
            Sign::Neither => {}
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl Adaptive {
    fn floor(&self) -> usize {
        self.settings.initial().min(self.settings.max_concurrency_limit.get())
    }

    fn judge(&mut self, now: Instant) {
        let Some(past) = self.past else {
            // A refusal needs no round trip to compare with.
            if self.window.was_pushed_back {
                self.shrink(1);
                self.window = Window::default();
            }
            self.past = self.window.mean().map(|first| Past::new(first, now));
            return;
        };
        if now < past.until {
            return;
        }
        let window = std::mem::take(&mut self.window);
        let (took, is_low) = (window.mean(), self.now <= self.floor());
        if window.was_pushed_back {
            self.shrink(1);
        } else if took.is_some_and(|took| self.may_grow(&past, took)) {
            self.now = (self.now + usize::from(window.was_full)).min(self.settings.max_concurrency_limit.get());
        } else if took.is_some_and(|took| past.is_late(took, self.settings.rtt_deviation_scale)) {
            self.shrink(self.floor());
        }
        let past = took.map_or(past, |took| past.moved(took, !window.was_full || is_low, self.settings.ewma_alpha));
        self.past = Some(past.begins(now));
    }

    /// Does a window that took so long allow one more? Below the beginning delay says nothing: only a refusal led there.
    fn may_grow(&self, past: &Past, took: f64) -> bool {
        let is_late = past.is_late(took, self.settings.rtt_deviation_scale);
        let bound = QUEUED.max(NOISE * self.now as f64);
        self.now < self.floor() || (!is_late && past.queued(took, self.now) < bound)
    }

    fn shrink(&mut self, floor: usize) {
        let less = (self.now as f64 * self.settings.decrease_ratio) as usize;
        self.now = less.max(floor.min(self.now));
    }
}

impl Past {
    fn new(first: f64, now: Instant) -> Self {
        Self { mean: first, variance: 0.0, least: first, until: now }.begins(now)
    }

    fn is_late(&self, took: f64, scale: f64) -> bool {
        took > self.mean + (self.variance.sqrt() * scale).max(self.mean * NOISE)
    }

    /// How many of `limit` requests waited for others, if a window took so long.
    fn queued(&self, took: f64, limit: usize) -> f64 {
        limit as f64 * (1.0 - self.least / took.max(self.least))
    }

    /// Moved by the mean of a window.
    fn moved(mut self, took: f64, was_light: bool, alpha: f64) -> Self {
        let difference = took - self.mean;
        self.mean += alpha * difference;
        self.variance = (1.0 - alpha) * (self.variance + alpha * difference * difference);
        self.least = self.least.min(took);
        if was_light {
            self.least += LEARNT * (took - self.least);
        }
        self
    }

    /// With a window that begins now: a mean round trip.
    fn begins(self, now: Instant) -> Self {
        Self { until: now + Duration::from_secs_f64(self.mean), ..self }
    }
}
