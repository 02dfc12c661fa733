//! `levada status` and `levada top`: how each component of the running agent is, and what it does each second.

use std::fmt::Write;
use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::Duration;

use super::client::{Which, runtime};
use super::screen::{CLEAR, is_read, say};
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

/// Show what each component of the running agent does, second by second.
#[derive(Debug, clap::Args)]
pub(super) struct Top {
    #[command(flatten)]
    which: Which,
    /// A line of JSON for each component and interval instead.
    #[arg(long)]
    json: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Stop after so many looks.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
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

pub(super) fn top(arguments: &Top) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(watch(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why, FAULTY),
    }
}

async fn watch(arguments: &Top) -> Result<(), String> {
    let agent = arguments.which.agent()?;
    let mut ticks = tokio::time::interval(Duration::from_secs(arguments.interval));
    ticks.tick().await;
    let mut before: Report = agent.get("/status").await?;
    for _ in 0..arguments.count.unwrap_or(u64::MAX) {
        ticks.tick().await;
        let now: Report = agent.get("/status").await?;
        let rates = now.components.iter().map(|component| Rate::of(component, &before, arguments.interval));
        let rates: Vec<_> = rates.collect();
        let mut text = String::new();
        if arguments.json {
            for rate in &rates {
                let _ = writeln!(text, "{}", serde_json::json!(rate));
            }
        } else {
            let clear = if stdout().is_terminal() { CLEAR } else { "" };
            text = format!("{clear}{}", table(&now, &rates));
        }
        if !is_read(&text) {
            return Ok(());
        }
        before = now;
    }
    Ok(())
}

/// What a component did in a second.
#[derive(Debug, PartialEq, serde::Serialize)]
struct Rate {
    id: String,
    kind: String,
    state: String,
    received_events_per_second: u64,
    received_bytes_per_second: u64,
    sent_events_per_second: u64,
    sent_bytes_per_second: u64,
    discarded_per_second: u64,
    errors_per_second: u64,
    buffer_bytes: u64,
    utilization: f64,
}

impl Rate {
    /// A component that is new, or began to count anew, did what it has counted.
    fn of(now: &StatusOf, before: &Report, seconds: u64) -> Self {
        let none = StatusOf::default();
        let before = before.components.iter().find(|component| component.id == now.id).unwrap_or(&none);
        let rate = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now) / seconds;
        let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
        Self {
            id: now.id.clone(),
            kind: now.kind.clone(),
            state: now.state.clone(),
            received_events_per_second: rate(now.received_events, before.received_events),
            received_bytes_per_second: rate(now.received_bytes, before.received_bytes),
            sent_events_per_second: rate(now.sent_events, before.sent_events),
            sent_bytes_per_second: rate(now.sent_bytes, before.sent_bytes),
            discarded_per_second: rate(sum(&now.discarded), sum(&before.discarded)),
            errors_per_second: rate(sum(&now.errors), sum(&before.errors)),
            buffer_bytes: now.buffer_bytes,
            utilization: now.utilization,
        }
    }
}

fn table(report: &Report, rates: &[Rate]) -> String {
    let mut text = format!("levada {}, {} resident\n", report.version, show_size(report.resident_bytes));
    let _ = writeln!(
        text,
        "{:<20} {:<9} {:<9} {:>10} {:>10} {:>11} {:>9} {:>7} {:>10} {:>5}",
        "ID", "KIND", "STATE", "IN/s", "OUT/s", "BYTES/s", "DROPS/s", "ERR/s", "QUEUE", "BUSY"
    );
    for rate in rates {
        let bytes = rate.received_bytes_per_second.max(rate.sent_bytes_per_second);
        let _ = writeln!(
            text,
            "{:<20} {:<9} {:<9} {:>10} {:>10} {:>11} {:>9} {:>7} {:>10} {:>4.0}%",
            rate.id,
            rate.kind,
            rate.state,
            rate.received_events_per_second,
            rate.sent_events_per_second,
            show_size(bytes),
            rate.discarded_per_second,
            rate.errors_per_second,
            show_size(rate.buffer_bytes),
            rate.utilization * 100.0
        );
    }
    text
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

#[cfg(test)]
mod tests {
    use super::{Rate, Report, StatusOf};

    #[test]
    fn rates_are_differences_and_a_counter_that_began_anew_counts_from_zero() {
        let at = |received_events| StatusOf { id: "a".to_owned(), received_events, ..StatusOf::default() };
        let report = |component| Report { components: vec![component], ..Report::default() };
        assert_eq!(Rate::of(&at(50), &report(at(10)), 2).received_events_per_second, 20);
        assert_eq!(Rate::of(&at(6), &report(at(10)), 2).received_events_per_second, 3);
    }
}
