//! The peer's HTTP.

use std::convert::Infallible;
use std::future::pending;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_ENCODING;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Act, Item, Request, Shared};

/// An answer, or what is written instead of one before the connection is cut.
enum Reply {
    Whole(Response<Full<Bytes>>),
    Cut(Vec<u8>),
}

/// Serves until it is aborted; its connections go with it.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        shared.lock().connections += 1;
        connections.spawn(connection(stream, shared.clone()));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // A second hand on the same socket, to cut it from within a request.
    let stream = stream.into_std().unwrap();
    let knife = stream.try_clone().unwrap();
    let stream = TcpStream::from_std(stream).unwrap();
    let service = service_fn(move |request| {
        let (shared, knife) = (shared.clone(), knife.try_clone().unwrap());
        async move {
            match answer(request, &shared).await {
                Reply::Whole(response) => Ok::<_, Infallible>(response),
                Reply::Cut(begun) => {
                    let mut stream = TcpStream::from_std(knife).unwrap();
                    let _gone = stream.write_all(&begun).await;
                    let _gone = stream.shutdown().await;
                    pending().await
                }
            }
        }
    });
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: hyper::Request<Incoming>, shared: &Shared) -> Reply {
    let path = request.uri().path().to_owned();
    let is_packed = request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    // Who sent it may be dead by now.
    let Ok(body) = request.into_body().collect().await else { return Reply::Cut(Vec::new()) };
    let mut body = body.to_bytes().to_vec();
    if is_packed {
        let packed = std::mem::take(&mut body);
        GzDecoder::new(&packed[..]).read_to_end(&mut body).unwrap();
    }
    if !path.ends_with("/_bulk") {
        return Reply::Whole(response(404, &[], "{}".to_owned()));
    }
    let request = read(&path, &body);
    let act = shared.lock().act(&request);
    let taken = match act {
        Act::Take | Act::TakeAndCut | Act::TakeAndStall | Act::TakeAndTruncate => {
            shared.lock().take(&request).to_string()
        }
        Act::Stall | Act::Answer(..) => String::new(),
    };
    shared.changed.notify_waiters();
    match act {
        Act::Take => Reply::Whole(response(200, &[], taken)),
        Act::Answer(status, headers, body) => Reply::Whole(response(status, headers, body.to_owned())),
        Act::TakeAndStall | Act::Stall => pending().await,
        Act::TakeAndCut => Reply::Cut(Vec::new()),
        Act::TakeAndTruncate => {
            let half = &taken[..taken.len() / 2];
            Reply::Cut(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{half}", taken.len()).into_bytes())
        }
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: String) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).unwrap()
}

/// Reads a bulk request: a line with the action, a line with the document.
fn read(path: &str, body: &[u8]) -> Request {
    let of_path = path.trim_start_matches('/').trim_end_matches("_bulk").trim_end_matches('/');
    let lines: Vec<serde_json::Value> = std::str::from_utf8(body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let item = |pair: &[serde_json::Value]| {
        let action = &pair[0]["create"];
        Item {
            index: action["_index"].as_str().unwrap_or(of_path).to_owned(),
            id: action["_id"].as_str().unwrap().to_owned(),
            document: pair[1].clone(),
        }
    };
    Request { at: Instant::now(), items: lines.chunks(2).map(item).collect(), bytes: body.len() }
}
