//! Addresses: IPv4, IPv6, network cards.
//!
//! Left are loopback, unspecified and broadcast addresses, which tell of nobody, and what only looks like an address:
//! versions (`v1.2.3.4`, `Chrome/120.0.0.0`), times, paths of code (`a::b`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use memchr::{memchr_iter, memchr2_iter};

/// Bytes of the longest text of an IPv6 address.
const LONGEST_IPV6: usize = 45;
/// Bytes of the address of a network card.
const MAC: usize = 17;
/// How far before an address the word that makes it a version begins.
const VERSION_REACH: usize = 10;

/// Appends the spans of all IPv4 addresses in `text`, in order and without overlap.
pub(super) fn find_ipv4(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut floor = 0;
    for dot in memchr_iter(b'.', text) {
        if dot < floor {
            continue;
        }
        let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
        let start = dot - text[floor..dot].iter().rev().take_while(is_part).count();
        let end = dot + text[dot..].iter().take_while(is_part).count();
        floor = end;
        let span = start..end - text[start..end].iter().rev().take_while(|byte| **byte == b'.').count();
        if is_ipv4(&text[span.clone()]) && !is_version(text, &span) {
            found.push(span);
        }
    }
}

fn is_ipv4(text: &[u8]) -> bool {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<Ipv4Addr>().ok());
    parsed.is_some_and(|address| !address.is_loopback() && !address.is_unspecified() && !address.is_broadcast())
}

fn is_version(text: &[u8], span: &Range<usize>) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let glued = match text[..span.start] {
        [.., byte] if is_word(byte) => true,
        [.., byte, b'/' | b'-'] => is_word(byte),
        _ => false,
    };
    let goes_on = match text[span.end..] {
        [byte, ..] if is_word(byte) => true,
        [b'-' | b'+', byte, ..] => is_word(byte),
        _ => false,
    };
    let before = &text[span.start.saturating_sub(VERSION_REACH)..span.start];
    let before = before.trim_ascii_end().trim_suffix_of(b":=\"");
    let ends =
        |word: &[u8]| before.len() >= word.len() && before[before.len() - word.len()..].eq_ignore_ascii_case(word);
    glued || goes_on || [&b"version"[..], b" ver", b" ver.", b"release", b"build"].iter().any(|word| ends(word))
}

/// Takes marks off the end.
trait TrimSuffix {
    fn trim_suffix_of(&self, marks: &[u8]) -> &Self;
}

impl TrimSuffix for [u8] {
    fn trim_suffix_of(&self, marks: &[u8]) -> &Self {
        let kept = self.iter().rposition(|byte| !marks.contains(byte)).map_or(0, |last| last + 1);
        &self[..kept]
    }
}

/// Appends the spans of all IPv6 addresses in `text`, in order and without overlap.
pub(super) fn find_ipv6(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut floor = 0;
    for colon in memchr_iter(b':', text) {
        if colon < floor {
            continue;
        }
        let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(**byte, b':' | b'.');
        let start = colon - text[floor..colon].iter().rev().take_while(is_part).count();
        let end = colon + text[colon..].iter().take_while(is_part).count();
        floor = end;
        if let Some(length) = ipv6_length(&text[start..end])
            && !text[..start].last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            && !text[start + length..].first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            found.push(start..start + length);
        }
    }
}

/// The length of the address at the start of `text`, without the marks that end a sentence.
fn ipv6_length(text: &[u8]) -> Option<usize> {
    let whole = text.strip_suffix(b".").unwrap_or(text);
    let cut = if whole.ends_with(b"::") { whole } else { whole.strip_suffix(b":").unwrap_or(whole) };
    if cut.len() > LONGEST_IPV6 {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(cut).ok()?.parse().ok()?;
    let first = cut.iter().take_while(|byte| **byte != b':').count();
    // `a::b` is more often a path of code than an address; no address in use begins with fewer than three digits.
    let is_plain = cut.iter().any(u8::is_ascii_digit) && (first >= 3 || cut.starts_with(b"::ffff:"));
    (is_plain && !address.is_loopback() && !address.is_unspecified()).then_some(cut.len())
}

/// Appends the spans of all addresses of network cards in `text`, in order and without overlap.
pub(super) fn find_mac(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut floor = 0;
    for separator in memchr2_iter(b':', b'-', text) {
        let Some(start) = separator.checked_sub(2).filter(|start| *start >= floor) else { continue };
        if is_mac(text, start, text[separator]) {
            floor = start + MAC;
            found.push(start..floor);
        }
    }
}

fn is_mac(text: &[u8], start: usize, separator: u8) -> bool {
    let Some(address) = text.get(start..start + MAC) else { return false };
    let is_placed = |(place, byte): (usize, &u8)| {
        if place % 3 == 2 { *byte == separator } else { byte.is_ascii_hexdigit() }
    };
    let is_alone = |byte: Option<&u8>| !byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == separator);
    let digits = || address.iter().filter(|byte| byte.is_ascii_hexdigit());
    // All zeros is nobody, all ones is everybody.
    let is_any = digits().any(|byte| !byte.eq_ignore_ascii_case(&address[0]));
    address.iter().enumerate().all(is_placed)
        && is_alone(text[..start].last())
        && is_alone(text.get(start + MAC))
        && is_any
        // `20-11-26-10-11-12` is a date.
        && (separator == b':' || digits().any(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(find: fn(&[u8], &mut Vec<Range<usize>>), text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        find(text.as_bytes(), &mut found);
        found.into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn addresses_are_found() {
        for (text, address) in [
            ("from 203.0.113.7:443", "203.0.113.7"),
            ("net 10.1.2.0/24", "10.1.2.0"),
            ("http://192.168.0.1/x", "192.168.0.1"),
            ("at 8.8.8.8.", "8.8.8.8"),
            ("client=172.16.5.4,", "172.16.5.4"),
        ] {
            assert_eq!(all(find_ipv4, text), [address], "{text}");
        }
        for (text, address) in [
            ("from [2001:db8::1]:443", "2001:db8::1"),
            ("peer fe80::1ff:fe23:4567:890a%eth0", "fe80::1ff:fe23:4567:890a"),
            ("2001:0db8:85a3:0000:0000:8a2e:0370:7334.", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ] {
            assert_eq!(all(find_ipv6, text), [address], "{text}");
        }
        assert_eq!(
            all(find_mac, "if 00:1A:2b:3c:4D:5e, 00-1a-2b-3c-4d-5e"),
            ["00:1A:2b:3c:4D:5e", "00-1a-2b-3c-4d-5e"]
        );
    }

    #[test]
    fn what_only_looks_like_an_address_is_left() {
        for text in [
            "v1.2.3.4",
            "version 1.2.3.4",
            "version: 1.2.3.4",
            "Chrome/120.0.0.0",
            "1.2.3.4-beta",
            "1.2.3.4.5",
            "256.1.1.1",
            "127.0.0.1",
            "0.0.0.0",
            "01.2.3.4",
            "lib-1.2.3.4",
            "1.2.3",
        ] {
            assert!(all(find_ipv4, text).is_empty(), "{text}");
        }
        for text in ["12:30:45", "a::b", "Face::Add", "::1", "::", "std::vec", "00:1a:2b:3c:4d:5e", "1:2:3:4:5:6:7:8"] {
            assert!(all(find_ipv6, text).is_empty(), "{text}");
        }
        for text in [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "20-11-26-10-11-12",
            "00:1a:2b:3c:4d:5e:6f",
            "x00:1a:2b:3c:4d:5e",
            "00:1a-2b:3c:4d:5e",
        ] {
            assert!(all(find_mac, text).is_empty(), "{text}");
        }
    }
}
