//! Metrics and their points.

use super::Kind::{self, Bool, Double, Enum, Fixed64, KeyValue, Sfixed64, Sint, Text, Uint};
use super::{Field, Message, SPAN_ID, TRACE_ID, many, one, told};

static EXEMPLAR: Message = Message::new(
    "an exemplar",
    &[
        one(2, "time_unix_nano", Fixed64),
        told(3, "as_double", Double),
        told(6, "as_int", Sfixed64),
        one(5, "trace_id", TRACE_ID),
        one(4, "span_id", SPAN_ID),
        many(7, "filtered_attributes", KeyValue),
    ],
);

/// `NumberDataPoint`.
pub static NUMBER_POINT: Message = Message::new(
    "a point",
    &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        told(4, "as_double", Double),
        told(6, "as_int", Sfixed64),
        many(5, "exemplars", Kind::Message(&EXEMPLAR)),
        many(7, "attributes", KeyValue),
        one(8, "flags", Uint),
    ],
);

/// `HistogramDataPoint`.
pub static HISTOGRAM_POINT: Message = Message::new(
    "a point",
    &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        told(5, "sum", Double),
        many(6, "bucket_counts", Fixed64),
        many(7, "explicit_bounds", Double),
        many(8, "exemplars", Kind::Message(&EXEMPLAR)),
        many(9, "attributes", KeyValue),
        one(10, "flags", Uint),
        told(11, "min", Double),
        told(12, "max", Double),
    ],
);

static BUCKETS: Message = Message::new("buckets", &[one(1, "offset", Sint), many(2, "bucket_counts", Uint)]);

/// `ExponentialHistogramDataPoint`.
pub static EXPONENTIAL_POINT: Message = Message::new(
    "a point",
    &[
        many(1, "attributes", KeyValue),
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        told(5, "sum", Double),
        one(6, "scale", Sint),
        one(7, "zero_count", Fixed64),
        one(8, "positive", Kind::Message(&BUCKETS)),
        one(9, "negative", Kind::Message(&BUCKETS)),
        one(10, "flags", Uint),
        many(11, "exemplars", Kind::Message(&EXEMPLAR)),
        told(12, "min", Double),
        told(13, "max", Double),
        one(14, "zero_threshold", Double),
    ],
);

static QUANTILE: Message = Message::new("a quantile", &[one(1, "quantile", Double), one(2, "value", Double)]);

/// `SummaryDataPoint`.
pub static SUMMARY_POINT: Message = Message::new(
    "a point",
    &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        many(6, "quantile_values", Kind::Message(&QUANTILE)),
        many(7, "attributes", KeyValue),
        one(8, "flags", Uint),
    ],
);

pub(super) const TEMPORALITY: Field = one(2, "aggregation_temporality", Enum(&["", "delta", "cumulative"]));

pub(super) const IS_MONOTONIC: Field = one(3, "is_monotonic", Bool);

static GAUGE: Message = Message::new("a gauge", &[]);
static SUM: Message = Message::new("a sum", &[TEMPORALITY, IS_MONOTONIC]);
static HISTOGRAM: Message = Message::new("a histogram", &[TEMPORALITY]);
static SUMMARY: Message = Message::new("a summary", &[]);

/// `Metric`. The points are not among the fields: each is a record.
pub static METRIC: Message = Message::new(
    "a metric",
    &[
        one(1, "name", Text),
        one(2, "description", Text),
        one(3, "unit", Text),
        many(12, "metadata", KeyValue),
        told(5, "gauge", Kind::Message(&GAUGE)),
        told(7, "sum", Kind::Message(&SUM)),
        told(9, "histogram", Kind::Message(&HISTOGRAM)),
        told(10, "exponential_histogram", Kind::Message(&HISTOGRAM)),
        told(11, "summary", Kind::Message(&SUMMARY)),
    ],
);

/// The kind of points of a metric whose field of this number holds them, and what it is called.
pub fn points(number: u32) -> Option<&'static Message> {
    match number {
        5 | 7 => Some(&NUMBER_POINT),
        9 => Some(&HISTOGRAM_POINT),
        10 => Some(&EXPONENTIAL_POINT),
        11 => Some(&SUMMARY_POINT),
        _ => None,
    }
}
