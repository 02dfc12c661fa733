//! The shelf of transforms: one row each.

mod condition;
mod enrich;
mod filter;
mod notice;
mod program;
mod protection;
mod remap;
mod route;
mod sample;
pub mod scrub;
#[cfg(test)]
mod test_kit;

use crate::component::row::Row;
use crate::component::transform::Transform;

pub use condition::ConditionText;
pub use protection::protection;

/// Every kind of transform.
pub const ROWS: &[Row<Box<dyn Transform>>] = &[
    Row::of::<enrich::EnrichSettings>(),
    Row::of::<filter::FilterSettings>(),
    Row::of::<remap::RemapSettings>(),
    Row::of::<route::RouteSettings>(),
    Row::of::<sample::SampleSettings>(),
    Row::of::<scrub::ScrubSettings>(),
];
