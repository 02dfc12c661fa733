//! A destination that answers as it was told, and a bench to deliver to it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::buffer::{Queue, WhenFull};
use crate::codecs::Compression;
use crate::component::health::Health;
use crate::component::sink::{Answer, Encoder, KnownBy, Partition, Payload, Place, Refusal, Sending, Sink, Verdict};
use crate::component::test_kit::meters;
use crate::delivery::backoff::Backoff;
use crate::delivery::body::Bodies;
use crate::delivery::courier::{Attempts, Courier};
use crate::delivery::cutter::{Cut, Cutter, Limits};
use crate::delivery::gate::{Gate, Limit};
use crate::delivery::request::Request;
use crate::delivery::share::Share;
use crate::delivery::{Bench, DeadLetters, InHand};
use crate::event::{Batch, Budget, View};

/// What the destination does with a request.
pub(crate) enum Act {
    Answer(Answer),
    Stall,
    Panic,
}

/// A destination that goes through its acts, and then takes all.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) acts: Mutex<VecDeque<Act>>,
    /// What came, and when.
    pub(crate) seen: Mutex<Vec<(Instant, String)>>,
    pub(crate) is_ordered: bool,
    pub(crate) identity: KnownBy,
    /// Does each first letter of a line name a place?
    pub(crate) has_places: bool,
    /// The identities that came.
    pub(crate) identities: Mutex<Vec<u128>>,
}

impl Script {
    pub(crate) fn of(acts: impl IntoIterator<Item = Act>) -> Self {
        Self { acts: Mutex::new(acts.into_iter().collect()), ..Self::default() }
    }

    pub(crate) fn answers(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::of(answers.into_iter().map(Act::Answer))
    }

    /// The bodies that came.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    /// The pauses between them.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        let seen = self.seen.lock().unwrap();
        seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    }
}

impl Sink for Script {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(Brackets(self.has_places.then(HashMap::new)))
    }

    fn identity(&self) -> KnownBy {
        self.identity
    }

    fn send(&self, request: Payload) -> Sending<'_> {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        self.seen.lock().unwrap().push((Instant::now(), body));
        self.identities.lock().unwrap().push(request.identity);
        let act = self.acts.lock().unwrap().pop_front();
        Box::pin(async move {
            match act {
                None => Answer::Delivered,
                Some(Act::Answer(answer)) => answer,
                Some(Act::Stall) => std::future::pending().await,
                Some(Act::Panic) => panic!("as the script says"),
            }
        })
    }

    fn is_ordered(&self) -> bool {
        self.is_ordered
    }
}

/// Writes `[a,b,]`; knows the places it named.
struct Brackets(Option<HashMap<u8, Place>>);

impl Encoder for Brackets {
    fn place(&mut self, record: View<'_>) -> Result<Option<Place>, Refusal> {
        let letter = record.text().first().copied().unwrap_or_default();
        Ok(self.0.as_mut().map(|places| places.entry(letter).or_insert_with(|| Place::new(letter)).clone()))
    }

    fn begin(&mut self, body: &mut Vec<u8>) {
        body.push(b'[');
    }

    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal> {
        body.extend_from_slice(record.text());
        match record.text() {
            b"!refused" => return Err(Refusal { code: "refused", why: "it says so".into() }),
            b"!panic" => panic!("as the record says"),
            _ => body.push(b','),
        }
        Ok(0)
    }

    fn end(&mut self, body: &mut Vec<u8>) {
        body.push(b']');
    }
}

pub(crate) fn retry(after: Option<Duration>) -> Answer {
    Answer::Retry { why: "busy".into(), after }
}

pub(crate) fn hold() -> Answer {
    Answer::Hold { why: "forbidden".into() }
}

pub(crate) fn held(at: usize) -> (usize, Verdict) {
    (at, Verdict::Hold { why: "forbidden".into() })
}

/// What a delivery needs, over a folder that goes with it.
pub(crate) struct Stage {
    pub(crate) script: Arc<Script>,
    pub(crate) bench: Bench,
    pub(crate) folder: TempDir,
}

pub(crate) const LIMITS: Limits = Limits { bytes: usize::MAX, records: usize::MAX, compression: Compression::None };

impl Stage {
    pub(crate) fn new(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench {
            queue: Arc::new(Queue::new(1 << 20, WhenFull::Block, meters())),
            meters: meters(),
            health: Health::default(),
            refusals: Arc::new(DeadLetters::new(folder.path().join("dead_letters"))).into(),
            in_hand: InHand::default(),
            frames: None,
            budget: Budget::new(usize::MAX),
        };
        Self { script: Arc::new(script), bench, folder }
    }

    pub(crate) fn courier(&self, limits: Limits) -> Courier {
        let backoff = Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(30) };
        Courier {
            sink: self.script.clone(),
            attempts: Attempts {
                timeout: Duration::from_mins(1),
                backoff,
                retries: None,
                limits,
                max_held_bytes: 4096,
            },
            meters: self.bench.meters.clone(),
            health: self.bench.health.clone(),
            refusals: self.bench.refusals.clone(),
            in_hand: self.bench.in_hand.clone(),
            gate: Gate::new(Limit::Fixed(2), None, backoff, self.bench.meters.of_requests()),
            bodies: Bodies::default(),
            held: AtomicUsize::new(0),
        }
    }

    /// One request of all records of `batch`.
    pub(crate) fn request(&self, batch: Batch) -> Request {
        let mut cut = Cut::default();
        let mut cutter = Cutter::new(self.script.clone(), LIMITS, Bodies::default());
        cutter.push(&Share::new(batch), &mut cut);
        cutter.close().unwrap()
    }

    /// Codes, reasons and payloads of the dead letters.
    pub(crate) fn letters(&self) -> Vec<(String, String, String)> {
        letters(&self.folder.path().join("dead_letters"))
    }
}

/// Codes, reasons and payloads of the dead letters in `folder`.
pub(crate) fn letters(folder: &std::path::Path) -> Vec<(String, String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let field = |letter: &serde_json::Value, name: &str| letter[name].as_str().unwrap().to_owned();
    let parse = |line: &str| {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        let payload: serde_json::Value = serde_json::from_str(&field(&letter, "payload")).unwrap();
        (field(&letter, "code"), field(&letter, "reason"), field(&payload, "message"))
    };
    text.lines().map(parse).collect()
}
