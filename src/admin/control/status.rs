//! `GET /status`: how each component is and what it has counted, from the same registry that `/metrics` shows.

use std::collections::BTreeMap;
use std::time::Instant;

use prometheus::proto::{Metric, MetricFamily};
use serde::{Deserialize, Serialize};

use crate::admin::door::Shown;
use crate::admin::figures::{FREE, MIN_FREE};
use crate::topology::Standing;

/// The agent, as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Which build it is.
    pub version: String,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Is the configuration that was read last the one that runs?
    pub is_config_current: bool,
    /// Teams whose files have faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faulty_teams: Vec<String>,
    /// Disk buffers with records that no sink has.
    #[serde(default)]
    pub orphaned_buffers: u64,
    /// Share of the file system of `data_dir` that is free, 0 to 1.
    #[serde(default)]
    pub free_ratio: f64,
    /// Share of it that is others': with less free, disk buffers and dead letters are full.
    #[serde(default)]
    pub min_free_ratio: f64,
    /// Sources, transforms, sinks, by name.
    pub components: Vec<StatusOf>,
}

/// A component, as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StatusOf {
    /// Its name.
    pub id: String,
    /// Source, transform or sink.
    pub kind: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The outputs that can be looked at, by name; the main one has that of the component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// `starting`, `running`, `paused` or `degraded`.
    pub state: String,
    /// Why it is paused or degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Records it took in.
    pub received_events: u64,
    /// Bytes a source read.
    pub received_bytes: u64,
    /// Records it passed on or delivered.
    pub sent_events: u64,
    /// Encoded bytes a sink delivered.
    pub sent_bytes: u64,
    /// Records that went no further, by reason.
    pub discarded: BTreeMap<String, u64>,
    /// Errors, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Bytes in its queue.
    pub buffer_bytes: u64,
    /// Bytes its queue may hold.
    pub buffer_max_bytes: u64,
    /// Share of its time it was at work, 0 to 1.
    pub utilization: f64,
    /// How long batches waited in its queue.
    #[serde(default)]
    pub waiting: Latency,
    /// How long batches or requests were worked on.
    #[serde(default)]
    pub working: Latency,
}

/// How long something took, each time: a histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// All of it together, in seconds.
    pub sum: f64,
    /// How often.
    pub count: u64,
    /// How often it took at most so many seconds.
    pub at_most: Vec<(f64, u64)>,
}

pub(super) fn status(shown: &Shown) -> Status {
    shown.figures.refresh();
    shown.families.refresh(Instant::now());
    let members = shown.roster.members();
    let mut components: Vec<StatusOf> = members
        .iter()
        .map(|member| {
            let Standing { state, why, .. } = member.standing();
            let (id, kind, type_name) = (member.id.clone(), member.kind.noun().to_owned(), member.type_name.clone());
            let outputs = member.outputs.clone();
            StatusOf { id, kind, type_name, outputs, state: state.to_owned(), why, ..StatusOf::default() }
        })
        .collect();
    let mut status =
        Status { version: env!("CARGO_PKG_VERSION").to_owned(), is_config_current: true, ..Status::default() };
    for family in shown.families.registry().gather() {
        match family.name() {
            "process_resident_memory_bytes" => status.resident_bytes = first(&family) as u64,
            "levada_orphaned_buffers" => status.orphaned_buffers = first(&family) as u64,
            FREE => status.free_ratio = first(&family),
            MIN_FREE => status.min_free_ratio = first(&family),
            "levada_config_last_reload_successful" => {
                let stale = family.get_metric().iter().filter(|metric| value(metric) == 0.0);
                let stale: Vec<_> = stale.filter_map(|metric| label(metric, "team")).map(str::to_owned).collect();
                status.is_config_current = !stale.iter().any(String::is_empty);
                status.faulty_teams = stale.into_iter().filter(|team| !team.is_empty()).collect();
            }
            _ => enter(&family, &mut components),
        }
    }
    Status { components, ..status }
}

fn first(family: &MetricFamily) -> f64 {
    family.get_metric().first().map_or(0.0, value)
}

fn value(metric: &Metric) -> f64 {
    metric.get_counter().get_value() + metric.get_gauge().get_value()
}

fn latency(metric: &Metric) -> Latency {
    let histogram = metric.get_histogram();
    let at_most = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    // JSON has no infinity; what lies beyond the last bound is in `count`.
    let at_most = at_most.filter(|(bound, _)| bound.is_finite()).collect();
    Latency { sum: histogram.get_sample_sum(), count: histogram.get_sample_count(), at_most }
}

fn label<'m>(metric: &'m Metric, name: &str) -> Option<&'m str> {
    metric.get_label().iter().find(|label| label.name() == name).map(prometheus::proto::LabelPair::value)
}

/// Enters the figures of one family at the components that they are of.
fn enter(family: &MetricFamily, components: &mut [StatusOf]) {
    for metric in family.get_metric() {
        let Some(id) = label(metric, "component_id") else { continue };
        let Some(component) = components.iter_mut().find(|component| component.id == id) else { continue };
        let (figure, of) = (value(metric), |name| label(metric, name).unwrap_or_default().to_owned());
        match family.name() {
            "levada_component_received_events_total" => component.received_events = figure as u64,
            "levada_component_received_bytes_total" => component.received_bytes = figure as u64,
            "levada_component_sent_events_total" => component.sent_events = figure as u64,
            "levada_component_sent_event_bytes_total" => component.sent_bytes = figure as u64,
            "levada_buffer_byte_size" => component.buffer_bytes = figure as u64,
            "levada_buffer_max_byte_size" => component.buffer_max_bytes = figure as u64,
            "levada_utilization" => component.utilization = figure,
            "levada_component_discarded_events_total" if figure > 0.0 => {
                component.discarded.insert(of("reason"), figure as u64);
            }
            "levada_component_latency_seconds" => match of("part").as_str() {
                "waiting" => component.waiting = latency(metric),
                _ => component.working = latency(metric),
            },
            "levada_component_errors_total" if figure > 0.0 => {
                component.errors.insert(of("error_type"), figure as u64);
            }
            _ => {}
        }
    }
}
