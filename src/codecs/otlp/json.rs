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
use crate::event::otlp::schema::{ANY_VALUE, Field, KEY_VALUE, Kind, LOGS, METRICS, Message, Presence, TRACES};
use crate::event::otlp::wire::{put_bytes, put_varint};

/// Reads a request as the message it stands for.
///
/// # Errors
/// If it is no JSON, or a value is of a type that its field cannot have; the error tells where.
pub fn read_json(signal: Signal, text: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let message = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    };
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut reader = serde_json::Deserializer::from_slice(text);
    Object { message, out: &mut out }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(out)
}

/// An object that is a message: its fields are appended.
struct Object<'o> {
    message: &'static Message,
    out: &'o mut Vec<u8>,
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
                Some(field) => map.next_value_seed(Single { field, out: self.out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
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
    out: &'o mut Vec<u8>,
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
        while list.next_element_seed(Single { field: self.field, out: self.out })?.is_some() {}
        Ok(())
    }
}

/// One value of a field, appended with its tag. One that is the field's default is left out, as in protobuf.
struct Single<'o> {
    field: &'static Field,
    out: &'o mut Vec<u8>,
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
        format!("`{}` cannot be `{found}`", self.field.name)
    }

    /// Appends a number as its bits are written.
    fn number(self, bits: u64) {
        let Self { field, out } = self;
        if bits == 0 && field.presence == Presence::Implicit {
            return;
        }
        let tag = u64::from(field.number) << 3;
        match field.kind {
            Kind::Fixed32 => {
                put_varint(tag | 5, out);
                out.extend_from_slice(&(bits as u32).to_le_bytes());
            }
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
                put_varint(tag | 1, out);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            Kind::Sint => {
                put_varint(tag, out);
                put_varint((bits << 1) ^ ((bits as i64) >> 63) as u64, out);
            }
            _ => {
                put_varint(tag, out);
                put_varint(bits, out);
            }
        }
    }

    fn bytes(self, bytes: &[u8]) {
        if !bytes.is_empty() || self.field.presence != Presence::Implicit {
            put_bytes(self.field.number, bytes, self.out);
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
        let Self { field, out } = self;
        put_varint(u64::from(field.number) << 3 | 2, out);
        let start = out.len();
        Object { message, out }.visit_map(map)?;
        let (mut length, len) = (Vec::with_capacity(10), out.len() - start);
        put_varint(len as u64, &mut length);
        out.splice(start..start, length);
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
fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decode = |alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok();
    decode(&STANDARD).or_else(|| decode(&URL_SAFE))
}
