//! Sources that follow files, seen from outside while nothing runs.

use std::path::Path;
use std::sync::Arc;

use super::build::Ground;
use super::pauses::Pauses;
use super::tap::Taps;
use crate::buffer::MinFree;
use crate::component::inspect::Inspect;
use crate::component::meters::Families;
use crate::component::pause::Paused;
use crate::config::Plan;
use crate::event::Budget;
use crate::lang::Tables;

/// A source that follows files.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Its name.
    pub id: String,
    /// Whether it is paused.
    pub paused: Option<Paused>,
    /// What it tells.
    pub inspect: Arc<dyn Inspect>,
}

/// The sources of `plan` that follow files, with what `data_dir` keeps of them. Nothing runs.
pub fn inspect(plan: &Plan, data_dir: &Path) -> Vec<Inspected> {
    let pauses = Pauses::open(data_dir);
    let ground = Ground {
        families: Families::default(),
        budget: Budget::new(usize::MAX),
        data_dir: data_dir.into(),
        min_free: MinFree::new(data_dir),
        taps: Taps::default(),
        tables: Tables::default(),
        pauses: pauses.clone(),
    };
    let inspected = plan.sources.iter().filter_map(|source| {
        let inspect = ground.inspect(source)?;
        Some(Inspected { id: source.id.clone(), paused: pauses.state(&source.id), inspect })
    });
    inspected.collect()
}
