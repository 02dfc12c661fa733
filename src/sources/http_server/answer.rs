//! What senders are answered.

use bytes::Bytes;
use hyper::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Response, StatusCode};

use super::super::door::{Answer, Encoding, Fault, Trouble};
use crate::component::size::show_size;
use crate::event::json;

/// Why a request is not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: String,
    /// A header that tells what to do about it.
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), header: None }
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// What is answered where a body cannot be read that may have `limit` bytes.
    pub(super) fn of(fault: &Fault, limit: usize) -> Self {
        match fault {
            Fault::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("larger than {}", show_size(limit as u64)))
            }
            Fault::NoRoom => Trouble::Overloaded.into(),
            Fault::Malformed(why) => Self::new(StatusCode::BAD_REQUEST, why),
            Fault::Slow => Self::new(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time"),
            Fault::Cut => Self::new(StatusCode::BAD_REQUEST, "the connection ended"),
        }
    }

    /// A body with a fault at byte `at`.
    pub(super) fn malformed(body: &[u8], at: usize, why: &str) -> Self {
        let before = &body[..at.min(body.len())];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
        Self::new(StatusCode::BAD_REQUEST, format!("line {line}, column {column}: {why}"))
    }

    pub(super) fn unknown_path(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("expected the path {path}"))
    }

    pub(super) fn wrong_method(expected: &Method) -> Self {
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected {expected}"));
        Self { header: HeaderValue::from_str(expected.as_str()).ok().map(|value| (ALLOW, value)), ..refusal }
    }

    pub(super) fn wrong_encoding() -> Self {
        let message = format!("expected one of the encodings {}", Encoding::ACCEPTED);
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).with(ACCEPT_ENCODING, Encoding::ACCEPTED)
    }

    pub(super) fn unknown_sender(scheme: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "these credentials are not known").with(WWW_AUTHENTICATE, scheme)
    }

    /// As it is sent: `{"code":400,"message":"..."}`.
    pub(super) fn response(self) -> Response<Answer> {
        let mut data = format!("{{\"code\":{},\"message\":", self.status.as_u16()).into_bytes();
        json::quote(self.message.as_bytes(), &mut data);
        data.push(b'}');
        let mut response = accepted(self.status, data.into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.header);
        response
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Internal => Self::new(StatusCode::INTERNAL_SERVER_ERROR, trouble.words()),
            Trouble::Paused | Trouble::Overloaded | Trouble::Failed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, trouble.words()).with(RETRY_AFTER, "1")
            }
        }
    }
}

/// An answer with this body.
pub(super) fn accepted(status: StatusCode, data: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer { data, trailers: None });
    *response.status_mut() = status;
    response
}
