//! The shelf of transforms: one row each.

mod enrich;
pub mod scrub;

use crate::component::row::Row;
use crate::component::transform::Transform;

/// Every kind of transform.
pub const ROWS: &[Row<Box<dyn Transform>>] = &[Row::of::<enrich::EnrichSettings>(), Row::of::<scrub::ScrubSettings>()];
