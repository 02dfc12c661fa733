//! `levada generate-schema`: the JSON Schema of configurations.

use std::process::ExitCode;

use super::screen::say;
use crate::config::{Shelves, whole_schema};

/// Write the JSON Schema of configurations, for editors.
#[derive(Debug, clap::Args)]
pub(super) struct GenerateSchema {}

pub(super) fn generate_schema(_: &GenerateSchema) -> ExitCode {
    // Made of values that are JSON already.
    say(&format!("{:#}\n", whole_schema(&Shelves)));
    ExitCode::SUCCESS
}
