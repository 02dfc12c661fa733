//! `levada completions`: what a shell needs to complete arguments.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::Line;
use super::screen::say;

/// Write completions for a shell, for its folder of completions.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(arguments: &Completions) -> ExitCode {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Line::command(), "levada", &mut script);
    say(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
