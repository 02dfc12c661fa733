use std::collections::BTreeMap;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::buffer::WhenFull;
use crate::component::meters::{Families, Label};
use crate::component::outlet::{Inlet, Outlet};
use crate::component::reason::Reason;
use crate::component::test_kit::context;
use crate::event::test_kit::{Ledger, batch_of};
use crate::event::{Outcome, Seen, StreamKey, Union, View};
use crate::topology::Taps;
use crate::topology::chain::{Chain, ChainOutlet, Edge, Edges, Front};
use crate::transforms;

/// A step between two queues, on a clock that is moved by hand.
struct Stage {
    queue: Arc<Queue>,
    end: Arc<Queue>,
    meters: Meters,
    health: Health,
    stop: Stop,
    task: JoinHandle<()>,
    ledger: Arc<Ledger>,
    folder: TempDir,
}

impl Stage {
    fn new(step: Box<dyn Stateful>, meters: Meters, end_bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dead_letters = Arc::new(DeadLetters::new(folder.path().to_owned()));
        let label = |id: &str| Label { id: id.into(), kind: "sink", type_name: "fake" };
        let families = Families::default();
        let end = Arc::new(Queue::new(end_bytes, WhenFull::Block, families.meters(&label("end"))));
        let queue = Arc::new(Queue::new(1, WhenFull::Block, meters.clone()));
        let chain = Chain {
            steps: Vec::new(),
            entry: Edges::from([(Edge::Queue(end.clone() as Arc<dyn Inlet>), 7)]),
            source: meters.clone(),
            front: Front::Held,
            dead_letters: dead_letters.clone(),
            port: None,
            guard: None,
            exit: None,
            taps: Taps::default(),
        };
        let worker = Worker {
            step,
            lanes: vec![ChainOutlet(Arc::new(ArcSwap::from_pointee(chain))).lane()],
            refusals: dead_letters.clone().into(),
            dead_letters,
            meters: meters.clone(),
            out: VecDeque::new(),
        };
        let (health, stop) = (Health::default(), Stop::default());
        let task = tokio::spawn(Keeper::new(queue.clone(), health.clone(), worker).run(stop.clone()));
        Self { queue, end, meters, health, stop, task, ledger: Arc::default(), folder }
    }

    fn reduce(toml: &str, end_bytes: usize) -> Self {
        let (_, context) = context(std::path::Path::new("unused"), 1 << 20);
        let meters = context.meters.clone();
        let row = transforms::STATEFUL.iter().find(|row| row.name == "reduce").unwrap();
        let keeping = (row.read)(toml.parse().unwrap()).unwrap().build(context).unwrap();
        Self::new(keeping.step, meters, end_bytes)
    }

    fn fake(end_bytes: usize) -> Self {
        let (_, context) = context(std::path::Path::new("unused"), 1 << 20);
        Self::new(Box::new(Pairs::default()), context.meters, end_bytes)
    }

    /// Puts a batch into the queue, which takes one at a time.
    async fn put(&self, batch: Batch) {
        let mut batch = Some(batch);
        poll_fn(|cx| match self.queue.offer(batch.take().unwrap(), cx.waker()) {
            Ok(()) => Poll::Ready(()),
            Err(back) => {
                batch = Some(back);
                Poll::Pending
            }
        })
        .await;
    }

    async fn lines(&self, position: u64, lines: &[&str]) {
        self.put(batch_of(1, position, lines, self.ledger.receipt())).await;
    }

    /// The next thing that comes out, as text.
    async fn next(&self) -> Vec<String> {
        let taken = self.end.take(1).await.unwrap_or_default();
        let mut out = Vec::new();
        for batch in taken {
            out.extend(batch.iter().map(text));
            batch.settle(Outcome::Delivered);
        }
        out
    }

    fn letters(&self) -> usize {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count()).sum()
    }
}

fn text(view: View<'_>) -> String {
    String::from_utf8(view.text().to_vec()).unwrap()
}

/// Holds every other record and sends it on with the next. Panics where a record says so.
#[derive(Default)]
struct Pairs {
    held: Option<(Union, String)>,
    due: Option<std::time::Instant>,
}

impl Stateful for Pairs {
    fn apply(&mut self, batch: Batch, now: std::time::Instant, ports: &mut Ports) {
        let mut done = Vec::new();
        let mut refused = Vec::new();
        for at in 0..batch.len() {
            let line = text(batch.get(at));
            if line == "x" {
                refused.push(at);
                continue;
            }
            self.held = match self.held.take() {
                None => Some((Union::of(&batch, at), line.clone())),
                Some((mut union, first)) => {
                    union.add(&batch, at);
                    done.push((union, (first + &line).into_bytes()));
                    None
                }
            };
            assert_ne!(line, "p", "a record says so");
        }
        ports.reject(batch.select(|at| refused.contains(&at)), "as it says");
        batch.close();
        Batch::united(done).into_iter().for_each(|batch| ports.send(0, batch));
        self.due = self.held.is_some().then(|| now + Duration::from_secs(60));
    }

    fn due(&self) -> Option<std::time::Instant> {
        self.due
    }

    fn wake(&mut self, _: std::time::Instant, ports: &mut Ports) {
        self.finish(ports);
    }

    fn finish(&mut self, ports: &mut Ports) {
        self.due = None;
        let rest = self.held.take().map(|(union, text)| (union, text.into_bytes()));
        Batch::united(rest).into_iter().for_each(|batch| ports.send(0, batch));
    }

    fn renew(&self) -> Box<dyn Stateful> {
        Box::new(Self::default())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_waits_for_its_time_and_its_source_with_it() {
    let stage = Stage::fake(1 << 20);
    let start = Instant::now();
    stage.lines(0, &["a", "b", "c"]).await;
    assert_eq!(stage.next().await, ["ab"]);
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(stage.ledger.worst(), []);
    assert_eq!(stage.next().await, ["c"]);
    assert!(start.elapsed() >= Duration::from_secs(60));
    assert_eq!(stage.ledger.worst(), [(0, Outcome::Delivered)]);
    assert_eq!(stage.health.state(), crate::component::health::State::Running);
    assert_eq!(stage.meters.sent_events(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_does_not_wait_for_timers() {
    let stage = Stage::fake(1 << 20);
    let start = Instant::now();
    stage.lines(0, &["a", "b", "c"]).await;
    assert_eq!(stage.next().await, ["ab"]);
    stage.queue.hurry();
    assert_eq!(stage.next().await, ["c"]);
    // What a source still has goes as quickly.
    stage.lines(3, &["d"]).await;
    assert_eq!(stage.next().await, ["d"]);
    stage.lines(4, &["e"]).await;
    stage.queue.close();
    assert_eq!(stage.next().await, ["e"]);
    stage.task.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(stage.ledger.worst().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_replaced_gives_out_what_it_holds_and_leaves_its_queue() {
    let stage = Stage::fake(1 << 20);
    stage.lines(0, &["a"]).await;
    while stage.queue.bytes() > 0 {
        tokio::task::yield_now().await;
    }
    stage.stop.request(Instant::now().into_std() + Duration::from_secs(10));
    assert_eq!(stage.next().await, ["a"]);
    stage.task.await.unwrap();
    assert_eq!(stage.ledger.worst(), [(0, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_by_the_deadline_has_failed() {
    let stage = Stage::fake(1);
    stage.lines(0, &["a", "b"]).await;
    stage.lines(2, &["c", "d"]).await;
    stage.lines(4, &["e", "f"]).await;
    // The end has room for one, one waits, one is in the queue: nobody takes more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stage.queue.bytes() > 0, "a full end fills the queue");
    assert!(stage.queue.offer(batch_of(1, 6, &["g"], stage.ledger.receipt()), Waker::noop()).is_err());
    stage.stop.request(Instant::now().into_std() + Duration::from_secs(10));
    stage.task.await.unwrap();
    let failed = |token: u64| stage.ledger.worst().contains(&(token, Outcome::Failed));
    assert!(failed(1) && !failed(0), "{:?}", stage.ledger.worst());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_makes_it_panic_becomes_a_dead_letter_and_what_was_held_comes_again() {
    let mut stage = Stage::fake(1 << 20);
    stage.lines(0, &["h"]).await;
    stage.lines(1, &["a", "p", "b", "x", "c"]).await;
    assert_eq!(stage.next().await, ["bc"]);
    stage.queue.close();
    (&mut stage.task).await.unwrap();
    assert_eq!(stage.end.bytes(), 0);
    // The panic of the whole batch took `h` along, that of the culprit took `a`.
    let worst: BTreeMap<u64, Outcome> = stage.ledger.worst().into_iter().collect();
    assert_eq!(worst[&0], Outcome::Failed);
    assert_eq!(worst[&1], Outcome::Failed, "`a` was held when the culprit came");
    assert_eq!(stage.letters(), 2, "`p` and `x`");
    assert_eq!(stage.meters.error_count("panic"), 1);
}

/// A source that offers a batch again until it has not failed.
struct Offers {
    batches: Vec<(u128, u64, Vec<(u8, u32)>)>,
    rounds: usize,
}

impl Offers {
    fn batch(&self, at: usize, ledger: &Arc<Ledger>) -> Batch {
        let (stream, position, records) = &self.batches[at];
        let lines: Vec<String> =
            records.iter().map(|(key, id)| format!("{{\"k\":\"{key}\",\"ids\":{id},\"n\":1}}")).collect();
        let origin = Arc::new(crate::event::Origin::new(StreamKey(*stream)));
        let mut batch = Batch::new(lines.concat().into(), origin, ledger.receipt());
        let mut start = 0;
        for (at, line) in lines.iter().enumerate() {
            let seen = Seen { position: position + at as u64, time: 0 };
            batch.fill().json(start, line.len(), seen).unwrap();
            start += line.len();
        }
        batch
    }

    /// Offers everything, to the end; gives how many batches had to be offered again.
    async fn run(&mut self, stage: &Stage) -> usize {
        let mut open: Vec<usize> = (0..self.batches.len()).collect();
        let (mut tokens, mut again) = (0, 0);
        while !open.is_empty() {
            self.rounds += 1;
            assert!(self.rounds < 200, "it comes to an end");
            let mut offered = Vec::new();
            for at in open.drain(..) {
                stage.put(self.batch(at, &stage.ledger)).await;
                offered.push((tokens, at));
                tokens += 1;
            }
            while offered.iter().any(|(token, _)| stage.ledger.resolution(*token).is_none()) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            let failed = |token: u64| stage.ledger.resolution(token).is_some_and(|told| told.worst == Outcome::Failed);
            open = offered.into_iter().filter(|(token, _)| failed(*token)).map(|(_, at)| at).collect();
            again += open.len();
        }
        again
    }
}

/// How the end treats what it is given, one after the other; then it delivers.
async fn drain(end: Arc<Queue>, fates: Vec<bool>, caught: Arc<Mutex<Vec<Vec<u32>>>>) {
    let mut fates = fates.into_iter();
    while let Some(batches) = end.take(1).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
        for batch in batches {
            if fates.next() == Some(false) {
                batch.settle(Outcome::Failed);
                continue;
            }
            for view in batch.iter() {
                let record: serde_json::Value = serde_json::from_str(&text(view)).unwrap();
                let ids = record["ids"].as_array().unwrap();
                assert_eq!(record["n"], ids.len(), "each member counts once");
                caught.lock().unwrap().push(ids.iter().map(|id| id.as_u64().unwrap() as u32).collect());
            }
            batch.settle(Outcome::Delivered);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn all_that_comes_in_is_delivered_and_each_receipt_resolves_once(
        batches in prop::collection::vec((0..3_u128, prop::collection::vec(0..4_u8, 1..6)), 1..12),
        fates in prop::collection::vec(any::<bool>(), 0..6),
        max_events in 1..6_usize,
        end_bytes in 1..4_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let toml = format!(
                "group_by = ['k']\nmerge_strategies.k = 'discard'\nmerge_strategies.ids = 'array'\n\
                 max_events = {max_events}\nexpire_after_ms = 1000\nflush_period_ms = 100"
            );
            let stage = Stage::reduce(&toml, end_bytes);
            let mut ids = 0..;
            let mut next: BTreeMap<u128, u64> = BTreeMap::new();
            let batches = batches.into_iter().map(|(stream, keys)| {
                let position = next.entry(stream).or_default();
                let records: Vec<(u8, u32)> = keys.into_iter().zip(&mut ids).collect();
                *position += records.len() as u64;
                (stream, *position - records.len() as u64, records)
            });
            let mut offers = Offers { batches: batches.collect(), rounds: 0 };
            let caught = Arc::default();
            let drain = tokio::spawn(drain(stage.end.clone(), fates, Arc::clone(&caught)));
            let again = offers.run(&stage).await;
            stage.queue.close();
            stage.task.await.unwrap();
            stage.end.close();
            drain.await.unwrap();
            let mut seen: Vec<u32> = caught.lock().unwrap().iter().flatten().copied().collect();
            seen.sort_unstable();
            let all: Vec<u32> = (0..ids.start).collect();
            if again == 0 {
                assert_eq!(seen, all, "each once");
            }
            seen.dedup();
            assert_eq!(seen, all, "nothing is lost");
            let merged = stage.meters.discarded_events(Reason::Merged);
            assert_eq!(stage.meters.received_events(), stage.meters.sent_events() + merged, "all is counted");
        });
    }
}
