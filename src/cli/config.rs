//! `levada config`: the configuration as it is used.

use std::fmt::Write;
use std::process::ExitCode;

use super::FAULTY;
use super::files::Files;
use super::screen::{print_faults, say};
use crate::config::{Shelves, resolved};

/// Show every setting with its value and where that came from; secrets are `***`.
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    #[command(flatten)]
    files: Files,
    /// Only settings with this in their path.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

pub(super) fn config(arguments: &Config) -> ExitCode {
    let loaded = arguments.files.load();
    print_faults(&loaded);
    let Some(plan) = &loaded.plan else { return ExitCode::from(FAULTY) };
    let lines = resolved(plan, &Shelves);
    let wanted = |path: &str| arguments.filter.as_ref().is_none_or(|text| path.contains(text.as_str()));
    let mut text = String::new();
    for line in lines.iter().filter(|line| wanted(&line.path)) {
        let _ = writeln!(text, "{} = {} # {}", line.path, line.value, line.origin.show(&loaded.sources));
    }
    say(&text);
    ExitCode::SUCCESS
}
