//! HTTP for sinks: one client with TLS, and what a status code means as a class of answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use tracing::Instrument;

use super::connector::{Connector, Speaks};
use crate::component::renewed::Renewed;
use crate::component::sink::Answer;

/// What is told of a destination that does not let us in.
pub const REFUSES: &str = "it does not take these credentials";

/// Bytes of an answer that are read; a longer one counts as broken off.
const MAX_ANSWER: usize = 32 << 20;
/// How long a connection is kept that nothing uses.
const KEEP_IDLE: Duration = Duration::from_secs(50);
/// Bytes of an answer that are quoted in a message.
const QUOTED: usize = 300;

/// Sends requests over kept connections.
#[derive(Clone, Debug)]
pub struct Client(HyperClient<Connector, Full<Bytes>>);

/// Runs connections where the sink's requests run: what is logged for them is the sink's.
#[derive(Clone)]
pub(super) struct Connections;

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Connections {
    fn execute(&self, connection: F) {
        tokio::spawn(connection.in_current_span());
    }
}

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
    pub fn new(tls: impl Into<Renewed<ClientConfig>>) -> Self {
        Self::keeping_idle(tls, KEEP_IDLE)
    }

    /// One that lets go of a connection which nothing used for so long: sooner than its server does.
    pub fn keeping_idle(tls: impl Into<Renewed<ClientConfig>>, idle: Duration) -> Self {
        let connector = Connector::new(tls.into(), Speaks::Http1);
        Self(HyperClient::builder(Connections).pool_timer(TokioTimer::new()).pool_idle_timeout(idle).build(connector))
    }

    /// Sends `request` and reads the whole reply. An error means that the outcome is unknown.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        self.send_within(request, MAX_ANSWER).await
    }

    /// The same with a limit of one's own for the bytes of an answer.
    pub async fn send_within(&self, request: Request<Full<Bytes>>, limit: usize) -> Result<Reply, String> {
        let response = self.0.request(request).await.map_err(|error| explain(&error))?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, limit).collect().await.map_err(|error| format!("the answer broke off: {error}"))?;
        Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// The whole chain of causes: hyper's outermost message alone says "client error (Connect)".
pub(super) fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    match HINTS.iter().find(|(sign, _)| text.contains(sign)) {
        Some((_, hint)) => format!("{text}; {hint}"),
        None => text,
    }
}

/// What to do about faults whose words do not tell: how rustls names them, and the next step.
const HINTS: [(&str, &str); 4] = [
    (
        "CaUsedAsEndEntity",
        "the server shows a certificate that is marked as an authority's (CA:TRUE), as `openssl req -x509` makes it: give \
         the server one that is signed by it, or make it anew with `basicConstraints=CA:FALSE`, and name that in `tls.ca_file`",
    ),
    (
        "UnknownIssuer",
        "nothing that is trusted here signed the server's certificate: name its authority in `tls.ca_file`",
    ),
    ("invalid HTTP version parsed", "it does not speak HTTP/1.1: is this the port of another protocol, such as gRPC?"),
    ("frame with invalid size", "it does not speak HTTP/2: is this the port of another protocol, such as HTTP/1.1?"),
];

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

    /// What the status says of a question that carried no record.
    pub fn probed(&self) -> Result<String, String> {
        match self.status.as_u16() {
            401 | 403 | 407 => Err(format!("it answers {}: {REFUSES}", self.status)),
            500..=599 => Err(format!("it answers {}", self.status)),
            _ => Ok(format!("it answers {}", self.status)),
        }
    }

    /// The status and the beginning of the answer, for a dead letter.
    fn quote(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let quoted: String = text.trim().chars().filter(|c| !c.is_control()).take(QUOTED).collect();
        format!("the destination answers {}: {quoted}", self.status)
    }

    /// See [`retry_after`].
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }
}

/// `Retry-After`, in seconds or as a date (RFC 9110, clause 10.2.3).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = Duration::from_nanos(crate::component::clock::now().unsigned_abs());
    Some(at.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::files::Files;
    use crate::component::tls::TlsSettings;
    use crate::delivery::test_peer::Peer;
    use crate::delivery::test_tls::{SelfSigned, self_signed};

    /// What comes of a request to a server with this certificate, which is trusted.
    async fn asked(of: &SelfSigned) -> Result<StatusCode, String> {
        let peer = Peer::with_tls(of.server(), |_| (200, String::new())).await;
        let tls = TlsSettings { ca_file: Some(of.file()), ..TlsSettings::default() };
        let client = Client::new(tls.client(&Files::default()).unwrap());
        let uri = format!("https://localhost:{}/", peer.address.port());
        let request = Request::get(uri).body(Full::new(Bytes::new())).unwrap();
        client.send(request).await.map(|reply| reply.status)
    }

    #[tokio::test]
    async fn a_self_signed_certificate_that_is_an_authority_is_refused_with_the_next_step() {
        let why = asked(&self_signed(true)).await.unwrap_err();
        assert!(why.contains("CaUsedAsEndEntity") && why.contains("basicConstraints=CA:FALSE"), "{why}");
        assert_eq!(asked(&self_signed(false)).await, Ok(StatusCode::OK), "the advice helps");
    }

    #[tokio::test]
    async fn a_server_of_an_unknown_authority_is_refused_with_the_next_step() {
        let (one, other) = (self_signed(false), self_signed(false));
        let peer = Peer::with_tls(one.server(), |_| (200, String::new())).await;
        let tls = TlsSettings { ca_file: Some(other.file()), ..TlsSettings::default() };
        let client = Client::new(tls.client(&Files::default()).unwrap());
        let request = Request::get(format!("https://localhost:{}/", peer.address.port()));
        let why = client.send(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap_err();
        assert!(why.contains("name its authority in `tls.ca_file`"), "{why}");
    }
}
