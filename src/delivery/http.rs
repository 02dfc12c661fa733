//! HTTP for sinks: one client with TLS, and what a status code means as a class of answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::component::sink::Answer;

/// Bytes of an answer that are read; a longer one counts as broken off.
const MAX_ANSWER: usize = 32 << 20;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are quoted in a message.
const QUOTED: usize = 300;

/// Sends requests over kept connections.
#[derive(Clone, Debug)]
pub struct Client(HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Client {
    /// A client with this TLS configuration for `https`.
    pub fn new(tls: rustls::ClientConfig) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(50))
            .build(https);
        Self(client)
    }

    /// Sends `request` and reads the whole reply. An error means that the outcome is unknown.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        let response = self.0.request(request).await.map_err(|error| explain(&error))?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| format!("the answer broke off: {error}"))?;
        Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// The whole chain of causes: hyper's outermost message alone says "client error (Connect)".
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

impl Reply {
    /// What the status means, by itself (RFC 9110, clause 15; RFC 6585 for 429). The answer's text is not quoted:
    /// it may repeat a record, and this goes to the log.
    pub fn class(&self) -> Answer {
        self.class_with(format!("the destination answers {}", self.status))
    }

    /// What the status means, with a reason that is fit for the log.
    pub fn class_with(&self, why: String) -> Answer {
        match self.status.as_u16() {
            200..=299 => Answer::Delivered,
            413 => Answer::Split,
            408 | 425 | 429 | 500 | 502..=599 => Answer::Retry { why, after: self.retry_after() },
            401 | 403 | 404 | 405 | 407 | 501 | 300..=399 => Answer::Hold { why },
            status => Answer::Rejected { code: status.to_string(), why: self.quote() },
        }
    }

    /// The status and the beginning of the answer, for a dead letter.
    fn quote(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let quoted: String = text.trim().chars().filter(|c| !c.is_control()).take(QUOTED).collect();
        format!("the destination answers {}: {quoted}", self.status)
    }

    /// `Retry-After`, in seconds or as a date (RFC 9110, clause 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let now = Duration::from_nanos(crate::component::clock::now().unsigned_abs());
        Some(at.saturating_sub(now))
    }
}
