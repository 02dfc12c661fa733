//! The window: an end of the pipeline that keeps a few records as they came and as they left, and settles all, or passes
//! them on to a sink.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use crate::buffer::{Queue, WhenFull};
use crate::component::meters::Families;
use crate::component::outlet::Inlet;
use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::delivery::settings::BufferSettings;
use crate::delivery::{Bench, Drain};
use crate::event::{Batch, Outcome, View};

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
    /// The sink behind it.
    sink: Option<Box<dyn Drain>>,
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
        (Self { found: found.clone(), buffer: BufferSettings::default(), sink: None }, found)
    }

    /// The window in front of `sink`; without one it settles all itself.
    pub(super) fn before(self, sink: Option<Box<dyn Drain>>) -> Self {
        let buffer = sink.as_ref().map_or(self.buffer, |sink| sink.buffer().clone());
        Self { buffer, sink, ..self }
    }
}

impl Drain for Window {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        let Self { found, buffer, sink } = *self;
        Box::pin(async move {
            let Some(sink) = sink else { return found.look(&bench, None, &stop).await };
            // What the queue in front of the window counts is not counted twice.
            let unseen = Families::default().meters(bench.meters.label());
            let queue = Arc::new(Queue::new(buffer.in_memory(), WhenFull::Block, unseen));
            let behind = Bench { queue: queue.clone(), ..bench.clone() };
            let passed = async {
                found.look(&bench, Some(&queue), &stop).await;
                queue.close();
            };
            tokio::join!(passed, sink.run(behind, stop.clone()));
        })
    }

    fn buffer(&self) -> &BufferSettings {
        &self.buffer
    }
}

impl Found {
    async fn look(&self, bench: &Bench, sink: Option<&Queue>, stop: &Stop) {
        tokio::select! {
            () = self.look_at_all(bench, sink) => {}
            _ = stop.requested() => {}
        }
    }

    async fn look_at_all(&self, bench: &Bench, sink: Option<&Queue>) {
        let mut wanted: Vec<usize> = (0..SIGHTS.len()).collect();
        while let Some(batches) = bench.queue.take(TAKE).await {
            if let Some(sink) = sink.filter(|_| bench.queue.is_hurried()) {
                sink.hurry();
            }
            for batch in batches {
                if !wanted.is_empty() {
                    batch.iter().for_each(|record| self.show(record, &mut wanted));
                }
                if let Some(sink) = sink {
                    pass(batch, sink).await;
                } else {
                    bench.meters.sent(batch.len(), 0);
                    batch.settle(Outcome::Delivered);
                }
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
        self.push(Pair { sight, before: line.to_owned(), after });
    }
}

/// Waits until `sink` has room for `batch`.
async fn pass(batch: Batch, sink: &Queue) {
    let mut waiting = Some(batch);
    poll_fn(|cx| {
        let refused = waiting.take().and_then(|batch| sink.offer(batch, cx.waker()).err());
        waiting = refused;
        if waiting.is_none() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
