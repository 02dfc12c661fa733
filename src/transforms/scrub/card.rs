//! Payment card numbers: 13 to 19 digits in one block or in the groups that cards are printed and typed in, with
//! an issuer's prefix of a fitting length and the Luhn check digit (ISO/IEC 7812-1).
//!
//! A tenth of all digit strings pass Luhn, so the rest of the rules keep ids, times and hashes apart: no digit
//! adjoins the number, it is no part of a decimal fraction or of a hexadecimal word, not all its digits are equal.

use std::ops::Range;

use super::numbers::leading_digits;

/// Digits of the shortest number.
pub(super) const FEWEST: usize = 13;
const MOST: usize = 19;
const MOST_GROUPS: usize = 5;
/// How far to look around a number for the word it stands in; bounds the work per candidate.
const WORD_REACH: usize = 64;

/// Prefixes, filled up to six digits, and the lengths their issuers use. Prefixes of `1` (airlines) are left out:
/// Unix times in milliseconds begin with it.
#[rustfmt::skip]
const ISSUERS: [(Range<u32>, Range<usize>); 18] = [
    (220_000..220_500, 16..20), // Mir
    (222_100..272_100, 16..17), // Mastercard
    (300_000..306_000, 14..20), // Diners Club
    (309_500..309_600, 14..20), // Diners Club
    (340_000..350_000, 15..16), // American Express
    (352_800..359_000, 16..20), // JCB
    (360_000..370_000, 14..20), // Diners Club
    (370_000..380_000, 15..16), // American Express
    (380_000..400_000, 14..20), // Diners Club
    (400_000..500_000, 13..20), // Visa: 13, 16, 19 and private schemes under its prefix
    (500_000..510_000, 13..20), // Maestro, RuPay, Verve, Elo
    (510_000..560_000, 16..17), // Mastercard
    (560_000..590_000, 13..20), // Maestro
    (600_000..700_000, 13..20), // Maestro, Discover, UnionPay, RuPay, Troy
    (810_000..830_000, 16..20), // UnionPay, RuPay
    (860_000..860_100, 16..17), // Uzcard
    (911_200..911_300, 16..17), // Belkart
    (979_200..986_100, 16..17), // Troy, Humo
];

/// Whether `text` has digits enough, close enough to each other.
pub fn gate(text: &[u8]) -> bool {
    next_run(text, 0).is_some()
}

/// Whether a match may need this byte: an escape that stands for one opens the gate.
pub fn is_part(byte: u8) -> bool {
    byte.is_ascii_digit() || is_separator(byte)
}

/// Appends the spans of all card numbers in `text`, from first to last digit, in order and without overlap.
pub fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    find_within(text, 0..text.len(), found);
}

/// The same for the part `within` of `text`, where a run of digits has been seen.
pub(super) fn find_within(text: &[u8], within: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut from = within.start;
    while let Some(run) = next_run(&text[..within.end], from) {
        let mut start = run.start;
        while start < run.end {
            start = match longest_card(text, start..run.end) {
                Some(end) => {
                    found.push(start..end);
                    end + 1
                }
                None => start + leading_digits(&text[start..run.end]) + 1,
            };
        }
        from = run.end;
    }
}

/// The next run of single digits and single separators between digits that holds at least `FEWEST` digits.
///
/// Such a run covers 13 bytes or more and every pair of neighbours in it holds a digit, so a look at one pair in
/// twelve meets it.
fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut probe = from + FEWEST - 2;
    while probe + 1 < text.len() {
        let anchor = probe + usize::from(!text[probe].is_ascii_digit());
        if !text[anchor].is_ascii_digit() {
            probe += FEWEST - 1;
            continue;
        }
        let start = run_start(text, from, anchor);
        let (end, digits) = run_end(text, start);
        if digits >= FEWEST {
            return Some(start..end);
        }
        probe = end + FEWEST - 1;
    }
    None
}

fn run_start(text: &[u8], from: usize, anchor: usize) -> usize {
    let mut start = anchor;
    loop {
        match text[from..start] {
            [.., last] if last.is_ascii_digit() => start -= 1,
            [.., digit, last] if is_separator(last) && digit.is_ascii_digit() => start -= 2,
            _ => return start,
        }
    }
}

/// The end of the run that begins at `start`, and how many digits it has.
fn run_end(text: &[u8], start: usize) -> (usize, usize) {
    let (mut end, mut digits) = (start, 0);
    loop {
        match text[end..] {
            [first, ..] if first.is_ascii_digit() => end += 1,
            [first, digit, ..] if is_separator(first) && digit.is_ascii_digit() => end += 2,
            _ => return (end, digits),
        }
        digits += 1;
    }
}

/// The end of the longest card number that begins with the group at `run.start`.
fn longest_card(text: &[u8], run: Range<usize>) -> Option<usize> {
    let mut digits = [0; MOST];
    let mut groups = [0; MOST_GROUPS];
    let (mut taken, mut end, mut longest) = (0, run.start, None);
    for group in 0..MOST_GROUPS {
        // One digit more than a card can have is enough to know that it is none.
        let length = leading_digits(&text[end..run.end.min(end + MOST + 1)]);
        if length == 0 || taken + length > MOST {
            break;
        }
        for (digit, byte) in digits[taken..].iter_mut().zip(&text[end..end + length]) {
            *digit = byte - b'0';
        }
        taken += length;
        end += length;
        groups[group] = length;
        if is_grouping(&groups[..=group]) && is_number(&digits[..taken]) && stands_alone(text, run.start..end) {
            longest = Some(end);
        }
        end = run.end.min(end + 1);
    }
    longest
}

/// How card numbers are printed and typed.
fn is_grouping(groups: &[usize]) -> bool {
    matches!(
        groups,
        [FEWEST..=MOST]
            | [4, 4, 4, 1..=4]
            | [4, 4, 4, 4, 1..=3]
            | [4, 6, 4 | 5]
            | [4, 3, 3, 3]
            | [4, 4, 5]
            | [4, 5, 6]
            | [6, 13]
            | [8, 8..=11]
    )
}

fn is_number(digits: &[u8]) -> bool {
    passes_luhn(digits) && has_issuer(digits) && digits.iter().any(|&digit| digit != digits[0])
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, digit) {
            (0, digit) => u32::from(digit),
            (_, 0..=4) => u32::from(digit * 2),
            (_, digit) => u32::from(digit * 2 - 9),
        })
        .sum();
    sum.is_multiple_of(10)
}

fn has_issuer(digits: &[u8]) -> bool {
    let prefix = digits[..6].iter().fold(0, |prefix, &digit| prefix * 10 + u32::from(digit));
    ISSUERS.iter().any(|(prefixes, lengths)| prefixes.contains(&prefix) && lengths.contains(&digits.len()))
}

/// Whether the number is no part of a decimal fraction or a hexadecimal word. A name that adjoins it
/// (`card4111...`) does not hide it.
pub(super) fn stands_alone(text: &[u8], number: Range<usize>) -> bool {
    let (before, after) = (&text[..number.start], &text[number.end..]);
    let fraction = matches!(before, [.., digit, b'.'] if digit.is_ascii_digit())
        || matches!(after, [b'.', digit, ..] if digit.is_ascii_digit());
    if fraction || matches!(before, [.., b'0', b'x' | b'X']) {
        return false;
    }
    let word = |byte: &&u8| byte.is_ascii_alphanumeric();
    let mut neighbours = before
        .iter()
        .rev()
        .take(WORD_REACH)
        .take_while(word)
        .chain(after.iter().take(WORD_REACH).take_while(word))
        .peekable();
    neighbours.peek().is_none() || neighbours.any(|byte| !byte.is_ascii_hexdigit())
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-')
}

#[cfg(test)]
mod tests;
