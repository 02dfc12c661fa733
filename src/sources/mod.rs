//! The shelf of sources: one row each.

pub mod file;

use crate::component::row::Row;
use crate::component::source::Source;

/// Every kind of source.
pub const ROWS: &[Row<Box<dyn Source>>] = &[Row::of::<file::FileSettings>()];
