//! The decoded content of a string, with the way back to its raw bytes: what is found in the one can be cut from the other.

use super::text::Escape;
use memchr::memchr;
use std::ops::Range;

/// Decoded text that remembers where its escapes were.
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
        let Some(last) = before.checked_sub(1).map(|last| &self.escapes[last]) else { return at.min(self.raw_len) };
        (last.raw.end + (at - last.decoded.end)).min(self.raw_len)
    }
}
