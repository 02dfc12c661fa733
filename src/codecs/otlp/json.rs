//! OTLP/JSON to OTLP bytes, in one pass over the text: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
//!
//! Beyond what a sender may write, names of enumerations are read as well. Fields that are not known are left out, whatever
//! they hold; names are those in lower camel case alone. `null` is a field that is not there.

use std::fmt;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Signal;
use super::number;
use super::split::UNREADABLE;
use crate::event::otlp::schema::{ANY_VALUE, Field, KEY_VALUE, Kind, LOGS, METRICS, Message, Presence, TRACES};
use crate::event::otlp::wire::{put_bytes, put_varint};

/// A request that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The message it stands for.
    pub message: Vec<u8>,
    /// What is wrong with the first record that has a value of a type that its field cannot have. Such a record stands in
    /// the message as one that [`split`](super::split) refuses.
    pub bad: Option<String>,
}

/// Why a request cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The message it stands for would be larger than the limit.
    #[error("too large")]
    TooLarge,
    /// It is no JSON, or has a value beside its records of a type that its field cannot have.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

/// A message in the making.
struct Out {
    bytes: Vec<u8>,
    /// How long it may be.
    limit: usize,
    bad: Option<String>,
}

impl Out {
    /// Fails if the message is too long: a list of zeros has four times the length of its text.
    fn check<E: Error>(&self) -> Result<(), E> {
        if self.bytes.len() > self.limit { Err(E::custom("too large")) } else { Ok(()) }
    }

    /// Appends a field whose bytes follow; [`close`](Self::close) writes their length.
    fn open(&mut self, number: u32) -> usize {
        put_varint(u64::from(number) << 3 | 2, &mut self.bytes);
        self.bytes.len()
    }

    fn close(&mut self, start: usize) {
        let (mut length, len) = (Vec::with_capacity(10), self.bytes.len() - start);
        put_varint(len as u64, &mut length);
        self.bytes.splice(start..start, length);
    }
}

/// Characters of a value that an error repeats.
const MOST_TOLD: usize = 64;
/// Characters of an error that tells of a record: the parser's own may repeat a whole string.
const MOST_WORDS: usize = 256;

/// Reads a request as the message it stands for, of at most `limit` bytes.
///
/// # Errors
/// If it is no JSON, or a value that is not of a record is of a type that its field cannot have; the error tells where.
/// If the message is longer than the limit.
pub fn read_json(signal: Signal, text: &[u8], limit: usize) -> Result<Read, Unread> {
    let message = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    };
    let mut out = Out { bytes: Vec::with_capacity(text.len() / 2), limit, bad: None };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Object { message, out: &mut out }.deserialize(&mut reader).and_then(|()| reader.end());
    if out.bytes.len() > limit {
        return Err(Unread::TooLarge);
    }
    read?;
    Ok(Read { message: out.bytes, bad: out.bad })
}

/// An object that is a message: its fields are appended.
struct Object<'o> {
    message: &'static Message,
    out: &'o mut Out,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, an object", self.message.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(Key(self.message))? {
            match field {
                Some(field) if field.presence == Presence::Many => {
                    map.next_value_seed(List { field, out: self.out })?;
                }
                Some(field) => map.next_value_seed(Single { field, is_packed: false, out: self.out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
            self.out.check()?;
        }
        Ok(())
    }
}

/// A key, which names a field or none.
struct Key(&'static Message);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.fields.iter().find(|field| is_named(field.name, key)))
    }
}

/// Is `key` the name in lower camel case?
fn is_named(name: &str, key: &str) -> bool {
    let mut rest = key.bytes();
    for word in name.split('_') {
        let is_first = rest.len() == key.len();
        for (at, byte) in word.bytes().enumerate() {
            let expected = if at == 0 && !is_first { byte.to_ascii_uppercase() } else { byte };
            if rest.next() != Some(expected) {
                return false;
            }
        }
    }
    rest.next().is_none()
}

/// The values of a field that may be there many times.
struct List<'o> {
    field: &'static Field,
    out: &'o mut Out,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list for `{}`", self.field.name)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { field, out } = self;
        if is_of_records(field) {
            while let Some(record) = list.next_element::<&RawValue>()? {
                alone(field, record, out)?;
            }
            return Ok(());
        }
        let (before, is_packed) = (out.bytes.len(), field.kind.is_number());
        let start = if is_packed { out.open(field.number) } else { before };
        while list.next_element_seed(Single { field, is_packed, out })?.is_some() {
            out.check()?;
        }
        if is_packed && out.bytes.len() == start {
            out.bytes.truncate(before);
        } else if is_packed {
            out.close(start);
        }
        Ok(())
    }
}

/// Are the values of the field spans, log records or points?
fn is_of_records(field: &Field) -> bool {
    matches!(field.name, "spans" | "log_records" | "data_points")
}

/// Reads a record by itself: where it is at fault the others are not.
fn alone<E: Error>(field: &'static Field, record: &RawValue, out: &mut Out) -> Result<(), E> {
    let start = out.bytes.len();
    let mut reader = serde_json::Deserializer::from_str(record.get());
    let read = Single { field, is_packed: false, out }.deserialize(&mut reader);
    out.check()?;
    if let Err(why) = read {
        out.bytes.truncate(start);
        put_bytes(field.number, UNREADABLE, &mut out.bytes);
        out.bad.get_or_insert_with(|| why.to_string().chars().take(MOST_WORDS).collect());
    }
    Ok(())
}

/// One value of a field, appended with its tag. One that is the field's default is left out, as in protobuf.
struct Single<'o> {
    field: &'static Field,
    /// One of a list of numbers, which have one tag together.
    is_packed: bool,
    out: &'o mut Out,
}

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !matches!(self.field.kind, Kind::Double) {
            return deserializer.deserialize_any(self);
        }
        // The text itself: the parser's own numbers are off by the last bit at times.
        let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        if text == "null" {
            return Ok(());
        }
        let number = number::double(text).ok_or_else(|| D::Error::custom(self.wrong(text)))?;
        self.number(number.to_bits());
        Ok(())
    }
}

impl Single<'_> {
    fn wrong(&self, found: &str) -> String {
        let told: String = found.chars().take(MOST_TOLD).collect();
        format!("`{}` cannot be `{told}`", self.field.name)
    }

    /// Appends a number as its bits are written.
    fn number(self, bits: u64) {
        let Self { field, is_packed, out } = self;
        if bits == 0 && field.presence == Presence::Implicit {
            return;
        }
        let out = &mut out.bytes;
        if !is_packed {
            put_varint(u64::from(field.number) << 3 | u64::from(field.kind.wire_type()), out);
        }
        match field.kind {
            Kind::Fixed32 => out.extend_from_slice(&(bits as u32).to_le_bytes()),
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => out.extend_from_slice(&bits.to_le_bytes()),
            Kind::Sint => put_varint((bits << 1) ^ ((bits as i64) >> 63) as u64, out),
            _ => put_varint(bits, out),
        }
    }

    fn bytes(self, bytes: &[u8]) {
        if !bytes.is_empty() || self.field.presence != Presence::Implicit {
            put_bytes(self.field.number, bytes, &mut self.out.bytes);
        }
    }

    fn message(&self) -> Option<&'static Message> {
        match self.field.kind {
            Kind::Message(message) => Some(message),
            Kind::Any => Some(&ANY_VALUE),
            Kind::KeyValue => Some(&KEY_VALUE),
            _ => None,
        }
    }
}

impl<'de> Visitor<'de> for Single<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for `{}`", self.field.name)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.field.kind {
            Kind::Bool => self.number(u64::from(value)),
            _ => return Err(E::custom(self.wrong(&value.to_string()))),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let bits = number::unsigned(self.field.kind, value).ok_or_else(|| E::custom(self.wrong(&value.to_string())))?;
        self.number(bits);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        let bits = number::signed(self.field.kind, value).ok_or_else(|| E::custom(self.wrong(&value.to_string())))?;
        self.number(bits);
        Ok(())
    }

    /// A whole number that is written as `1e3` or `5.0`.
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let is_whole = value.fract() == 0.0 && value.abs() < 9.0e15;
        let bits = is_whole.then(|| number::signed(self.field.kind, value as i64)).flatten();
        let bits = bits.ok_or_else(|| E::custom(self.wrong(&value.to_string())))?;
        self.number(bits);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.field.kind {
            Kind::Text => self.bytes(text.as_bytes()),
            Kind::Blob => {
                let bytes = base64(text).ok_or_else(|| E::custom(self.wrong(text)))?;
                self.bytes(&bytes);
            }
            // An id that is none has a length that none has: its record is refused alone.
            Kind::Id(_) => self.bytes(&hex(text).unwrap_or_else(|| vec![0])),
            kind => {
                let bits = number::named(kind, text).ok_or_else(|| E::custom(self.wrong(text)))?;
                self.number(bits);
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Some(message) = self.message() else { return Err(A::Error::custom(self.wrong("an object"))) };
        let Self { field, out, .. } = self;
        let start = out.open(field.number);
        Object { message, out }.visit_map(map)?;
        out.close(start);
        Ok(())
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<_>>>();
    bytes.filter(|_| rest.is_empty())
}

/// With or without padding, of either alphabet.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decode = |alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok();
    decode(&STANDARD).or_else(|| decode(&URL_SAFE))
}
