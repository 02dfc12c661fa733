//! What senders are answered: by the tables of the specification,
//! <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response> and `#otlphttp-response`.

use hyper::StatusCode;

use super::super::door::{Fault, Trouble};
use crate::codecs::otlp::Code;
use crate::component::size::show_size;

/// Seconds after which a sender may come again.
const RETRY_AFTER: u64 = 1;

/// Characters of what an answer says is wrong with a request.
const MOST_WORDS: usize = 512;

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) http: StatusCode,
    pub(super) code: Code,
    pub(super) message: String,
    /// Seconds; none if the same request is not to come again.
    pub(super) retry_after: Option<u64>,
    /// The scheme by which senders say who they are.
    pub(super) scheme: Option<&'static str>,
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Internal => Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, trouble.words()),
            Trouble::Paused | Trouble::Overloaded | Trouble::Failed => Self::later(trouble.words()),
        }
    }
}

impl Refusal {
    fn new(http: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { http, code, message: message.into(), retry_after: None, scheme: None }
    }

    fn later(message: &str) -> Self {
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message);
        Self { retry_after: Some(RETRY_AFTER), ..refusal }
    }

    /// What is answered where a body cannot be read that may have `limit` bytes.
    pub(super) fn of(fault: &Fault, limit: usize) -> Self {
        match fault {
            Fault::TooLarge => Self::too_large(limit),
            Fault::NoRoom => Trouble::Overloaded.into(),
            Fault::Malformed(why) => Self::malformed(why),
            Fault::Slow => Self::slow(),
            Fault::Cut => Self::malformed("the connection ended"),
        }
    }

    pub(super) fn unknown_sender(scheme: &'static str) -> Self {
        let refusal = Self::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, "these credentials are not known");
        Self { scheme: Some(scheme), ..refusal }
    }

    pub(super) fn malformed(why: &str) -> Self {
        // A parser's error may repeat what it found.
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidArgument, why.chars().take(MOST_WORDS).collect::<String>())
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("larger than {}", show_size(limit as u64));
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, message)
    }

    pub(super) fn slow() -> Self {
        // Not 408: OTLP/HTTP has senders come again after 429, 502, 503 and 504 alone.
        Self { code: Code::DeadlineExceeded, ..Self::later("the request did not arrive in time") }
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
