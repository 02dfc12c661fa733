//! A store that takes bulk requests as Elasticsearch does and keeps their documents.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_ENCODING;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// Documents by index and `_id`.
pub(crate) type Documents = BTreeMap<String, BTreeMap<String, Value>>;

/// A store that listens on a port of its own.
pub(crate) struct Store {
    /// Its address, as a user writes it.
    pub address: String,
    documents: Arc<Mutex<Documents>>,
}

impl Store {
    /// Opens it; it lives as long as the runtime.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let documents: Arc<Mutex<Documents>> = Arc::default();
        let kept = documents.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                let serve = service_fn(move |request| answer(request, kept.clone()));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Self { address, documents }
    }

    /// What it holds.
    pub(crate) fn documents(&self) -> Documents {
        self.documents.lock().unwrap().clone()
    }
}

async fn answer(request: Request<Incoming>, kept: Arc<Mutex<Documents>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let of_path = path.strip_suffix("_bulk").expect("a bulk request").trim_end_matches('/');
    let is_gzip = request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut text = String::new();
    if is_gzip {
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap()
    } else {
        (&body[..]).read_to_string(&mut text).unwrap()
    };
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut kept = kept.lock().unwrap();
    for pair in lines.chunks_exact(2) {
        let action = &pair[0]["create"];
        let index = action["_index"].as_str().unwrap_or(of_path).to_owned();
        let id = action["_id"].as_str().expect("an `_id`").to_owned();
        kept.entry(index).or_default().insert(id, pair[1].clone());
    }
    Ok(Response::new(Full::from(r#"{"errors":false,"items":[]}"#)))
}
