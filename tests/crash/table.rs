//! A peer that is like ClickHouse where inserts are concerned: an insert whose token a table remembers is dropped, with
//! whatever rows it has, and counts as stored.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// What becomes of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Take,
    /// It is stored, and the connection is cut instead of an answer.
    TakeAndCut,
    /// It is stored, and never answered.
    TakeAndStall,
    /// It is not stored: too many parts.
    Busy,
}

/// Says what becomes of the next one.
pub(crate) type Script = Box<dyn FnMut() -> Deed + Send>;

/// The peer.
pub(crate) struct Table {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    /// Inserts of each table, by their token.
    inserts: BTreeMap<String, BTreeMap<String, Vec<u64>>>,
    script: Option<Script>,
    /// Tokens that came with other rows than before.
    reused: Vec<String>,
}

impl World {
    fn store(&mut self, query: &str, body: &[u8]) {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap().to_owned();
        let (table, token) = (value("query="), value("insert_deduplication_token="));
        let rows = std::str::from_utf8(body).unwrap().lines().map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["n"].as_u64().unwrap()
        });
        let rows: Vec<u64> = rows.collect();
        let known = self.inserts.entry(table).or_default().entry(token.clone()).or_insert_with(|| rows.clone());
        if known.iter().collect::<BTreeSet<_>>() != rows.iter().collect() {
            self.reused.push(token);
        }
    }
}

impl Table {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, world) = (listener.local_addr().unwrap(), Arc::<Mutex<World>>::default());
        let shared = world.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(stream, shared.clone()));
            }
        });
        Self { address, world }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says what becomes of inserts; all are taken without it.
    pub(crate) fn script(&self, script: Option<Script>) {
        self.world.lock().unwrap().script = script;
    }

    /// The member `n` of all rows.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let world = self.world.lock().unwrap();
        world.inserts.values().flat_map(BTreeMap::values).flatten().copied().collect()
    }

    /// Inserts of one table that have rows in common, by how many rows they have and share.
    pub(crate) fn overlaps(&self) -> Vec<String> {
        let world = self.world.lock().unwrap();
        let mut found = BTreeMap::new();
        for inserts in world.inserts.values() {
            let mut first: BTreeMap<u64, (&str, &Vec<u64>)> = BTreeMap::new();
            for (token, rows) in inserts {
                for row in rows {
                    if let Some((before, others)) = first.insert(*row, (token, rows)) {
                        *found.entry((before, others.len(), token.as_str(), rows.len())).or_insert(0) += 1;
                    }
                }
            }
        }
        found.iter().map(|(inserts, shared)| format!("{inserts:?} share {shared}")).collect()
    }

    /// Tokens that came with other rows than before.
    pub(crate) fn reused(&self) -> Vec<String> {
        self.world.lock().unwrap().reused.clone()
    }
}

async fn connection(stream: TcpStream, world: Arc<Mutex<World>>) {
    // A second hand on the same socket, to cut it from within a request.
    let stream = stream.into_std().unwrap();
    let knife = stream.try_clone().unwrap();
    let stream = TcpStream::from_std(stream).unwrap();
    let service = service_fn(move |request| {
        let (world, knife) = (world.clone(), knife.try_clone().unwrap());
        async move { Ok::<_, Infallible>(answer(request, &world, knife).await) }
    });
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, world: &Mutex<World>, knife: std::net::TcpStream) -> Response<Full<Bytes>> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let Ok(body) = request.into_body().collect().await else { return pending().await };
    if !query.contains("insert_deduplication_token=") {
        let facts = "{\"version\":\"26.1\",\"engine\":\"MergeTree\",\"engine_full\":\"MergeTree SETTINGS \
                     non_replicated_deduplication_window = 10000\",\"own_window\":\"0\",\"replicated_window\":\"0\",\
                     \"names\":[\"n\"],\"types\":[\"UInt64\"]}";
        return Response::new(Full::new(facts.into()));
    }
    let deed = {
        let mut world = world.lock().unwrap();
        let deed = world.script.as_mut().map_or(Deed::Take, |script| script());
        if deed != Deed::Busy {
            world.store(&query, &body.to_bytes());
        }
        deed
    };
    match deed {
        Deed::Take => Response::new(Full::default()),
        Deed::Busy => {
            let response = Response::builder().status(500).header("X-ClickHouse-Exception-Code", "252");
            response.body(Full::new("Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)".into())).unwrap()
        }
        Deed::TakeAndCut => {
            let mut stream = TcpStream::from_std(knife).unwrap();
            let _gone = stream.shutdown().await;
            pending().await
        }
        Deed::TakeAndStall => pending().await,
    }
}
