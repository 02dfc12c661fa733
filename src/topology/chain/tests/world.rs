//! Runs a case: a source like the `file` source, the chain, deliveries to stores, on paused time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use arc_swap::ArcSwap;
use tempfile::TempDir;

use super::model::{Case, Counts, Layout, Row};
use super::store::{Store, read_text};
use crate::buffer::{Queue, WhenFull};
use crate::component::health::Health;
use crate::component::meters::{Families, Label, Meters};
use crate::component::outlet::{Held, Inlet, Lane, Offer, Outlet};
use crate::component::reason::Reason;
use crate::component::signal::Stop;
use crate::component::transform::{Ports, Transform, discard};
use crate::delivery::settings::BatchSettings;
use crate::delivery::{Bench, DeadLetters, Delivery, DeliveryPlan, Drain, InHand};
use crate::event::test_kit::{Ledger, batch_of};
use crate::event::{Batch, Budget, Outcome};
use crate::topology::Taps;
use crate::topology::chain::{Chain, ChainOutlet, Edge, Edges, Front, Gate, Step};

/// Rounds of the source without any progress, 100 ms each, after which it gives up: two hours.
const PATIENCE: usize = 72_000;

/// Batches that may fail in a case: each destination can lose a few requests, each batch can panic once.
const MOST_FAILURES: usize = 500;

/// The stream whose batches are offered as those that come once.
pub(super) const ONCE: u8 = 2;

/// What there is when all is done.
pub(super) struct World {
    stores: Vec<Arc<Store>>,
    meters: Meters,
    folder: TempDir,
    unresolved: usize,
    failures: usize,
    settled: Counts,
}

impl World {
    pub(super) fn run(case: &Case) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(case))
    }

    /// How often the record is at the sink.
    pub(super) fn stored(&self, sink: usize, row: Row) -> usize {
        let kept = self.stores[sink].kept.lock().unwrap();
        kept.by_id.values().filter(|(_, stream, position, mark)| (*stream, *position, *mark) == row).count()
    }

    /// How many dead letters of the record there are; one that was offered again may have left the same twice.
    pub(super) fn letters(&self, row: Row) -> usize {
        let Ok(entries) = std::fs::read_dir(self.folder.path()) else { return 0 };
        let mut found = BTreeSet::new();
        for entry in entries {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for line in text.lines() {
                let letter: serde_json::Value = serde_json::from_str(line).unwrap();
                let payload: serde_json::Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
                if read_text(payload["message"].as_str().unwrap()) == row {
                    found.insert((letter["component"].to_string(), letter["identity"].to_string()));
                }
            }
        }
        found.len()
    }

    /// Batches whose receipts said nothing to the end.
    pub(super) fn unresolved(&self) -> usize {
        self.unresolved
    }

    /// Batches that had to be offered again.
    pub(super) fn failures(&self) -> usize {
        self.failures
    }

    /// Records that the steps counted as filtered.
    pub(super) fn filtered(&self) -> u64 {
        self.meters.discarded_events(Reason::Filtered)
    }

    /// What the receipts told together, in the end.
    pub(super) fn settled(&self) -> Counts {
        self.settled
    }

    /// A record that arrived before an earlier one that came the same way.
    pub(super) fn overtaken(&self) -> Option<String> {
        for (sink, store) in self.stores.iter().enumerate() {
            let mut last: BTreeMap<(u32, u8), u64> = BTreeMap::new();
            for (path, stream, position, _) in &store.kept.lock().unwrap().order {
                let before = last.insert((*path, *stream), *position);
                if before.is_some_and(|before| before > *position) {
                    return Some(format!("{stream}/{position} came behind {before:?} at sink {sink}"));
                }
            }
        }
        None
    }
}

async fn run(case: &Case) -> World {
    let folder = tempfile::tempdir().unwrap();
    let dead_letters = Arc::new(DeadLetters::new(folder.path().to_owned()));
    let meters = meters("step");
    let store = |sink| {
        Arc::new(Store {
            is_first: sink == 0,
            is_ordered: case.layout.is_ordered,
            troubles: Mutex::new(case.troubles.iter().copied().collect()),
            kept: Mutex::default(),
        })
    };
    let stores: Vec<_> = (0..case.layout.sinks).map(store).collect();
    let queue = |_| Arc::new(Queue::new(case.max_size, WhenFull::Block, self::meters("sink")));
    let queues: Vec<_> = (0..case.layout.sinks).map(queue).collect();
    let drains = stores.iter().zip(&queues).enumerate().map(|(sink, (store, queue))| {
        let batch = BatchSettings { max_events: Some(case.max_events), ..BatchSettings::default() };
        let delivery = Delivery { sink: store.clone(), plan: DeliveryPlan::new(&batch, 1 << 20) };
        let bench = Bench {
            queue: queue.clone(),
            meters: self::meters(&format!("sink-{sink}")),
            health: Health::default(),
            refusals: dead_letters.clone().into(),
            in_hand: InHand::default(),
            frames: None,
            budget: Budget::new(usize::MAX),
        };
        tokio::spawn(Box::new(delivery).run(bench, Stop::default()))
    });
    let drains: Vec<_> = drains.collect();
    let chain = chain(case.layout, &queues, &meters, &dead_letters);
    let mut source = Source::new(case, ChainOutlet::new(Arc::new(ArcSwap::from_pointee(chain))).lane());
    source.run().await;
    for queue in &queues {
        queue.close();
    }
    for drain in drains {
        drain.await.unwrap();
    }
    let (unresolved, failures, settled) = (source.unresolved(), source.failures, source.settled);
    World { stores, meters, folder, unresolved, failures, settled }
}

fn meters(id: &str) -> Meters {
    Families::default().meters(&Label { id: id.into(), kind: "sink", type_name: "fake" })
}

fn chain(layout: Layout, queues: &[Arc<Queue>], meters: &Meters, dead_letters: &Arc<DeadLetters>) -> Chain {
    let to_sink = |sink: usize| Edge::Queue(queues[sink].clone() as Arc<dyn Inlet>);
    let behind = layout.sinks - usize::from(layout.direct().is_some());
    let to_all = || (0..behind).map(to_sink).collect();
    let step = |number: usize| {
        let is_last = number + 1 == layout.steps;
        let main = if is_last { to_all() } else { vec![Edge::Step(number + 1)] };
        let routes = number == 0 && layout.steps > 1;
        Step {
            transform: Arc::new(Mutex::new(Box::new(Sieve { meters: meters.clone(), layout, routes }))),
            meters: meters.clone(),
            outputs: vec![ways(vec![to_sink(0)], 100), ways(main, 10 * number as u32)],
            main: Some(1),
            ports: vec![Some("first".to_owned()), None],
            rejects: Edges::from([]),
            exit: None,
        }
    };
    // The way beside the steps comes first: what took it is there already when a step panics.
    let mut entry: Vec<_> = layout.direct().map(to_sink).into_iter().collect();
    entry.extend(if layout.steps > 0 { vec![Edge::Step(0)] } else { to_all() });
    Chain {
        steps: (0..layout.steps).map(step).collect(),
        gates: vec![Gate { port: None, edges: ways(entry, 1000) }],
        source: meters.clone(),
        dead_letters: dead_letters.clone(),
        front: Front::Source,
        guard: None,
        exit: None,
        taps: Taps::default(),
    }
}

/// Edges with a way of its own for each.
fn ways(edges: Vec<Edge>, salt: u32) -> Edges {
    let edges = edges.into_iter().enumerate();
    edges.map(|(number, edge)| (edge, salt + number as u32 + 1)).collect()
}

/// A step that does what the marks say.
struct Sieve {
    meters: Meters,
    layout: Layout,
    routes: bool,
}

impl Transform for Sieve {
    fn apply(&mut self, batch: &mut Batch, ports: &mut Ports) {
        assert_eq!(self.meters.hands(), 1, "a step is at work while it is applied, and no longer");
        assert!(batch.iter().all(|view| !view.text().ends_with(b"p")), "a record says so");
        discard(batch, &self.meters, Reason::Filtered, |view| !view.text().ends_with(b"f"));
        ports.reject(batch.extract(|_, view| view.text().ends_with(b"x")), "as it says");
        if self.routes {
            ports.send(0, batch.extract(|_, view| self.layout.is_routed(view.identity().position)));
        }
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self { meters: self.meters.clone(), ..*self })
    }
}

/// Offers the batches of each stream in order, waits where there is no room, goes back where one failed.
struct Source {
    lane: Box<dyn Lane>,
    ledger: Arc<Ledger>,
    streams: Vec<Stream>,
    tokens: u64,
    failures: usize,
    settled: Counts,
}

#[derive(Default)]
struct Stream {
    number: u8,
    batches: Vec<(u64, Vec<String>)>,
    done: Vec<bool>,
    next: usize,
    held: Option<Held>,
    /// Token and number of batches under way.
    under_way: Vec<(u64, usize)>,
}

impl Source {
    fn new(case: &Case, lane: Box<dyn Lane>) -> Self {
        let mut streams: Vec<_> = (0..3).map(|number| Stream { number, ..Stream::default() }).collect();
        let mut rows = case.records().into_iter();
        for (number, marks) in &case.batches {
            let rows: Vec<_> = rows.by_ref().take(marks.len()).collect();
            let lines = rows.iter().map(|(stream, position, mark)| format!("{stream} {position} {mark}")).collect();
            let stream = &mut streams[usize::from(*number)];
            stream.batches.push((rows[0].1, lines));
            stream.done.push(false);
        }
        Self { lane, ledger: Arc::default(), streams, tokens: 0, failures: 0, settled: (0, 0, 0) }
    }

    fn unresolved(&self) -> usize {
        self.streams.iter().flat_map(|stream| &stream.done).filter(|done| !**done).count()
    }

    async fn run(&mut self) {
        let mut idle = 0;
        while self.unresolved() > 0 && idle < PATIENCE && self.failures < MOST_FAILURES {
            let mut is_idle = true;
            for at in 0..self.streams.len() {
                is_idle &= !self.listen(at);
                is_idle &= !self.offer(at);
            }
            idle = if is_idle { idle + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(if is_idle { 100 } else { 1 })).await;
        }
    }

    /// Learns what became of batches; tells whether there was anything to learn.
    fn listen(&mut self, at: usize) -> bool {
        let stream = &mut self.streams[at];
        let before = stream.under_way.len();
        let mut has_failed = false;
        stream.under_way.retain(|(token, number)| {
            let Some(resolution) = self.ledger.resolution(*token) else { return true };
            if resolution.worst == Outcome::Failed {
                has_failed = true;
                return false;
            }
            // Offered again although it arrived, after an earlier one had failed: counted once.
            if !std::mem::replace(&mut stream.done[*number], true) {
                self.settled.0 += resolution.delivered;
                self.settled.1 += resolution.dropped;
                self.settled.2 += resolution.dead_lettered;
            }
            false
        });
        let has_news = stream.under_way.len() < before;
        if has_failed {
            self.failures += 1;
            // What is under way is not listened to any more.
            stream.under_way.clear();
            stream.held = None;
            stream.next = stream.done.iter().take_while(|done| **done).count();
        }
        has_news
    }

    fn offer(&mut self, at: usize) -> bool {
        let stream = &mut self.streams[at];
        if let Some(held) = stream.held.take() {
            stream.held = waits(held.retry(Waker::noop()));
            return stream.held.is_none();
        }
        let Some((position, lines)) = stream.batches.get(stream.next) else { return false };
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let batch = batch_of(u128::from(stream.number), *position, &lines, self.ledger.receipt());
        stream.under_way.push((self.tokens, stream.next));
        (self.tokens, stream.next) = (self.tokens + 1, stream.next + 1);
        // One of the streams is of a source that knows no positions.
        let offered = match stream.number {
            ONCE => self.lane.offer_once(batch, Waker::noop()),
            _ => self.lane.offer(batch, Waker::noop()),
        };
        stream.held = waits(offered);
        true
    }
}

fn waits(offer: Offer) -> Option<Held> {
    match offer {
        Offer::Taken => None,
        Offer::Waits(held) => Some(held),
    }
}
