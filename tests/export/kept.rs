//! OTLP records on disks: in a buffer before the sink, and as dead letters. What comes out is what went in, byte for byte.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use levada::codecs::otlp::{Signal, split};
use levada::event::otlp::Writer;
use levada::event::{Batch, Origin, Receipt, Resolution, Resolve, Seen, StreamKey};

use super::collector::{Act, Collector};
use super::{free_port, post, sink, tongues};
use crate::agent::{Agent, Site};
use crate::wait;

struct Nobody;

impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

/// How often a record with all that it shares is there.
type Counts = BTreeMap<[Vec<u8>; 6], usize>;

/// Adds the records of a request.
pub(crate) fn count(signal: Signal, request: &[u8], times: usize, counts: &mut Counts) {
    let (origin, receipt) = (Arc::new(Origin::new(StreamKey(1))), Receipt::new(Arc::new(Nobody), 0));
    let mut batch = Batch::new(request.to_vec().into(), origin, receipt);
    assert_eq!(split(signal, request, &mut batch, Seen { position: 0, time: 1 }).unwrap().records, 0);
    let mut writer = Writer::default();
    for view in batch.iter() {
        let shown = writer.read(view).unwrap();
        let parts = [
            shown.resource,
            shown.resource_schema_url,
            shown.scope,
            shown.scope_schema_url,
            shown.metric,
            shown.record,
        ];
        *counts.entry(parts.map(<[u8]>::to_vec)).or_default() += times;
    }
    batch.settle(levada::event::Outcome::Delivered);
}

pub(crate) fn fixture(signal: Signal) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp");
    std::fs::read(folder.join(format!("{}.pb", signal.name()))).unwrap()
}

/// What a peer has taken.
#[derive(Clone, Default)]
pub(crate) struct Taken {
    pub(crate) is_open: Arc<AtomicBool>,
    counts: Arc<Mutex<Counts>>,
}

impl Taken {
    /// Has a peer note what it takes; while it is closed it does `refuse`.
    pub(crate) fn at(peer: &Collector, refuse: Act) -> Self {
        let taken = Self::default();
        let noting = taken.clone();
        peer.script(move |_, came| {
            if !noting.is_open.load(Ordering::SeqCst) {
                return refuse.clone();
            }
            let path = came.path.to_lowercase();
            let is_it = |signal: &&Signal| path.contains(signal.name().trim_end_matches('s'));
            let signal = Signal::ALL.iter().find(is_it).unwrap();
            count(*signal, &came.message, 1, &mut noting.counts.lock().unwrap());
            Act::Take
        });
        taken
    }

    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    pub(crate) fn len(&self) -> usize {
        self.counts.lock().unwrap().values().sum()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }
}

/// Posts the fixture of each signal, until it is answered that they are taken.
pub(crate) async fn post_all(port: u16) {
    for signal in Signal::ALL {
        let body = fixture(signal);
        wait::until("an answer", || {
            post(port, &format!("/v1/{}", signal.name()), &body).is_ok_and(|status| status.starts_with("HTTP/1.1 200"))
        })
        .await;
    }
}

/// From a door to a sink with a buffer on a disk.
fn pipeline(port: u16, protocol: &str, peer: &Collector) -> String {
    let door = format!("min_free = '0%'\n[sources.otlp]\ntype = 'opentelemetry'\nhttp.address = '127.0.0.1:{port}'\n");
    let buffer = "buffer.type = 'disk'\nbuffer.max_size = '64MiB'\nbatch.max_events = 7";
    let sink = sink(protocol, "otlp.*", &peer.url(), buffer);
    door + &sink.replace("['otlp.*']", "['otlp.traces', 'otlp.logs', 'otlp.metrics']")
}

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_on_a_disk_over_a_restart_arrives_once_and_byte_for_byte() {
    let mut expected = Counts::new();
    for signal in Signal::ALL {
        count(signal, &fixture(signal), ROUNDS, &mut expected);
    }
    let all: usize = expected.values().sum();
    for tongue in tongues() {
        let (site, peer, port) = (Site::new(), Collector::start().await, free_port());
        let taken = Taken::at(&peer, tongue.busy);
        let text = pipeline(port, tongue.protocol, &peer);
        let agent = site.start(&text);
        for _ in 0..ROUNDS {
            post_all(port).await;
        }
        let stored = |agent: &Agent| agent.figure("levada_buffer_events", "out", None);
        wait::until("the records on the disk", || stored(&agent) == all as u64).await;
        agent.stop(Duration::ZERO).await;
        let agent = site.start(&text);
        wait::until("what the disk has", || stored(&agent) == all as u64).await;
        taken.open();
        wait::until("all of them", || taken.len() >= all).await;
        agent.wait_for_health("out").await;
        assert_eq!(agent.stop(Duration::from_secs(20)).await, levada::topology::Leftover::default());
        assert_eq!(taken.counts(), expected, "{}", tongue.protocol);
        // Nothing of it is left for another life: what is left would come before what is new.
        let agent = site.start(&text);
        post_all(port).await;
        wait::until("what is new", || taken.len() >= all + all / ROUNDS).await;
        agent.stop(Duration::from_secs(20)).await;
        assert_eq!(taken.len(), all + all / ROUNDS);
    }
}
