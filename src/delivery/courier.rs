//! The courier carries one request until each of its records has an outcome: it retries, splits, holds, buries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::body::Bodies;
use super::cutter::{Cut, Cutter, Limits};
use super::gate::Gate;
use super::in_hand::InHand;
use super::refusals::Refusals;
use super::request::{Load, Request};
use super::sorted::{Sorted, Told, Why};
use crate::component::fail;
use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::sink::{Answer, KnownBy, Payload, Sink, Verdict};
use crate::component::task::blocking;
use crate::event::Outcome;

/// What is held longer than this becomes dead letters.
const HOLD_MAX: Duration = Duration::from_hours(1);
/// The first pause before a held partition or sink is probed; it doubles up to the longest pause.
const HOLD_PROBE: Backoff = Backoff { initial: Duration::from_secs(5), max: Duration::from_mins(1) };

/// How attempts are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempts {
    pub(crate) timeout: Duration,
    pub(crate) backoff: Backoff,
    /// Attempts after the first; `None`: as many as it takes.
    pub(crate) retries: Option<usize>,
    pub(crate) limits: Limits,
    /// Bytes that records of refused partitions may keep alive; what is more becomes dead letters at once.
    pub(crate) max_held_bytes: usize,
}

pub(crate) struct Courier {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) attempts: Attempts,
    pub(crate) meters: Meters,
    pub(crate) health: Health,
    pub(crate) refusals: Refusals,
    pub(crate) in_hand: InHand,
    /// What each attempt passes.
    pub(crate) gate: Gate,
    /// Where bodies come from.
    pub(crate) bodies: Bodies,
    /// Bytes that held records keep alive.
    pub(crate) held: AtomicUsize,
}

/// A request on its way.
struct Trip {
    request: Request,
    /// Attempts that failed; those that were answered with a hold are none.
    attempt: u32,
    /// Since when, and how often in a row, the destination has it wait for a person.
    held: Option<(Instant, u32)>,
}

/// What comes after an answer.
enum Next {
    Settled,
    Again(Trip, Duration),
    /// These are requests of their own from now on.
    Apart(Vec<Load>),
}

impl Courier {
    pub(crate) fn sink(&self) -> &Arc<dyn Sink> {
        &self.sink
    }

    pub(crate) fn bodies(&self) -> Bodies {
        self.bodies.clone()
    }

    /// May one more request be under way, beside so many? One always may; more only while bodies are within their share
    /// of memory.
    pub(crate) fn has_room(&self, under_way: usize) -> bool {
        under_way == 0 || (under_way < self.gate.limit() && self.bodies.has_room())
    }

    pub(crate) fn id(&self) -> &str {
        &self.meters.label().id
    }

    /// Carries `request` until all its records have an outcome, but for those whose partition is held: these are
    /// given back.
    pub(crate) async fn deliver(&self, request: Request) -> Vec<Told> {
        let mut held = Vec::new();
        if let Some(mark) = &request.mark
            && !mark.durable().await
        {
            // The buffer is gone, and has the records.
            return held;
        }
        let mut work = vec![request];
        while let Some(request) = work.pop() {
            let mut trip = Trip { request, attempt: 0, held: None };
            loop {
                let answer = self.send(&trip.request).await;
                match self.weigh(answer, trip, &mut held).await {
                    Next::Settled => break,
                    Next::Again(next, pause) => {
                        trip = next;
                        sleep(pause).await;
                    }
                    Next::Apart(loads) => {
                        for load in loads.into_iter().rev() {
                            work.extend(self.encode(load).await);
                        }
                        break;
                    }
                }
            }
        }
        held
    }

    /// Keeps records of a refused partition and tries them from time to time.
    pub(crate) async fn hold(&self, Told { load, mut why }: Told) {
        let mut load = load.detach();
        let Some(kept) = Kept::new(self, load.weight()) else {
            return self.bury(load, "held_too_much", &why).await;
        };
        let begun = Instant::now();
        for attempt in 0.. {
            if begun.elapsed() > HOLD_MAX {
                return self.bury(load, "held_too_long", &why).await;
            }
            sleep(HOLD_PROBE.long_pause(attempt)).await;
            let mut still: Option<Told> = None;
            for request in self.encode(load).await {
                for told in Box::pin(self.deliver(request)).await {
                    match &mut still {
                        Some(still) => still.load.join(&told.load),
                        None => still = Some(told),
                    }
                }
            }
            let Some(told) = still else {
                drop(kept);
                return self.fares_well();
            };
            Told { load, why } = told;
        }
    }

    async fn send(&self, request: &Request) -> Answer {
        let payload = Payload {
            body: request.body.clone(),
            records: request.load.len(),
            place: request.place.clone(),
            identity: request.identity,
            fingerprint: request.load.fingerprint(),
        };
        let pass = self.gate.enter().await;
        fail::reach("request");
        let begun = Instant::now();
        let sent = timeout(self.attempts.timeout, self.sink.send(payload)).await;
        fail::reach("answer");
        self.meters.worked(begun.elapsed());
        let answer = sent.unwrap_or_else(|_| Answer::Retry {
            why: format!(
                "no answer within {:?}; the outcome is unknown, the same request is sent again",
                self.attempts.timeout
            ),
            after: None,
        });
        pass.tell(&answer);
        answer
    }

    async fn weigh(&self, answer: Answer, trip: Trip, held: &mut Vec<Told>) -> Next {
        match answer {
            Answer::Delivered | Answer::AlreadyThere => {
                self.fares_well();
                self.meters.sent(trip.request.load.len(), trip.request.encoded);
                trip.request.load.settle(Outcome::Delivered);
                Next::Settled
            }
            Answer::DeliveredInPart { refused, why } => {
                self.leave_out(trip.request, refused, &why);
                Next::Settled
            }
            Answer::Retry { why, after } => self.retry(trip, &why, after).await,
            Answer::Hold { why } => self.wait_for_a_person(trip, &why).await,
            Answer::Split if trip.request.load.len() > 1 => {
                let half = trip.request.load.len() / 2;
                let (first, second) = trip.request.load.split_at(half);
                Next::Apart(vec![first, second])
            }
            Answer::Anew => Next::Apart(vec![trip.request.load]),
            Answer::Split => {
                let why = "the destination refuses a request of this one record as too large";
                self.bury(trip.request.load, "too_large", why).await;
                Next::Settled
            }
            Answer::Partial(verdicts) => self.sort(trip, verdicts, held).await,
            Answer::Rejected { code, why } => {
                self.bury(trip.request.load, &code, &why).await;
                Next::Settled
            }
        }
    }

    /// All but so many records arrived, and nobody knows which: they can be counted and not kept.
    fn leave_out(&self, Request { load, encoded, .. }: Request, refused: usize, why: &str) {
        let (records, refused) = (load.len(), refused.min(load.len()));
        tracing::warn!(
            component_id = self.id(),
            records,
            refused,
            "the destination refused some records of a request; at level debug it is told why, in its own words"
        );
        // They may repeat a record.
        tracing::debug!(component_id = self.id(), why);
        self.fares_well();
        self.meters.sent(records - refused, encoded / records.max(1) * (records - refused));
        self.meters.discarded(Reason::RefusedUnnamed, refused);
        let (stored, gone) = load.split_at(records - refused);
        stored.settle(Outcome::Delivered);
        gone.settle(Outcome::Dropped);
    }

    /// Something arrived. As long as some partition is held, not all is well.
    fn fares_well(&self) {
        if self.held.load(Ordering::Acquire) == 0 {
            self.health.succeeded(self.id());
        }
    }

    async fn retry(&self, Trip { request, attempt, .. }: Trip, why: &str, after: Option<Duration>) -> Next {
        self.meters.error("request_retried");
        self.health.troubled(self.id(), why);
        if self.attempts.retries.is_some_and(|retries| attempt as usize >= retries) {
            self.bury(request.load, "retries_exhausted", why).await;
            return Next::Settled;
        }
        let next = Trip { request, attempt: attempt.saturating_add(1), held: None };
        Next::Again(next, self.attempts.backoff.pause(attempt, after))
    }

    async fn wait_for_a_person(&self, Trip { request, attempt, held }: Trip, why: &str) -> Next {
        self.meters.error("request_held");
        self.health.troubled(self.id(), why);
        let (since, times) = held.unwrap_or_else(|| (Instant::now(), 0));
        if since.elapsed() > HOLD_MAX {
            self.bury(request.load, "held_too_long", why).await;
            return Next::Settled;
        }
        let held = Some((since, times.saturating_add(1)));
        Next::Again(Trip { request, attempt, held }, HOLD_PROBE.long_pause(times))
    }

    /// An answer per record: those not named are stored.
    async fn sort(&self, trip: Trip, verdicts: Vec<(usize, Verdict)>, held: &mut Vec<Told>) -> Next {
        let Trip { request: Request { load, encoded, .. }, attempt, .. } = trip;
        let each = encoded / load.len().max(1);
        let verdicts = if self.sink.is_ordered() { verdicts.into_iter().map(in_place).collect() } else { verdicts };
        let Sorted { stored, again, held: refused, rejected, whys } = Sorted::new(&load, verdicts);
        drop(load);
        self.meters.sent(stored.len(), each * stored.len());
        stored.settle(Outcome::Delivered);
        if !rejected.is_empty() {
            self.bury_each(rejected, whys).await;
        }
        if again.load.is_empty() && refused.load.is_empty() {
            self.fares_well();
            return Next::Settled;
        }
        if !refused.load.is_empty() {
            self.meters.error("partition_held");
            self.health.troubled(self.id(), &refused.why);
            held.push(refused);
        }
        let Told { load, why } = again;
        match self.encode(load).await.pop() {
            Some(request) => self.retry(Trip { request, attempt, held: None }, &why, None).await,
            None => Next::Settled,
        }
    }

    /// Encodes records once more: a pure function, so the bytes are what they were. Records that were one request
    /// give one at most; more than were one give as many as the limits ask for. Where the destination knows requests
    /// they stay one in any case.
    async fn encode(&self, load: Load) -> Vec<Request> {
        if load.is_empty() {
            return Vec::new();
        }
        let (sink, bodies) = (self.sink.clone(), self.bodies());
        let limits = match sink.identity() {
            KnownBy::Request { .. } => self.attempts.limits.lifted(),
            KnownBy::Record | KnownBy::Nothing => self.attempts.limits,
        };
        let (refusals, meters) = (self.refusals.clone(), self.meters.clone());
        let encoded = blocking(move || {
            let mut cut = Cut::default();
            let mut cutter = Cutter::new(sink, limits, bodies);
            cutter.push_load(&load, &mut cut);
            cut.requests.extend(std::iter::from_fn(|| cutter.close()));
            for (load, refusal) in cut.refused {
                bury(&refusals, &meters, &load, &[Why { code: refusal.code.to_owned(), why: refusal.why }]);
            }
            cut.requests
        });
        // If it does not come back, its records went with it: their receipts say failed.
        encoded.await.unwrap_or_default()
    }

    /// Makes records dead letters; they are durable before their receipts resolve.
    async fn bury(&self, load: Load, code: &str, why: &str) {
        self.bury_each(load, vec![Why { code: code.to_owned(), why: why.to_owned() }]).await;
    }

    /// [`bury`](Self::bury) with a reason for each record, or one for all.
    async fn bury_each(&self, load: Load, whys: Vec<Why>) {
        self.meters.error("request_rejected");
        let (records, code) = (load.len(), whys.first().map_or("", |why| &why.code));
        tracing::warn!(component_id = self.id(), records, code, "refused for good: dead letters");
        let (refusals, meters) = (self.refusals.clone(), self.meters.clone());
        let written = blocking(move || bury(&refusals, &meters, &load, &whys));
        if written.await.is_err() {
            self.meters.error("dead_letter_write");
        }
    }

    /// Buries a record that cannot be encoded; for threads that may block.
    pub(crate) fn bury_blocking(&self, load: &Load, why: Why) {
        bury(&self.refusals, &self.meters, load, &[why]);
    }
}

/// For a sink that keeps order: a record that is held may not be overtaken, so it is tried where it is.
fn in_place((at, verdict): (usize, Verdict)) -> (usize, Verdict) {
    match verdict {
        Verdict::Hold { why } => (at, Verdict::Retry { why }),
        other => (at, other),
    }
}

fn bury(refusals: &Refusals, meters: &Meters, load: &Load, whys: &[Why]) {
    let mut before = 0;
    for (share, items) in load.by_share() {
        let why = |at: usize| {
            let Why { code, why } = &whys[(before + at) % whys.len()];
            (code.as_str(), why.as_str())
        };
        let batch = share.withdraw(items.iter().map(|item| item.record));
        // Till it is durable, or in the queue of a reader.
        let _in_hand = share.in_hand().hold(std::slice::from_ref(&batch));
        refusals.take(batch, why, meters);
        before += items.len();
    }
}

/// Bytes of held records, given back on drop.
struct Kept<'a> {
    courier: &'a Courier,
    bytes: usize,
}

impl<'a> Kept<'a> {
    fn new(courier: &'a Courier, bytes: usize) -> Option<Self> {
        let kept = Self { courier, bytes };
        let before = courier.held.fetch_add(bytes, Ordering::AcqRel);
        (before + bytes <= courier.attempts.max_held_bytes).then_some(kept)
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.courier.held.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
