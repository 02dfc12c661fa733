//! Steps over JSON that has been checked: where a value ends, what an object or an array holds.
//!
//! Nothing is checked again, so each of these is only as right as the text; on text that was not checked they still end, inside it.

use super::scan::{self, STEP, Seen};
use std::ops::Range;

/// The byte at `at`; zero beyond the end.
#[inline]
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// First offset at or after `at` that holds no whitespace.
#[inline]
pub(super) fn skip_space(text: &[u8], at: usize) -> usize {
    let mut at = at;
    while matches!(byte(text, at), b' ' | b'\t' | b'\n' | b'\r') {
        at += 1;
    }
    at
}

/// Offset of the closing quote of the string whose content begins at `from`.
#[inline]
pub(crate) fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        at = scan::special(text, at, &mut Seen::default());
        match byte(text, at) {
            b'\\' => at += 2,
            b'"' => return at,
            _ if at >= text.len() => return text.len(),
            _ => at += 1,
        }
    }
}

/// Offset behind the value that begins at `at`.
pub(crate) fn value_end(text: &[u8], at: usize) -> usize {
    let end = match byte(text, at) {
        b'"' => string_end(text, at + 1) + 1,
        b'{' | b'[' => container_end(text, at),
        _ => {
            at + text
                .iter()
                .skip(at)
                .take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
                .count()
        }
    };
    end.min(text.len())
}

/// Strings are blanked out sixteen bytes at a time, so that only the brackets between them are looked at one by one.
fn container_end(text: &[u8], open: usize) -> usize {
    let (mut depth, mut inside, mut escaped) = (1_usize, 0, false);
    for at in (open + 1..text.len()).step_by(STEP) {
        let marks = scan::marks(text, at);
        let quotes = marks.quote & !escaped_bits(marks.backslash, &mut escaped);
        let strings = between(quotes) ^ inside;
        inside = ((strings >> (STEP - 1)) & 1).wrapping_neg();
        let mut brackets = (marks.open | marks.close) & !strings;
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            depth = if (marks.open >> bit) & 1 == 1 { depth + 1 } else { depth - 1 };
            if depth == 0 {
                return at + bit as usize + 1;
            }
            brackets &= brackets - 1;
        }
    }
    text.len()
}

/// Bits that a backslash before them escapes; `carry` tells whether one reaches into these bits, and then whether one reaches out.
#[inline]
fn escaped_bits(backslashes: u32, carry: &mut bool) -> u32 {
    let mut escaped = u32::from(*carry);
    let mut rest = backslashes & !escaped;
    while rest != 0 {
        let pair = 3 << rest.trailing_zeros();
        escaped |= pair & (pair << 1);
        rest &= !pair;
    }
    *carry = (escaped >> STEP) & 1 == 1;
    escaped
}

/// Bits from each odd quote on up to the next: each bit is the parity of the quotes up to it.
#[inline]
fn between(quotes: u32) -> u32 {
    (0..STEP.ilog2()).fold(quotes, |bits, step| bits ^ (bits << (1 << step)))
}

/// The range of the one value in `text`, without the whitespace around it.
pub(super) fn root(text: &[u8]) -> Range<usize> {
    let start = skip_space(text, 0).min(text.len());
    start..value_end(text, start)
}

/// A member of an object: its key without quotes, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl Entry {
    /// From the key's opening quote to the value's end.
    pub(super) fn whole(&self) -> Range<usize> {
        self.key.start - 1..self.value.end
    }
}

/// The members of the object that opens at `open`; nothing if there is none.
pub(crate) fn members(text: &[u8], open: usize) -> impl Iterator<Item = Entry> {
    let mut next = (byte(text, open) == b'{').then_some(open + 1);
    std::iter::from_fn(move || {
        let quote = skip_space(text, next?);
        if byte(text, quote) != b'"' {
            return None;
        }
        let key = quote + 1..string_end(text, quote + 1);
        let colon = skip_space(text, key.end + 1);
        let start = skip_space(text, colon + 1).min(text.len());
        let value = start..value_end(text, start);
        next = comma(text, value.end);
        Some(Entry { key, value })
    })
}

/// The elements of the array that opens at `open`; nothing if there is none.
pub(crate) fn elements(text: &[u8], open: usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = (byte(text, open) == b'[').then_some(open + 1);
    std::iter::from_fn(move || {
        let start = skip_space(text, next?);
        if start >= text.len() || byte(text, start) == b']' {
            return None;
        }
        let value = start..value_end(text, start);
        next = comma(text, value.end);
        Some(value)
    })
}

/// Offset behind the comma that follows a value, if one does.
fn comma(text: &[u8], value_end: usize) -> Option<usize> {
    let at = skip_space(text, value_end);
    (byte(text, at) == b',').then_some(at + 1)
}
