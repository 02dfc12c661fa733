//! Identity numbers of states: SSN, and СНИЛС, ИНН, ОГРН, passports of Russia.
//!
//! Where the check is weak (a tenth of all numbers pass that of a ten-digit ИНН) or missing, the word must stand
//! near by or be the name of the member.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::detector::Kind;
use super::keyword::{Near, is_near};
use super::numbers::{Number, Run, find_in, leading_digits, stands_alone};

const SSN_WORDS: &[&str] = &["ssn", "social security", "social_security*", "socialsecurity*"];
const SNILS_WORDS: &[&str] = &["снилс*", "snils", "страхов*", "pension*", "пфр"];
const INN_WORDS: &[&str] = &["инн", "inn", "налогоплательщик*", "taxpayer*", "tax_id", "tax id", "кпп"];
const OGRN_WORDS: &[&str] = &["огрн", "огрнип", "ogrn", "ogrnip", "егрюл", "егрип"];
const PASSPORT_WORDS: &[&str] = &["паспорт*", "passport*", "серия", "серии", "series"];

/// Numbers that were printed in advertisements and are nobody's (Social Security Administration).
const ADVERTISED_SSN: [&[u8]; 3] = [b"078051120", b"219099999", b"457555462"];

/// Looks at the numbers of this `kind` that begin in `run`.
pub(super) fn at_run(kind: Kind, text: (&[u8], &Run), near: Near<'_>, found: &mut Vec<Range<usize>>) {
    let (text, run) = text;
    find_in(run, text, found, |start| {
        if !begins(kind, leading_digits(&text[start..run.span.end])) {
            return None;
        }
        let number = Number::read(text, start, run.span.end);
        let (group, words) = shape(kind, text, &number)?;
        let span = start..number.end(group);
        (stands_alone(text, &span) && words.is_none_or(|words| is_near(text, &span, near, words))).then_some(span)
    });
}

/// Does a number of this kind begin with a group of so many digits?
fn begins(kind: Kind, digits: usize) -> bool {
    matches!(
        (kind, digits),
        (Kind::Ssn, 3 | 9)
            | (Kind::Snils, 3 | 11)
            | (Kind::Inn, 10 | 12)
            | (Kind::Ogrn, 13 | 15)
            | (Kind::PassportRu, 2 | 4 | 10)
    )
}

/// The group that ends the number, and the words one of which must stand near by.
fn shape(kind: Kind, text: &[u8], number: &Number) -> Option<(usize, Option<&'static [&'static str]>)> {
    let lengths = number.lengths();
    let joint = |group: usize| text.get(number.end(group)).copied();
    let dashed = |groups: usize| (1..groups).all(|group| joint(group) == Some(b'-'));
    let (group, words) = match (kind, lengths) {
        (Kind::Ssn, [3, 2, 4, ..]) if dashed(3) => (3, None),
        (Kind::Ssn, [3, 2, 4, ..]) => (3, Some(SSN_WORDS)),
        (Kind::Ssn, [9, ..]) => (1, Some(SSN_WORDS)),
        (Kind::Snils, [3, 3, 3, 2, ..]) if dashed(3) => (4, None),
        (Kind::Snils, [3, 3, 3, 2, ..]) => (4, Some(SNILS_WORDS)),
        (Kind::Snils, [11, ..]) => (1, Some(SNILS_WORDS)),
        (Kind::Inn, [10 | 12, ..]) => (1, Some(INN_WORDS)),
        (Kind::Ogrn, [13 | 15, ..]) => (1, Some(OGRN_WORDS)),
        (Kind::PassportRu, [2, 2, 6, ..]) => (3, Some(PASSPORT_WORDS)),
        (Kind::PassportRu, [4, 6, ..]) => (2, Some(PASSPORT_WORDS)),
        (Kind::PassportRu, [10, ..]) => (1, Some(PASSPORT_WORDS)),
        _ => return None,
    };
    is_valid(kind, number.digits(group)).then_some((group, words))
}

fn is_valid(kind: Kind, digits: &[u8]) -> bool {
    match kind {
        Kind::Ssn => is_ssn(digits),
        Kind::Snils => is_snils(digits),
        Kind::Inn => is_inn(digits),
        Kind::Ogrn => is_ogrn(digits),
        _ => digits.iter().any(|&digit| digit != digits[0]),
    }
}

/// Area 001 to 899 without 666, group and serial not zero; never issued otherwise, before and after 2011.
fn is_ssn(digits: &[u8]) -> bool {
    let [area, group, serial] = [&digits[..3], &digits[3..5], &digits[5..]].map(value);
    let issued = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    issued && !ADVERTISED_SSN.iter().any(|known| known.iter().map(|byte| byte - b'0').eq(digits.iter().copied()))
}

fn value(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, &digit| value * 10 + u32::from(digit))
}

/// The check number is the sum of the digits by their place from the right, mod 101, where 100 stands for 00.
/// Numbers up to 001-001-998 have none and are not taken.
fn is_snils(digits: &[u8]) -> bool {
    let sum: u32 = digits[..9].iter().zip((1..=9).rev()).map(|(&digit, place)| u32::from(digit) * place).sum();
    value(&digits[..9]) > 1_001_998 && sum % 101 % 100 == value(&digits[9..])
}

fn is_inn(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    let check = |count: usize| {
        let weights = &WEIGHTS[WEIGHTS.len() - count..];
        let sum: u32 = digits.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum();
        sum % 11 % 10 == u32::from(digits[count])
    };
    let checked = if digits.len() == 10 { check(9) } else { check(10) && check(11) };
    checked && digits.iter().any(|&digit| digit != 0)
}

fn is_ogrn(digits: &[u8]) -> bool {
    let (last, body) = digits.split_last().expect("a group has a digit");
    let number = body.iter().fold(0_u64, |value, &digit| value * 10 + u64::from(digit));
    matches!(digits[0], 1 | 2 | 3 | 5) && number % (body.len() as u64 - 1) % 10 == u64::from(*last)
}

/// What stands between series and number.
static MARKS: LazyLock<[Finder<'static>; 5]> =
    LazyLock::new(|| ["№", "номер", "Номер", "НОМЕР", "number"].map(Finder::new));

/// Passports written with `№` or a word between series and number: `45 08 № 123456`, `серия 4508 номер 123456`.
pub(super) fn find_passports(text: &[u8], found: &mut Vec<Range<usize>>) {
    for mark in &*MARKS {
        for at in mark.find_iter(text) {
            if let Some(span) = passport_around(text, at, at + mark.needle().len()) {
                found.push(span);
            }
        }
    }
}

/// Two and two digits end before `mark`, six digits begin behind `end`.
fn passport_around(text: &[u8], mark: usize, end: usize) -> Option<Range<usize>> {
    let is_gap = |byte: &u8| matches!(byte, b' ' | b',' | b':');
    let series = mark - text[..mark].iter().rev().take(2).take_while(|byte| is_gap(byte)).count();
    let start = match text[..series] {
        [.., a, b, b' ', c, d] if [a, b, c, d].iter().all(u8::is_ascii_digit) => series - 5,
        [.., a, b, c, d] if [a, b, c, d].iter().all(u8::is_ascii_digit) => series - 4,
        _ => return None,
    };
    let first = end + text[end..].iter().take(2).take_while(|byte| is_gap(byte)).count();
    let six = text[first..].get(..6)?;
    let span = start..first + 6;
    (six.iter().all(u8::is_ascii_digit) && stands_alone(text, &span)).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::scrub::numbers::in_runs;

    fn all(kind: Kind, text: &str) -> Vec<&str> {
        let mut all = in_runs(text, |run, found| at_run(kind, (text.as_bytes(), run), Near::default(), found));
        let mut found = Vec::new();
        if kind == Kind::PassportRu {
            find_passports(text.as_bytes(), &mut found);
        }
        all.extend(found.into_iter().map(|span| &text[span]));
        all
    }

    #[test]
    fn what_has_been_issued_is_found() {
        for (kind, text, number) in [
            (Kind::Ssn, "ssn 123-45-6789.", "123-45-6789"),
            (Kind::Ssn, "x 123-45-6789 y", "123-45-6789"),
            (Kind::Ssn, "SSN: 123456789", "123456789"),
            (Kind::Snils, "112-233-445 95", "112-233-445 95"),
            (Kind::Snils, "112-233-445-95", "112-233-445-95"),
            (Kind::Snils, "СНИЛС 11223344595", "11223344595"),
            (Kind::Inn, "ИНН 7707083893", "7707083893"),
            (Kind::Inn, "inn=500100732259", "500100732259"),
            (Kind::Ogrn, "ОГРН 1027700132195", "1027700132195"),
            (Kind::PassportRu, "паспорт 45 08 123456", "45 08 123456"),
            (Kind::PassportRu, "паспорт 4508 123456", "4508 123456"),
            (Kind::PassportRu, "серия 4508 № 123456", "4508 № 123456"),
            (Kind::PassportRu, "серия 45 08 номер 123456", "45 08 номер 123456"),
        ] {
            assert_eq!(all(kind, text), [number], "{text}");
        }
    }

    #[test]
    fn near_misses_and_numbers_without_their_word_are_left() {
        for (kind, text) in [
            (Kind::Ssn, "000-45-6789 666-45-6789 900-45-6789 123-00-6789 123-45-0000 078-05-1120"),
            (Kind::Ssn, "order 123456789, 123 45 6789, 1123-45-6789, 123-45-6789-1"),
            (Kind::Snils, "112-233-445 96 11223344595"),
            (Kind::Inn, "7707083893 ИНН 7707083894 ИНН 500100732258"),
            (Kind::Ogrn, "1027700132195 ОГРН 1027700132196"),
            (Kind::PassportRu, "4508 123456 45 08 №12345 паспорт 1111111111"),
        ] {
            assert!(all(kind, text).is_empty(), "{text}");
        }
    }
}
