//! The shelf of sinks: one row each.

mod blackhole;
mod elasticsearch;

use crate::component::row::Row;
use crate::delivery::Drain;

/// Every kind of sink.
pub const ROWS: &[Row<Box<dyn Drain>>] =
    &[Row::of::<blackhole::BlackholeSettings>(), Row::of::<elasticsearch::ElasticsearchSettings>()];
