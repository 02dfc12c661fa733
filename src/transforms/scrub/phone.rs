//! Telephone numbers: behind a plus as E.164 has them, and the ways Russian ones are written.
//!
//! Behind a plus the country code decides how many digits there must be. Without it a Russian number has eleven
//! digits, the first `8` or `7`; in one block it must be a mobile one (`89…`, `79…`), or the word must stand near by,
//! since orders and accounts are numbered too. Any other number of 10 to 15 digits needs the word.

use std::ops::Range;

use super::keyword::{Near, is_near};
use super::numbers::{Number, Run, find_in, stands_alone};

const WORDS: &[&str] = &[
    "phone*",
    "telephone*",
    "tel",
    "mobile*",
    "msisdn",
    "cell",
    "whatsapp",
    "sms",
    "call",
    "caller",
    "телефон*",
    "тел",
    "моб",
    "мобильный",
    "звонок",
    "звонка",
    "смс",
];

/// Words that say that a number is something else.
const OTHER_WORDS: &[&str] = &[
    "order",
    "orders",
    "id",
    "ids",
    "invoice",
    "account",
    "transaction",
    "txn",
    "ticket",
    "offset",
    "size",
    "bytes",
    "заказ*",
    "счет*",
    "счёт*",
    "договор*",
    "накладн*",
];

/// Country codes with the fewest and most digits of a number, code included (ITU-T E.164 and national plans);
/// codes that are not listed have 9 to 15.
#[rustfmt::skip]
const PLANS: [(&str, usize, usize); 40] = [
    ("1", 11, 11), ("20", 11, 12), ("27", 11, 11), ("30", 12, 12), ("31", 11, 11), ("32", 10, 11), ("33", 11, 11),
    ("34", 11, 11), ("36", 10, 11), ("39", 10, 13), ("40", 11, 11), ("41", 11, 11), ("44", 12, 12), ("45", 10, 10),
    ("46", 10, 12), ("47", 10, 10), ("48", 11, 11), ("49", 10, 14), ("52", 12, 13), ("55", 12, 13), ("60", 10, 12),
    ("61", 11, 11), ("62", 11, 14), ("63", 12, 12), ("64", 10, 12), ("65", 10, 10), ("66", 10, 11), ("7", 11, 11),
    ("81", 11, 12), ("82", 11, 12), ("84", 11, 12), ("86", 12, 13), ("90", 12, 12), ("91", 12, 12), ("371", 11, 11),
    ("375", 12, 12), ("380", 12, 12), ("971", 11, 12), ("972", 11, 12), ("998", 12, 12),
];

/// Looks at the numbers that begin in `run`.
pub(super) fn at_run(text: &[u8], run: &Run, near: Near<'_>, found: &mut Vec<Range<usize>>) {
    find_in(run, text, found, |start| phone_at(text, start, run, near));
}

fn phone_at(text: &[u8], start: usize, run: &Run, near: Near<'_>) -> Option<Range<usize>> {
    if let Some(plus) = plus_before(text, start) {
        let number = Number::read(text, start, run.span.end);
        return international(&number).map(|end| plus..end);
    }
    if text[..start].ends_with(b"+") {
        return None;
    }
    if matches!(text[start], b'7' | b'8')
        && let Some(span) = russian(text, start, run, near)
    {
        return Some(span);
    }
    // `2026-11-21 13` is a date.
    let is_date = matches!(text[start..], [b'1' | b'2', b'9' | b'0', _, _, b'-', ..]);
    let is_whole = start == run.span.start && (10..=15).contains(&run.digits) && !is_date;
    (is_whole && stands_alone(text, &run.span) && is_near(text, &run.span, near, WORDS)).then(|| run.span.clone())
}

/// Where the plus before a number stands, also as `%2B`, with a parenthesis or not.
fn plus_before(text: &[u8], start: usize) -> Option<usize> {
    let before = text[..start].strip_suffix(b"(").unwrap_or(&text[..start]);
    match before {
        [.., digit, b'+'] if digit.is_ascii_digit() => None,
        [.., b'+'] => Some(before.len() - 1),
        [.., b'%', b'2', b'B' | b'b'] => Some(before.len() - 3),
        _ => None,
    }
}

/// The end of the longest number that the plan of its country allows.
fn international(number: &Number) -> Option<usize> {
    let groups = number.groups();
    if groups == 0 {
        return None;
    }
    let (fewest, most) = plan(number.digits(groups))?;
    (1..=groups)
        .rev()
        .find(|&group| (fewest..=most).contains(&number.digits(group).len()))
        .map(|group| number.end(group))
}

fn plan(digits: &[u8]) -> Option<(usize, usize)> {
    let begins =
        |code: &str| code.bytes().zip(digits).filter(|(code, digit)| code - b'0' == **digit).count() == code.len();
    match digits {
        // No country has such a code, no Russian number such an area; a North American area and exchange begin
        // with 2 to 9.
        [0, ..] | [7, 0..=2, ..] | [1, 0..=1, ..] | [1, _, _, _, 0..=1, ..] => None,
        _ => {
            let listed = PLANS.iter().find(|(code, ..)| begins(code));
            Some(listed.map_or((9, 15), |&(_, fewest, most)| (fewest, most)))
        }
    }
}

fn russian(text: &[u8], start: usize, run: &Run, near: Near<'_>) -> Option<Range<usize>> {
    let number = Number::read(text, start, run.span.end);
    let group = number.group_at(11)?;
    let span = start..number.end(group);
    if !matches!(number.digits(group)[1], 3..=9) || !stands_alone(text, &span) {
        return None;
    }
    let is_grouped = matches!(
        number.lengths()[..group],
        [1, 10]
            | [1, 3, 7]
            | [1, 3, 3, 4]
            | [1, 3, 3, 2, 2]
            | [1, 3, 2, 2, 3]
            | [1, 4, 6]
            | [1, 4, 2, 2, 2]
            | [1, 5, 5]
            | [4, 7]
            | [4, 3, 4]
            | [4, 3, 2, 2]
            | [1, 3, 2, 3, 2]
    );
    let is_mobile = group == 1 && number.digits(1)[1] == 9 && !near.is_number && !is_other(text, &span, near);
    (is_grouped || is_mobile || is_near(text, &span, near, WORDS)).then_some(span)
}

fn is_other(text: &[u8], span: &Range<usize>, near: Near<'_>) -> bool {
    let behind = text[..span.start].trim_ascii_end();
    behind.ends_with(b"#") || behind.ends_with("№".as_bytes()) || is_near(text, span, near, OTHER_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::scrub::numbers::in_runs;

    fn all(text: &str) -> Vec<&str> {
        in_runs(text, |run, found| at_run(text.as_bytes(), run, Near::default(), found))
    }

    #[test]
    fn numbers_are_found_in_their_spellings() {
        for number in [
            "+7 (916) 123-45-67",
            "+79161234567",
            "+7(916)1234567",
            "8 (916) 123-45-67",
            "8-916-123-45-67",
            "8 916 123 45 67",
            "89161234567",
            "79161234567",
            "8 (4012) 12-34-56",
            "+1 212 555 0123",
            "+44 20 7946 0958",
            "+49 30 901820",
            "+66 81 234 5678",
            "%2B79161234567",
        ] {
            for text in
                [number.to_owned(), format!("звонок с {number}, ждём"), format!("to={number};"), format!("({number})")]
            {
                assert_eq!(all(&text), [number], "{text}");
            }
        }
        assert_eq!(all("phone 212-555-0123"), ["212-555-0123"]);
    }

    #[test]
    fn other_numbers_are_left() {
        for text in [
            "+7 916 123-45-6",
            "+7 916 123-45-678",
            "+1 112 555 0123",
            "+0300 1234567",
            "order 89161234567",
            "заказ № 89161234567",
            "#79161234567",
            "4711 1234 5678",
            "212-555-0123",
            "2026-11-21 13:08:46",
            "1763618400123",
            "ORD-89161234567",
            "1+79161234567",
            "8 (016) 123-45-67",
            "84951234567",
        ] {
            assert!(all(text).is_empty(), "{text}: {:?}", all(text));
        }
    }
}
