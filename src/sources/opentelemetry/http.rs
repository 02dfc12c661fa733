//! Requests as they come: OTLP/HTTP, and the way to gRPC.

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::answer::{Answer, Refusal};
use super::body::Encoding;
use super::desk::Desk;
use super::grpc;
use crate::codecs::otlp::{Refused, Signal, partial_success, status};

const PROTOBUF: &str = "application/x-protobuf";

/// Answers one request.
pub(super) async fn answer(request: Request<Incoming>, desk: &Desk) -> Response<Answer> {
    if content_type(request.headers()).is_some_and(grpc::is_its) {
        return grpc::answer(request, desk).await;
    }
    let (parts, body) = request.into_parts();
    match taken((&parts.method, parts.uri.path(), &parts.headers), body, desk).await {
        Ok((signal, refused)) => respond(StatusCode::OK, partial_success(signal, &refused)),
        Err(refusal) => refuse(&refusal),
    }
}

async fn taken<B: Body<Data = Bytes> + Unpin>(
    (method, path, headers): (&Method, &str, &HeaderMap),
    body: B,
    desk: &Desk,
) -> Result<(Signal, Refused), Refusal> {
    let signal =
        path.strip_prefix("/v1/").and_then(|name| Signal::ALL.into_iter().find(|signal| signal.name() == name));
    let signal = signal.ok_or_else(Refusal::unknown_path)?;
    if method != Method::POST {
        return Err(Refusal::wrong_method());
    }
    if !content_type(headers).is_some_and(|name| name.eq_ignore_ascii_case(PROTOBUF)) {
        desk.error("content_type");
        return Err(Refusal::wrong_type());
    }
    let encoding = headers.get(CONTENT_ENCODING).map_or(Some(Encoding::Identity), named_encoding);
    let Some(encoding) = encoding else {
        desk.error("content_encoding");
        return Err(Refusal::wrong_encoding(Encoding::ACCEPTED));
    };
    let block = desk.reader(encoding)?.read(body).await.map_err(|fault| desk.refusal(fault))?;
    Ok((signal, desk.take(signal, block).await?))
}

pub(super) fn named_encoding(name: &HeaderValue) -> Option<Encoding> {
    Encoding::named(name.to_str().ok()?)
}

/// The content type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

fn respond(status: StatusCode, data: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer { data: data.into(), trailers: None });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    response
}

fn refuse(refusal: &Refusal) -> Response<Answer> {
    // In HTTP the header tells when to come again.
    let mut response = respond(refusal.http, status(refusal.code, &refusal.message, None));
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if refusal.http == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if refusal.http == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Encoding::ACCEPTED));
    }
    response
}
