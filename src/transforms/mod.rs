//! The shelf of transforms: one row each.

mod condition;
mod consistent;
mod dedupe;
mod enrich;
mod filter;
mod key;
mod notice;
mod program;
mod protection;
mod reduce;
mod remap;
mod route;
mod sample;
pub mod scrub;
mod tail_sample;
#[cfg(test)]
mod test_kit;
mod throttle;
mod voice;

use crate::component::row::Row;
use crate::component::transform::{Stateful, Transform};
use crate::delivery::settings::QueueSettings;

pub use condition::ConditionText;
pub use protection::{protected, protection};
pub use voice::voice;

/// A stateful transform as its settings make it.
pub struct Keeping {
    /// What it does.
    pub step: Box<dyn Stateful>,
    /// What stands before it.
    pub buffer: QueueSettings,
}

/// Every kind of transform that holds records between batches.
pub const STATEFUL: &[Row<Keeping>] =
    &[Row::of::<reduce::ReduceSettings>(), Row::of::<tail_sample::TailSampleSettings>()];

/// Every other kind.
pub const ROWS: &[Row<Box<dyn Transform>>] = &[
    Row::of::<dedupe::DedupeSettings>(),
    Row::of::<enrich::EnrichSettings>(),
    Row::of::<filter::FilterSettings>(),
    Row::of::<remap::RemapSettings>(),
    Row::of::<route::RouteSettings>(),
    Row::of::<sample::SampleSettings>(),
    Row::of::<scrub::ScrubSettings>(),
    Row::of::<throttle::ThrottleSettings>(),
];
