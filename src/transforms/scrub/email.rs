//! E-mail addresses.
//!
//! On ASCII text the matches are those of the expression `[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`, found
//! from the `@` outwards: a text without one costs one `memchr`. Letters beyond ASCII (RFC 6531 addresses, IDN
//! domains such as `иван@почта.рф`) belong to the address; punctuation and spaces beyond ASCII do not. A script that
//! writes without spaces therefore loses the words that adjoin the address: it errs on the side of masking. Never
//! less is found than by the expression. Not found: quoted local parts, address literals (`a@[10.0.0.1]`).

use std::ops::Range;

use memchr::{memchr, memchr_iter};

const LOCAL: u8 = 1;
const DOMAIN: u8 = 2;

/// For each byte, which parts of an address it may stand in.
static PARTS: [u8; 256] = parts();

const fn parts() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => LOCAL | DOMAIN,
            b'_' | b'%' | b'+' => LOCAL,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// Whether `text` has what every address has.
pub fn gate(text: &[u8]) -> bool {
    memchr(b'@', text).is_some()
}

/// Appends the spans of all addresses in `text`, whose first `@` is at `from` or behind, in order and without overlap.
pub fn find(text: &[u8], from: usize, found: &mut Vec<Range<usize>>) {
    let mut floor = 0;
    let mut widened = false;
    for at in memchr_iter(b'@', &text[from..]).map(|offset| from + offset) {
        let start = local_start(text, floor, at);
        // A match with letters beyond ASCII may have taken what the expression sees as this local part, and so on
        // along a chain of addresses without a gap.
        let robbed = widened && floor == at;
        if start == at && !robbed {
            continue;
        }
        let Some(end) = domain_end(text, at + 1) else {
            continue;
        };
        widened = robbed || !text[start..end].is_ascii();
        found.push(start..end);
        floor = end;
    }
}

/// Where the local part that ends before `at` begins, `floor` at the earliest.
fn local_start(text: &[u8], floor: usize, at: usize) -> usize {
    let mut start = at;
    while start > floor {
        let byte = text[start - 1];
        if PARTS[usize::from(byte)] & LOCAL != 0 {
            start -= 1;
        } else if let Some(width) = wide_before(&text[floor..start]) {
            start -= width;
        } else {
            break;
        }
    }
    start
}

/// Where the domain that begins at `start` ends: behind the letters that follow its last usable dot.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let mut limit = start;
    while let Some(&byte) = text.get(limit) {
        if PARTS[usize::from(byte)] & DOMAIN != 0 {
            limit += 1;
        } else if let Some(width) = wide_at(&text[limit..]) {
            limit += width;
        } else {
            break;
        }
    }
    let mut before = limit;
    while let Some(dot) = text[start..before].iter().rposition(|&byte| byte == b'.') {
        let dot = start + dot;
        let letters =
            text[dot + 1..limit].iter().take_while(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
        if dot > start && letters >= 2 {
            return Some(dot + 1 + letters);
        }
        before = dot;
    }
    None
}

/// Bytes of the character beyond ASCII at the front of `text`, if it can stand in an address.
fn wide_at(text: &[u8]) -> Option<usize> {
    let width = match text.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let character = std::str::from_utf8(text.get(..width)?).ok()?.chars().next()?;
    belongs(character).then_some(width)
}

/// The same for the character at the end of `text`.
fn wide_before(text: &[u8]) -> Option<usize> {
    let tail = text.iter().rev().take(4).position(|&byte| byte >= 0xC0)? + 1;
    wide_at(&text[text.len() - tail..]).filter(|&width| width == tail)
}

/// Whether a character beyond ASCII can be part of an address: everything but controls, spaces and the blocks of
/// punctuation and symbols (the joiners U+200C and U+200D are letters' business and stay in).
fn belongs(character: char) -> bool {
    !matches!(character,
        '\u{80}'..='\u{BF}' | '\u{D7}' | '\u{F7}'
        | '\u{2000}'..='\u{200B}' | '\u{200E}'..='\u{2BFF}' | '\u{2E00}'..='\u{2E7F}'
        | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}' | '\u{30FB}'
        | '\u{FE10}'..='\u{FE1F}' | '\u{FE30}'..='\u{FE6F}' | '\u{FEFF}'
        | '\u{FF00}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}' | '\u{FFF0}'..='\u{FFFF}')
        && !character.is_whitespace()
}

#[cfg(test)]
mod tests;
