//! Meters: what each component counts. Names are Vector's with the prefix `levada_`; never a pod or a file as a label.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use prometheus::{GaugeVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use tracing::{Span, error_span};

mod buffer;
mod latency;
mod requests;
mod sampling;

pub use buffer::BufferMeters;
pub use latency::Working;
pub use requests::RequestMeters;
pub use sampling::SamplingMeters;

use buffer::BufferFamilies;
use latency::{LatencyFamily, Part};
use requests::RequestFamilies;
use sampling::SamplingFamilies;

use super::file_meters::{FileFamilies, FileMeters};
use super::reason::Reason;
use super::utilization::{AtWork, Seat, Utilization, Work};

/// The name of the spans that components work in.
pub const COMPONENT: &str = "component";

const LABELS: [&str; 3] = ["component_id", "component_kind", "component_type"];

/// Whose meters they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// `component_id`.
    pub id: String,
    /// `component_kind`: `source`, `transform` or `sink`.
    pub kind: &'static str,
    /// `component_type`.
    pub type_name: &'static str,
}

impl Label {
    /// Every line that is logged within it says whose it is. Of the level `error`, so that no filter of levels leaves it out.
    pub fn span(&self) -> Span {
        let Self { id, kind, type_name } = self;
        error_span!(parent: None, COMPONENT, component_id = id, component_kind = kind, component_type = type_name)
    }
}

/// Every family of figures the process exposes, in one registry.
#[derive(Clone, Debug)]
pub struct Families(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    received_events: IntCounterVec,
    received_bytes: IntCounterVec,
    sent_events: IntCounterVec,
    sent_bytes: IntCounterVec,
    discarded: IntCounterVec,
    errors: IntCounterVec,
    scrubbed: IntCounterVec,
    discarded_by_key: IntCounterVec,
    table_reloads: IntCounterVec,
    buffer_bytes: IntGaugeVec,
    buffer_max_bytes: IntGaugeVec,
    buffers: BufferFamilies,
    latency: LatencyFamily,
    requests: RequestFamilies,
    sampling: SamplingFamilies,
    paused: IntGaugeVec,
    utilization: Utilization,
    files: FileFamilies,
}

impl Default for Families {
    fn default() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, more: &[&str]| {
            let family =
                IntCounterVec::new(Opts::new(name, help), &[&LABELS[..], more].concat()).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let table_reloads = Opts::new("levada_enrichment_table_reloads_total", "Tables read again, by how it went.");
        let table_reloads = IntCounterVec::new(table_reloads, &["table", "status"]).expect("names are constants");
        registry.register(Box::new(table_reloads.clone())).expect("each name once");
        let gauge = |name: &str, help: &str| {
            let family = IntGaugeVec::new(Opts::new(name, help), &LABELS).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let utilization = Opts::new("levada_utilization", "Share of its time the component was at work, 0 to 1.");
        let utilization = GaugeVec::new(utilization, &LABELS).expect("names are constants");
        registry.register(Box::new(utilization.clone())).expect("each name once");
        Self(Arc::new(Inner {
            received_events: counter("levada_component_received_events_total", "Records the component took in.", &[]),
            received_bytes: counter("levada_component_received_bytes_total", "Bytes the source read.", &[]),
            sent_events: counter(
                "levada_component_sent_events_total",
                "Records the component passed on or delivered.",
                &[],
            ),
            sent_bytes: counter("levada_component_sent_event_bytes_total", "Encoded bytes the sink delivered.", &[]),
            discarded: counter(
                "levada_component_discarded_events_total",
                "Records that went no further, by reason.",
                &["intentional", "reason"],
            ),
            errors: counter("levada_component_errors_total", "Errors, by kind.", &["error_type"]),
            discarded_by_key: counter(
                "levada_events_discarded_total",
                "Records that a throttle dropped, by key, where it is told to say so.",
                &["key"],
            ),
            scrubbed: counter("levada_scrubbed_values_total", "Values masked, by detector.", &["detector"]),
            buffer_bytes: gauge("levada_buffer_byte_size", "Bytes the sink's buffer holds."),
            buffer_max_bytes: gauge("levada_buffer_max_byte_size", "Bytes the sink's buffer may hold."),
            buffers: BufferFamilies::new(&registry),
            latency: LatencyFamily::new(&registry),
            requests: RequestFamilies::new(&registry),
            sampling: SamplingFamilies::new(&registry),
            paused: gauge("levada_component_paused", "Whether a person has paused the source: 1 or 0."),
            utilization: Utilization::new(utilization),
            files: FileFamilies::new(&registry, &LABELS),
            table_reloads,
            registry,
        }))
    }
}

impl Families {
    /// The registry, for the metrics door and for gauges of other rooms.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Brings the figures up to date that are made of time; `now` is the clock's.
    pub fn refresh(&self, now: Instant) {
        self.0.utilization.refresh(now);
    }

    /// So many disk buffers hold records, and no sink has them.
    pub fn orphaned_buffers(&self, buffers: usize) {
        self.0.buffers.orphans(buffers);
    }

    /// The file of an enrichment table changed and was read again, or could not be.
    pub fn table_reloaded(&self, table: &str, succeeded: bool) {
        let status = if succeeded { "success" } else { "failure" };
        self.0.table_reloads.with_label_values(&[table, status]).inc();
    }

    /// How often that succeeded and failed.
    #[cfg(test)]
    pub(crate) fn table_reloads(&self, table: &str) -> (u64, u64) {
        let count = |status| self.0.table_reloads.with_label_values(&[table, status]).get();
        (count("success"), count("failure"))
    }

    /// The meters of one component.
    pub fn meters(&self, label: &Label) -> Meters {
        let values = [label.id.as_str(), label.kind, label.type_name];
        let discarded = Reason::ALL.map(|reason| {
            let intentional = if reason.is_intentional() { "true" } else { "false" };
            let labels = [&values[..], &[intentional, reason.name()]].concat();
            self.0.discarded.with_label_values(&labels)
        });
        Meters(Arc::new(Own {
            received_events: self.0.received_events.with_label_values(&values),
            received_bytes: self.0.received_bytes.with_label_values(&values),
            sent_events: self.0.sent_events.with_label_values(&values),
            sent_bytes: self.0.sent_bytes.with_label_values(&values),
            discarded,
            work: self.0.utilization.work(label, Instant::now()),
            buffer: OnceLock::new(),
            waiting: OnceLock::new(),
            working: OnceLock::new(),
            families: self.clone(),
            label: label.clone(),
        }))
    }
}

/// One component's meters; a clone counts into the same figures. Called once per batch or request, never per record.
#[derive(Clone, Debug)]
pub struct Meters(Arc<Own>);

#[derive(Debug)]
struct Own {
    received_events: IntCounter,
    received_bytes: IntCounter,
    sent_events: IntCounter,
    sent_bytes: IntCounter,
    discarded: [IntCounter; Reason::ALL.len()],
    work: Arc<Work>,
    /// Made at first use: not every component has a buffer.
    buffer: OnceLock<[IntGauge; 2]>,
    /// The same: not every component has a queue, or batches in hand.
    waiting: OnceLock<Histogram>,
    working: OnceLock<Histogram>,
    families: Families,
    label: Label,
}

impl Meters {
    /// Records came in, with the bytes read for them (0 where the component does not read).
    pub fn received(&self, events: usize, bytes: usize) {
        self.0.received_events.inc_by(events as u64);
        self.0.received_bytes.inc_by(bytes as u64);
    }

    /// Records went on, with their encoded bytes (0 where nothing was encoded).
    pub fn sent(&self, events: usize, bytes: usize) {
        self.0.sent_events.inc_by(events as u64);
        self.0.sent_bytes.inc_by(bytes as u64);
    }

    /// Records went no further.
    pub fn discarded(&self, reason: Reason, events: usize) {
        if events > 0 {
            self.0.discarded[reason as usize].inc_by(events as u64);
        }
        if events > 0 && reason == Reason::BufferFull {
            self.0.families.0.buffers.discarded(&self.values(), events);
        }
    }

    /// Figures of the disk buffer in front of the component: from now on they are shown.
    pub fn of_buffer(&self) -> BufferMeters {
        self.0.families.0.buffers.of_disk(&self.values())
    }

    /// Figures of the requests that the component sends: from now on they are shown.
    pub fn of_requests(&self) -> RequestMeters {
        self.0.families.0.requests.of(&self.values())
    }

    /// Figures of a step that decides about traces: from now on they are shown.
    pub fn of_sampling(&self) -> SamplingMeters {
        self.0.families.0.sampling.of(self.values())
    }

    /// Records that share `key` went no further: counted besides [`discarded`](Self::discarded). Whoever calls it bounds
    /// the number of keys.
    pub fn discarded_by_key(&self, key: &str, events: usize) {
        let labels = [&self.values()[..], &[key]].concat();
        self.0.families.0.discarded_by_key.with_label_values(&labels).inc_by(events as u64);
    }

    /// Something went wrong; `kind` is one of a handful of fixed words.
    pub fn error(&self, kind: &'static str) {
        self.errors(kind, 1);
    }

    /// Something went wrong `count` times; a kind that never did is not shown.
    pub fn errors(&self, kind: &'static str, count: usize) {
        if count == 0 {
            return;
        }
        let [id, kind_of, type_name] = self.values();
        self.0.families.0.errors.with_label_values(&[id, kind_of, type_name, kind]).inc_by(count as u64);
    }

    /// How many errors of this kind there were so far.
    pub fn error_count(&self, kind: &'static str) -> u64 {
        let [id, kind_of, type_name] = self.values();
        self.0.families.0.errors.with_label_values(&[id, kind_of, type_name, kind]).get()
    }

    /// Values were masked because of `detector`.
    pub fn scrubbed(&self, detector: &str, values: u64) {
        if values > 0 {
            let [id, kind, type_name] = self.values();
            self.0.families.0.scrubbed.with_label_values(&[id, kind, type_name, detector]).inc_by(values);
        }
    }

    /// The buffer holds `bytes` of `limit`.
    pub fn buffer(&self, bytes: usize, limit: usize) {
        let Inner { buffer_bytes, buffer_max_bytes, .. } = &*self.0.families.0;
        let own = || [buffer_bytes, buffer_max_bytes].map(|family| family.with_label_values(&self.values()));
        let [held, most] = self.0.buffer.get_or_init(own);
        held.set(bytes as i64);
        most.set(limit as i64);
    }

    /// Tells whether a person has paused the source.
    pub fn paused(&self, is_paused: bool) {
        self.0.families.0.paused.with_label_values(&self.values()).set(i64::from(is_paused));
    }

    /// The component is at work until the answer is dropped.
    pub fn at_work(&self) -> AtWork {
        AtWork::new(self.0.work.clone())
    }

    /// The same with a batch: how long it takes is a latency of the component.
    pub fn working(&self) -> Working {
        Working::new(self.latency(Part::Working).clone(), self.at_work())
    }

    /// A request took so long, from its first byte to its answer.
    pub fn worked(&self, time: Duration) {
        latency::observe(self.latency(Part::Working), time);
    }

    /// A batch stood in the queue for so long.
    pub fn waited(&self, time: Duration) {
        latency::observe(self.latency(Part::Waiting), time);
    }

    fn latency(&self, part: Part) -> &Histogram {
        let own = match part {
            Part::Waiting => &self.0.waiting,
            Part::Working => &self.0.working,
        };
        own.get_or_init(|| self.0.families.0.latency.of(self.values(), part))
    }

    /// How many batches have waited, and how many batches and requests were worked on.
    #[cfg(test)]
    pub(crate) fn latencies(&self) -> (u64, u64) {
        (self.latency(Part::Waiting).get_sample_count(), self.latency(Part::Working).get_sample_count())
    }

    /// One more lane runs the component until the answer is dropped.
    pub fn seat(&self) -> Seat {
        Seat::new(self.0.work.clone())
    }

    /// How many are at work for the component.
    #[cfg(test)]
    pub(crate) fn hands(&self) -> u32 {
        self.0.work.hands()
    }

    /// How many records came in so far.
    pub fn received_events(&self) -> u64 {
        self.0.received_events.get()
    }

    /// How many bytes were read so far.
    pub fn received_bytes(&self) -> u64 {
        self.0.received_bytes.get()
    }

    /// How many records went on so far.
    pub fn sent_events(&self) -> u64 {
        self.0.sent_events.get()
    }

    /// How many records were discarded for `reason` so far.
    pub fn discarded_events(&self, reason: Reason) -> u64 {
        self.0.discarded[reason as usize].get()
    }

    /// The figures of a source that follows files; shown from the first call on.
    pub fn files(&self) -> FileMeters {
        self.0.families.0.files.meters(&self.values())
    }

    /// Whose they are.
    pub fn label(&self) -> &Label {
        &self.0.label
    }

    fn values(&self) -> [&str; 3] {
        [self.0.label.id.as_str(), self.0.label.kind, self.0.label.type_name]
    }
}
