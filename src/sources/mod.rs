//! The shelf of sources: one row each.

pub mod demo_logs;
mod door;
mod feed;
pub mod file;
pub mod http_server;
pub mod kubernetes_logs;
pub mod line;
pub mod opentelemetry;
pub mod stdin;

use crate::component::row::Row;
use crate::component::source::Source;

/// Every kind of source.
pub const ROWS: &[Row<Box<dyn Source>>] = &[
    Row::of::<demo_logs::DemoLogsSettings>(),
    Row::of::<file::FileSettings>(),
    Row::of::<http_server::HttpServerSettings>(),
    Row::of::<kubernetes_logs::KubernetesLogsSettings>(),
    Row::of::<opentelemetry::OpenTelemetrySettings>(),
    Row::of::<stdin::StdinSettings>(),
];
