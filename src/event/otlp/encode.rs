//! JSON text as OTLP messages, the other way of [`project`]: what reads as it did stays the bytes it was.
//!
//! A message is written anew from what it was and what it is to read as. Each value that reads the same keeps its bytes, so
//! that one changed attribute costs no other its type; fields that nobody knows stay too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::project::{self, pair};
use super::schema::{ANY_VALUE, Field, KEY_VALUE_LIST, Kind, Message, Presence};
use super::wire::{Field as Found, Fields, Value, close, open, put_bytes, put_varint};
use crate::event::json::{self, Segment, elements, members, unescape};

/// A value that a field cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` has a value that it cannot have in OTLP")]
pub struct Wrong(pub &'static str);

/// What a field is to be.
#[derive(Clone, Copy, Default)]
pub(super) enum Change<'a> {
    /// What it was.
    #[default]
    None,
    /// Not there.
    Remove,
    /// What reads as this JSON.
    Set(&'a [u8]),
}

/// Writes messages. It keeps its memory.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    was: Vec<u8>,
}

impl Encoder {
    /// Appends to `out`.
    pub(super) fn to<'p>(&'p mut self, out: &'p mut Vec<u8>) -> Pen<'p> {
        Pen { was: &mut self.was, out }
    }
}

/// Appends messages.
pub(super) struct Pen<'p> {
    /// What a value read as.
    was: &'p mut Vec<u8>,
    out: &'p mut Vec<u8>,
}

/// The key and the value of an attribute, as JSON.
pub(super) type Attribute<'a> = (&'a [u8], &'a [u8]);

/// The numbers of fields of `AnyValue`.
mod any {
    pub(super) const STRING: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const INT: u32 = 3;
    pub(super) const DOUBLE: u32 = 4;
    pub(super) const ARRAY: u32 = 5;
    pub(super) const MAP: u32 = 6;
}

impl Pen<'_> {
    /// Appends a message that reads as the object `text`, where it was `old`.
    pub(super) fn object(&mut self, message: &'static Message, old: &[u8], text: &[u8]) -> Result<(), Wrong> {
        self.fields(message, old, |field| match json::seek(text, &[Segment::Field(field.name.as_bytes())]) {
            Some(value) => Change::Set(&text[value]),
            None => Change::Remove,
        })
    }

    /// Appends the message `old` with the fields changed that `change` names. What is new stands where the first of what
    /// it replaces stood, else at the end.
    pub(super) fn fields<'t>(
        &mut self,
        message: &'static Message,
        old: &[u8],
        change: impl Fn(&'static Field) -> Change<'t>,
    ) -> Result<(), Wrong> {
        let mut written = 0_u32;
        for found in Fields::checked(old) {
            let whole = &old[found.start..found.end];
            let Some(at) = message.fields.iter().position(|field| field.number == found.number) else {
                self.out.extend_from_slice(whole);
                continue;
            };
            let (field, bit) = (&message.fields[at], 1 << at);
            match change(field) {
                Change::None => self.out.extend_from_slice(whole),
                Change::Set(value) if written & bit == 0 => {
                    written |= bit;
                    self.field(field, old, value)?;
                }
                Change::Set(_) | Change::Remove => {}
            }
        }
        for (at, field) in message.fields.iter().enumerate() {
            if written & (1 << at) == 0
                && let Change::Set(value) = change(field)
            {
                self.field(field, old, value)?;
            }
        }
        Ok(())
    }

    /// Appends a field of a message that was `old`.
    fn field(&mut self, field: &'static Field, old: &[u8], value: &[u8]) -> Result<(), Wrong> {
        let found = || Fields::checked(old).filter(|found| found.number == field.number);
        self.was.clear();
        if project::value(field, old, self.was) && *self.was == value {
            found().for_each(|found| self.out.extend_from_slice(&old[found.start..found.end]));
            return Ok(());
        }
        if value == b"null" && !matches!(field.kind, Kind::Any) {
            return Ok(());
        }
        match (field.kind, field.presence) {
            (Kind::KeyValue, _) => self.attributes(field, old, value),
            (_, Presence::Many) => self.list(field, old, value),
            _ => self.single(field, found().last().map_or(&[], bytes_of), value),
        }
    }

    /// Appends key-value pairs, the members of an object.
    fn attributes(&mut self, field: &'static Field, old: &[u8], text: &[u8]) -> Result<(), Wrong> {
        if !text.starts_with(b"{") {
            return Err(Wrong(field.name));
        }
        let pairs: Vec<Found<'_>> = Fields::checked(old).filter(|found| found.number == field.number).collect();
        let (mut key, mut next) = (Vec::new(), 0);
        for member in members(text, 0) {
            key.clear();
            unescape(&text[member.key], &mut key);
            // Most stand in the order they stood in.
            let mut order = (0..pairs.len()).map(|step| (next + step) % pairs.len());
            let known = order.find(|at| pair(bytes_of(pairs[*at])).0 == key);
            next = known.map_or(next, |at| at + 1);
            let was = known.map(|at| pairs[at]);
            self.attribute(field.number, (&key, &text[member.value]), was.map(|was| (was, old)))?;
        }
        Ok(())
    }

    /// Appends one pair, where it was a field of a message.
    pub(super) fn attribute(
        &mut self,
        number: u32,
        (key, value): Attribute<'_>,
        was: Option<(Found<'_>, &[u8])>,
    ) -> Result<(), Wrong> {
        let old = was.and_then(|(was, _)| pair(bytes_of(was)).1).unwrap_or_default();
        if let Some((was, message)) = was
            && self.reads_as(old, value)
        {
            self.out.extend_from_slice(&message[was.start..was.end]);
            return Ok(());
        }
        let start = open(number, self.out);
        put_bytes(1, key, self.out);
        let inner = open(2, self.out);
        self.any(old, value)?;
        close(inner, self.out);
        close(start, self.out);
        Ok(())
    }

    /// Does an `AnyValue` read as this?
    fn reads_as(&mut self, old: &[u8], value: &[u8]) -> bool {
        self.was.clear();
        project::any(old, self.was);
        *self.was == value
    }

    /// Appends an `AnyValue`, where it was `old`. A number that fits no `int64` is text, as OpenTelemetry has it.
    pub(super) fn any(&mut self, old: &[u8], value: &[u8]) -> Result<(), Wrong> {
        if self.reads_as(old, value) {
            self.out.extend_from_slice(old);
            return Ok(());
        }
        let inside = |number: u32| {
            let found = Fields::checked(old).filter(|found| ANY_VALUE.numbered(found.number).is_some()).last();
            found.filter(|found| found.number == number).map_or(&[][..], bytes_of)
        };
        match value.first() {
            Some(b'"') => put_text(any::STRING, value, self.out),
            Some(b't' | b'f') => {
                put_varint(u64::from(any::BOOL) << 3, self.out);
                self.out.push(u8::from(value[0] == b't'));
            }
            Some(b'{') => {
                let start = open(any::MAP, self.out);
                self.attributes(&KEY_VALUE_LIST.fields[0], inside(any::MAP), value)?;
                close(start, self.out);
            }
            Some(b'[') => {
                let start = open(any::ARRAY, self.out);
                self.values(inside(any::ARRAY), value)?;
                close(start, self.out);
            }
            Some(b'-' | b'0'..=b'9') => number_value(value, self.out)?,
            _ => {}
        }
        Ok(())
    }

    /// Appends the elements of an array.
    fn values(&mut self, old: &[u8], text: &[u8]) -> Result<(), Wrong> {
        let mut were = Fields::checked(old);
        for element in elements(text, 0) {
            let start = open(1, self.out);
            self.any(were.next().map_or(&[], bytes_of), &text[element])?;
            close(start, self.out);
        }
        Ok(())
    }

    /// Appends a field that may be there many times.
    fn list(&mut self, field: &'static Field, old: &[u8], text: &[u8]) -> Result<(), Wrong> {
        if !text.starts_with(b"[") {
            return Err(Wrong(field.name));
        }
        if field.kind.is_number() {
            let (before, start) = (self.out.len(), open(field.number, self.out));
            for element in elements(text, 0) {
                put_number(field.kind, number(field, &text[element])?, self.out);
            }
            if self.out.len() == start {
                self.out.truncate(before);
            } else {
                close(start, self.out);
            }
            return Ok(());
        }
        let found = || Fields::checked(old).filter(|found| found.number == field.number);
        // Where some are gone nobody knows which is which: what nobody knows of them goes too.
        let is_same = found().count() == elements(text, 0).count();
        let mut were = found().filter(|_| is_same);
        for element in elements(text, 0) {
            self.single(field, were.next().map_or(&[], bytes_of), &text[element])?;
        }
        Ok(())
    }

    /// Appends one value of a field; its default is left out where that is the same.
    fn single(&mut self, field: &'static Field, old: &[u8], value: &[u8]) -> Result<(), Wrong> {
        let is_there = field.presence != Presence::Implicit;
        match field.kind {
            Kind::Message(message) => {
                if !value.starts_with(b"{") {
                    return Err(Wrong(field.name));
                }
                let start = open(field.number, self.out);
                self.object(message, old, value)?;
                close(start, self.out);
            }
            Kind::Any => {
                let start = open(field.number, self.out);
                self.any(old, value)?;
                close(start, self.out);
            }
            Kind::Text if value == b"\"\"" && !is_there => {}
            Kind::Text => put_text(field.number, value, self.out),
            Kind::Blob | Kind::Id(_) => {
                let bytes = blob(field, value).ok_or(Wrong(field.name))?;
                if is_there || !bytes.is_empty() {
                    put_bytes(field.number, &bytes, self.out);
                }
            }
            kind => {
                let bits = number(field, value)?;
                if is_there || bits != 0 {
                    put_varint(u64::from(field.number) << 3 | u64::from(kind.wire_type()), self.out);
                    put_number(kind, bits, self.out);
                }
            }
        }
        Ok(())
    }
}

fn bytes_of(found: Found<'_>) -> &[u8] {
    match found.value {
        Value::Bytes(bytes) => bytes,
        _ => &[],
    }
}

/// Appends a string field: what a JSON string says, or any other JSON as its text.
pub(super) fn put_text(number: u32, value: &[u8], out: &mut Vec<u8>) {
    let start = open(number, out);
    match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(raw) => unescape(raw, out),
        None => out.extend_from_slice(value),
    }
    close(start, out);
}

/// A string of hexadecimal digits or of base64.
fn blob(field: &Field, value: &[u8]) -> Option<Vec<u8>> {
    let text = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    match field.kind {
        Kind::Id(len) => unhex(text).filter(|bytes| bytes.is_empty() || bytes.len() == len),
        _ => STANDARD.decode(text).ok(),
    }
}

/// Bytes that hexadecimal digits of either case write.
pub(super) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<_>>>();
    bytes.filter(|_| rest.is_empty())
}

/// The bits of a number, of `true` and `false`, or of the name of a value.
fn number(field: &Field, value: &[u8]) -> Result<u64, Wrong> {
    let text = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    bits(field.kind, std::str::from_utf8(text).map_err(|_| Wrong(field.name))?).ok_or(Wrong(field.name))
}

fn bits(kind: Kind, text: &str) -> Option<u64> {
    match kind {
        Kind::Bool => text.parse::<bool>().ok().map(u64::from),
        Kind::Double if matches!(text, "NaN" | "Infinity" | "-Infinity") => text.parse().ok().map(f64::to_bits),
        Kind::Double if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
            text.parse().ok().map(f64::to_bits)
        }
        Kind::Double => None,
        Kind::Enum(names) => {
            let named = names.iter().position(|name| !name.is_empty() && *name == text).map(|at| at as u64);
            named.or_else(|| text.parse::<i32>().ok().map(|number| i64::from(number) as u64))
        }
        Kind::Fixed32 => whole(text).and_then(|number| u32::try_from(number).ok()).map(u64::from),
        Kind::Uint | Kind::Fixed64 => whole(text).and_then(|number| u64::try_from(number).ok()),
        _ => whole(text).and_then(|number| i64::try_from(number).ok()).map(i64::cast_unsigned),
    }
}

/// A whole number, which may be written as `5.0`.
fn whole(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i128)
    })
}

/// Appends a number without its tag.
fn put_number(kind: Kind, bits: u64, out: &mut Vec<u8>) {
    match kind.wire_type() {
        5 => out.extend_from_slice(&(bits as u32).to_le_bytes()),
        1 => out.extend_from_slice(&bits.to_le_bytes()),
        _ if matches!(kind, Kind::Sint) => put_varint((bits << 1) ^ (bits.cast_signed() >> 63).cast_unsigned(), out),
        _ => put_varint(bits, out),
    }
}

/// Appends the value of an `AnyValue` that is a JSON number.
fn number_value(value: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
    let text = std::str::from_utf8(value).map_err(|_| Wrong("value"))?;
    if let Ok(number) = text.parse::<i64>() {
        put_varint(u64::from(any::INT) << 3, out);
        put_varint(number.cast_unsigned(), out);
    } else if text.bytes().any(|byte| b".eE".contains(&byte)) {
        let number: f64 = text.parse().map_err(|_| Wrong("value"))?;
        put_varint(u64::from(any::DOUBLE) << 3 | 1, out);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        put_bytes(any::STRING, value, out);
    }
    Ok(())
}
