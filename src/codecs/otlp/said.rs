//! What an OTLP server says: `Export*ServiceResponse` and `google.rpc.Status`, read.

use std::time::Duration;

use crate::event::otlp::wire::{Field, Fields, Value};

/// A `google.rpc.Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its code, as gRPC numbers them.
    pub code: u32,
    /// For people.
    pub message: String,
    /// When the request may come again: of a `RetryInfo` among the details.
    pub retry_delay: Option<Duration>,
}

/// A `partial_success`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// How many records are refused.
    pub rejected: u64,
    /// Why; a warning, where none is refused.
    pub message: String,
}

/// Reads a status; none if the bytes are none.
pub fn read_status(bytes: &[u8]) -> Option<Said> {
    let mut said = Said::default();
    for field in Fields::of(bytes) {
        match field.ok()? {
            Field { number: 1, value: Value::Varint(code), .. } => said.code = u32::try_from(code).ok()?,
            Field { number: 2, value: Value::Bytes(text), .. } => said.message = text_of(text),
            Field { number: 3, value: Value::Bytes(any), .. } => {
                said.retry_delay = said.retry_delay.or(retry_delay(any));
            }
            _ => {}
        }
    }
    Some(said)
}

/// Reads the `partial_success` of an answer; none if there is none.
pub fn read_partial_success(bytes: &[u8]) -> Option<Partial> {
    let mut partial = Partial::default();
    for field in Fields::of(inner(bytes, 1)?) {
        match field.ok()? {
            Field { number: 1, value: Value::Varint(rejected), .. } => {
                // It is an `int64`: what is negative is none.
                partial.rejected = u64::try_from(rejected.cast_signed()).unwrap_or_default();
            }
            Field { number: 2, value: Value::Bytes(text), .. } => partial.message = text_of(text),
            _ => {}
        }
    }
    Some(partial)
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The last length-delimited field of this number.
fn inner(bytes: &[u8], wanted: u32) -> Option<&[u8]> {
    let mut found = None;
    for field in Fields::of(bytes) {
        if let Field { number, value: Value::Bytes(bytes), .. } = field.ok()?
            && number == wanted
        {
            found = Some(bytes);
        }
    }
    found
}

/// The delay of a `google.rpc.RetryInfo`, which stands in an `Any`.
fn retry_delay(any: &[u8]) -> Option<Duration> {
    if !inner(any, 1)?.ends_with(b"/google.rpc.RetryInfo") {
        return None;
    }
    let Some(delay) = inner(inner(any, 2).unwrap_or_default(), 1) else { return Some(Duration::ZERO) };
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(delay) {
        match field.ok()? {
            Field { number: 1, value: Value::Varint(value), .. } => seconds = value,
            Field { number: 2, value: Value::Varint(value), .. } => nanos = value,
            _ => {}
        }
    }
    // Both are signed: what is negative has passed.
    let seconds = u64::try_from(seconds.cast_signed()).unwrap_or_default();
    Some(Duration::new(seconds, u32::try_from(nanos).unwrap_or_default().min(999_999_999)))
}
