//! A step between two queues, on a clock that is moved by hand.

mod conservation;
mod panics;
mod timing;

use std::sync::Mutex;

use arc_swap::ArcSwap;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::buffer::WhenFull;
use crate::component::meters::{Families, Label};
use crate::component::outlet::{Inlet, Outlet};
use crate::component::test_kit::{context, meters};
use crate::component::transform::Transform;
use crate::event::test_kit::{Ledger, batch_of};
use crate::event::{Outcome, Union, View};
use crate::topology::Taps;
use crate::topology::chain::{Chain, ChainOutlet, Edge, Edges, Front, Gate, Step};
use crate::transforms;

/// A step between two queues, on a clock that is moved by hand.
struct Stage {
    /// How many sources read.
    reads: watch::Sender<usize>,
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
        Self::with_readers(step, meters, (end_bytes, watch::Sender::new(1)))
    }

    fn with_readers(
        step: Box<dyn Stateful>,
        meters: Meters,
        (end_bytes, reads): (usize, watch::Sender<usize>),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dead_letters = Arc::new(DeadLetters::new(folder.path().to_owned()));
        let label = |id: &str| Label { id: id.into(), kind: "sink", type_name: "fake" };
        let families = Families::default();
        let end = Arc::new(Queue::new(end_bytes, WhenFull::Block, families.meters(&label("end"))));
        let queue = Arc::new(Queue::new(1, WhenFull::Block, meters.clone()));
        let trap = Step {
            transform: Arc::new(Mutex::new(Box::new(Trap))),
            meters: families.meters(&label("trap")),
            outputs: vec![Edges::from([(Edge::Queue(end.clone() as Arc<dyn Inlet>), 7)])],
            main: Some(0),
            rejects: Edges::from([]),
            ports: vec![None],
            exit: None,
        };
        let chain = Chain {
            steps: vec![trap],
            gates: vec![Gate { port: None, edges: Edges::from([(Edge::Step(0), 0)]) }],
            source: meters.clone(),
            front: Front::Held,
            dead_letters: dead_letters.clone(),
            guard: None,
            exit: None,
            taps: Taps::default(),
        };
        let worker = Worker {
            step,
            lanes: vec![ChainOutlet::new(Arc::new(ArcSwap::from_pointee(chain))).lane()],
            refusals: dead_letters.clone().into(),
            dead_letters,
            meters: meters.clone(),
            out: VecDeque::new(),
        };
        let (health, stop) = (Health::default(), Stop::default());
        let keeper = Keeper::new(queue.clone(), health.clone(), reads.subscribe());
        let task = tokio::spawn(keeper.run(worker, stop.clone()));
        Self { reads, queue, end, meters, health, stop, task, ledger: Arc::default(), folder }
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

/// A step behind: it panics where a record says so.
struct Trap;

impl Transform for Trap {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        assert!(batch.iter().all(|view| !view.text().contains(&b'!')), "a record says so");
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self)
    }
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
        for batch in Batch::united(done) {
            ports.send(0, batch);
        }
        self.due = self.held.is_some().then(|| now + Duration::from_mins(1));
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
        for batch in Batch::united(rest) {
            ports.send(0, batch);
        }
    }

    fn renew(&self) -> Box<dyn Stateful> {
        Box::new(Self::default())
    }
}
