//! Where the value behind a telling name begins and ends.

use std::ops::Range;

use memchr::{memchr2_iter, memmem};

use super::{Form, NAME, is_name, looks_secret};

/// Schemes of headers that authorise (IANA's registry, and what services made up). Those of `Bearer` and `Basic` have
/// detectors of their own.
const SCHEMES: [&[u8]; 22] = [
    b"digest",
    b"token",
    b"negotiate",
    b"ntlm",
    b"kerberos",
    b"apikey",
    b"api-key",
    b"key",
    b"hawk",
    b"hoba",
    b"dpop",
    b"gnap",
    b"oauth",
    b"mutual",
    b"vapid",
    b"ssws",
    b"aws",
    b"aws4-hmac-sha256",
    b"scram-sha-1",
    b"scram-sha-256",
    b"sharedkey",
    b"sharedaccesssignature",
];
/// Letters alone are a token behind a known scheme, if there are so many.
const LONG: usize = 16;
/// What people write behind the name of a flag when they write about it.
const PROSE: [&[u8]; 29] = [
    b"and",
    b"are",
    b"argument",
    b"can",
    b"cannot",
    b"flag",
    b"for",
    b"from",
    b"has",
    b"if",
    b"in",
    b"instead",
    b"is",
    b"may",
    b"must",
    b"not",
    b"on",
    b"option",
    b"or",
    b"parameter",
    b"required",
    b"requires",
    b"should",
    b"switch",
    b"to",
    b"value",
    b"was",
    b"when",
    b"with",
];

/// A value, without its quotes.
pub(super) struct Value {
    pub(super) span: Range<usize>,
    pub(super) has_quotes: bool,
}

/// The value that begins behind blanks at `from`.
pub(super) fn value_behind(text: &[u8], from: usize, form: Form) -> Option<Value> {
    let start = from + text[from..].iter().take(2).take_while(|byte| **byte == b' ').count();
    let (span, has_quotes) = match text[start..] {
        [b'\\', quote @ (b'"' | b'\''), ..] => (start + 2..quoted_end(text, start + 2, (quote, 1)), true),
        [quote @ (b'"' | b'\'' | b'`'), ..] => (start + 1..quoted_end(text, start + 1, (quote, 0)), true),
        [b'[' | b'{', ..] if holds_json(text, start) => (start..closed(text, start), true),
        [b'[' | b'(', ..] => (start + 1..bare_end(text, start + 1, form), false),
        _ => (start..bare_end(text, start, form), false),
    };
    let value = &text[span.clone()];
    (!value.is_empty() && !value.starts_with(b"//") && value[0] != b'=').then_some(Value { span, has_quotes })
}

/// Does an array or an object of JSON begin here: a bracket with a quote or another bracket in it?
fn holds_json(text: &[u8], at: usize) -> bool {
    let inside = text[at + 1..].trim_ascii_start();
    matches!(inside, [b'"' | b'[' | b'{', ..] | [b'\\', b'"', ..])
}

/// Behind the bracket that closes the one at `at`, or the end of the text.
fn closed(text: &[u8], at: usize) -> usize {
    let (mut depth, mut slashes, mut opened) = (0_usize, 0, None);
    for (offset, byte) in text[at..].iter().enumerate() {
        match (byte, opened) {
            // A quote with as many backslashes as the one that began the string.
            (b'"', None) => opened = Some(slashes),
            (b'"', Some(before)) if before == slashes => opened = None,
            (b'[' | b'{', None) => depth += 1,
            (b']' | b'}', None) if depth <= 1 => return at + offset + 1,
            (b']' | b'}', None) => depth -= 1,
            _ => {}
        }
        slashes = if *byte == b'\\' { slashes + 1 } else { 0 };
    }
    text.len()
}

/// Where a quoted value ends, whose quote has so many backslashes before it: with its line, and a quote with more
/// backslashes is a part of it. If no quote ends it, the first one does after all.
fn quoted_end(text: &[u8], from: usize, (quote, depth): (u8, usize)) -> usize {
    let mut first = None;
    for offset in memchr2_iter(quote, b'\n', &text[from..]) {
        let at = from + offset;
        if text[at] == b'\n' {
            return first.unwrap_or(at);
        }
        let slashes = text[from..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if slashes <= depth || (depth == 0 && slashes.is_multiple_of(2)) {
            return at - slashes.min(depth);
        }
        first = first.or(Some(at - slashes));
    }
    first.unwrap_or(text.len())
}

fn bare_end(text: &[u8], start: usize, form: Form) -> usize {
    let ends = |at: &usize| ends_value(text[*at], form) && !(text[*at] == b';' && goes_on(text, at + 1));
    (start..text.len()).find(ends).unwrap_or(text.len())
}

fn ends_value(byte: u8, form: Form) -> bool {
    let always = byte <= b' ' || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b'&' | b')' | b']');
    always || matches!((form, byte), (Form::Query, b'#') | (Form::Text, b',' | b';' | b'}' | b'{' | b'|'))
}

/// Does a value go on at `at`, behind a semicolon? Not where the next `name=` of a connection string begins.
fn goes_on(text: &[u8], at: usize) -> bool {
    let Some(&next) = text.get(at) else { return false };
    let name = text[at..].iter().take(NAME).take_while(|byte| is_name(**byte)).count();
    !ends_value(next, Form::Text) && text.get(at + name) != Some(&b'=')
}

/// The rest of the line behind blanks, or up to a quote.
pub(super) fn rest_of_line(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_before = |byte: &&u8| matches!(byte, b' ' | b'"' | b'\\' | b'[');
    let start = from + text[from..].iter().take_while(is_before).count();
    let length = text[start..].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\'' | b'\\')).count();
    (length > 0).then_some(start..start + length)
}

/// What follows the scheme at `scheme` in a header that authorises; nothing, if that is no scheme.
pub(super) fn credentials(text: &[u8], scheme: &Range<usize>) -> Option<Range<usize>> {
    let word = &text[scheme.clone()];
    let start = scheme.end + text[scheme.end..].iter().take(2).take_while(|byte| **byte == b' ').count();
    let is_known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(word));
    let is_own = [&b"bearer"[..], b"basic"].iter().any(|known| known.eq_ignore_ascii_case(word));
    if start == scheme.end || is_own || !(is_known || word.iter().all(u8::is_ascii_alphabetic)) {
        return None;
    }
    let end = credentials_end(text, start);
    let found = &text[start..end];
    (looks_secret(found) || (is_known && found.len() >= LONG)).then_some(start..end)
}

/// Where a token or a list of parameters ends: `abc`, `username="x", realm="y z", response=...`.
fn credentials_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        at += text[at..].iter().take_while(|byte| !ends_parameter(**byte)).count();
        at = match text[at..] {
            [quote @ (b'"' | b'\''), ..] if text[..at].ends_with(b"=") => behind(text, at + 1, &[quote]),
            [b'\\', quote @ (b'"' | b'\''), ..] if text[..at].ends_with(b"=") => behind(text, at + 2, &[b'\\', quote]),
            _ => at,
        };
        let gap = text[at..].iter().take(3).take_while(|byte| matches!(byte, b',' | b' ')).count();
        let name = text[at + gap..].iter().take(NAME).take_while(|byte| is_name(**byte)).count();
        let is_more = text[at..].first() == Some(&b',') && name > 0 && text.get(at + gap + name) == Some(&b'=');
        if !is_more {
            return at;
        }
        at += gap;
    }
}

fn ends_parameter(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b',' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
}

/// Behind the next `sign`, or at the end.
fn behind(text: &[u8], from: usize, sign: &[u8]) -> usize {
    memmem::find(&text[from..], sign).map_or(text.len(), |offset| from + offset + sign.len())
}

/// The value of the flag whose name ends at `end`: the next word, or the next text in a list of arguments.
pub(super) fn flag_value(text: &[u8], end: usize) -> Option<Range<usize>> {
    let from = match text[end..] {
        [b'"', b',', b'"', ..] | [b'\'', b',', b'\'', ..] => end + 2,
        [b'"', b',', b' ', b'"', ..] | [b'\'', b',', b' ', b'\'', ..] => end + 3,
        [b' ', ..] => end,
        _ => return None,
    };
    let Value { span, has_quotes } = value_behind(text, from, Form::Text)?;
    let value = &text[span.clone()];
    let is_plain =
        value.starts_with(b"-") || (!has_quotes && PROSE.iter().any(|word| word.eq_ignore_ascii_case(value)));
    (!is_plain).then_some(span)
}
