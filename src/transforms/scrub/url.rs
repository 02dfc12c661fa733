//! Credentials in URLs: `scheme://user:password@host` (RFC 3986, section 3.2.1). The span is `user:password`; a user
//! without a password stays, as in `ssh://git@host`.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

static BEGIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"://"));

/// Appends the spans of all credentials in `text`, in order and without overlap.
pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    if memchr(b'@', text).is_none() {
        return;
    }
    for at in BEGIN.find_iter(text) {
        let start = at + 3;
        let length = text[start..].iter().take_while(|&&byte| !ends_authority(byte)).count();
        let authority = &text[start..start + length];
        let Some(at) = authority.iter().rposition(|&byte| byte == b'@') else { continue };
        let colon = memchr(b':', &authority[..at]);
        if colon.is_some_and(|colon| colon + 1 < at) {
            found.push(start..start + at);
        }
    }
}

fn ends_authority(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b',' | b'\\') || byte <= b' '
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_and_the_host_stays() {
        for (text, part) in [
            ("postgres://app:s3cret@db.internal:5432/x", Some("app:s3cret")),
            ("redis://:pass@10.0.0.1", Some(":pass")),
            ("https://a:p@ss@h/x?y=1@2", Some("a:p@ss")),
            ("ssh://git@github.com", None),
            ("https://h:8080/a@b:c", None),
            ("https://user:@h", None),
            ("a:b@c", None),
        ] {
            let mut found = Vec::new();
            find(text.as_bytes(), &mut found);
            let words: Vec<&str> = found.into_iter().map(|span| &text[span]).collect();
            assert_eq!(words, part.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }
}
