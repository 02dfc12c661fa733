//! Basic authorisation (RFC 7617): what follows the word `Basic` and decodes to `name:password`. Behind
//! `Authorization` it is taken undecoded, since it may have been cut.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::{memchr, memmem::Finder};

/// How far before the word the name of the header begins.
const HEADER_REACH: usize = 24;
/// Characters of the shortest token that is taken undecoded.
const FEWEST: usize = 8;

/// Takes tokens with and without padding, and with a cut end.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The word without its first letter, as it is mostly written.
static WORDS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| [Finder::new(b"asic"), Finder::new(b"ASIC")]);

/// Appends the spans of all credentials in `text` behind words from `from` on, in order and without overlap.
pub(super) fn find(text: &[u8], from: usize, found: &mut Vec<Range<usize>>) {
    let first = found.len();
    for word in &*WORDS {
        for at in word.find_iter(&text[from..]) {
            if let Some(span) = token_after(text, from + at) {
                found.push(span);
            }
        }
    }
    super::span::unite(found, first);
}

/// The credentials behind the word whose second letter is at `at`.
fn token_after(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(1).filter(|start| matches!(text[*start], b'b' | b'B'))?;
    if text[..start].last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let word = at + b"asic".len();
    let gap = match text[word..] {
        [b' ' | b'+', b' ', ..] => 2,
        [b' ' | b'+' | b'\t', ..] => 1,
        [b'%', b'2', b'0', ..] => 3,
        _ => return None,
    };
    let from = word + gap;
    let length = text[from..].iter().take_while(|&&byte| is_part(byte)).count();
    let token = &text[from..from + length];
    let before = &text[start.saturating_sub(HEADER_REACH)..start];
    let is_header = before.to_ascii_lowercase().windows(13).any(|window| window == b"authorization");
    (is_credentials(token) || (is_header && length >= FEWEST)).then(|| from..from + length)
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn is_credentials(token: &[u8]) -> bool {
    ENGINE.decode(token).is_ok_and(|plain| {
        memchr(b':', &plain).is_some()
            && std::str::from_utf8(&plain).is_ok_and(|text| !text.chars().any(char::is_control))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_decode_or_stand_in_the_header() {
        for (text, token) in [
            ("Authorization: Basic dXNlcjpwYXNz", Some("dXNlcjpwYXNz")),
            ("sent `basic YTpi`", Some("YTpi")),
            ("BASIC dXNlcjpwYXNzd29yZA==,", Some("dXNlcjpwYXNzd29yZA==")),
            ("authorization=Basic dXNlcjpwYXNzd", Some("dXNlcjpwYXNzd")),
            ("Basic authentication failed", None),
            ("basic plan, Basic dXNlcg==", None),
            ("unbasic dXNlcjpwYXNz basics", None),
            ("Authorization: Basic [REDACTED]", None),
        ] {
            let mut found = Vec::new();
            find(text.as_bytes(), 0, &mut found);
            let words: Vec<&str> = found.into_iter().map(|span| &text[span]).collect();
            assert_eq!(words, token.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }
}
