//! Bearer tokens: what follows the word `Bearer` in any case (RFC 6750), and JSON Web Tokens wherever they stand
//! (RFC 7519, RFC 7516: dotted base64url, of which the first part begins with `eyJ`, that is `{"`).
//!
//! The span is the token alone; the word `Bearer` stays readable. Wider than the grammar of RFC 6750 on purpose: a
//! token goes on to the next blank, quote, bracket or comma. Words that follow `bearer` in plain sentences
//! (`bearer token expired`) are no tokens; any other word is taken for one.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr_iter, memchr2};

use super::span;
use super::word::is_word;

const SCHEME: &[u8] = b"bearer";
static JWT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"eyJ"));
static SECOND_PART: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b".eyJ"));

/// What people write behind `bearer` when no token follows; `token: x` and `token=x` are looked through.
const PLAIN_WORDS: [&[u8]; 25] = [
    b"and",
    b"auth",
    b"authentication",
    b"authorisation",
    b"authorization",
    b"challenge",
    b"credential",
    b"credentials",
    b"expired",
    b"for",
    b"from",
    b"header",
    b"in",
    b"invalid",
    b"is",
    b"missing",
    b"not",
    b"of",
    b"or",
    b"required",
    b"scheme",
    b"token",
    b"tokens",
    b"was",
    b"with",
];
/// Parameters of the challenge in `WWW-Authenticate: Bearer realm="..."`.
const CHALLENGE: [&[u8]; 5] = [b"realm", b"scope", b"error", b"error_description", b"error_uri"];
/// One more than the longest of these words: bounds the look ahead.
const WORD_REACH: usize = 18;

/// Bytes that one step of the gate looks at: three neighbours for each of 16 places.
const WINDOW: usize = 18;

/// Whether `text` has the first three letters of `bearer` in any case, or `eyJ`.
///
/// Looks at windows of fixed size without branches, so that the compiler makes vector code of it; the last window
/// overlaps the one before instead of leaving a rest.
pub fn gate(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<WINDOW>() else {
        return text.windows(3).any(|three| opens(three[0], three[1], three[2]) != 0);
    };
    let mut start = 0;
    while let Some(window) = text[start..].first_chunk::<WINDOW>() {
        if window_opens(window) {
            return true;
        }
        start += WINDOW - 2;
    }
    window_opens(last)
}

fn window_opens(window: &[u8; WINDOW]) -> bool {
    let mut hits = [0; WINDOW - 2];
    for (place, hit) in hits.iter_mut().enumerate() {
        *hit = opens(window[place], window[place + 1], window[place + 2]);
    }
    hits != [0; WINDOW - 2]
}

/// One if a word that the detector looks for begins with these bytes.
fn opens(first: u8, second: u8, third: u8) -> u8 {
    let scheme = u8::from(first | 0x20 == b'b') & u8::from(second | 0x20 == b'e') & u8::from(third | 0x20 == b'a');
    let jwt = u8::from(first == b'e') & u8::from(second == b'y') & u8::from(third == b'J');
    scheme | jwt
}

/// Whether the gate looks for this byte: an escape that stands for one opens it.
pub fn is_part(byte: u8) -> bool {
    matches!(byte, b'b' | b'B' | b'e' | b'E' | b'a' | b'A' | b'y' | b'J')
}

/// Appends the spans of all tokens in `text` from `from` on, in order and without overlap.
pub fn find(text: &[u8], from: usize, found: &mut Vec<Range<usize>>) {
    let first = found.len();
    find_schemes(text, from, found);
    find_jwts(text, from, found);
    span::unite(found, first);
}

fn find_schemes(text: &[u8], mut from: usize, found: &mut Vec<Range<usize>>) {
    while let Some(start) = memchr2(b'b', b'B', &text[from..]).map(|offset| from + offset) {
        from = start + 1;
        let inside_word = start > 0 && text[start - 1].is_ascii_alphanumeric();
        let word = text[start..].get(..SCHEME.len());
        if inside_word || !word.is_some_and(|word| word.eq_ignore_ascii_case(SCHEME)) {
            continue;
        }
        from = start + SCHEME.len();
        if let Some(token) = token_after(text, from) {
            from = token.end;
            found.push(token);
        }
    }
}

/// The token behind the word that ends at `at`, through at most one plain word (`bearer token: x`).
fn token_after(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = gap_end(text, at);
    let word_end = plain_word_end(text, start);
    if start == at {
        return None;
    }
    let Some(word_end) = word_end else {
        return token_at(text, start);
    };
    let value = gap_end(text, word_end);
    let named = text[word_end..value].iter().any(|byte| matches!(byte, b':' | b'='));
    let challenge = CHALLENGE.iter().any(|name| name.eq_ignore_ascii_case(&text[start..word_end]));
    if named && !challenge { token_at(text, value) } else { None }
}

/// The token that begins at `start`, without the marks that end a sentence.
fn token_at(text: &[u8], start: usize) -> Option<Range<usize>> {
    let length = text[start..].iter().take_while(|&&byte| is_token_byte(byte)).count();
    let token = &text[start..start + length];
    let last = token.iter().rposition(|byte| !matches!(byte, b'.' | b':' | b'!' | b'?'))?;
    Some(start..start + last + 1)
}

/// The end of the plain word or challenge parameter at `start`, if one stands there.
fn plain_word_end(text: &[u8], start: usize) -> Option<usize> {
    let length =
        text[start..].iter().take(WORD_REACH).take_while(|&&byte| byte.is_ascii_alphabetic() || byte == b'_').count();
    let (end, word) = (start + length, &text[start..start + length]);
    let stop = text[end..].first().is_some_and(|byte| matches!(byte, b'.' | b'!' | b'?'));
    let behind = &text[end + usize::from(stop)..];
    let ends_there = behind.first().is_none_or(|&byte| matches!(byte, b':' | b'=') || !is_token_byte(byte));
    let known = PLAIN_WORDS.iter().chain(&CHALLENGE).any(|plain| plain.eq_ignore_ascii_case(word));
    (ends_there && known).then_some(end)
}

/// Skips what may stand between the word and the token: blanks (also as `+` and `%20`), `:`, `=`, quotes and
/// the backslashes before quotes.
fn gap_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    loop {
        match text[end..] {
            [b' ' | b'\t' | b':' | b'=' | b'+' | b'"' | b'\'' | b'\\', ..] => end += 1,
            [b'%', b'2', b'0', ..] => end += 3,
            _ => return end,
        }
    }
}

fn is_token_byte(byte: u8) -> bool {
    !byte.is_ascii_control()
        && !matches!(
            byte,
            b' ' | b'"'
                | b'\''
                | b'`'
                | b','
                | b';'
                | b'\\'
                | b'&'
                | b'('
                | b')'
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'<'
                | b'>'
        )
}

/// Three parts or more, or two of which the second begins as JSON too: a token cut short still carries claims.
fn find_jwts(text: &[u8], mut from: usize, found: &mut Vec<Range<usize>>) {
    while let Some(start) = JWT.find(&text[from..]).map(|offset| from + offset) {
        let run = text[start..].iter().take_while(|&&byte| is_word(byte)).count();
        let token = &text[start..start + run];
        // A later `eyJ` of the same run has no more dots behind it, so the whole run is done with.
        from = start + run;
        let dots = memchr_iter(b'.', token).count();
        if dots < 2 && SECOND_PART.find(token).is_none() {
            continue;
        }
        let trailing = token.iter().rev().take_while(|&&byte| byte == b'.').count();
        let padding = text[from..].iter().take(2).take_while(|&&byte| byte == b'=').count();
        let end = if padding > 0 { from + padding } else { from - trailing };
        found.push(start..end);
    }
}

#[cfg(test)]
mod tests;
