//! `levada config`: the configuration as it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;

use super::FAULTY;
use super::client::{Which, runtime};
use super::screen::{print_faults, say};
use crate::config::{Resolved, Shelves, resolved};

/// Show every setting with its value and where that came from; secrets are `***`.
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    #[command(flatten)]
    which: Which,
    /// Only what differs from the configuration that the running agent uses.
    #[arg(long)]
    diff: bool,
    /// Only settings with this in their path.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

pub(super) fn config(arguments: &Config) -> ExitCode {
    let loaded = arguments.which.files.load();
    print_faults(&loaded);
    let Some(plan) = &loaded.plan else { return ExitCode::from(FAULTY) };
    let wanted = |path: &str| arguments.filter.as_ref().is_none_or(|text| path.contains(text.as_str()));
    let lines: Vec<_> = resolved(plan, &Shelves).into_iter().filter(|line| wanted(&line.path)).collect();
    if let Some(text) = arguments.filter.as_ref().filter(|_| lines.is_empty()) {
        eprintln!("no setting has `{text}` in its path");
    }
    if !arguments.diff {
        let mut text = String::new();
        for line in &lines {
            let _ = writeln!(text, "{} = {} # {}", line.path, line.value, line.origin.show(&loaded.sources));
        }
        say(&text);
        return ExitCode::SUCCESS;
    }
    match running(&arguments.which) {
        Ok(running) => say(&difference(running.into_iter().filter(|(path, _)| wanted(path)).collect(), &lines)),
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(FAULTY);
        }
    }
    ExitCode::SUCCESS
}

/// What the agent uses.
fn running(which: &Which) -> Result<Settings, String> {
    let agent = which.agent()?;
    runtime()?.block_on(agent.get("/config"))
}

type Settings = Vec<(String, String)>;

/// A line for each value that is gone (`-`), and one for each that is new (`+`).
fn difference(running: Settings, files: &[Resolved]) -> String {
    let running: BTreeMap<_, _> = running.into_iter().collect();
    let files: BTreeMap<_, _> = files.iter().map(|line| (&line.path, &line.value)).collect();
    let mut text = String::new();
    for path in running.keys().chain(files.keys().copied()).collect::<BTreeSet<_>>() {
        let (before, after) = (running.get(path), files.get(path).copied());
        if before == after {
            continue;
        }
        let mut line = |sign: char, value: Option<&String>| {
            value.map(|value| writeln!(text, "{sign} {path} = {value}"));
        };
        line('-', before);
        line('+', after);
    }
    text
}
