//! The window: an end of the pipeline that keeps a few records as they came and as they left, and settles all.

use std::sync::{Arc, Mutex, PoisonError};

use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::delivery::settings::BufferSettings;
use crate::delivery::{Bench, Drain};
use crate::event::{Outcome, View};

/// Bytes taken from the queue at once.
const TAKE: usize = 1 << 20;

/// A record as it came and as it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// What there is to see in it: its number among [`SIGHTS`].
    pub(super) sight: usize,
    /// The line, as the service wrote it.
    pub(super) before: String,
    /// The record, as the sink got it.
    pub(super) after: String,
}

/// What is worth showing, each once.
pub(super) const SIGHTS: [Sight; 4] = [
    ("e-mail addresses and telephone numbers are masked", |view, line| {
        !view.is_text() && line.contains(r#""email":"#) && line.contains("quest_completed")
    }),
    ("a bearer token does not leave", |view, line| !view.is_text() && line.contains("Bearer ")),
    ("a payment card keeps its last digits", |view, line| !view.is_text() && line.contains("paid with card ")),
    ("a line that is not JSON is kept, and masked all the same", |view, line| view.is_text() && line.contains('@')),
];

/// What a person reads, and which records show it.
pub(super) type Sight = (&'static str, fn(View<'_>, &str) -> bool);

/// The drain.
pub(super) struct Window {
    found: Found,
    buffer: BufferSettings,
}

/// The records that were found.
#[derive(Clone, Default)]
pub(super) struct Found(Arc<Mutex<Vec<Pair>>>);

impl Found {
    /// Takes what was found since the last call, in the order of [`SIGHTS`].
    pub(super) fn take(&self) -> Vec<Pair> {
        let mut found = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        found.sort_by_key(|pair| pair.sight);
        found
    }

    fn push(&self, pair: Pair) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(pair);
    }
}

impl Window {
    pub(super) fn new() -> (Self, Found) {
        let found = Found::default();
        (Self { found: found.clone(), buffer: BufferSettings::default() }, found)
    }
}

impl Drain for Window {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        Box::pin(async move {
            tokio::select! {
                () = self.look(&bench) => {}
                _ = stop.requested() => {}
            }
        })
    }

    fn buffer(&self) -> &BufferSettings {
        &self.buffer
    }
}

impl Window {
    async fn look(&self, bench: &Bench) {
        let mut wanted: Vec<usize> = (0..SIGHTS.len()).collect();
        while let Some(batches) = bench.queue.take(TAKE).await {
            for batch in batches {
                if !wanted.is_empty() {
                    batch.iter().for_each(|record| self.show(record, &mut wanted));
                }
                bench.meters.sent(batch.len(), 0);
                batch.settle(Outcome::Delivered);
            }
        }
    }

    fn show(&self, record: View<'_>, wanted: &mut Vec<usize>) {
        let Ok(line) = std::str::from_utf8(record.text()) else { return };
        let Some(at) = wanted.iter().position(|sight| SIGHTS[*sight].1(record, line)) else { return };
        let sight = wanted.remove(at);
        let mut after = Vec::new();
        record.write_json(&mut after);
        let after = String::from_utf8_lossy(&after).into_owned();
        self.found.push(Pair { sight, before: line.to_owned(), after });
    }
}
