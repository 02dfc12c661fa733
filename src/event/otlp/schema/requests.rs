//! Whole requests, as OTLP/JSON writes them. Those in protobuf are walked, not read by a table.

use super::Kind::{self, KeyValue, Text};
use super::{
    EXPONENTIAL_POINT, Field, HISTOGRAM_POINT, LOG_RECORD, Message, NUMBER_POINT, RESOURCE, SCOPE, SPAN, SUMMARY_POINT,
    many, metrics, one, told,
};

/// `ExportTraceServiceRequest`.
pub static TRACES: Message = Message::new("a request", &[many(1, "resource_spans", Kind::Message(&RESOURCE_SPANS))]);
/// `ExportLogsServiceRequest`.
pub static LOGS: Message = Message::new("a request", &[many(1, "resource_logs", Kind::Message(&RESOURCE_LOGS))]);
/// `ExportMetricsServiceRequest`.
pub static METRICS: Message =
    Message::new("a request", &[many(1, "resource_metrics", Kind::Message(&RESOURCE_METRICS))]);

const SCHEMA_URL: Field = one(3, "schema_url", Text);
const OF_RESOURCE: Field = one(1, "resource", Kind::Message(&RESOURCE));
const OF_SCOPE: Field = one(1, "scope", Kind::Message(&SCOPE));

static RESOURCE_SPANS: Message =
    Message::new("a resource", &[OF_RESOURCE, many(2, "scope_spans", Kind::Message(&SCOPE_SPANS)), SCHEMA_URL]);
static SCOPE_SPANS: Message = Message::new("a scope", &[OF_SCOPE, many(2, "spans", Kind::Message(&SPAN)), SCHEMA_URL]);
static RESOURCE_LOGS: Message =
    Message::new("a resource", &[OF_RESOURCE, many(2, "scope_logs", Kind::Message(&SCOPE_LOGS)), SCHEMA_URL]);
static SCOPE_LOGS: Message =
    Message::new("a scope", &[OF_SCOPE, many(2, "log_records", Kind::Message(&LOG_RECORD)), SCHEMA_URL]);
static RESOURCE_METRICS: Message =
    Message::new("a resource", &[OF_RESOURCE, many(2, "scope_metrics", Kind::Message(&SCOPE_METRICS)), SCHEMA_URL]);
static SCOPE_METRICS: Message =
    Message::new("a scope", &[OF_SCOPE, many(2, "metrics", Kind::Message(&METRIC)), SCHEMA_URL]);

/// A metric with its points.
static METRIC: Message = Message::new(
    "a metric",
    &[
        one(1, "name", Text),
        one(2, "description", Text),
        one(3, "unit", Text),
        told(5, "gauge", Kind::Message(&GAUGE)),
        told(7, "sum", Kind::Message(&SUM)),
        told(9, "histogram", Kind::Message(&HISTOGRAM)),
        told(10, "exponential_histogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        told(11, "summary", Kind::Message(&SUMMARY)),
        many(12, "metadata", KeyValue),
    ],
);

const fn data_points(message: &'static Message) -> Field {
    many(1, "data_points", Kind::Message(message))
}

static GAUGE: Message = Message::new("a gauge", &[data_points(&NUMBER_POINT)]);
static SUM: Message = Message::new("a sum", &[data_points(&NUMBER_POINT), metrics::TEMPORALITY, metrics::IS_MONOTONIC]);
static HISTOGRAM: Message = Message::new("a histogram", &[data_points(&HISTOGRAM_POINT), metrics::TEMPORALITY]);
static EXPONENTIAL_HISTOGRAM: Message =
    Message::new("a histogram", &[data_points(&EXPONENTIAL_POINT), metrics::TEMPORALITY]);
static SUMMARY: Message = Message::new("a summary", &[data_points(&SUMMARY_POINT)]);
