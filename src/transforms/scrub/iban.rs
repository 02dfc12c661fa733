//! International bank account numbers (ISO 13616): a country that issues them, its length, mod 97.
//!
//! In one block or in groups of four. One that has no nine digits close to each other is not found; account numbers
//! made of letters are rare. Small letters are not taken.

use std::ops::Range;

use super::numbers::Run;

/// Countries of the IBAN registry and the length of their numbers.
#[rustfmt::skip]
const COUNTRIES: [(&[u8; 2], usize); 87] = [
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22), (b"BH", 22),
    (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27),
    (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27),
    (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HN", 28), (b"HR", 21), (b"HU", 28),
    (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28),
    (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22),
    (b"MK", 19), (b"MN", 20), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23),
    (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SO", 23), (b"ST", 25), (b"SV", 28),
    (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24),
];

/// How far before its digits a number can begin: of the longest, all but the nine digits, with a blank each four.
const REACH: usize = 32;

/// Looks for numbers of which `run` is a part.
pub(super) fn at_run(text: &[u8], run: &Run, found: &mut Vec<Range<usize>>) {
    let floor = found.last().map_or(0, |last| last.end);
    let reach = run.span.start.saturating_sub(REACH).max(floor);
    let is_part = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b' ';
    let mut at = run.span.start - text[reach..run.span.start].iter().rev().take_while(is_part).count();
    while at < run.span.start {
        match number_at(text, at) {
            Some(end) => {
                found.push(at..end);
                return;
            }
            None => at += 1,
        }
    }
}

/// Has the run the form of a number with nothing but digits behind its country? It is one with a slip, and no card.
pub(super) fn is_form(text: &[u8], run: &Run) -> bool {
    let Some(&country) = text[..run.span.start].last_chunk() else { return false };
    country.iter().all(u8::is_ascii_uppercase) && length_in(country) == Some(run.digits + 2)
}

/// How long the numbers of a country are.
fn length_in(country: [u8; 2]) -> Option<usize> {
    let place = COUNTRIES.binary_search_by_key(&country, |(known, _)| **known).ok()?;
    Some(COUNTRIES[place].1)
}

/// The end of the number that begins at `start`.
fn number_at(text: &[u8], start: usize) -> Option<usize> {
    let [first, second, check, digit, ..] = text[start..] else { return None };
    let begins = first.is_ascii_uppercase() && second.is_ascii_uppercase() && check.is_ascii_digit();
    if !begins || !digit.is_ascii_digit() || text[..start].last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let length = length_in([first, second])?;
    let (mut value, mut place, mut at) = ([0; 34], 0, start);
    while place < length {
        let byte = *text.get(at)?;
        at += 1;
        if byte.is_ascii_uppercase() || byte.is_ascii_digit() {
            value[place] = byte;
            place += 1;
        } else if !(byte == b' ' && place.is_multiple_of(4)) || text[at - 2] == b' ' {
            return None;
        }
    }
    let is_alone = !text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (is_alone && is_valid(&value[..length])).then_some(at)
}

/// ISO 7064: the first four characters moved to the end, letters as 10 to 35, the whole is 1 mod 97.
fn is_valid(value: &[u8]) -> bool {
    let moved = value[4..].iter().chain(&value[..4]);
    moved.fold(0_u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::scrub::numbers::in_runs;

    fn all(text: &str) -> Vec<&str> {
        in_runs(text, |run, found| at_run(text.as_bytes(), run, found))
    }

    #[test]
    fn each_country_is_found_by_its_letters() {
        assert!(COUNTRIES.is_sorted_by_key(|(country, _)| country));
    }

    #[test]
    fn accounts_of_the_registry_are_found() {
        for number in [
            "GB82 WEST 1234 5698 7654 32",
            "GB82WEST12345698765432",
            "DE89 3704 0044 0532 0130 00",
            "DE89370400440532013000",
            "NO9386011117947",
            "BE68 5390 0754 7034",
            "FR1420041010050500013M02606",
            "MT84MALT011000012345MTLCAST001S",
            "KZ86 125K ZT50 0410 0100",
        ] {
            for text in
                [number.to_owned(), format!("iban {number}, ok"), format!("({number})"), format!("12 {number} x")]
            {
                assert_eq!(all(&text), [number], "{text}");
            }
        }
        assert_eq!(all("NO9386011117947 BE68539007547034"), ["NO9386011117947", "BE68539007547034"]);
    }

    #[test]
    fn near_misses_are_left() {
        for text in [
            "GB82 WEST 1234 5698 7654 33",
            "DE88370400440532013000",
            "XX89370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "xDE89370400440532013000",
            "DE89  3704 0044 0532 0130 00",
            "de89370400440532013000",
        ] {
            assert!(all(text).is_empty(), "{text}");
        }
    }
}
