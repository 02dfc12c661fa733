//! What an OTLP server answers, as messages: `Export*ServiceResponse` and `google.rpc.Status`.

use super::{Refused, Signal};
use crate::event::otlp::wire::{put_bytes, put_varint};

/// Codes of `google.rpc.Status`, which gRPC shares: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// All is well.
    Ok = 0,
    /// The request cannot be read; sending it again changes nothing.
    InvalidArgument = 3,
    /// The sender took too long.
    DeadlineExceeded = 4,
    /// Too large.
    ResourceExhausted = 8,
    /// Not done here.
    Unimplemented = 12,
    /// A fault of ours.
    Internal = 13,
    /// Not now.
    Unavailable = 14,
}

/// A `google.rpc.Status`; where the sender is to come again after some seconds, with a `RetryInfo`.
pub fn status(code: Code, message: &str, retry_after: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(1 << 3, &mut out);
    put_varint(code as u64, &mut out);
    put_bytes(2, message.as_bytes(), &mut out);
    if let Some(seconds) = retry_after {
        let (mut delay, mut info, mut any) = (vec![1 << 3], Vec::new(), Vec::new());
        put_varint(seconds, &mut delay);
        put_bytes(1, &delay, &mut info);
        put_bytes(1, b"type.googleapis.com/google.rpc.RetryInfo", &mut any);
        put_bytes(2, &info, &mut any);
        put_bytes(3, &any, &mut out);
    }
    out
}

/// The answer to a request of which all that was not `refused` is taken: empty if that was all of it.
pub fn partial_success(signal: Signal, refused: &Refused) -> Vec<u8> {
    let Some(why) = &refused.why else { return Vec::new() };
    let mut partial = vec![1 << 3];
    put_varint(refused.records as u64, &mut partial);
    let what = match signal {
        Signal::Traces => "spans",
        Signal::Logs => "log records",
        Signal::Metrics => "data points",
    };
    put_bytes(2, format!("{} {what} were refused; the first: {why}", refused.records).as_bytes(), &mut partial);
    let mut out = Vec::new();
    put_bytes(1, &partial, &mut out);
    out
}
