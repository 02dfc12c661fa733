//! What servers answer, as classes: <https://opentelemetry.io/docs/specs/otlp/#failures> and `#failures-1`.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;

use crate::codecs::otlp::{Partial, Said, read_partial_success, read_status};
use crate::component::sink::Answer;
use crate::delivery::http::{REFUSES, Reply};

/// Characters of what a server says that are repeated.
const MOST_TOLD: usize = 300;

/// The media type of protobuf over HTTP.
pub(super) const PROTOBUF: &str = "application/x-protobuf";

/// Numbers of gRPC's codes: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
mod code {
    pub(super) const OK: u32 = 0;
    pub(super) const CANCELLED: u32 = 1;
    pub(super) const DEADLINE_EXCEEDED: u32 = 4;
    pub(super) const PERMISSION_DENIED: u32 = 7;
    pub(super) const RESOURCE_EXHAUSTED: u32 = 8;
    pub(super) const ABORTED: u32 = 10;
    pub(super) const OUT_OF_RANGE: u32 = 11;
    pub(super) const UNIMPLEMENTED: u32 = 12;
    pub(super) const UNAVAILABLE: u32 = 14;
    pub(super) const DATA_LOSS: u32 = 15;
    pub(super) const UNAUTHENTICATED: u32 = 16;

    /// Their names, by number.
    pub(super) const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
}

/// Does the answer to a POST, or the end of a call, say that what is meant by it is not there: a path, a method? Then other
/// signals may be taken.
pub(super) const fn is_of_signal_http(status: u16) -> bool {
    matches!(status, 404 | 405 | 501)
}

/// See [`is_of_signal_http`].
pub(super) const fn is_of_signal_grpc(number: u32) -> bool {
    number == code::UNIMPLEMENTED
}

/// What the answer to a POST means.
pub(super) fn http(reply: &Reply) -> Answer {
    if reply.status.is_success() {
        return taken(&reply.body);
    }
    let said = read_status(&reply.body).filter(|_| is_protobuf(reply));
    let words = said.as_ref().map_or_else(|| String::from_utf8_lossy(&reply.body), |said| said.message.as_str().into());
    let why = format!("the server answers {}", reply.status);
    match reply.status.as_u16() {
        413 => Answer::Split,
        429 | 502..=504 => Answer::Retry { why, after: reply.retry_after().or(said.and_then(|said| said.retry_delay)) },
        408 | 425 => Answer::Retry { why, after: reply.retry_after() },
        401 | 403 | 407 => Answer::Hold { why: format!("{why}: {REFUSES}") },
        status if is_of_signal_http(status) => {
            Answer::Hold { why: format!("{why}: it takes no such signal here; is this the address of OTLP/HTTP?") }
        }
        415 => Answer::Hold { why: format!("{why}: it takes no protobuf, or not this `compression`") },
        300..=399 => Answer::Hold { why: format!("{why}: redirections are not followed, write the address itself") },
        status => Answer::Rejected { code: status.to_string(), why: told(&why, &words) },
    }
}

/// What the end of a call means; `message` is what was answered.
pub(super) fn grpc(said: &Said, message: &[u8]) -> Answer {
    if said.code == code::OK {
        return taken(message);
    }
    let name = code::NAMES.get(said.code as usize).copied().unwrap_or("UNKNOWN");
    let why = format!("the server answers {name}");
    let after = said.retry_delay;
    match said.code {
        code::RESOURCE_EXHAUSTED if after.is_none() && is_about_size(&said.message) => Answer::Split,
        code::RESOURCE_EXHAUSTED if after.is_none() => Answer::Hold { why: format!("{why}, and not for the size") },
        code::RESOURCE_EXHAUSTED
        | code::CANCELLED
        | code::DEADLINE_EXCEEDED
        | code::ABORTED
        | code::OUT_OF_RANGE
        | code::UNAVAILABLE
        | code::DATA_LOSS => Answer::Retry { why, after },
        code::UNAUTHENTICATED | code::PERMISSION_DENIED => Answer::Hold { why: format!("{why}: {REFUSES}") },
        code::UNIMPLEMENTED => {
            Answer::Hold { why: format!("{why}: it takes no such signal, or not this `compression`") }
        }
        _ => Answer::Rejected { code: name.to_lowercase(), why: told(&why, &said.message) },
    }
}

/// Is it the message that is too large, and no quota that is used up? So say the libraries: grpc-go and grpc-core "larger
/// than max", grpc-java "exceeds maximum size", others the like.
fn is_about_size(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["larger than", "too large", "maximum size", "message size", "size limit"].iter().any(|sign| words.contains(sign))
}

/// What a call means that gRPC did not answer, but something in front of it:
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
pub(super) fn no_grpc(status: StatusCode, after: Option<Duration>) -> Answer {
    let why = format!("it answers {status}, and that is no gRPC");
    match status.as_u16() {
        413 => Answer::Split,
        401 | 403 | 407 => Answer::Hold { why: format!("{why}: {REFUSES}") },
        408 | 425 | 429 | 500 | 502..=504 => Answer::Retry { why, after },
        _ => Answer::Hold { why: format!("{why}: is this the address of OTLP/gRPC?") },
    }
}

/// All is taken, or all but some records.
fn taken(message: &[u8]) -> Answer {
    match read_partial_success(message) {
        Some(Partial { rejected, message }) if rejected > 0 => Answer::DeliveredInPart {
            refused: usize::try_from(rejected).unwrap_or(usize::MAX),
            why: told("", &message),
        },
        Some(Partial { message, .. }) if !message.is_empty() => {
            tracing::debug!(warning = told("", &message), "the server took all records and has a word about them");
            Answer::Delivered
        }
        _ => Answer::Delivered,
    }
}

fn is_protobuf(reply: &Reply) -> bool {
    let found = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    found.is_some_and(|found| found.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(PROTOBUF))
}

/// What we say, and the beginning of what the server says.
fn told(ours: &str, theirs: &str) -> String {
    let theirs: String = theirs.trim().chars().filter(|c| !c.is_control()).take(MOST_TOLD).collect();
    match (ours.is_empty(), theirs.is_empty()) {
        (_, true) => ours.to_owned(),
        (true, false) => theirs,
        (false, false) => format!("{ours}: {theirs}"),
    }
}
