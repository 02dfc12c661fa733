//! Utilization: the share of its time that a component is at work. It tells which one a slow pipeline waits for.
//!
//! Work is summed while it goes on, so a component that is stuck shows as busy. A transform is at work while it is
//! applied to a batch, and each lane that runs it is one more that could be. A sink is at work while it encodes or
//! writes, and while as many requests are under way as may be. Sources have no such figure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::GaugeVec;

use super::meters::Label;

/// The shortest time a share is told of: a scrape that follows another sooner shows the same.
const SHORTEST: Duration = Duration::from_secs(1);

/// The work of one component, over all who do it.
#[derive(Debug)]
pub(super) struct Work(Mutex<Sum>);

#[derive(Clone, Copy, Debug)]
struct Sum {
    /// What was done until `changed`.
    done: Duration,
    changed: Instant,
    at_work: u32,
    lanes: u32,
}

impl Sum {
    fn at(&self, now: Instant) -> Duration {
        self.done + now.saturating_duration_since(self.changed) * self.at_work
    }
}

impl Work {
    fn new(now: Instant) -> Self {
        Self(Mutex::new(Sum { done: Duration::ZERO, changed: now, at_work: 0, lanes: 0 }))
    }

    fn begin(&self, now: Instant) {
        let mut sum = self.lock();
        *sum = Sum { done: sum.at(now), changed: now, at_work: sum.at_work + 1, ..*sum };
    }

    fn end(&self, now: Instant) {
        let mut sum = self.lock();
        *sum = Sum { done: sum.at(now), changed: now, at_work: sum.at_work - 1, ..*sum };
    }

    #[cfg(test)]
    pub(super) fn hands(&self) -> u32 {
        self.lock().at_work
    }

    fn lock(&self) -> MutexGuard<'_, Sum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Someone is at work for a component, until this is dropped.
#[derive(Debug)]
#[must_use = "the work ends when this is dropped"]
pub struct AtWork(Arc<Work>);

impl AtWork {
    pub(super) fn new(work: Arc<Work>) -> Self {
        work.begin(Instant::now());
        Self(work)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.end(Instant::now());
    }
}

/// A lane that runs a component, until this is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Work>);

impl Seat {
    pub(super) fn new(work: Arc<Work>) -> Self {
        work.lock().lanes += 1;
        Self(work)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.lock().lanes -= 1;
    }
}

/// The gauge, and what it is made of.
#[derive(Debug)]
pub(super) struct Utilization {
    gauge: GaugeVec,
    watched: Mutex<HashMap<Label, Watched>>,
}

#[derive(Debug)]
struct Watched {
    work: Arc<Work>,
    /// What was done when it was last told, and when that was.
    told: (Duration, Instant),
}

impl Utilization {
    pub(super) fn new(gauge: GaugeVec) -> Self {
        Self { gauge, watched: Mutex::default() }
    }

    /// The work of a component: the same for equal labels.
    pub(super) fn work(&self, label: &Label, now: Instant) -> Arc<Work> {
        let fresh = || Watched { work: Arc::new(Work::new(now)), told: (Duration::ZERO, now) };
        if label.kind == "source" {
            return fresh().work;
        }
        self.watched().entry(label.clone()).or_insert_with(fresh).work.clone()
    }

    /// Sets the gauge of each component to its share since the gauge was last set.
    pub(super) fn refresh(&self, now: Instant) {
        for (label, watched) in self.watched().iter_mut() {
            let (before, since) = watched.told;
            let elapsed = now.saturating_duration_since(since);
            if elapsed < SHORTEST {
                continue;
            }
            let sum = *watched.work.lock();
            let done = sum.at(now);
            let could = elapsed * sum.lanes.max(1);
            let share = done.saturating_sub(before).as_secs_f64() / could.as_secs_f64();
            // A lane that is gone, or an instance that still hands over, may have done more than those who are left.
            self.gauge.with_label_values(&[label.id.as_str(), label.kind, label.type_name]).set(share.min(1.0));
            watched.told = (done, now);
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<Label, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
