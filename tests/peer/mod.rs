//! A peer that is like Elasticsearch where a bulk request is concerned, and unlike it when told so.
//!
//! It keeps documents by index and id with the meaning of `create`: an id that is there is a conflict (409).

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::wait;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It is worked off.
    Take,
    /// It is worked off, and the connection is cut instead of an answer.
    TakeAndCut,
    /// It is worked off, and never answered.
    TakeAndStall,
    /// It is not worked off and never answered.
    Stall,
    /// This status with these headers and this body; nothing is worked off.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// It is worked off, and half of the answer comes, with the length of all of it.
    TakeAndTruncate,
}

/// What is said of an item instead of storing it: status, error type, reason.
pub(crate) type Refusal = (u16, &'static str, &'static str);

/// A document to store.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) index: String,
    pub(crate) id: String,
    pub(crate) document: Value,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) items: Vec<Item>,
    pub(crate) bytes: usize,
}

impl Request {
    /// The ids of its items.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.items.iter().map(|item| item.id.as_str()).collect()
    }
}

type Script = Box<dyn FnMut(usize, &Request) -> Act + Send>;
type Judge = Box<dyn FnMut(&Item) -> Option<Refusal> + Send>;

/// Documents by index and `_id`.
pub(crate) type Documents = BTreeMap<String, BTreeMap<String, Value>>;

/// All the peer knows.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) stored: Documents,
    pub(crate) requests: Vec<Request>,
    /// How many connections were opened.
    pub(crate) connections: usize,
    script: Option<Script>,
    judge: Option<Judge>,
}

impl World {
    /// The member `n` of all documents, in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> =
            self.stored.values().flat_map(BTreeMap::values).map(|document| document["n"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.stored.values().map(BTreeMap::len).sum()
    }

    fn act(&mut self, request: &Request) -> Act {
        let number = self.requests.len();
        self.requests.push(request.clone());
        self.script.as_mut().map_or(Act::Take, |script| script(number, request))
    }

    /// Works off the items; gives the answer.
    fn take(&mut self, request: &Request) -> Value {
        let mut has_errors = false;
        let mut items = Vec::new();
        for item in &request.items {
            let refusal = self.judge.as_mut().and_then(|judge| judge(item)).or_else(|| self.store(item));
            has_errors |= refusal.is_some();
            items.push(match refusal {
                None => serde_json::json!({ "create": { "status": 201 } }),
                Some((status, kind, reason)) => {
                    serde_json::json!({ "create": { "status": status, "error": { "type": kind, "reason": reason } } })
                }
            });
        }
        serde_json::json!({ "errors": has_errors, "items": items })
    }

    fn store(&mut self, item: &Item) -> Option<Refusal> {
        let index = self.stored.entry(item.index.clone()).or_default();
        if index.contains_key(&item.id) {
            return Some((409, "version_conflict_engine_exception", "document already exists"));
        }
        index.insert(item.id.clone(), item.document.clone());
        None
    }
}

/// The peer; it goes with this.
pub(crate) struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
    /// Bound, and not listened at.
    closed: Option<TcpSocket>,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl Peer {
    /// A peer that listens.
    pub(crate) fn start() -> Self {
        let mut peer = Self::refusing();
        peer.open();
        peer
    }

    /// A peer that refuses connections until it is opened.
    pub(crate) fn refusing() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { address, shared: Arc::default(), task: None, closed: Some(socket) }
    }

    /// Begins to listen.
    pub(crate) fn open(&mut self) {
        let listener = self.closed.take().unwrap().listen(64).unwrap();
        self.task = Some(tokio::spawn(server::serve(listener, self.shared.clone())));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says what becomes of requests, by their number (from 0, those before it was said counted) and content.
    pub(crate) fn script(&self, script: impl FnMut(usize, &Request) -> Act + Send + 'static) {
        self.shared.lock().script = Some(Box::new(script));
    }

    /// Takes all requests, from now on.
    pub(crate) fn heal(&self) {
        let mut world = self.shared.lock();
        (world.script, world.judge) = (None, None);
    }

    /// Says which items are refused.
    pub(crate) fn judge(&self, judge: impl FnMut(&Item) -> Option<Refusal> + Send + 'static) {
        self.shared.lock().judge = Some(Box::new(judge));
    }

    /// Looks at what it knows.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.shared.lock())
    }

    /// Waits until `is_met`.
    pub(crate) async fn wait(&self, what: &str, is_met: impl Fn(&World) -> bool) {
        let waiting = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.look(&is_met) {
                    return;
                }
                changed.await;
            }
        };
        wait::within(what, waiting).await;
    }

    /// Waits until there are the documents `0..count`, each exactly once, and none else.
    pub(crate) async fn wait_for_all(&self, count: u64) {
        self.wait(&format!("{count} documents"), |world| world.len() as u64 >= count).await;
        self.assert_all(count);
    }

    /// There are the documents `0..count`, each exactly once, and none else.
    pub(crate) fn assert_all(&self, count: u64) {
        let numbers = self.look(World::numbers);
        let distinct: BTreeSet<_> = numbers.iter().copied().collect();
        let missing: Vec<_> = (0..count).filter(|number| !distinct.contains(number)).collect();
        assert!(missing.is_empty(), "{} lost, such as {:?}", missing.len(), &missing[..missing.len().min(5)]);
        assert_eq!(numbers.len() as u64, count, "some are there twice");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
