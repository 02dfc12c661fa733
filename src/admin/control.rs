//! The control socket: `control.sock` in the state folder, for the user that runs the agent alone (mode 0600). What
//! shows content or changes what runs writes a line into the log: who asked, and for what.
//!
//! It speaks HTTP/1.1: `GET /status`, `GET /config`, `GET /files`, `GET /positions`, `POST /reload`, `POST /tap`, `POST /why`,
//! `POST /positions`, `POST /pause`, `POST /resume`, `GET /dead-letters`, `POST /dead-letters`, `POST /replay`, `GET /buffers`,
//! `POST /buffers/verify`, `POST /buffers/dump`. Bodies are JSON.

mod buffers;
mod files;
mod letters;
mod pause;
mod status;
mod tap;

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::door::Shown;
use crate::buffer::MinFree;
use crate::component::mask::masked;
use crate::config::Input;
use crate::delivery::DeadLetters;
use crate::topology::{Pauses, Taps};

pub use buffers::{BufferOf, DumpRequest, Verified, VerifyRequest, buffers};
pub use letters::LettersRequest;
pub use pause::{PauseDone, PauseRequest};
pub use status::{Latency, Status, StatusOf};
pub use tap::TapRequest;

/// The name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";
/// Connections served at once.
const MOST_CONNECTIONS: usize = 32;
/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the kernel refused a connection.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
/// The largest body of a request.
const MOST_BYTES: usize = 64 << 10;

/// What there is, for who asks for something else.
const PAGES: &str = "there are GET /status, /config, /files, /positions, /dead-letters, /buffers, POST /reload, /tap, /why, /positions, /pause, \
     /resume, /dead-letters, /replay, /buffers/verify, /buffers/dump";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What is asked of the agent itself.
#[derive(Debug)]
pub enum Ask {
    /// Read the configuration again.
    Reload(ReloadRequest, oneshot::Sender<Reloaded>),
    /// Tell the configuration that runs.
    Config(oneshot::Sender<Vec<(String, String)>>),
}

/// How to reload.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ReloadRequest {
    /// Only say what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// How a reload went.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// Does what was read run now, or would it?
    pub is_good: bool,
    /// What changes, a line each.
    pub changes: Vec<String>,
    /// The faults, drawn for people.
    pub faults: String,
    /// Every file that was read, with what it held.
    #[serde(skip)]
    pub inputs: Vec<Input>,
}

/// What the socket works with.
#[derive(Clone, Debug)]
pub struct Controls {
    /// What there is to show.
    pub shown: Shown,
    /// Where records can be looked at.
    pub taps: Taps,
    /// Which sources are paused.
    pub pauses: Pauses,
    /// Where refused records are kept.
    pub letters: Arc<DeadLetters>,
    /// The state folder.
    pub data_dir: PathBuf,
    /// What of its file system is others'.
    pub min_free: MinFree,
    /// To the agent.
    pub asks: mpsc::Sender<Ask>,
}

/// An open socket; it is removed when dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Control {
    /// Listens in `data_dir`, which must be this process's alone: a socket that an earlier one left is replaced.
    pub fn open(data_dir: &Path, controls: Controls) -> io::Result<Self> {
        let path = data_dir.join(SOCKET);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        // The folder is closed to others already.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { path, task: tokio::spawn(serve(listener, Arc::new(controls))) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        let _gone = std::fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, controls: Arc<Controls>) {
    let mut connections = JoinSet::new();
    loop {
        // Both arms are cancel-safe.
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, controls.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the control socket");
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Who is on the other side.
#[derive(Clone, Copy, Debug, Default)]
struct Caller {
    uid: Option<u32>,
    pid: Option<i32>,
}

async fn converse(stream: UnixStream, controls: Arc<Controls>) {
    let peer = stream.peer_cred().ok();
    let caller = Caller { uid: peer.map(|peer| peer.uid()), pid: peer.and_then(|peer| peer.pid()) };
    let answer = service_fn(move |request| {
        let controls = controls.clone();
        async move { Ok::<_, Infallible>(answer(request, &controls, caller).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(%error, "a connection to the control socket ended early");
    }
}

async fn answer(request: Request<Incoming>, controls: &Controls, caller: Caller) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("cannot read the request: {error}")),
    };
    match (head.method, head.uri.path()) {
        (Method::GET, "/status") => json(&status::status(&controls.shown)),
        (Method::GET, "/config") => config(controls).await,
        (Method::GET, "/files") => files::files(controls).await,
        (Method::GET, "/positions") => files::positions(controls).await,
        (Method::POST, "/positions") => match read(&body) {
            Ok(request) => files::set(controls, request, caller).await,
            Err(refused) => *refused,
        },
        (Method::GET, "/buffers") => buffers::list(controls).await,
        (Method::POST, "/buffers/verify") => match read(&body) {
            Ok(request) => buffers::verify(controls, request).await,
            Err(refused) => *refused,
        },
        (Method::POST, "/buffers/dump") => match read(&body) {
            Ok(request) => buffers::dump(controls, request, caller).await,
            Err(refused) => *refused,
        },
        (Method::GET, "/dead-letters") => letters::list(controls).await,
        (Method::POST, "/dead-letters") => match read(&body) {
            Ok(request) => letters::show(controls, &request, caller),
            Err(refused) => *refused,
        },
        (Method::POST, "/replay") => match read(&body) {
            Ok(request) => letters::again(controls, request, caller).await,
            Err(refused) => *refused,
        },
        (Method::POST, "/why") => match read(&body) {
            Ok(subject) => files::why_not(controls, subject).await,
            Err(refused) => *refused,
        },
        (Method::POST, path @ ("/pause" | "/resume")) => match read::<PauseRequest>(&body) {
            Ok(request) => pause::set(controls, (request.id, path == "/pause"), caller).await,
            Err(refused) => *refused,
        },
        (Method::POST, "/reload") => match read(&body) {
            Ok(request) => reload(controls, request).await,
            Err(refused) => *refused,
        },
        (Method::POST, "/tap") => match read::<TapRequest>(&body) {
            Ok(request) => tap::tap(controls, request, caller),
            Err(refused) => *refused,
        },
        _ => refusal(StatusCode::NOT_FOUND, PAGES),
    }
}

async fn reload(controls: &Controls, request: ReloadRequest) -> Response<Body> {
    let (answer, answered) = oneshot::channel();
    if controls.asks.send(Ask::Reload(request, answer)).await.is_err() {
        return ending();
    }
    answered.await.map_or_else(|_| ending(), |reloaded| json(&reloaded))
}

async fn config(controls: &Controls) -> Response<Body> {
    let (answer, answered) = oneshot::channel();
    if controls.asks.send(Ask::Config(answer)).await.is_err() {
        return ending();
    }
    answered.await.map_or_else(|_| ending(), |lines| json(&lines))
}

fn ending() -> Response<Body> {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "the agent ends")
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Box<Response<Body>>> {
    let text = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text)
        .map_err(|error| Box::new(refusal(StatusCode::BAD_REQUEST, &format!("cannot read the request: {error}"))))
}

fn json(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(masked(&text).into_owned())).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{why}\n"))).boxed_unsync());
    *response.status_mut() = status;
    response
}
