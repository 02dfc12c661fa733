//! Logs of the `Go2Asia` flows, as its services write them: quests and rewards, vouchers, geo search, the chain.
//!
//! Flows run side by side and each has one `correlation_id` and one `trace_id` on all its lines. Health checks, debug
//! chatter and now and then a line that is not JSON come between. There is personal data in the lines, all of it made
//! up; card numbers are the payment industry's test numbers. Equal seeds and times give equal lines.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat};
use fastrand::Rng;

use super::cast::Cast;
use super::script::{FLOWS, HEALTH, NOT_JSON, SERVICES, Step};

/// Flows that are under way at once.
const SIDE_BY_SIDE: usize = 6;
/// Of a thousand lines so many are health checks.
const HEALTH_CHECKS: u32 = 220;
/// Of a thousand lines so many are not JSON.
const BROKEN: u32 = 4;

/// An endless log of all services.
#[derive(Debug)]
pub struct Flows {
    random: Rng,
    open: Vec<Flow>,
}

#[derive(Debug)]
struct Flow {
    steps: &'static [Step],
    cast: Cast,
}

impl Flows {
    /// The log that `seed` stands for.
    pub fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let open = (0..SIDE_BY_SIDE).map(|_| Flow::new(&mut random)).collect();
        Self { random, open }
    }

    /// Names of the services that write.
    pub const fn services() -> &'static [&'static str] {
        SERVICES
    }

    /// Appends the next line to `line`, without its line feed; gives the service that writes it. `time` is in
    /// nanoseconds since the Unix epoch.
    pub fn write_next(&mut self, time: i64, line: &mut String) -> &'static str {
        let lot = self.random.u32(..1000);
        if lot < BROKEN {
            let (service, text) = NOT_JSON[self.random.usize(..NOT_JSON.len())];
            Cast::new(&mut self.random).fill(text, line);
            return service;
        }
        if lot < BROKEN + HEALTH_CHECKS {
            let service = SERVICES[self.random.usize(..SERVICES.len())];
            write_step(&HEALTH, (service, time), &Cast::new(&mut self.random), line);
            return service;
        }
        let at = self.random.usize(..self.open.len());
        let flow = &mut self.open[at];
        let Some((step, rest)) = flow.steps.split_first() else { return SERVICES[0] };
        flow.cast.next_span(&mut self.random);
        write_step(step, (step.service, time), &flow.cast, line);
        flow.steps = rest;
        if rest.is_empty() {
            *flow = Flow::new(&mut self.random);
        }
        step.service
    }
}

impl Flow {
    fn new(random: &mut Rng) -> Self {
        // Tickets: how often each flow happens.
        let tickets: usize = FLOWS.iter().map(|(tickets, _)| tickets).sum();
        let mut ticket = random.usize(..tickets);
        let chosen = FLOWS.iter().find(|(tickets, _)| {
            let is_it = ticket < *tickets;
            ticket = ticket.saturating_sub(*tickets);
            is_it
        });
        Self { steps: chosen.map_or(FLOWS[0].1, |(_, steps)| steps), cast: Cast::new(random) }
    }
}

fn write_step(step: &Step, (service, time): (&str, i64), cast: &Cast, line: &mut String) {
    let time = DateTime::from_timestamp_nanos(time).to_rfc3339_opts(SecondsFormat::Micros, true);
    let Step { level, event, .. } = step;
    // Writing into a string cannot fail.
    let _ =
        write!(line, r#"{{"timestamp":"{time}","level":"{level}","service":"{service}","event":"{event}","message":""#);
    cast.fill(step.message, line);
    line.push_str(r#"","#);
    cast.fill(r#""correlation_id":"<correlation>","trace_id":"<trace>","span_id":"<span>""#, line);
    if !step.members.is_empty() {
        line.push(',');
        cast.fill(step.members, line);
    }
    line.push('}');
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use serde_json::Value;

    use super::*;

    fn lines(seed: u64, count: usize) -> Vec<(&'static str, String)> {
        let mut flows = Flows::new(seed);
        let line = |number| {
            let mut text = String::new();
            (flows.write_next(1_700_000_000_000_000_000 + number, &mut text), text)
        };
        (0..count as i64).map(line).collect()
    }

    fn records(seed: u64, count: usize) -> Vec<Value> {
        lines(seed, count).iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect()
    }

    #[test]
    fn a_seed_gives_the_same_lines() {
        assert_eq!(lines(7, 500), lines(7, 500));
        assert_ne!(lines(7, 500), lines(8, 500));
    }

    #[test]
    fn nearly_all_lines_are_json_of_the_service_that_writes_them() {
        let lines = lines(1, 20_000);
        let broken = lines.iter().filter(|(_, text)| serde_json::from_str::<Value>(text).is_err()).count();
        assert!((20..400).contains(&broken), "{broken} lines are not JSON");
        for (service, text) in &lines {
            assert!(!text.contains(['<', '>', '\n']), "a name was not filled in: {text}");
            if let Ok(record) = serde_json::from_str::<Value>(text) {
                assert_eq!(record["service"], *service);
            }
        }
        let services: HashSet<&str> = lines.iter().map(|(service, _)| *service).collect();
        assert_eq!(services.len(), SERVICES.len());
    }

    #[test]
    fn a_flow_keeps_its_correlation_and_trace() {
        let mut traces: HashMap<String, (String, HashSet<String>)> = HashMap::new();
        for record in records(2, 5_000).iter().filter(|record| record["event"] != "http_request") {
            let [correlation, trace, event] =
                ["correlation_id", "trace_id", "event"].map(|key| record[key].as_str().unwrap().to_owned());
            let (known, events) = traces.entry(correlation).or_insert_with(|| (trace.clone(), HashSet::new()));
            assert_eq!(*known, trace);
            events.insert(event);
        }
        let whole =
            ["quest_completed", "reward_calculated", "points_credited", "nft_awarded", "chain_transaction_confirmed"];
        assert!(traces.values().any(|(_, events)| whole.iter().all(|event| events.contains(*event))));
    }

    #[test]
    fn every_event_of_the_platform_occurs() {
        let records = records(3, 20_000);
        let events: HashSet<&str> = records.iter().filter_map(|record| record["event"].as_str()).collect();
        let wanted = [
            "voucher_purchase_started",
            "voucher_purchase_success",
            "voucher_purchase_failure",
            "reward_dispatched",
            "guru_geo_search",
            "geo_provider_timeout",
            "chain_rpc_error",
            "chain_transaction_submitted",
        ];
        let missing: Vec<_> = wanted.iter().filter(|event| !events.contains(*event)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let levels: HashSet<&str> = records.iter().filter_map(|record| record["level"].as_str()).collect();
        assert_eq!(levels, HashSet::from(["debug", "info", "warn", "error"]));
    }
}
