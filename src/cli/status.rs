//! `levada status`: how each component of the running agent is.

use std::fmt::Write;
use std::process::ExitCode;

use super::client::{Which, runtime};
use super::screen::say;
use super::{FAULTY, failed};
use crate::admin::{Status as Report, StatusOf};
use crate::buffer::{Space, percent};
use crate::config::show_size;

/// Show how each component of the running agent is, and what it has counted.
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    #[command(flatten)]
    which: Which,
    /// A JSON object instead.
    #[arg(long)]
    json: bool,
}

pub(super) fn status(arguments: &Status) -> ExitCode {
    let asked = runtime().and_then(|runtime| {
        let agent = arguments.which.agent()?;
        runtime.block_on(agent.get::<Report>("/status"))
    });
    match asked {
        Ok(report) if arguments.json => say(&format!("{}\n", serde_json::json!(report))),
        Ok(report) => say(&page(&report)),
        Err(why) => return failed(&why, FAULTY),
    }
    ExitCode::SUCCESS
}

fn page(report: &Report) -> String {
    let mut text = format!("levada {}, {} resident\n", report.version, show_size(report.resident_bytes));
    if !report.is_config_current {
        text.push_str("the configuration that was read last has faults: an earlier one runs (`levada validate`)\n");
    }
    for team in &report.faulty_teams {
        let _ = writeln!(text, "the files of the team `{team}` have faults: what of it ran last runs, if anything did");
    }
    if report.orphaned_buffers > 0 {
        let _ = writeln!(
            text,
            "disk buffers with records that no sink has: {} (`levada buffer ls`)",
            report.orphaned_buffers
        );
    }
    let space = Space { free: report.free_ratio, wanted: report.min_free_ratio };
    if space.is_short() {
        let (free, wanted) = (percent(space.free), percent(space.wanted));
        let _ = writeln!(
            text,
            "{free} of the file system of `data_dir` is free, `min_free` is {wanted}: disk buffers and dead letters are full"
        );
    }
    for component in &report.components {
        let StatusOf { id, kind, type_name, state, .. } = component;
        let why = component.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let _ = writeln!(text, "\n{id} ({kind}, {type_name}) {state}{why}");
        let _ = writeln!(text, "  in {} records, out {}", component.received_events, component.sent_events);
        let counts = |name: &str, counts: &std::collections::BTreeMap<String, u64>| {
            let each: Vec<_> = counts.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            if each.is_empty() { String::new() } else { format!("  {name}: {}\n", each.join(", ")) }
        };
        text.push_str(&counts("dropped", &component.discarded));
        text.push_str(&counts("errors", &component.errors));
        if component.buffer_max_bytes > 0 {
            let (held, most) = (show_size(component.buffer_bytes), show_size(component.buffer_max_bytes));
            let _ = writeln!(text, "  queue: {held} of {most}");
        }
    }
    text
}
