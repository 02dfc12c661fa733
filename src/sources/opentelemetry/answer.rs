//! What senders are answered: by the tables of the specification,
//! <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response> and `#otlphttp-response`.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{HeaderMap, StatusCode};

use crate::codecs::otlp::Code;
use crate::component::size::show_size;

/// Seconds after which a sender may come again.
const RETRY_AFTER: u64 = 1;

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) http: StatusCode,
    pub(super) code: Code,
    pub(super) message: String,
    /// Seconds; none if the same request is not to come again.
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    fn new(http: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { http, code, message: message.into(), retry_after: None }
    }

    fn later(message: &str) -> Self {
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message);
        Self { retry_after: Some(RETRY_AFTER), ..refusal }
    }

    pub(super) fn overloaded() -> Self {
        Self::later("no room for more now")
    }

    pub(super) fn paused() -> Self {
        Self::later("paused")
    }

    pub(super) fn failed() -> Self {
        Self::later("the records could not be delivered")
    }

    pub(super) fn malformed(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidArgument, why)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("larger than {}", show_size(limit as u64));
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, message)
    }

    pub(super) fn slow() -> Self {
        // Not 408: OTLP/HTTP has senders come again after 429, 502, 503 and 504 alone.
        Self { code: Code::DeadlineExceeded, ..Self::later("the request did not arrive in time") }
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "an internal error, see the log of the agent")
    }

    pub(super) fn unknown_path() -> Self {
        let message = "there are /v1/traces, /v1/logs and /v1/metrics";
        Self::new(StatusCode::NOT_FOUND, Code::Unimplemented, message)
    }

    pub(super) fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, "expected POST")
    }

    pub(super) fn wrong_type() -> Self {
        let message = "expected the content type application/x-protobuf or application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, message)
    }

    pub(super) fn wrong_encoding(accepted: &str) -> Self {
        let message = format!("expected one of the encodings {accepted}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented, message)
    }
}

/// The body of an answer: some bytes, then trailers.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) data: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.trailers {
            None => SizeHint::with_exact(self.data.len() as u64),
            Some(_) => SizeHint::default(),
        }
    }
}
