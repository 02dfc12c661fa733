//! `levada top`: what each component of the running agent does, second by second.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::Duration;

use super::client::{Which, runtime};
use super::screen::{CLEAR, is_read};
use super::{FAULTY, failed};
use crate::admin::{Latency, Status, StatusOf};
use crate::config::show_size;

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
    let mut before: Status = agent.get("/status").await?;
    for _ in 0..arguments.count.unwrap_or(u64::MAX) {
        ticks.tick().await;
        let now: Status = agent.get("/status").await?;
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
    /// By reason, as the metrics name them; reasons of which there was none are left out.
    discarded_by_reason_per_second: BTreeMap<String, u64>,
    errors_per_second: u64,
    buffer_bytes: u64,
    utilization: f64,
    /// How long the batches that left its queue in the interval had been there.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_seconds: Option<Times>,
    /// How long it worked on a batch, or a request took.
    #[serde(skip_serializing_if = "Option::is_none")]
    working_seconds: Option<Times>,
}

/// Of what was measured in the interval; the percentiles are estimates between the bounds of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
struct Times {
    mean: f64,
    p50: f64,
    p99: f64,
}

impl Rate {
    /// A component that is new, or began to count anew, did what it has counted.
    fn of(now: &StatusOf, before: &Status, seconds: u64) -> Self {
        let none = StatusOf::default();
        let before = before.components.iter().find(|component| component.id == now.id).unwrap_or(&none);
        let rate = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now) / seconds;
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        let of_reason = |(reason, now): (&String, &u64)| {
            let rate = rate(*now, before.discarded.get(reason).copied().unwrap_or(0));
            (rate > 0).then(|| (reason.clone(), rate))
        };
        Self {
            id: now.id.clone(),
            kind: now.kind.clone(),
            state: now.state.clone(),
            received_events_per_second: rate(now.received_events, before.received_events),
            received_bytes_per_second: rate(now.received_bytes, before.received_bytes),
            sent_events_per_second: rate(now.sent_events, before.sent_events),
            sent_bytes_per_second: rate(now.sent_bytes, before.sent_bytes),
            discarded_per_second: rate(sum(&now.discarded), sum(&before.discarded)),
            discarded_by_reason_per_second: now.discarded.iter().filter_map(of_reason).collect(),
            errors_per_second: rate(sum(&now.errors), sum(&before.errors)),
            buffer_bytes: now.buffer_bytes,
            utilization: now.utilization,
            waiting_seconds: Times::between(&before.waiting, &now.waiting),
            working_seconds: Times::between(&before.working, &now.working),
        }
    }
}

impl Times {
    /// Of what came to a histogram; none if nothing did.
    fn between(before: &Latency, now: &Latency) -> Option<Self> {
        let none = Latency::default();
        let before = if before.count > now.count { &none } else { before };
        let count = now.count - before.count;
        if count == 0 {
            return None;
        }
        let earlier = |at: usize| before.at_most.get(at).map_or(0, |(_, count)| *count);
        let buckets = now.at_most.iter().enumerate();
        let buckets: Vec<_> = buckets.map(|(at, (bound, count))| (*bound, count.saturating_sub(earlier(at)))).collect();
        let percentile = |share| percentile(&buckets, count, share);
        let mean = (now.sum - before.sum).max(0.0) / count as f64;
        Some(Self { mean, p50: percentile(0.5), p99: percentile(0.99) })
    }
}

/// The value below which this share of `count` lies, as if each bucket were filled evenly; beyond the last bound, that.
fn percentile(at_most: &[(f64, u64)], count: u64, share: f64) -> f64 {
    let rank = share * count as f64;
    let (mut lower, mut below) = (0.0, 0);
    for (bound, so_far) in at_most {
        if *so_far as f64 >= rank {
            let part = (rank - below as f64) / (so_far - below).max(1) as f64;
            return lower + (bound - lower) * part;
        }
        (lower, below) = (*bound, *so_far);
    }
    lower
}

fn table(report: &Status, rates: &[Rate]) -> String {
    let mut text = format!("levada {}, {} resident\n", report.version, show_size(report.resident_bytes));
    let _ = writeln!(
        text,
        "{:<20} {:<9} {:<9} {:>9} {:>9} {:>10} {:>8} {:>6} {:>9} {:>4} {:>13} {:>13}  DROPPED/s",
        "ID",
        "KIND",
        "STATE",
        "IN/s",
        "OUT/s",
        "BYTES/s",
        "DROPS/s",
        "ERR/s",
        "QUEUE",
        "BUSY",
        "WAIT p50/p99",
        "WORK p50/p99"
    );
    for rate in rates {
        let bytes = rate.received_bytes_per_second.max(rate.sent_bytes_per_second);
        let reasons: Vec<_> =
            rate.discarded_by_reason_per_second.iter().map(|(reason, rate)| format!("{reason} {rate}")).collect();
        let line = format!(
            "{:<20} {:<9} {:<9} {:>9} {:>9} {:>10} {:>8} {:>6} {:>9} {:>3.0}% {:>13} {:>13}  {}",
            rate.id,
            rate.kind,
            rate.state,
            rate.received_events_per_second,
            rate.sent_events_per_second,
            show_size(bytes),
            rate.discarded_per_second,
            rate.errors_per_second,
            show_size(rate.buffer_bytes),
            rate.utilization * 100.0,
            show_times(rate.waiting_seconds),
            show_times(rate.working_seconds),
            reasons.join(", ")
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn show_times(times: Option<Times>) -> String {
    times.map_or_else(|| "-".to_owned(), |times| format!("{}/{}", show_time(times.p50), show_time(times.p99)))
}

/// Two digits are enough for a glance.
fn show_time(seconds: f64) -> String {
    match seconds {
        few if few < 0.001 => format!("{:.0}us", few * 1e6),
        some if some < 1.0 => format!("{:.0}ms", some * 1e3),
        more => format!("{more:.1}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(component: StatusOf) -> Status {
        Status { components: vec![component], ..Status::default() }
    }

    fn latency(sum: f64, at_most: &[(f64, u64)]) -> Latency {
        let count = at_most.last().map_or(0, |(_, count)| *count);
        Latency { sum, count, at_most: at_most[..at_most.len() - 1].to_vec() }
    }

    #[test]
    fn rates_are_differences_and_a_counter_that_began_anew_counts_from_zero() {
        let at = |received_events| StatusOf { id: "a".to_owned(), received_events, ..StatusOf::default() };
        assert_eq!(Rate::of(&at(50), &report(at(10)), 2).received_events_per_second, 20);
        assert_eq!(Rate::of(&at(6), &report(at(10)), 2).received_events_per_second, 3);
    }

    #[test]
    fn drops_are_told_by_reason_and_times_are_those_of_the_interval() {
        let at = |few: u64, throttled: u64, working: Latency| StatusOf {
            id: "few".to_owned(),
            kind: "transform".to_owned(),
            state: "running".to_owned(),
            discarded: [("filtered".to_owned(), few), ("throttled".to_owned(), throttled)].into(),
            working,
            ..StatusOf::default()
        };
        let before = at(10, 5, latency(100.0, &[(0.001, 1), (0.01, 1), (f64::INFINITY, 2)]));
        let now = at(50, 5, latency(100.5, &[(0.001, 101), (0.01, 201), (f64::INFINITY, 202)]));
        let rate = Rate::of(&now, &report(before), 2);
        assert_eq!(rate.discarded_by_reason_per_second, BTreeMap::from([("filtered".to_owned(), 20)]));
        let times = rate.working_seconds.unwrap();
        let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-6;
        assert!(close(times.mean, 0.0025) && close(times.p50, 0.001) && close(times.p99, 0.00982), "{times:?}");
        assert_eq!(rate.waiting_seconds, None);
        let shown = table(&report(now), &[rate]);
        let line = shown.lines().last().unwrap();
        assert!(line.ends_with("-      1ms/10ms  filtered 20"), "{shown}");
    }

    #[test]
    fn a_percentile_beyond_the_last_bound_is_that_bound() {
        let late = latency(500.0, &[(1.0, 0), (100.0, 0), (f64::INFINITY, 3)]);
        let times = Times::between(&Latency::default(), &late).unwrap();
        assert_eq!((show_time(times.p50), show_time(0.000_25)), ("100.0s".to_owned(), "250us".to_owned()));
        let anew = latency(0.5, &[(1.0, 1), (100.0, 1), (f64::INFINITY, 1)]);
        assert_eq!(Times::between(&late, &anew).map(|times| times.mean.to_bits()), Some(0.5_f64.to_bits()));
    }
}
