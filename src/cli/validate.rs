//! `levada validate`: every fault of a configuration at once.

use std::process::ExitCode;

use super::FAULTY;
use super::files::Files;
use super::screen::{self, Format};
use crate::config::{Kind, Plan};

/// Check a configuration: opens no socket, reads no data.
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    #[command(flatten)]
    files: Files,
    /// How faults are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn validate(arguments: &Validate) -> ExitCode {
    let loaded = arguments.files.load();
    screen::print_faults_as(arguments.format, &loaded);
    match &loaded.plan {
        Some(plan) if !loaded.faults().has_errors() => {
            if arguments.format == Format::Human {
                println!("valid: {}", summary(plan));
            }
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(FAULTY),
    }
}

fn summary(plan: &Plan) -> String {
    let count = |kind: Kind| {
        let count = plan.components().filter(|component| component.kind == kind).count();
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {}{plural}", kind.noun())
    };
    Kind::ALL.map(count).join(", ")
}
