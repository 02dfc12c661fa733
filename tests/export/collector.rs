//! A peer that takes OTLP, by gRPC and by HTTP on one port, and does what it is told instead.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use levada::event::otlp::wire::{Fields, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::wait;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Take,
    /// It is worked off, and the connection is cut instead of an answer.
    TakeAndCut,
    /// It is worked off; the answer has this message.
    TakeAndSay(Vec<u8>),
    /// It is never answered.
    Stall,
    /// By HTTP: status, headers, body.
    Http(u16, &'static [(&'static str, &'static str)]),
    /// By gRPC: code, message, details as base64.
    Grpc(u32, &'static str, Option<&'static str>),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// As it was on the wire.
    pub(crate) body: Bytes,
    /// The message, decompressed.
    pub(crate) message: Vec<u8>,
    pub(crate) is_grpc: bool,
}

impl Came {
    /// The attributes `n` of its log records.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for resource in inner(&self.message, 1) {
            for record in inner(resource, 2).into_iter().flat_map(|scope| inner(scope, 2)) {
                for attribute in inner(record, 6).into_iter().filter(|pair| inner(pair, 1) == [b"n"]) {
                    let value = Fields::of(inner(attribute, 2)[0]).next().unwrap().unwrap().value;
                    let Value::Varint(number) = value else { panic!("{value:?}") };
                    numbers.push(number);
                }
            }
        }
        numbers
    }
}

/// What the fields of this number hold.
fn inner(message: &[u8], number: u32) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for field in Fields::of(message) {
        let field = field.unwrap();
        if let (true, Value::Bytes(bytes)) = (field.number == number, field.value) {
            found.push(bytes);
        }
    }
    found
}

type Script = Box<dyn FnMut(usize, &Came) -> Act + Send>;

/// All the peer knows.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) came: Vec<Came>,
    pub(crate) connections: usize,
    /// How often each number was worked off.
    pub(crate) taken: BTreeMap<u64, usize>,
    script: Option<Script>,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    changed: Notify,
    going: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

/// The peer; it goes with this.
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serving.lock().connections += 1;
                connections.spawn(connection(stream, serving.clone()));
            }
        });
        Self { address, shared, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says what becomes of requests, by their number and content.
    pub(crate) fn script(&self, script: impl FnMut(usize, &Came) -> Act + Send + 'static) {
        self.shared.lock().script = Some(Box::new(script));
    }

    /// Takes all requests, from now on.
    pub(crate) fn heal(&self) {
        self.shared.lock().script = None;
    }

    /// Ends all connections as HTTP/2 has it: what is under way is answered, what follows must come by another.
    pub(crate) fn go_away(&self) {
        self.shared.going.notify_waiters();
    }

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

    /// Waits until the records `0..count` were taken; gives how often at most.
    pub(crate) async fn wait_for_all(&self, count: u64) -> usize {
        self.wait(&format!("{count} records"), |world| world.taken.len() as u64 >= count).await;
        self.look(|world| {
            assert!((0..count).eq(world.taken.keys().copied()), "others than were written");
            world.taken.values().copied().max().unwrap_or_default()
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let answering = shared.clone();
    let service = service_fn(move |request| answer(request, answering.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let going = shared.going.notified();
    tokio::select! {
        _ = serving.as_mut() => return,
        () = going => serving.as_mut().graceful_shutdown(),
    }
    let _ended = serving.await;
}

type Body = BoxBody<Bytes, std::convert::Infallible>;

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let cut = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let body = body.collect().await.map_err(|_| cut())?.to_bytes();
    let is_grpc = head.headers["content-type"] == "application/grpc";
    let came = came(head, body, is_grpc);
    let act = {
        let mut world = shared.lock();
        let number = world.came.len();
        world.came.push(came.clone());
        let act = world.script.as_mut().map_or(Act::Take, |script| script(number, &came));
        if matches!(act, Act::Take | Act::TakeAndCut | Act::TakeAndSay(_)) {
            came.numbers().into_iter().for_each(|number| *world.taken.entry(number).or_default() += 1);
        }
        act
    };
    shared.changed.notify_waiters();
    match act {
        Act::Take => Ok(taken(is_grpc, &[])),
        Act::TakeAndSay(message) => Ok(taken(is_grpc, &message)),
        Act::TakeAndCut => Err(cut()),
        Act::Stall => std::future::pending().await,
        Act::Http(status, headers) => {
            let mut builder = Response::builder().status(status);
            for (name, value) in headers {
                builder = builder.header(*name, *value);
            }
            Ok(builder.body(Full::default().boxed()).unwrap())
        }
        Act::Grpc(code, message, details) => {
            let builder = Response::builder().header("content-type", "application/grpc");
            let builder = builder.header("grpc-status", code).header("grpc-message", message);
            let builder = details.iter().fold(builder, |builder, it| builder.header("grpc-status-details-bin", *it));
            Ok(builder.body(Full::default().boxed()).unwrap())
        }
    }
}

fn came(head: hyper::http::request::Parts, body: Bytes, is_grpc: bool) -> Came {
    let (name, plain) = if is_grpc { ("grpc-encoding", &body[5..]) } else { ("content-encoding", &body[..]) };
    if is_grpc {
        let length = u32::from_be_bytes(*body[1..].first_chunk().unwrap());
        assert_eq!((length as usize, body[0] == 1), (plain.len(), head.headers.contains_key(name)));
    }
    let mut message = Vec::new();
    match head.headers.get(name).map(|value| value.to_str().unwrap()) {
        None => message.extend_from_slice(plain),
        Some("gzip") => drop(GzDecoder::new(plain).read_to_end(&mut message).unwrap()),
        Some("zstd") => message = zstd::stream::decode_all(plain).unwrap(),
        Some(other) => panic!("{other}"),
    }
    Came { path: head.uri.path().to_owned(), headers: head.headers, body, message, is_grpc }
}

fn taken(is_grpc: bool, message: &[u8]) -> Response<Body> {
    if !is_grpc {
        return Response::new(Full::from(message.to_vec()).boxed());
    }
    let framed = [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = Full::from(framed).with_trailers(std::future::ready(Some(Ok(trailers)))).boxed();
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}
