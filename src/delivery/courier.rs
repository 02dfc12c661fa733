//! The courier carries one request until each of its records has an outcome: it retries, splits, holds, buries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::body::Bodies;
use super::cutter::{Cut, Cutter, Limits};
use super::dead_letter::DeadLetters;
use super::pump::HeldLoad;
use super::request::{Load, Request};
use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::sink::{Answer, Payload, Sink, Verdict};
use crate::event::Outcome;

/// What is held longer than this becomes dead letters, which can be replayed.
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
    /// Bytes of records that may be held for refused partitions; what is more becomes dead letters at once.
    pub(crate) max_held_bytes: usize,
}

pub(crate) struct Courier {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) attempts: Attempts,
    pub(crate) meters: Meters,
    pub(crate) health: Health,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) bodies: Bodies,
    pub(crate) held: AtomicUsize,
}

/// What a delivery leaves behind.
#[derive(Default)]
pub(crate) struct Left {
    pub(crate) held: Vec<HeldLoad>,
}

/// What comes after an answer.
enum Next {
    Settled,
    Again { request: Request, pause: Duration },
    Halves(Load, Load),
}

impl Courier {
    pub(crate) fn sink(&self) -> &Arc<dyn Sink> {
        &self.sink
    }

    pub(crate) fn bodies(&self) -> Bodies {
        self.bodies.clone()
    }

    pub(crate) fn id(&self) -> &str {
        &self.meters.label().id
    }

    /// Carries `request` until all its records have an outcome, but for those whose partition is held.
    pub(crate) async fn deliver(&self, request: Request) -> Left {
        let mut left = Left::default();
        let mut work = vec![request];
        while let Some(mut request) = work.pop() {
            let begun = Instant::now();
            let mut attempt = 0;
            loop {
                let answer = self.send(&request).await;
                match self.weigh(answer, request, (attempt, begun), &mut left).await {
                    Next::Settled => break,
                    Next::Again { request: again, pause } => {
                        request = again;
                        attempt += 1;
                        sleep(pause).await;
                    }
                    Next::Halves(first, second) => {
                        work.extend(self.recut(second));
                        work.extend(self.recut(first));
                        break;
                    }
                }
            }
        }
        left
    }

    /// Keeps records of a refused partition and tries them from time to time.
    pub(crate) async fn hold(&self, mut load: Load, mut why: String) {
        let bytes: usize = load.items.iter().map(|item| load.view(*item).text().len()).sum();
        if self.held.fetch_add(bytes, Ordering::AcqRel) + bytes > self.attempts.max_held_bytes {
            self.bury(load, "held_too_much", &why).await;
            self.held.fetch_sub(bytes, Ordering::AcqRel);
            return;
        }
        let begun = Instant::now();
        for attempt in 0.. {
            if begun.elapsed() > HOLD_MAX {
                self.bury(load, "held_too_long", &why).await;
                break;
            }
            sleep(HOLD_PROBE.pause(attempt, None)).await;
            let mut still = Left::default();
            for request in self.recut(load) {
                still.held.extend(Box::pin(self.deliver(request)).await.held);
            }
            let Some(first) = still.held.pop() else { break };
            (load, why) = first;
            for (more, _) in still.held {
                load.join(more);
            }
        }
        self.held.fetch_sub(bytes, Ordering::AcqRel);
    }

    async fn send(&self, request: &Request) -> Answer {
        let payload = Payload { body: request.body.clone(), records: request.load.len() };
        let sent = timeout(self.attempts.timeout, self.sink.send(payload)).await;
        sent.unwrap_or_else(|_| Answer::Retry {
            why: format!(
                "no answer within {:?}; the outcome is unknown, the same request is sent again",
                self.attempts.timeout
            ),
            after: None,
        })
    }

    async fn weigh(&self, answer: Answer, request: Request, (attempt, begun): (u32, Instant), left: &mut Left) -> Next {
        match answer {
            Answer::Delivered | Answer::AlreadyThere => {
                self.health.succeeded(self.id());
                self.meters.sent(request.load.len(), request.encoded);
                request.load.settle(Outcome::Delivered);
                Next::Settled
            }
            Answer::Retry { why, after } => self.retry(request, attempt, &why, after).await,
            Answer::Hold { why } => self.wait_for_a_person(request, (attempt, begun), &why).await,
            Answer::Split if request.load.len() > 1 => {
                let half = request.load.len() / 2;
                let (first, second) = request.load.part(|at, _| at < half);
                Next::Halves(first, second)
            }
            Answer::Split => {
                self.bury(
                    request.load,
                    "too_large",
                    "the destination refuses a request of this one record as too large",
                )
                .await;
                Next::Settled
            }
            Answer::Partial(verdicts) => self.sort(request, verdicts, attempt, left).await,
            Answer::Rejected { code, why } => {
                self.bury(request.load, &code, &why).await;
                Next::Settled
            }
        }
    }

    async fn retry(&self, request: Request, attempt: u32, why: &str, after: Option<Duration>) -> Next {
        self.meters.error("request_retried");
        self.health.troubled(self.id(), why);
        if self.attempts.retries.is_some_and(|retries| attempt as usize >= retries) {
            self.bury(request.load, "retries_exhausted", why).await;
            return Next::Settled;
        }
        Next::Again { request, pause: self.attempts.backoff.pause(attempt, after) }
    }

    async fn wait_for_a_person(&self, request: Request, (attempt, begun): (u32, Instant), why: &str) -> Next {
        self.meters.error("request_held");
        self.health.troubled(self.id(), why);
        if begun.elapsed() > HOLD_MAX {
            self.bury(request.load, "held_too_long", why).await;
            return Next::Settled;
        }
        Next::Again { request, pause: HOLD_PROBE.pause(attempt, None) }
    }

    /// An answer per record: those not named are stored.
    async fn sort(&self, request: Request, verdicts: Vec<(usize, Verdict)>, attempt: u32, left: &mut Left) -> Next {
        let encoded = request.encoded / request.load.len().max(1);
        let sorted = Sorted::new(request.load, verdicts);
        self.meters.sent(sorted.stored.len(), encoded * sorted.stored.len());
        sorted.stored.settle(Outcome::Delivered);
        for (load, code, why) in sorted.rejected {
            self.bury(load, &code, &why).await;
        }
        if let Some((load, why)) = sorted.held {
            self.meters.error("partition_held");
            self.health.troubled(self.id(), &why);
            left.held.push((load, why));
        }
        let Some((load, why)) = sorted.again else { return Next::Settled };
        match self.recut(load).pop() {
            Some(request) => self.retry(request, attempt, &why, None).await,
            None => Next::Settled,
        }
    }

    /// Encodes records once more: a pure function, so the bytes are what they were.
    fn recut(&self, load: Load) -> Vec<Request> {
        let mut cut = Cut::default();
        let limits = Limits { bytes: usize::MAX, records: usize::MAX, ..self.attempts.limits };
        let mut cutter = Cutter::new(self.sink.encoder(), limits, self.bodies());
        cutter.push_load(&load, &mut cut);
        cut.requests.extend(cutter.close());
        cut.requests
    }

    /// Makes records dead letters; they are durable before their receipts resolve.
    async fn bury(&self, load: Load, code: &str, why: &str) {
        self.meters.error("request_rejected");
        tracing::warn!(
            component_id = self.id(),
            records = load.len(),
            code,
            "refused for good: written to dead letters"
        );
        let (letters, meters) = (self.dead_letters.clone(), self.meters.clone());
        let (code, why) = (code.to_owned(), why.to_owned());
        let written = tokio::task::spawn_blocking(move || bury(&letters, &meters, load, (&code, &why)));
        if written.await.is_err() {
            self.meters.error("dead_letter_write");
        }
    }

    /// See [`bury`](Self::bury); for threads that may block.
    pub(crate) fn bury_blocking(&self, load: Load, code: &str, why: &str) {
        bury(&self.dead_letters, &self.meters, load, (code, why));
    }
}

fn bury(letters: &DeadLetters, meters: &Meters, load: Load, (code, why): (&str, &str)) {
    let views = load.items.iter().map(|item| load.view(*item));
    let outcome = letters.write_views(views, code, why, meters);
    load.settle(outcome);
}

/// The records of a request, sorted by what the destination said of each.
struct Sorted {
    stored: Load,
    again: Option<(Load, String)>,
    held: Option<(Load, String)>,
    rejected: Vec<(Load, String, String)>,
}

impl Sorted {
    fn new(load: Load, mut verdicts: Vec<(usize, Verdict)>) -> Self {
        verdicts.sort_by_key(|(at, _)| *at);
        let mut verdicts = verdicts.into_iter().peekable();
        let shares = load.shares;
        let of = |items| Load { shares: shares.clone(), items };
        let mut sorted = Self { stored: of(Vec::new()), again: None, held: None, rejected: Vec::new() };
        for (at, item) in load.items.into_iter().enumerate() {
            match verdicts.next_if(|(about, _)| *about == at).map(|(_, verdict)| verdict) {
                None | Some(Verdict::AlreadyThere) => sorted.stored.items.push(item),
                Some(Verdict::Retry { why }) => {
                    sorted.again.get_or_insert_with(|| (of(vec![]), why)).0.items.push(item)
                }
                Some(Verdict::Hold { why }) => sorted.held.get_or_insert_with(|| (of(vec![]), why)).0.items.push(item),
                Some(Verdict::Rejected { code, why }) => sorted.rejected.push((of(vec![item]), code, why)),
            }
        }
        sorted
    }
}
