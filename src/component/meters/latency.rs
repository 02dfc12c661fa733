//! Figures of how long records take: once for a batch or a request, never for a record.

use std::time::{Duration, Instant};

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry};

use super::LABELS;
use crate::component::utilization::AtWork;

/// Upper bounds in seconds: from what a filter needs for a batch to what a destination that is away does.
const BOUNDS: [f64; 15] =
    [0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// What time goes by with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Batches stand in the queue in memory.
    Waiting,
    /// A step or a sink has a batch in hand; a request is on its way.
    Working,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
        }
    }
}

/// The family.
#[derive(Debug)]
pub(super) struct LatencyFamily(HistogramVec);

impl LatencyFamily {
    pub(super) fn new(registry: &Registry) -> Self {
        let name = "levada_component_latency_seconds";
        let help = "How long batches wait in the queue of the component, and batches or requests are worked on.";
        let family = HistogramVec::new(
            HistogramOpts::new(name, help).buckets(BOUNDS.to_vec()),
            &[&LABELS[..], &["part"]].concat(),
        );
        let family = family.expect("names are constants");
        registry.register(Box::new(family.clone())).expect("each name once");
        Self(family)
    }

    pub(super) fn of(&self, labels: [&str; 3], part: Part) -> Histogram {
        let [id, kind, type_name] = labels;
        self.0.with_label_values(&[id, kind, type_name, part.name()])
    }
}

/// A component has a batch in hand, until this is dropped.
#[derive(Debug)]
#[must_use = "the work ends when this is dropped"]
pub struct Working {
    latency: Histogram,
    begun: Instant,
    _at_work: AtWork,
}

impl Working {
    pub(super) fn new(latency: Histogram, at_work: AtWork) -> Self {
        Self { latency, begun: Instant::now(), _at_work: at_work }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        observe(&self.latency, self.begun.elapsed());
    }
}

pub(super) fn observe(latency: &Histogram, time: Duration) {
    latency.observe(time.as_secs_f64());
}
