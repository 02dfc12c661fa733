//! The listeners and their connections. Each speaks HTTP/1.1 and HTTP/2, told apart by the connection's first bytes, with
//! TLS or without.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::Instrument;

use super::answer::Answer;
use super::desk::Desk;
use super::opening::Opening;
use super::settings::Keepalive;
use crate::component::renewed::Renewed;
use crate::component::signal::Stop;

/// Connections of one listener served at once; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 10_000;
/// How long a client may take for the head of a request, and so how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes of the head of a request, and of a piece of its body.
const HEAD: usize = 128 << 10;
/// How long a client may take for the first bytes of its connection, and before them for the handshake of TLS.
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

/// What answers requests.
pub(in crate::sources) trait Answers: Send + Sync + 'static {
    /// What is spoken here, for the log.
    const PROTOCOL: &'static str;

    /// Where bodies go.
    fn desk(&self) -> &Desk;

    /// Answers one request of the client at `peer`.
    fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> impl Future<Output = Response<Answer>> + Send;
}

/// An address to listen on.
#[derive(Clone)]
pub(in crate::sources) struct Door {
    pub(in crate::sources) address: SocketAddr,
    /// With what its files hold when a connection comes.
    pub(in crate::sources) tls: Option<Renewed<ServerConfig>>,
    pub(in crate::sources) keepalive: Keepalive,
}

/// Listens at each door until `stop`; then connections end with the requests in hand, at the deadline all of them.
pub(in crate::sources) async fn run<A: Answers>(doors: Vec<Door>, answers: Arc<A>, stop: Stop) {
    let mut listeners = JoinSet::new();
    for door in doors {
        listeners.spawn(listen(door, answers.clone(), stop.clone()).in_current_span());
    }
    listeners.join_all().await;
}

async fn listen<A: Answers>(door: Door, answers: Arc<A>, stop: Stop) {
    let Some(listener) = bind::<A>(door.address, answers.desk(), &stop).await else { return };
    let (ends, ending) = watch::channel(());
    let mut connections = JoinSet::new();
    let seats = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let deadline = loop {
        // All arms are cancel-safe; a seat that was taken for nobody is given back.
        tokio::select! {
            deadline = stop.requested() => break deadline,
            Some(_) = connections.join_next() => {}
            (seat, accepted) = accept(&listener, &seats) => match accepted {
                Ok((stream, peer)) => {
                    let served = serve(stream, peer, (door.clone(), answers.clone(), ending.clone()));
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
    drop((listener, ends));
    let left = deadline.saturating_duration_since(Instant::now());
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(left, all).await.is_err() {
        tracing::warn!("ended with requests under way; their senders were not answered");
    }
}

async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, std::io::Result<(TcpStream, SocketAddr)>) {
    // It is never closed.
    let seat = seats.clone().acquire_owned().await.ok();
    (seat, listener.accept().await)
}

/// A listener as soon as the address can be had; none if `stop` comes first.
async fn bind<A: Answers>(address: SocketAddr, desk: &Desk, stop: &Stop) -> Option<TcpListener> {
    let mut is_first = true;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let address = listener.local_addr().unwrap_or(address);
                tracing::info!(%address, "listening for {}", A::PROTOCOL);
                desk.listens(address);
                return Some(listener);
            }
            Err(error) => {
                if is_first {
                    desk.error("bind");
                }
                // Each time, as another door of the source may have opened meanwhile and told that all is well.
                desk.shut(address, &error);
                is_first = false;
            }
        }
        tokio::select! {
            _ = stop.requested() => return None,
            () = tokio::time::sleep(REFUSED_PAUSE) => {}
        }
    }
}

/// What connections of one listener have in common: the door, what answers, what is closed when they are to end.
type Common<A> = (Door, Arc<A>, watch::Receiver<()>);

/// One connection, until its client goes, it is old, or it is to end.
async fn serve<A: Answers>(stream: TcpStream, peer: SocketAddr, (door, answers, ending): Common<A>) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let age = door.keepalive.age();
    let Some(tls) = door.tls else {
        return converse(Opening::new(stream, OPENING), (answers, peer), (ending, age)).await;
    };
    let acceptor = TlsAcceptor::from(tls.current());
    match tokio::time::timeout(OPENING, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => converse(Opening::new(stream, OPENING), (answers, peer), (ending, age)).await,
        Ok(Err(error)) => {
            answers.desk().error("tls_handshake");
            tracing::debug!(%peer, %error, "no TLS with this client");
        }
        Err(_) => answers.desk().error("tls_handshake"),
    }
}

async fn converse<A: Answers>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (answers, peer): (Arc<A>, SocketAddr),
    (mut ending, age): (watch::Receiver<()>, Duration),
) {
    let answer = service_fn(move |request| {
        let answers = answers.clone();
        async move { Ok::<_, Infallible>(answers.answer(request, peer).await) }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer));
    let early = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        // It tells nothing but that its other end is gone.
        _ = ending.changed() => None,
        () = tokio::time::sleep(age) => None,
    };
    let ended = if let Some(ended) = early {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD);
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
