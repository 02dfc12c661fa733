//! Figures of sinks that send requests.

use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::LABELS;

/// The families.
#[derive(Debug)]
pub(super) struct RequestFamilies {
    limit: IntGaugeVec,
    in_flight: IntGaugeVec,
    rtt: GaugeVec,
    circuit: IntGaugeVec,
}

/// Those of one sink.
#[derive(Clone, Debug)]
pub struct RequestMeters {
    limit: IntGauge,
    in_flight: IntGauge,
    rtt: Gauge,
    circuit: IntGauge,
}

impl RequestFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let gauge = |name: &str, help: &str| {
            let family = IntGaugeVec::new(Opts::new(name, help), &LABELS).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let rtt = Opts::new("levada_adaptive_concurrency_averaged_rtt", "Mean round trip of requests, in seconds.");
        let rtt = GaugeVec::new(rtt, &LABELS).expect("names are constants");
        registry.register(Box::new(rtt.clone())).expect("each name once");
        Self {
            limit: gauge("levada_adaptive_concurrency_limit", "Requests that may be under way at once."),
            in_flight: gauge("levada_adaptive_concurrency_in_flight", "Requests under way."),
            rtt,
            circuit: gauge("levada_circuit_open", "Whether the destination is down, so that only probes go: 1 or 0."),
        }
    }

    pub(super) fn of(&self, labels: &[&str]) -> RequestMeters {
        RequestMeters {
            limit: self.limit.with_label_values(labels),
            in_flight: self.in_flight.with_label_values(labels),
            rtt: self.rtt.with_label_values(labels),
            circuit: self.circuit.with_label_values(labels),
        }
    }
}

impl RequestMeters {
    /// So many requests of at most `limit` are under way.
    pub fn under_way(&self, in_flight: usize, limit: usize) {
        self.in_flight.set(in_flight as i64);
        self.limit.set(limit as i64);
    }

    /// Answers take `rtt` seconds in the mean (0 where that is not measured); only probes may go where `is_open`.
    pub fn destination(&self, rtt: f64, is_open: bool) {
        self.rtt.set(rtt);
        self.circuit.set(i64::from(is_open));
    }
}
