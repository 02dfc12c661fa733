//! gRPC for sinks: unary calls over HTTP/2, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, whose messages
//! are bytes already.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::buf::Chain;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri, Version};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;

use super::connector::{Connector, Speaks};
use super::http::{Connections, explain};
use crate::component::renewed::Renewed;

/// Bytes of an answer that are read; a longer one counts as broken off.
const MAX_ANSWER: usize = 4 << 20;
/// Connections to one server: frames of one are read and written by one core, and all calls on it wait for a lost packet.
const CONNECTIONS: usize = 4;
/// Bytes of the headers and trailers of an answer: details of a refusal may be long.
const HEADERS: u32 = 64 << 10;
/// Silence after which a connection with a call under way is asked whether it is still there. Servers count such questions:
/// some end a connection on which three come within five minutes.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long it may take to say so.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is kept that nothing uses.
const KEEP_IDLE: Duration = Duration::from_mins(5);

const GRPC: &str = "application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A flag and a length: what a message begins with.
const PREFIX: usize = 5;

type Connection = HyperClient<Connector, Full<Chain<Bytes, Bytes>>>;

/// Makes calls over kept connections.
#[derive(Debug)]
pub struct Client {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The server, with the path of the method.
    pub uri: &'a Uri,
    /// Headers besides those of gRPC.
    pub headers: &'a HeaderMap,
    /// How the message is compressed, if it is.
    pub encoding: Option<&'static str>,
    /// The message.
    pub message: Bytes,
    /// How long its answer is waited for.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// Of HTTP.
    pub status: StatusCode,
    /// Headers and trailers.
    pub headers: HeaderMap,
    /// How the call ended; none if what answered speaks no gRPC.
    pub end: Option<End>,
    /// The message of the answer; empty if there is none.
    pub message: Bytes,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The code.
    pub code: u32,
    /// For people.
    pub message: String,
    /// A `google.rpc.Status` as protobuf, if there is one.
    pub details: Option<Vec<u8>>,
}

impl Client {
    /// A client with this TLS configuration for `https`.
    pub fn new(tls: impl Into<Renewed<ClientConfig>>) -> Self {
        let tls = tls.into();
        let connections = (0..CONNECTIONS).map(|_| connection(tls.clone())).collect();
        Self { connections, next: AtomicUsize::new(0) }
    }

    /// Makes a call and reads its answer. An error means that the outcome is unknown.
    pub async fn call(&self, call: Call<'_>) -> Result<Reply, String> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = &self.connections[turn % self.connections.len()];
        let response = connection.request(request(call)).await.map_err(|error| explain(&error))?;
        let (head, body) = response.into_parts();
        let collected = Limited::new(body, MAX_ANSWER).collect().await;
        let collected = collected.map_err(|error| format!("the answer broke off: {error}"))?;
        let mut headers = head.headers;
        let is_grpc = headers.get(CONTENT_TYPE).is_some_and(|found| found.as_bytes().starts_with(GRPC.as_bytes()));
        headers.extend(collected.trailers().cloned().unwrap_or_default());
        let end = End::of(&headers).filter(|_| is_grpc);
        if is_grpc && end.is_none() {
            return Err("the answer ended without a status".to_owned());
        }
        let message = message(&headers, collected.to_bytes()).unwrap_or_else(|| {
            tracing::warn!("an answer has a message that cannot be read: records that it may refuse are not known");
            Bytes::new()
        });
        Ok(Reply { status: head.status, headers, end, message })
    }
}

fn connection(tls: Renewed<ClientConfig>) -> Connection {
    HyperClient::builder(Connections)
        .http2_only(true)
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP_IDLE)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .http2_max_header_list_size(HEADERS)
        .build(Connector::new(tls, Speaks::Http2))
}

fn request(call: Call<'_>) -> Request<Full<Chain<Bytes, Bytes>>> {
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(u8::from(call.encoding.is_some()));
    prefix.put_u32(call.message.len() as u32);
    let mut request = Request::new(Full::new(prefix.freeze().chain(call.message)));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = call.uri.clone();
    let mut headers = call.headers.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("levada/", env!("CARGO_PKG_VERSION"))));
    if let Some(encoding) = call.encoding {
        headers.insert(ENCODING, HeaderValue::from_static(encoding));
    }
    // Eight digits at most.
    let millis = call.timeout.as_millis().clamp(1, 99_999_999);
    headers.extend(HeaderValue::try_from(format!("{millis}m")).map(|timeout| (TIMEOUT, timeout)));
    *request.headers_mut() = headers;
    request
}

/// The message of an answer: what stands behind its prefix; none if it cannot be read. Some servers compress it as the
/// request was, though nothing said that they may.
fn message(headers: &HeaderMap, mut body: Bytes) -> Option<Bytes> {
    if body.is_empty() {
        return Some(body);
    }
    let is_compressed = body.try_get_u8().ok()? == 1;
    let len = body.try_get_u32().ok()? as usize;
    if body.len() != len {
        return None;
    }
    if !is_compressed {
        return Some(body);
    }
    let mut plain = Vec::new();
    let read = match headers.get(ENCODING)?.as_bytes() {
        b"gzip" => GzDecoder::new(&body[..]).take(MAX_ANSWER as u64).read_to_end(&mut plain),
        b"zstd" => zstd::Decoder::new(&body[..]).ok()?.take(MAX_ANSWER as u64).read_to_end(&mut plain),
        _ => return None,
    };
    read.ok()?;
    Some(plain.into())
}

impl End {
    /// Of headers or trailers; none if they tell of no end.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| headers.get(name)?.to_str().ok();
        let code = text(STATUS)?.trim().parse().ok()?;
        let message = text(MESSAGE).map(unpercent).unwrap_or_default();
        let details = text(DETAILS).and_then(|details| crate::codecs::otlp::unbase64(details.trim()));
        Some(Self { code, message, details })
    }
}

/// What `grpc-message` says. What is no escape stands for itself.
fn unpercent(text: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, behind @ ..] = rest {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        let escaped = (*first == b'%').then(|| Some(digit(0)? * 16 + digit(1)?)).flatten();
        out.push(escaped.map_or(*first, |byte| byte as u8));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn framed(flag: u8, message: &[u8]) -> Bytes {
        [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat().into()
    }

    #[test]
    fn an_answer_may_be_compressed_as_its_request_was() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"hello").unwrap();
        let packed = framed(1, &gzip.finish().unwrap());
        let headers = |encoding| HeaderMap::from_iter([(ENCODING, HeaderValue::from_static(encoding))]);
        let read = |encoding, body: &Bytes| message(&headers(encoding), body.clone());
        assert_eq!(read("gzip", &packed).as_deref(), Some(&b"hello"[..]));
        assert_eq!(
            read("zstd", &framed(1, &zstd::bulk::compress(b"hello", 1).unwrap())).as_deref(),
            Some(&b"hello"[..])
        );
        assert_eq!(read("identity", &framed(0, b"hello")).as_deref(), Some(&b"hello"[..]));
        assert_eq!(read("gzip", &Bytes::new()).as_deref(), Some(&b""[..]), "no message");
        for (encoding, body) in [("snappy", packed.clone()), ("gzip", framed(1, b"hello")), ("gzip", packed.slice(..9))]
        {
            assert_eq!(read(encoding, &body), None);
        }
    }
}
