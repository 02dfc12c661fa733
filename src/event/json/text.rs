//! What lies between the quotes of a string: escaping, unescaping, comparing.

use super::scan::{self, Seen};
use memchr::memchr;
use std::ops::Range;

/// Appends `text` as the content of a JSON string, without quotes. Invalid UTF-8 becomes U+FFFD, one for each sequence as the Unicode Standard counts them
/// (section 3.9, substitution of maximal subparts). Returns how many sequences were replaced.
///
/// Escaped are the quote, the backslash and bytes below 0x20 (RFC 8259, section 7, names no others); everything else is copied in runs.
pub fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    if simdutf8::basic::from_utf8(text).is_ok() {
        escape_valid(text, out);
        return 0;
    }
    let mut replaced = 0;
    for chunk in text.utf8_chunks() {
        escape_valid(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
            replaced += 1;
        }
    }
    replaced
}

/// Appends `text` as a JSON string, with its quotes: see [`escape`].
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

fn escape_valid(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len());
    let mut from = 0;
    loop {
        let at = scan::special(text, from, &mut Seen::default());
        out.extend_from_slice(&text[from..at]);
        let Some(&byte) = text.get(at) else { return };
        escape_byte(byte, out);
        from = at + 1;
    }
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
            return;
        }
        other => other,
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends the decoded content of a JSON string, given without its quotes.
///
/// In content that was never checked, half a surrogate pair becomes U+FFFD and an unknown or cut escape stays as it is.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = Escape::first_of(&rest[at..]);
        out.extend_from_slice(escape.decoded());
        rest = &rest[at + escape.raw_len..];
    }
    out.extend_from_slice(rest);
}

/// Does a raw key, which may have escapes, equal this decoded key?
pub fn key_eq(raw: &[u8], decoded: &[u8]) -> bool {
    // Decoding only ever shortens, so keys of equal length are equal as they are or not at all.
    if raw.len() <= decoded.len() {
        return raw == decoded && memchr(b'\\', raw).is_none();
    }
    let (mut raw, mut decoded) = (raw, decoded);
    while let Some(at) = memchr(b'\\', raw) {
        let escape = Escape::first_of(&raw[at..]);
        let Some(after) = decoded.strip_prefix(&raw[..at]).and_then(|tail| tail.strip_prefix(escape.decoded())) else {
            return false;
        };
        raw = &raw[at + escape.raw_len..];
        decoded = after;
    }
    raw == decoded
}

/// Decoded text with the way back to its raw bytes: what is found in the one can be cut from the other.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The decoded text.
    pub text: Vec<u8>,
    escapes: Vec<Place>,
    raw_len: usize,
}

/// Where an escape begins and ends, in the decoded text and in the raw bytes.
#[derive(Clone, Debug)]
struct Place {
    decoded: Range<usize>,
    raw: Range<usize>,
}

impl Decoded {
    /// Takes the raw content of a valid JSON string, without quotes, in place of what was here; the buffers are used again.
    pub fn decode(&mut self, raw: &[u8]) {
        self.text.clear();
        self.escapes.clear();
        self.raw_len = raw.len();
        let mut from = 0;
        while let Some(offset) = memchr(b'\\', &raw[from..]) {
            let at = from + offset;
            self.text.extend_from_slice(&raw[from..at]);
            let escape = Escape::first_of(&raw[at..]);
            let start = self.text.len();
            self.text.extend_from_slice(escape.decoded());
            from = at + escape.raw_len;
            self.escapes.push(Place { decoded: start..self.text.len(), raw: at..from });
        }
        self.text.extend_from_slice(&raw[from..]);
    }

    /// The raw bytes that `decoded` comes from. A range that begins or ends inside what one escape stands for takes in the whole escape, both halves of a surrogate pair
    /// included. An empty range gives an empty one, before the escape it may lie in. What lies beyond the text is cut off.
    pub fn raw_range(&self, decoded: Range<usize>) -> Range<usize> {
        let start = self.raw_start(decoded.start);
        let end = if decoded.is_empty() { start } else { self.raw_end(decoded.end) };
        start..end.max(start)
    }

    fn raw_start(&self, at: usize) -> usize {
        let before = self.escapes.partition_point(|place| place.decoded.end <= at);
        match self.escapes.get(before) {
            Some(place) if place.decoded.start <= at => place.raw.start,
            _ => self.behind(before, at),
        }
    }

    fn raw_end(&self, at: usize) -> usize {
        let before = self.escapes.partition_point(|place| place.decoded.start < at);
        match before.checked_sub(1).map(|last| &self.escapes[last]) {
            Some(place) if at < place.decoded.end => place.raw.end,
            _ => self.behind(before, at),
        }
    }

    /// The raw offset of `at`, which lies behind the first `before` escapes and inside none.
    fn behind(&self, before: usize, at: usize) -> usize {
        let Some(last) = before.checked_sub(1).map(|last| &self.escapes[last]) else {
            return at.min(self.raw_len);
        };
        (last.raw.end + (at - last.decoded.end)).min(self.raw_len)
    }
}

/// One escape: what it stands for, in UTF-8, and how many raw bytes it takes.
struct Escape {
    bytes: [u8; 4],
    len: usize,
    raw_len: usize,
}

impl Escape {
    fn decoded(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The escape that begins with the backslash at the start of `raw`.
    fn first_of(raw: &[u8]) -> Self {
        let short = match raw.get(1) {
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => return Self::unicode(raw),
            Some(b'"' | b'\\' | b'/') => char::from(raw[1]),
            _ => return Self::of('\\', 1),
        };
        Self::of(short, 2)
    }

    fn unicode(raw: &[u8]) -> Self {
        let Some(unit) = hex(raw, 2) else {
            return Self::of('\\', 1);
        };
        let low = if raw.get(6..8) == Some(b"\\u") { hex(raw, 8) } else { None };
        match (unit, low) {
            (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                Self::of(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            }
            _ => Self::of(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
        }
    }

    fn of(decoded: char, raw_len: usize) -> Self {
        let mut bytes = [0; 4];
        let len = decoded.encode_utf8(&mut bytes).len();
        Self { bytes, len, raw_len }
    }
}

fn hex(raw: &[u8], from: usize) -> Option<u32> {
    raw.get(from..from + 4)?.iter().try_fold(0, |value, &byte| Some(value * 16 + char::from(byte).to_digit(16)?))
}
