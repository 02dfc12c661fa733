//! What an OTLP server answers, as messages: `Export*ServiceResponse` and `google.rpc.Status`.

use std::io::Write;

use super::{Refused, Signal};
use crate::event::json;
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
    /// The sender does not say who it is.
    Unauthenticated = 16,
}

/// How an answer is written: as its request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Protocol buffers.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// A `google.rpc.Status`; in protobuf, where the sender is to come again after some seconds, with a `RetryInfo`.
pub fn status(form: Form, (code, message): (Code, &str), retry_after: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    if form == Form::Json {
        write!(out, "{{\"code\":{},\"message\":", code as u8).expect("memory is written");
        json::quote(message.as_bytes(), &mut out);
        out.push(b'}');
        return out;
    }
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

/// The answer to a request of which all that was not `refused` is taken: an empty message if that was all of it.
pub fn partial_success(form: Form, signal: Signal, refused: &Refused) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(why) = &refused.why else {
        out.extend_from_slice(if form == Form::Json { b"{}" } else { b"" });
        return out;
    };
    let (what, rejected) = match signal {
        Signal::Traces => ("spans", "rejectedSpans"),
        Signal::Logs => ("log records", "rejectedLogRecords"),
        Signal::Metrics => ("data points", "rejectedDataPoints"),
    };
    let why = refused.told.clone().unwrap_or_else(|| why.to_string());
    let message = format!("{} {what} were refused; the first: {why}", refused.records);
    if form == Form::Json {
        write!(out, "{{\"partialSuccess\":{{\"{rejected}\":\"{}\",\"errorMessage\":", refused.records)
            .expect("memory is written");
        json::quote(message.as_bytes(), &mut out);
        out.extend_from_slice(b"}}");
        return out;
    }
    let mut partial = vec![1 << 3];
    put_varint(refused.records as u64, &mut partial);
    put_bytes(2, message.as_bytes(), &mut partial);
    put_bytes(1, &partial, &mut out);
    out
}
