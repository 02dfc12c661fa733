//! JSON text to VRL values and back.
//!
//! Reading gives exactly the value that VRL's `parse_json` gives (integers beyond 64 bits become floats); writing gives exactly what `serde_json` writes for a VRL value.
//! Both take a short way for what records are mostly made of: strings without escapes.

use std::borrow::Cow;
use std::io::Write;

use bytes::{Bytes, BytesMut};
use serde_json::Error;
use vrl::value::{KeyString, Value};

use crate::event::json::{key_eq, quote, string_end, unescape, value_end};

/// Reads one JSON value that was validated before. Its strings go into `arena`, so that a record costs no allocation per string; the memory is taken back when the values
/// are gone.
///
/// # Errors
///
/// Only what a validated text can still hide: a number too large for a float.
pub(super) fn read(raw: &[u8], arena: &mut BytesMut) -> Result<Value, Error> {
    Reader { raw, at: 0, arena }.value()
}

/// One JSON value that was validated before, if it is no number too large for a float.
pub(crate) fn read_value(raw: &[u8]) -> Option<Value> {
    read(raw, &mut BytesMut::new()).ok()
}

/// A cursor over the text of one value.
struct Reader<'a> {
    raw: &'a [u8],
    at: usize,
    arena: &'a mut BytesMut,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            Some(b'"') => {
                let content = self.string();
                Ok(Value::Bytes(self.text(content)))
            }
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            _ => self.scalar(),
        }
    }

    /// The next byte that is not space or a separator; validated text has these only where they belong.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.raw.get(self.at..)?;
        let is_between = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
        self.at += rest.iter().take_while(is_between).count();
        self.raw.get(self.at).copied()
    }

    /// What stands between the quotes of the string that begins here.
    fn string(&mut self) -> &'a [u8] {
        let start = self.at + 1;
        let end = string_end(self.raw, start);
        self.at = end + 1;
        &self.raw[start..end]
    }

    fn text(&mut self, content: &[u8]) -> Bytes {
        if memchr::memchr(b'\\', content).is_some() {
            return decode(content).into_owned().into();
        }
        self.arena.extend_from_slice(content);
        self.arena.split().freeze()
    }

    fn object(&mut self) -> Result<Value, Error> {
        self.at += 1;
        let mut members = Vec::new();
        while self.peek() == Some(b'"') {
            let key = decode(self.string());
            members.push((KeyString::from(String::from_utf8_lossy(&key).into_owned()), self.value()?));
        }
        self.at += 1;
        // Of a duplicate key the last occurrence stays.
        Ok(Value::Object(members.into_iter().collect()))
    }

    fn array(&mut self) -> Result<Value, Error> {
        self.at += 1;
        let mut items = Vec::new();
        while self.peek().is_some_and(|byte| byte != b']') {
            items.push(self.value()?);
        }
        self.at += 1;
        Ok(Value::Array(items))
    }

    fn scalar(&mut self) -> Result<Value, Error> {
        let start = self.at;
        self.at = value_end(self.raw, start);
        match &self.raw[start..self.at] {
            b"true" => Ok(Value::Boolean(true)),
            b"false" => Ok(Value::Boolean(false)),
            b"null" => Ok(Value::Null),
            number => short_integer(number)
                .map_or_else(|| serde_json::from_slice(number), |integer| Ok(Value::Integer(integer))),
        }
    }
}

/// An integer that cannot overflow. `-0` is a float, as for `serde_json`.
fn short_integer(raw: &[u8]) -> Option<i64> {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    let plain = !digits.is_empty() && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit);
    if !plain || raw == b"-0" {
        return None;
    }
    let size = digits.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some(if digits.len() == raw.len() { size } else { -size })
}

/// Appends a value as JSON.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bytes(bytes) => quote(bytes, out),
        Value::Object(map) => {
            out.push(b'{');
            for (place, (key, member)) in map.iter().enumerate() {
                separate(place, out);
                quote(key.as_bytes(), out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                separate(place, out);
                write(item, out);
            }
            out.push(b']');
        }
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Integer(number) => write!(out, "{number}").expect("a vector takes every write"),
        Value::Float(_) | Value::Timestamp(_) | Value::Regex(_) => {
            serde_json::to_writer(out, value).expect("a scalar always has a JSON form");
        }
    }
}

/// What stands between the quotes of a JSON string, decoded.
pub(super) fn decode(content: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', content).is_none() {
        return Cow::Borrowed(content);
    }
    let mut text = Vec::new();
    unescape(content, &mut text);
    Cow::Owned(text)
}

/// What stands between the quotes of a JSON string that is given with them.
pub(super) fn unquote(quoted: &[u8]) -> &[u8] {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

/// Whether the value reads back from this JSON text, so that the text can stay as it came.
pub(super) fn is_same_scalar(value: &Value, raw: &[u8]) -> bool {
    match (value, raw) {
        (Value::Bytes(bytes), [b'"', ..]) => key_eq(unquote(raw), bytes),
        (Value::Integer(number), [b'-' | b'0'..=b'9', ..]) => {
            short_integer(raw).or_else(|| serde_json::from_slice(raw).ok()) == Some(*number)
        }
        (Value::Float(new), [b'-' | b'0'..=b'9', ..]) => {
            matches!(serde_json::from_slice(raw), Ok(Value::Float(old)) if old.to_bits() == new.to_bits())
        }
        (Value::Boolean(true), b"true") | (Value::Boolean(false), b"false") | (Value::Null, b"null") => true,
        _ => false,
    }
}

fn separate(place: usize, out: &mut Vec<u8>) {
    if place > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(raw: &[u8]) -> Result<Value, Error> {
        super::read(raw, &mut BytesMut::new())
    }

    fn written(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        write(value, &mut out);
        out
    }

    #[test]
    fn numbers_read_as_parse_json_reads_them() {
        assert_eq!(read(b"9223372036854775807").unwrap(), Value::Integer(i64::MAX));
        assert!(matches!(read(b"12345678901234567890").unwrap(), Value::Float(_)));
        assert!(matches!(read(b"1.0").unwrap(), Value::Float(_)));
        assert!(read(b"1e999").is_err());
        for number in
            ["-0", "0", "-1", "999999999999999999", "-9223372036854775808", "1234567890123456789", "-1e2", "0.1"]
        {
            assert_eq!(read(number.as_bytes()).unwrap(), serde_json::from_str(number).unwrap(), "{number}");
        }
    }

    #[test]
    fn same_means_equal_and_of_the_same_type() {
        assert!(is_same_scalar(&Value::from("a/b"), br#""a\/b""#));
        assert!(!is_same_scalar(&Value::from("a"), br#""b""#));
        assert!(!is_same_scalar(&Value::Integer(1), b"1.0"));
        assert!(!is_same_scalar(&read(b"0.0").unwrap(), b"-0.0"));
        assert!(!is_same_scalar(&Value::Null, b"false"));
    }

    proptest! {
        #[test]
        fn strings_are_written_as_serde_writes_them(text in any::<String>(), tail in "[ -~]{0,40}") {
            let value = Value::from(format!("{text}{tail}"));
            prop_assert_eq!(written(&value), serde_json::to_vec(&value).unwrap());
        }

        #[test]
        fn any_bytes_give_valid_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let value = Value::Bytes(bytes.into());
            prop_assert_eq!(written(&value), serde_json::to_vec(&value).unwrap());
        }
    }
}
