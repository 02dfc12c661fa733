use std::{ops::Range, sync::LazyLock};

use proptest::prelude::*;
use regex::bytes::Regex;

use super::{find, gate, has_issuer, passes_luhn};

fn words(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    find(text.as_bytes(), &mut found);
    found.into_iter().map(|span| &text[span]).collect()
}

#[test]
fn cards_are_found_in_their_groupings() {
    for number in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 1111-1111 1111",
        "5555555555554444",
        "2223003122003222",
        "2200000000000004",
        "2204 0000 0000 0000",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "3056 930902 5904",
        "6011111111111117",
        "3530111333300000",
        "4222222222222",
        "4222 222 222 222",
        "6304000000000000",
        "62000000 00000000000",
        "6200000000000000000",
    ] {
        for text in [
            number.to_owned(),
            format!("card {number}, exp 12/29"),
            format!("card{number}"),
            format!("PAN={number}."),
            format!("pan_{number};"),
            format!("карта {number}—оплата"),
            format!("7 {number} 12"),
            format!("2026-11-20 10:00 {number}"),
        ] {
            assert_eq!(words(&text), [number], "{text}");
        }
    }
}

#[test]
fn near_misses_are_left() {
    for text in [
        "",
        "4",
        "411111111111",
        "4111111111111112",
        "4111 1111 1111 1112",
        "4111  1111 1111 1111",
        "41111 11111 11111 1",
        "4111.1111.1111.1111",
        "14111111111111111",
        "41111111111111110000003",
        "4444444444444444",
        "0000000000000000",
        "0.4111111111111111",
        "4111111111111111.25",
        "1700000000004",
        "1763618400123",
        "1763618400123456780",
        "20261120101112",
        "2026-11-20 10:00:00.123456",
        "+7 916 123-45-67",
        "order 7000000000000005",
        "f4111111111111111a",
        "0x4111111111111111",
        "9d4111111111111111",
        "550e8400-e29b-41d4-a716-446655440000",
        "12345678-1234-1234-1234-123456789012",
        "v1.2.3.4 build 20261120",
        "c71ae733de95d47d50296d61b9501d14",
        "10.20.30.40:8080",
        "2205000000000009",
    ] {
        assert!(words(text).is_empty(), "{text}: {:?}", words(text));
    }
}

#[test]
fn the_longest_number_wins_and_the_next_is_found() {
    assert_eq!(words("4111111111111111 5555555555554444"), ["4111111111111111", "5555555555554444"]);
    assert_eq!(words("4111 1111 1111 1111 5555 5555 5555 4444"), ["4111 1111 1111 1111", "5555 5555 5555 4444"]);
}

#[test]
fn no_short_run_before_a_card_hides_it() {
    for shift in 0..40 {
        let text = format!("{}7x4222222222222", "x".repeat(shift));
        assert_eq!(words(&text), ["4222222222222"], "{text}");
    }
}

#[test]
fn every_single_wrong_digit_breaks_luhn() {
    let card = [4u8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
    for place in 0..card.len() {
        for add in 1..10 {
            let mut wrong = card;
            wrong[place] = (wrong[place] + add) % 10;
            assert!(!passes_luhn(&wrong), "{wrong:?}");
        }
    }
}

#[test]
fn prefixes_end_where_they_should() {
    for (prefix, length, known) in [
        ("2199", 16, false),
        ("2200", 16, true),
        ("2204", 19, true),
        ("2205", 16, false),
        ("222099", 16, false),
        ("2221", 16, true),
        ("272099", 16, true),
        ("2721", 16, false),
        ("34", 15, true),
        ("34", 16, false),
        ("4", 13, true),
        ("55", 16, true),
        ("55", 15, false),
        ("1", 16, false),
        ("7", 16, false),
        ("0", 16, false),
    ] {
        let mut digits: Vec<u8> = prefix.bytes().map(|byte| byte - b'0').collect();
        digits.resize(length, 0);
        assert_eq!(has_issuer(&digits), known, "{prefix} {length}");
    }
}

#[test]
fn long_texts_of_candidates_take_linear_time() {
    for text in
        ["4".repeat(1 << 20), "4 ".repeat(1 << 19), "a4111111111111111".repeat(1 << 15), "4111 ".repeat(1 << 17)]
    {
        let mut found = Vec::new();
        find(text.as_bytes(), &mut found);
        assert!(found.len() <= text.len() / 13);
    }
}

/// Tries each start and each end, longest first.
fn brute_force(text: &[u8]) -> Vec<Range<usize>> {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
        r"(?-u)^(?:\d{13,19}|\d{4}(?:[ -]\d{4}){2}[ -]\d{1,4}|\d{4}(?:[ -]\d{4}){3}[ -]\d{1,3}|\d{4}[ -]\d{6}[ -]\d{4,5}",
        r"|\d{4}(?:[ -]\d{3}){3}|\d{4}[ -]\d{4}[ -]\d{5}|\d{4}[ -]\d{5}[ -]\d{6}|\d{6}[ -]\d{13}|\d{8}[ -]\d{8,11})$"
    ))
    .expect("a valid expression")
    });
    static LEFT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)(?:\d|\d\.|0[xX])$").expect("a valid expression"));
    static RIGHT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)^(?:\d|\.\d)").expect("a valid expression"));
    let mut found = Vec::new();
    let mut start = 0;
    'starts: while start < text.len() {
        for end in (start + 1..=text.len().min(start + 23)).rev() {
            let digits: Vec<u8> =
                text[start..end].iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
            let alike = digits.windows(2).all(|pair| pair[0] == pair[1]);
            let luhn = digits.iter().rev().enumerate().fold(0, |sum, (place, &digit)| {
                let double = u32::from(digit) * (1 + place as u32 % 2);
                sum + double / 10 + double % 10
            });
            let word_start =
                text[..start].iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
            let word_end =
                text[end..].iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(text.len(), |at| end + at);
            let around = [&text[word_start..start], &text[end..word_end]].concat();
            let hex = !around.is_empty() && around.iter().all(u8::is_ascii_hexdigit);
            if SHAPE.is_match(&text[start..end])
                && !LEFT.is_match(&text[..start])
                && !RIGHT.is_match(&text[end..])
                && !alike
                && !hex
                && luhn % 10 == 0
                && has_issuer(&digits)
            {
                found.push(start..end);
                start = end;
                continue 'starts;
            }
        }
        start += 1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn spans_equal_brute_force(text in "[ -.a0x]{0,3}(4111|1111 ?|[0-9]{1,6}|[ -]|4111111111111111|5555[ -]5555[ -]5555[ -]4444|3782[ -]822463[ -]10005|[a-gx.]|0\\.){0,9}") {
        let mut found = Vec::new();
        find(text.as_bytes(), &mut found);
        prop_assert_eq!(&found, &brute_force(text.as_bytes()));
        prop_assert!(found.is_empty() || gate(text.as_bytes()));
    }

    #[test]
    fn any_bytes_equal_brute_force(text in prop::collection::vec(prop_oneof![4 => b'0'..=b'9', 1 => any::<u8>()], 0..60)) {
        let mut found = Vec::new();
        find(&text, &mut found);
        prop_assert_eq!(found, brute_force(&text));
    }

    #[test]
    fn the_gate_opens_for_thirteen_digits_in_a_run(before in "[a-z ]{0,30}", run in "[0-9]([ -]?[0-9]){12}", after in "[a-z ]{0,30}") {
        let text = format!("{before}{run}{after}");
        prop_assert!(gate(text.as_bytes()));
    }
}
