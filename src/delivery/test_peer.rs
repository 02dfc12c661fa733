//! For tests of sinks: a server on the loopback that keeps what it is sent and answers as it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

type Answers = dyn Fn(&Came) -> (u16, String) + Send + Sync;

/// The server; it ends with its runtime.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Answers>,
}

impl Peer {
    /// A plain one that answers what `answers` gives: status and body.
    pub(crate) async fn new(answers: impl Fn(&Came) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(answers)).await
    }

    /// One with TLS.
    pub(crate) async fn with_tls(
        tls: rustls::ServerConfig,
        answers: impl Fn(&Came) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(TlsAcceptor::from(Arc::new(tls))), Arc::new(answers)).await
    }

    async fn start(tls: Option<TlsAcceptor>, answers: Arc<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self { address: listener.local_addr().unwrap(), came: Arc::default(), answers };
        let serving = peer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream, tls.clone()));
            }
        });
        peer
    }

    /// What came so far.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let service = service_fn(move |request| self.clone().answer(request));
        // A client that goes away, or is refused, ends its connection with an error.
        let _ended = match tls {
            None => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok(),
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok(),
                Err(_) => None,
            },
        };
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let came = Came { method: head.method, uri: head.uri, headers: head.headers, body };
        let (status, text) = (self.answers)(&came);
        self.came.lock().unwrap_or_else(PoisonError::into_inner).push(came);
        Ok(Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap())
    }
}
