//! The shelf of sinks: one row each.

mod blackhole;
mod clickhouse;
mod console;
mod elasticsearch;
mod file;
mod http;
mod opentelemetry;

use crate::component::row::Row;
use crate::delivery::Drain;

/// Every kind of sink.
pub const ROWS: &[Row<Box<dyn Drain>>] = &[
    Row::of::<blackhole::BlackholeSettings>(),
    Row::of::<clickhouse::ClickhouseSettings>(),
    Row::of::<console::ConsoleSettings>(),
    Row::of::<elasticsearch::ElasticsearchSettings>(),
    Row::of::<file::FileSettings>(),
    Row::of::<http::HttpSettings>(),
    Row::of::<opentelemetry::OpenTelemetrySettings>(),
];
