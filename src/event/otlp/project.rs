//! OTLP messages as JSON text. What is read here has been checked.

use std::collections::HashMap;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use memchr::memchr2;

use super::schema::{ANY_VALUE, Field, KEY_VALUE, Kind, Message, Presence};
use super::wire::{Field as WireField, Fields, Value, unzigzag, varint};
use crate::event::json;

/// The tag of `AnyValue.bytes_value`: field 7, with a length.
const BYTES_TAG: u8 = 7 << 3 | 2;
/// Attributes beyond this number are looked up by a table of their keys.
const FEW: usize = 32;

/// Appends a message as an object; fields that are not there, or have their default, are left out.
pub(crate) fn object(message: &Message, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    members(message, bytes, out);
    out.push(b'}');
}

/// Appends the members of [`object`].
pub(crate) fn members(message: &Message, bytes: &[u8], out: &mut Vec<u8>) {
    let first = out.len();
    for field in message.fields {
        let before = out.len();
        if before > first {
            out.push(b',');
        }
        key(field.name, out);
        if !value(field, bytes, out) {
            out.truncate(before);
        }
    }
}

/// Appends a key of plain characters, with its colon.
pub(crate) fn key(name: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends the value of one field of a message; appends nothing, and tells so, if it is not there.
pub(crate) fn value(field: &Field, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let found = Fields::checked(bytes).filter(|found| found.number == field.number);
    match (field.kind, field.presence) {
        (Kind::KeyValue, _) => attributes(found, out),
        (kind, Presence::Many) => list(kind, found, out),
        (kind, presence) => found.last().is_some_and(|found| single(kind, presence, found.value, out)),
    }
}

/// Is there a value of this field?
pub(crate) fn has(field: &Field, bytes: &[u8]) -> bool {
    let mut found = Fields::checked(bytes).filter(|found| found.number == field.number);
    match field.presence {
        Presence::Implicit => found.last().is_some_and(|found| !is_default(field.kind, found.value)),
        // They may be packed, and a packed field without any is nothing.
        Presence::Many if field.kind.is_number() => found.any(|found| found.value != Value::Bytes(&[])),
        Presence::Explicit | Presence::Many => found.next().is_some(),
    }
}

/// Is there a value that is bytes, and so is written as base64, at any depth?
pub(crate) fn holds_bytes(message: &Message, bytes: &[u8]) -> bool {
    // The tag of such a value, as all write it, and with a byte more than needed: most messages have neither.
    memchr2(BYTES_TAG, BYTES_TAG | 0x80, bytes).is_some() && finds_bytes(message, bytes)
}

fn finds_bytes(message: &Message, bytes: &[u8]) -> bool {
    Fields::checked(bytes).any(|found| match (message.numbered(found.number).map(|field| field.kind), found.value) {
        (Some(Kind::Blob), Value::Bytes(value)) => !value.is_empty(),
        (Some(Kind::Message(inner)), Value::Bytes(value)) => finds_bytes(inner, value),
        (Some(Kind::Any), Value::Bytes(value)) => finds_bytes(&ANY_VALUE, value),
        (Some(Kind::KeyValue), Value::Bytes(value)) => finds_bytes(&KEY_VALUE, value),
        _ => false,
    })
}

fn is_default(kind: Kind, value: Value<'_>) -> bool {
    match value {
        Value::Varint(number) => match kind {
            Kind::Enum(names) => names.get(number as usize).is_some_and(|name| name.is_empty()),
            _ => number == 0,
        },
        Value::Fixed64(number) => number == 0,
        Value::Fixed32(number) => number == 0,
        Value::Bytes(bytes) => bytes.is_empty(),
    }
}

fn single(kind: Kind, presence: Presence, value: Value<'_>, out: &mut Vec<u8>) -> bool {
    if presence == Presence::Implicit && is_default(kind, value) {
        return false;
    }
    scalar(kind, value, out);
    true
}

fn scalar(kind: Kind, value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Bytes(bytes) => sized(kind, bytes, out),
        Value::Fixed32(number) => number_text(number, out),
        Value::Varint(number) | Value::Fixed64(number) => match kind {
            Kind::Bool => out.extend_from_slice(if number == 0 { b"false" } else { b"true" }),
            Kind::Int | Kind::Sfixed64 => number_text(number as i64, out),
            Kind::Sint => number_text(unzigzag(number), out),
            Kind::Double => double(f64::from_bits(number), out),
            Kind::Enum(names) => match names.get(number as usize) {
                Some(name) => json::quote(name.as_bytes(), out),
                // Enumerations are of 32 bits, and a negative value is written with 64.
                None => number_text(number as i32, out),
            },
            _ => number_text(number, out),
        },
    }
}

fn sized(kind: Kind, bytes: &[u8], out: &mut Vec<u8>) {
    match kind {
        Kind::Id(_) => hex(bytes, out),
        Kind::Blob => base64(bytes, out),
        Kind::Message(message) => object(message, bytes, out),
        Kind::Any => any(bytes, out),
        _ => json::quote(bytes, out),
    }
}

fn number_text(number: impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{number}").expect("memory is written");
}

/// As the shortest text that reads as the same number, never as that of a whole one; what JSON has no number for is
/// a string, as in OTLP/JSON.
fn double(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        write!(out, "{number:?}").expect("memory is written");
    } else if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else {
        out.extend_from_slice(if number > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    }
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
    out.push(b'"');
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("there is room for four of three");
    out.truncate(start + written);
    out.push(b'"');
}

/// Appends an `AnyValue`; one without a value is `null`.
pub(super) fn any(bytes: &[u8], out: &mut Vec<u8>) {
    let known = Fields::checked(bytes).filter_map(|found| Some((ANY_VALUE.numbered(found.number)?.kind, found.value)));
    match known.last() {
        None => out.extend_from_slice(b"null"),
        // A list or a map: its only field are its values.
        Some((Kind::Message(list), Value::Bytes(bytes))) => {
            let values = &list.fields[0];
            if !value(values, bytes, out) {
                out.extend_from_slice(if matches!(values.kind, Kind::KeyValue) { b"{}" } else { b"[]" });
            }
        }
        Some((kind, value)) => scalar(kind, value, out),
    }
}

fn list<'a>(kind: Kind, found: impl Iterator<Item = WireField<'a>>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    for field in found {
        match (kind, field.value) {
            (Kind::Text | Kind::Message(_) | Kind::Any, value) => item(kind, value, out),
            (_, Value::Bytes(packed)) => unpack(kind, packed, out),
            (_, value) => item(kind, value, out),
        }
    }
    if out.len() == start {
        return false;
    }
    out[start] = b'[';
    out.push(b']');
    true
}

/// The comma of the first item is where the bracket will be.
fn item(kind: Kind, value: Value<'_>, out: &mut Vec<u8>) {
    out.push(b',');
    scalar(kind, value, out);
}

fn unpack(kind: Kind, packed: &[u8], out: &mut Vec<u8>) {
    if matches!(kind, Kind::Fixed64 | Kind::Double) {
        for number in packed.as_chunks().0 {
            item(kind, Value::Fixed64(u64::from_le_bytes(*number)), out);
        }
        return;
    }
    let mut at = 0;
    while let Some((number, len)) = packed.get(at..).filter(|rest| !rest.is_empty()).and_then(|rest| varint(rest).ok())
    {
        item(kind, Value::Varint(number), out);
        at += len;
    }
}

/// Appends key-value pairs as an object. A key that is there several times has its last value, as for any reader of
/// such an object.
fn attributes<'a>(found: impl Iterator<Item = WireField<'a>> + Clone, out: &mut Vec<u8>) -> bool {
    let pairs = found.filter_map(|field| match field.value {
        Value::Bytes(bytes) => Some(pair(bytes)),
        _ => None,
    });
    let count = pairs.clone().count();
    if count == 0 {
        return false;
    }
    let last: HashMap<&[u8], usize> =
        if count > FEW { pairs.clone().enumerate().map(|(at, (key, _))| (key, at)).collect() } else { HashMap::new() };
    let start = out.len();
    for (at, (key, value)) in pairs.clone().enumerate() {
        let is_shadowed = match last.get(key) {
            Some(last) => *last != at,
            None => pairs.clone().skip(at + 1).any(|(other, _)| other == key),
        };
        if !is_shadowed {
            out.push(b',');
            json::quote(key, out);
            out.push(b':');
            any(value.unwrap_or_default(), out);
        }
    }
    out[start] = b'{';
    out.push(b'}');
    true
}

/// The key and the value of a `KeyValue`.
pub(crate) fn pair(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let [key_field, value_field] = KEY_VALUE.fields else { return (&[], None) };
    let (mut key, mut value) = (&[][..], None);
    for field in Fields::checked(bytes) {
        match field.value {
            Value::Bytes(bytes) if field.number == key_field.number => key = bytes,
            Value::Bytes(bytes) if field.number == value_field.number => value = Some(bytes),
            _ => {}
        }
    }
    (key, value)
}
