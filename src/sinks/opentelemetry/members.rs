//! The servers that records may go to: one, or several of which each has the traces that are its own.
//!
//! A trace belongs to the server with the highest score for it (rendezvous hashing): whoever knows the same servers, spelled
//! alike, chooses the same, and where a server comes or goes only its own traces move. One that fails for long is passed over;
//! its traces go to the one with the next score each, and come back with it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::codecs::otlp::Signal;
use crate::component::meters::Meters;
use crate::component::sink::{Answer, Place};
use crate::event::otlp::facts::trace_id;
use crate::event::{Form, View};

use super::target::Targets;

/// How long a server is passed over before it is tried again.
const AWAY: Duration = Duration::from_secs(30);

/// What a JSON record calls its trace.
const TRACE_KEYS: [&str; 3] = ["trace_id", "traceId", "trace.id"];

/// All servers of a sink.
pub(super) struct Members {
    all: Vec<Member>,
    /// How long one must fail before it is passed over.
    patience: Duration,
    meters: Meters,
}

struct Member {
    endpoint: String,
    /// A hash of its endpoint, the same on every machine.
    name: u64,
    targets: Targets,
    places: [Place; Signal::ALL.len()],
    /// Signals that records have come of, and those that it said last it does not take, as bits.
    seen: AtomicU8,
    refused: AtomicU8,
    trouble: Mutex<Option<Trouble>>,
}

/// A server that fails.
#[derive(Clone, Copy)]
struct Trouble {
    since: Instant,
    /// Till when it is passed over, if it is.
    until: Option<Instant>,
}

/// Where a request goes.
pub(super) struct Route {
    pub(super) member: usize,
    pub(super) signal: Signal,
}

impl Members {
    /// Those with these endpoints; there is at least one.
    pub(super) fn new(all: Vec<(String, Targets)>, patience: Duration, meters: Meters) -> Self {
        let member = |(number, (endpoint, targets)): (usize, (String, Targets))| Member {
            name: name(&endpoint),
            endpoint,
            targets,
            places: Signal::ALL.map(|signal| Place::new(Route { member: number, signal })),
            seen: AtomicU8::new(0),
            refused: AtomicU8::new(0),
            trouble: Mutex::default(),
        };
        Self { all: all.into_iter().enumerate().map(member).collect(), patience, meters }
    }

    /// The addresses of each.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Targets> {
        self.all.iter().map(|member| &member.targets)
    }

    /// The addresses of one.
    pub(super) fn targets_of(&self, member: usize) -> &Targets {
        &self.all[member].targets
    }

    /// Which of them may be chosen now; all, if none may.
    pub(super) fn up(&self) -> Vec<bool> {
        let now = Instant::now();
        let up: Vec<bool> = self.all.iter().map(|member| !member.is_away(now)).collect();
        if up.contains(&true) { up } else { vec![true; up.len()] }
    }

    /// Where a record goes, by those that may be chosen; none where nothing takes its signal.
    pub(super) fn place(&self, record: View<'_>, signal: Signal, up: &[bool]) -> Option<&Place> {
        let number = if self.all.len() == 1 { 0 } else { self.choose(key(record), up) };
        let member = &self.all[number];
        // It is set once: a write for each record would cost.
        if member.seen.load(Ordering::Relaxed) & bit(signal) == 0 {
            member.seen.fetch_or(bit(signal), Ordering::Relaxed);
        }
        member.targets[signal as usize].as_ref().map(|_| &member.places[signal as usize])
    }

    /// The one with the highest score.
    fn choose(&self, key: u128, up: &[bool]) -> usize {
        let scores = self.all.iter().enumerate().filter(|(at, _)| up[*at]);
        scores.max_by_key(|(_, member)| score(member.name, key)).map_or(0, |(at, _)| at)
    }

    /// Is it passed over while another is not?
    pub(super) fn is_passed_over(&self, member: usize) -> bool {
        self.all.len() > 1 && !self.up()[member]
    }

    /// A server says that it does not take the signal of a request: are the records of that one to be held alone? Not
    /// where it takes no other that there is; then it may be the wrong address.
    pub(super) fn holds_alone(&self, route: &Route) -> bool {
        let member = &self.all[route.member];
        let refused = member.refused.fetch_or(bit(route.signal), Ordering::Relaxed) | bit(route.signal);
        member.seen.load(Ordering::Relaxed) & !refused != 0
    }

    /// A server has taken a request.
    pub(super) fn has_taken(&self, route: &Route) {
        self.all[route.member].refused.fetch_and(!bit(route.signal), Ordering::Relaxed);
    }

    /// Learns of a server by its answer; gives what becomes of the request.
    pub(super) fn told(&self, number: usize, answer: Answer) -> Answer {
        if self.all.len() == 1 {
            return answer;
        }
        let (member, now) = (&self.all[number], Instant::now());
        let (Answer::Retry { why, .. } | Answer::Hold { why }) = &answer else {
            if member.is_back() {
                tracing::info!(endpoint = member.endpoint, "it answers again: its records go to it");
            }
            return answer;
        };
        if !member.fails(now, self.patience) {
            return answer;
        }
        self.meters.error("endpoint_away");
        tracing::warn!(endpoint = member.endpoint, why, "it fails for long: its records go to others");
        if self.is_passed_over(number) { Answer::Anew } else { answer }
    }
}

impl Member {
    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_away(&self, now: Instant) -> bool {
        self.lock().is_some_and(|trouble| trouble.until.is_some_and(|until| now < until))
    }

    /// It failed; is it passed over from now on?
    fn fails(&self, now: Instant, patience: Duration) -> bool {
        let mut trouble = self.lock();
        let trouble = trouble.get_or_insert(Trouble { since: now, until: None });
        let is_away = trouble.until.is_some_and(|until| now < until);
        if is_away || now - trouble.since < patience {
            return false;
        }
        trouble.until = Some(now + AWAY);
        true
    }

    /// It answered; had it been passed over?
    fn is_back(&self) -> bool {
        self.lock().take().is_some_and(|trouble| trouble.until.is_some())
    }
}

const fn bit(signal: Signal) -> u8 {
    1 << signal as u8
}

/// What records are sent by: the trace; of those without one the service, so that what belongs together meets.
fn key(record: View<'_>) -> u128 {
    let trace = match record.form() {
        Form::Span | Form::LogRecord => record.facts().and_then(|facts| facts.trace_id),
        Form::Json => TRACE_KEYS.iter().find_map(|key| {
            let value = record.member(key.as_bytes())?;
            trace_id(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?)
        }),
        Form::Point | Form::Text => None,
    };
    let service = || record.form().is_otlp().then(|| record.resource_text("service.name")).flatten();
    match trace {
        Some(id) => u128::from_be_bytes(id),
        None => service().map_or(record.identity().stream.0, |service| hash(service).into()),
    }
}

/// Of an endpoint, however it ends.
fn name(endpoint: &str) -> u64 {
    hash(endpoint.trim_end_matches('/').as_bytes())
}

/// FNV-1a, 64 bits: the same in every build.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

fn score(member: u64, key: u128) -> u64 {
    mixed(mixed(member ^ (key as u64)) ^ (key >> 64) as u64)
}

/// The finalizer of `SplitMix64`: <https://prng.di.unimi.it/splitmix64.c>.
fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::test_kit::meters;

    fn members(endpoints: &[&str]) -> Members {
        let all = endpoints.iter().map(|endpoint| ((*endpoint).to_owned(), [None, None, None])).collect();
        Members::new(all, Duration::from_secs(10), meters())
    }

    /// Trace ids as they are drawn.
    fn keys() -> impl Iterator<Item = u128> {
        (1..30_000_u64).map(|number| u128::from(mixed(number)) << 64 | u128::from(mixed(!number)))
    }

    #[test]
    fn traces_are_spread_and_only_those_of_a_server_that_goes_move() {
        let four = members(&["http://a:1", "http://b:1", "http://c:1", "http://d:1"]);
        let three = members(&["http://d:1/", "http://a:1", "http://c:1"]);
        let mut counts = [0; 4];
        for key in keys() {
            let before = four.choose(key, &[true; 4]);
            counts[before] += 1;
            let after = &three.all[three.choose(key, &[true; 3])];
            let stays = after.name == four.all[before].name;
            assert!(stays || four.all[before].endpoint == "http://b:1", "the order and the last slash say nothing");
            assert_eq!(four.choose(key, &[true, false, true, true]) == before, before != 1);
        }
        assert!(counts.iter().all(|count| (7_000..8_000).contains(count)), "{counts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_for_long_is_passed_over_and_tried_again() {
        let two = members(&["http://a:1", "http://b:1"]);
        let retry = || Answer::Retry { why: "refused".to_owned(), after: None };
        assert_eq!(two.told(0, retry()), retry());
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(two.told(0, retry()), retry());
        assert_eq!(two.told(1, Answer::Delivered), Answer::Delivered);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((two.told(0, retry()), two.up()), (Answer::Anew, vec![false, true]));
        assert!(two.is_passed_over(0) && !two.is_passed_over(1));
        tokio::time::advance(AWAY).await;
        assert_eq!(two.up(), [true, true], "it is tried again");
        assert_eq!((two.told(0, retry()), two.up()), (Answer::Anew, vec![false, true]), "and not waited for again");
        tokio::time::advance(AWAY).await;
        two.told(0, Answer::Delivered);
        assert_eq!((two.told(0, retry()), two.up()), (retry(), vec![true, true]));
    }

    #[test]
    fn a_signal_is_held_alone_where_another_may_be_taken() {
        let one = members(&["http://a:1"]);
        let route = |signal| Route { member: 0, signal };
        let (traces, logs) = (route(Signal::Traces), route(Signal::Logs));
        let see = |signal| _ = one.all[0].seen.fetch_or(bit(signal), Ordering::Relaxed);
        see(Signal::Traces);
        assert!(!one.holds_alone(&traces), "there is no other: all of it waits");
        see(Signal::Logs);
        assert!(one.holds_alone(&traces));
        assert!(!one.holds_alone(&logs), "it takes neither");
        one.has_taken(&logs);
        assert!(one.holds_alone(&traces));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_fail_each_keeps_its_own() {
        let two = members(&["http://a:1", "http://b:1"]);
        let retry = || Answer::Retry { why: "refused".to_owned(), after: None };
        for member in [0, 1] {
            two.told(member, retry());
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!((two.told(0, retry()), two.told(1, retry())), (Answer::Anew, retry()));
        assert_eq!(two.up(), [true, true]);
        assert!(!two.is_passed_over(0) && !two.is_passed_over(1));
    }
}
