//! OTLP/gRPC: unary calls over HTTP/2, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. Their messages
//! are never decoded as a whole, so there is nothing that generated code would do.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, BytesMut};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Response};

use super::super::door::{Answer, Encoding};
use super::answer::Refusal;
use super::http::named_encoding;
use super::intake::{Frame, Intake};
use crate::codecs::otlp::{Form, Refused, Signal, partial_success, status};

const GRPC: &str = "application/grpc";
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Is this content type that of gRPC, with messages in protobuf?
pub(super) fn is_its(content_type: &str) -> bool {
    content_type.eq_ignore_ascii_case(GRPC) || content_type.eq_ignore_ascii_case("application/grpc+proto")
}

/// Answers one call.
pub(super) async fn answer(request: Request<Incoming>, intake: &Intake) -> Response<Answer> {
    match taken(request, intake).await {
        Ok((signal, refused)) => respond(&partial_success(Form::Protobuf, signal, &refused)),
        Err(refusal) => refuse(&refusal),
    }
}

async fn taken(request: Request<Incoming>, intake: &Intake) -> Result<(Signal, Refused), Refusal> {
    intake.admit(request.headers())?;
    let signal = method(request.uri().path()).ok_or_else(Refusal::unknown_path)?;
    let encoding = request.headers().get(ENCODING).map_or(Some(Encoding::Identity), named_encoding);
    let Some(encoding) = encoding else {
        return intake.refuse("content_encoding", Refusal::wrong_encoding(Encoding::ACCEPTED));
    };
    let body = (encoding, Frame::Grpc, request.into_body());
    Ok((signal, intake.take((signal, Form::Protobuf), body).await?))
}

fn method(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        _ => None,
    }
}

fn respond(message: &[u8]) -> Response<Answer> {
    let mut data = BytesMut::with_capacity(5 + message.len());
    data.put_u8(0);
    data.put_u32(message.len() as u32);
    data.put_slice(message);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    head(Response::new(Answer { data: data.freeze(), trailers: Some(trailers) }))
}

/// An answer without a message has its status among its headers.
fn refuse(refusal: &Refusal) -> Response<Answer> {
    let mut response = head(Response::new(Answer::default()));
    let headers = response.headers_mut();
    headers.insert(STATUS, (refusal.code as u64).into());
    if let Ok(message) = HeaderValue::from_str(&percent(&refusal.message)) {
        headers.insert(MESSAGE, message);
    }
    let details = STANDARD_NO_PAD.encode(status(Form::Protobuf, (refusal.code, &refusal.message), refusal.retry_after));
    if let Ok(details) = HeaderValue::from_str(&details) {
        headers.insert(DETAILS, details);
    }
    response
}

fn head(mut response: Response<Answer>) -> Response<Answer> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Encoding::ACCEPTED));
    response
}

/// As `grpc-message` is written: printable ASCII but `%` stands for itself.
fn percent(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("memory is written"),
        }
    }
    out
}
