//! Figures of steps that decide about traces.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::LABELS;

/// The families.
#[derive(Debug)]
pub(super) struct SamplingFamilies {
    traces: IntCounterVec,
    late: IntCounterVec,
    spilled: IntCounterVec,
    held_traces: IntGaugeVec,
    held_bytes: IntGaugeVec,
    spilled_bytes: IntGaugeVec,
}

/// Those of one step.
#[derive(Clone, Debug)]
pub struct SamplingMeters {
    labels: [String; 3],
    traces: IntCounterVec,
    late: IntCounterVec,
    spilled: IntCounter,
    held_traces: IntGauge,
    held_bytes: IntGauge,
    spilled_bytes: IntGauge,
}

impl SamplingFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str, more: &[&str]| {
            let labels = [&LABELS[..], more].concat();
            let family = IntCounterVec::new(Opts::new(name, help), &labels).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let gauge = |name: &str, help: &str| {
            let family = IntGaugeVec::new(Opts::new(name, help), &LABELS).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        Self {
            traces: counter(
                "levada_sampling_traces_total",
                "Traces that were decided about, by decision and by what made it due.",
                &["decision", "trigger"],
            ),
            late: counter(
                "levada_sampling_late_events_total",
                "Records that came after the decision about their trace, by what became of them.",
                &["decision"],
            ),
            spilled: counter("levada_sampling_spilled_bytes_total", "Bytes that were put on the disk.", &[]),
            held_traces: gauge("levada_sampling_held_traces", "Traces that are not decided about."),
            held_bytes: gauge("levada_sampling_held_byte_size", "Bytes of memory that undecided traces take."),
            spilled_bytes: gauge("levada_sampling_spilled_byte_size", "Bytes of the disk that they take."),
        }
    }

    pub(super) fn of(&self, labels: [&str; 3]) -> SamplingMeters {
        SamplingMeters {
            labels: labels.map(str::to_owned),
            traces: self.traces.clone(),
            late: self.late.clone(),
            spilled: self.spilled.with_label_values(&labels),
            held_traces: self.held_traces.with_label_values(&labels),
            held_bytes: self.held_bytes.with_label_values(&labels),
            spilled_bytes: self.spilled_bytes.with_label_values(&labels),
        }
    }
}

impl SamplingMeters {
    /// Traces were decided about; both words are some of a handful.
    pub fn decided(&self, decision: &str, trigger: &str, traces: u64) {
        let [id, kind, type_name] = self.labels.each_ref().map(String::as_str);
        self.traces.with_label_values(&[id, kind, type_name, decision, trigger]).inc_by(traces);
    }

    /// How many traces were.
    pub fn decisions(&self, decision: &str, trigger: &str) -> u64 {
        let [id, kind, type_name] = self.labels.each_ref().map(String::as_str);
        self.traces.with_label_values(&[id, kind, type_name, decision, trigger]).get()
    }

    /// Records came late; the word is one of a handful.
    pub fn late(&self, decision: &str, records: u64) {
        let [id, kind, type_name] = self.labels.each_ref().map(String::as_str);
        self.late.with_label_values(&[id, kind, type_name, decision]).inc_by(records);
    }

    /// How many records did.
    pub fn late_count(&self, decision: &str) -> u64 {
        let [id, kind, type_name] = self.labels.each_ref().map(String::as_str);
        self.late.with_label_values(&[id, kind, type_name, decision]).get()
    }

    /// Bytes went to the disk.
    pub fn spilled(&self, bytes: u64) {
        self.spilled.inc_by(bytes);
    }

    /// How many did.
    pub fn spilled_total(&self) -> u64 {
        self.spilled.get()
    }

    /// Bytes of memory that are held now.
    pub fn held_now(&self) -> i64 {
        self.held_bytes.get()
    }

    /// Bytes of the disk.
    pub fn spilled_now(&self) -> i64 {
        self.spilled_bytes.get()
    }

    /// What is held now: traces, their bytes in memory and on the disk.
    pub fn holds(&self, traces: usize, bytes: usize, spilled: u64) {
        self.held_traces.set(traces as i64);
        self.held_bytes.set(bytes as i64);
        self.spilled_bytes.set(spilled as i64);
    }
}
