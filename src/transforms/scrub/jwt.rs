//! JSON Web Tokens (RFC 7519, RFC 7516), made sure of: the header decodes to an object that names its algorithm or
//! type. A token cut behind its header still counts.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::{memchr, memmem};

use super::word::is_word;

/// Bytes of a header that are decoded; the algorithm stands near the front.
const HEADER: usize = 512;

static BEGIN: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"eyJ"));

static NAMES: LazyLock<[memmem::Finder<'static>; 3]> =
    LazyLock::new(|| ["\"alg\"", "\"typ\"", "\"enc\""].map(memmem::Finder::new));

/// Appends the spans of all tokens in `text` from `from` on, in order and without overlap.
pub(super) fn find(text: &[u8], mut from: usize, found: &mut Vec<Range<usize>>) {
    while let Some(start) = BEGIN.find(&text[from..]).map(|offset| from + offset) {
        let run = text[start..].iter().take_while(|&&byte| is_word(byte)).count();
        from = start + run;
        let token = &text[start..from];
        let Some(dot) = memchr(b'.', token) else { continue };
        if dot + 1 < token.len() && is_header(&token[..dot]) {
            let stops = token.iter().rev().take_while(|&&byte| byte == b'.').count();
            found.push(start..from - stops);
        }
    }
}

fn is_header(text: &[u8]) -> bool {
    // Four characters are three bytes: a prefix of whole groups decodes by itself.
    let text = &text[..text.len().min(HEADER)];
    let mut room = [0; HEADER];
    let Ok(length) = URL_SAFE_NO_PAD.decode_slice(text, &mut room) else { return false };
    let header = &room[..length];
    header.starts_with(b"{") && NAMES.iter().any(|name| name.find(header).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_that_decode_count() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let mut found = Vec::new();
        find(format!("t={token}. eyJhYmMiOjF9.a.b eyJ eyJhbGciOiJIUzI1NiJ9").as_bytes(), 0, &mut found);
        assert_eq!(found, vec![2..2 + token.len()]);
    }
}
