//! The listeners and their connections. Each speaks HTTP/1.1 and HTTP/2, told apart by the connection's first bytes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::desk::Desk;
use super::http;
use super::opening::Opening;
use crate::component::signal::Stop;

/// Connections of one listener served at once; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 10_000;
/// How long a client may take for the head of a request, and so how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a client may take for the first bytes of its connection.
const OPENING: Duration = Duration::from_secs(30);
/// How often a silent HTTP/2 client is asked whether it is there, and how long it has to answer.
const PING: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(20));
/// Bytes of one request that an HTTP/2 client may send ahead, and of all requests of a connection.
const WINDOWS: (u32, u32) = (1 << 20, 4 << 20);
/// Largest HTTP/2 frame: most requests are one.
const FRAME: u32 = 256 << 10;
/// Requests that an HTTP/2 client may have under way.
const MOST_STREAMS: u32 = 256;
/// The pause after the kernel refused an address or a connection, so that the refusal is not a busy loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// Listens on each address until `stop`; then connections end with the requests in hand, at the deadline all of them.
pub(super) async fn run(addresses: Vec<SocketAddr>, desk: Arc<Desk>, stop: Stop) {
    let mut listeners = JoinSet::new();
    for address in addresses {
        listeners.spawn(listen(address, desk.clone(), stop.clone()).in_current_span());
    }
    listeners.join_all().await;
}

async fn listen(address: SocketAddr, desk: Arc<Desk>, stop: Stop) {
    let Some(listener) = bind(address, &desk, &stop).await else { return };
    let (graceful, mut connections) = (GracefulShutdown::new(), JoinSet::new());
    let seats = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let deadline = loop {
        // All arms are cancel-safe; a seat that was taken for nobody is given back.
        tokio::select! {
            deadline = stop.requested() => break deadline,
            Some(_) = connections.join_next() => {}
            (seat, accepted) = accept(&listener, &seats) => match accepted {
                Ok(stream) => {
                    let served = serve(stream, desk.clone(), &graceful);
                    connections.spawn(async move {
                        served.await;
                        drop(seat);
                    }.in_current_span());
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
            },
        }
    };
    drop(listener);
    let left = deadline.saturating_duration_since(Instant::now());
    if tokio::time::timeout(left, graceful.shutdown()).await.is_err() {
        tracing::warn!("ended with requests under way; their senders were not answered");
    }
}

async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (Option<tokio::sync::OwnedSemaphorePermit>, std::io::Result<TcpStream>) {
    // It is never closed.
    let seat = seats.clone().acquire_owned().await.ok();
    (seat, listener.accept().await.map(|(stream, _)| stream))
}

/// A listener as soon as the address can be had; none if `stop` comes first.
async fn bind(address: SocketAddr, desk: &Desk, stop: &Stop) -> Option<TcpListener> {
    let mut is_first = true;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let address = listener.local_addr().unwrap_or(address);
                tracing::info!(%address, "listening for OTLP");
                desk.listens(address);
                return Some(listener);
            }
            Err(error) if is_first => {
                desk.error("bind");
                tracing::error!(%address, %error, "cannot listen here; trying again until it can be done");
                is_first = false;
            }
            Err(_) => {}
        }
        tokio::select! {
            _ = stop.requested() => return None,
            () = tokio::time::sleep(REFUSED_PAUSE) => {}
        }
    }
}

/// One connection, until its client goes or `graceful` ends it.
fn serve(stream: TcpStream, desk: Arc<Desk>, graceful: &GracefulShutdown) -> impl Future<Output = ()> + use<> {
    let watcher = graceful.watcher();
    async move {
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        let answer = service_fn(move |request| {
            let desk = desk.clone();
            async move { Ok::<_, Infallible>(http::answer(request, &desk).await) }
        });
        let connection = builder().serve_connection(TokioIo::new(Opening::new(stream, OPENING)), answer).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_frame_size(FRAME)
        .max_concurrent_streams(MOST_STREAMS);
    builder
}
