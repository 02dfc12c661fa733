//! The scrub that records go through where they are shown to a person or leave before a `scrub` of the pipeline.

use super::scrub::ScrubSettings;
use crate::component::files::Files;
use crate::component::meters::{Families, Label};
use crate::component::row::{Context, Settings};
use crate::component::transform::Transform;
use crate::event::Budget;

/// A `scrub` with default settings, which counts into no figures.
pub fn protection() -> Result<Box<dyn Transform>, String> {
    let settings: ScrubSettings = toml::Table::new().try_into().map_err(|error: toml::de::Error| error.to_string())?;
    let label = Label { id: "protection".to_owned(), kind: "transform", type_name: ScrubSettings::NAME };
    let (meters, budget) = (Families::default().meters(&label), Budget::new(usize::MAX));
    settings.build(Context { id: label.id, meters, budget, state_dir: "".into(), files: Files::default() })
}
