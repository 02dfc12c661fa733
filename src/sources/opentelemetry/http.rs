//! Requests as they come: OTLP/HTTP, and the way to gRPC.

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::super::door::{Answer, Encoding};
use super::answer::Refusal;
use super::grpc;
use super::intake::{Frame, Intake};
use crate::codecs::otlp::{Form, Refused, Signal, partial_success, status};

/// The content type of a form.
const fn name(form: Form) -> &'static str {
    match form {
        Form::Protobuf => "application/x-protobuf",
        Form::Json => "application/json",
    }
}

/// The form of a content type, which is compared without case.
fn form(content_type: &str) -> Option<Form> {
    [Form::Protobuf, Form::Json].into_iter().find(|form| content_type.eq_ignore_ascii_case(name(*form)))
}

/// Answers one request.
pub(super) async fn answer(request: Request<Incoming>, intake: &Intake) -> Response<Answer> {
    if content_type(request.headers()).is_some_and(grpc::is_its) {
        return grpc::answer(request, intake).await;
    }
    let (parts, body) = request.into_parts();
    let form = content_type(&parts.headers).and_then(form);
    let answered_in = form.unwrap_or(Form::Protobuf);
    match taken(&parts, (form, body), intake).await {
        Ok((signal, refused)) => respond(StatusCode::OK, answered_in, partial_success(answered_in, signal, &refused)),
        Err(refusal) => refuse(&refusal, answered_in),
    }
}

async fn taken<B: Body<Data = Bytes> + Unpin>(
    Parts { method, uri, headers, .. }: &Parts,
    (form, body): (Option<Form>, B),
    intake: &Intake,
) -> Result<(Signal, Refused), Refusal> {
    intake.admit(headers)?;
    let signal =
        uri.path().strip_prefix("/v1/").and_then(|name| Signal::ALL.into_iter().find(|signal| signal.name() == name));
    let signal = signal.ok_or_else(Refusal::unknown_path)?;
    if method != Method::POST {
        return Err(Refusal::wrong_method());
    }
    let Some(form) = form else { return intake.refuse("content_type", Refusal::wrong_type()) };
    let encoding = headers.get(CONTENT_ENCODING).map_or(Some(Encoding::Identity), named_encoding);
    let Some(encoding) = encoding else {
        return intake.refuse("content_encoding", Refusal::wrong_encoding(Encoding::ACCEPTED));
    };
    Ok((signal, intake.take((signal, form), (encoding, Frame::None, body)).await?))
}

pub(super) fn named_encoding(name: &HeaderValue) -> Option<Encoding> {
    Encoding::named(name.to_str().ok()?)
}

/// The content type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

fn respond(status: StatusCode, form: Form, data: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer { data: data.into(), trailers: None });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(name(form)));
    response
}

fn refuse(refusal: &Refusal, form: Form) -> Response<Answer> {
    // In HTTP the header tells when to come again.
    let mut response = respond(refusal.http, form, status(form, (refusal.code, &refusal.message), None));
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if let Some(scheme) = refusal.scheme {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    if refusal.http == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if refusal.http == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Encoding::ACCEPTED));
    }
    response
}
