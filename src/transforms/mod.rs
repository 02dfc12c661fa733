//! The shelf of transforms: one row each.

mod enrich;
mod notice;
mod program;
mod remap;
pub mod scrub;
#[cfg(test)]
mod test_kit;

use crate::component::row::Row;
use crate::component::transform::Transform;

/// Every kind of transform.
pub const ROWS: &[Row<Box<dyn Transform>>] =
    &[Row::of::<enrich::EnrichSettings>(), Row::of::<remap::RemapSettings>(), Row::of::<scrub::ScrubSettings>()];
