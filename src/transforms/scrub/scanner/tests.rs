use std::{fmt::Write, ops::Range, sync::LazyLock};

use proptest::prelude::*;

use super::{Found, Match, Near, Scanner, Signals, Signs, fold, gate, numbers, unite};
use crate::transforms::scrub::{Detector, Kind, Pattern, Profile, Replacement, Shape};

fn pattern(expression: &str) -> Detector {
    Detector::Pattern(Pattern::new(expression).expect("a valid pattern"))
}

fn all() -> Scanner {
    Scanner::new(vec![
        Detector::Known(Kind::Email),
        Detector::Known(Kind::PaymentCard),
        Detector::Known(Kind::BearerToken),
        pattern("vch-[0-9]+"),
    ])
}

fn covered(scanner: &Scanner, text: &str) -> String {
    let mut found = Found::default();
    let (mut out, mut last) = (Vec::new(), 0);
    for Match { span, shape, .. } in scanner.scan(text.as_bytes(), &mut found) {
        out.extend_from_slice(&text.as_bytes()[last..span.start]);
        Replacement::Mask.write(*shape, &text.as_bytes()[span.clone()], &mut out);
        last = span.end;
    }
    out.extend_from_slice(&text.as_bytes()[last..]);
    String::from_utf8(out).expect("valid UTF-8")
}

/// The same text as the content of a JSON string, with the characters that `picks` names spelled `\uXXXX`.
fn escaped(text: &str, picks: u64) -> String {
    let mut raw = String::new();
    for (place, character) in text.chars().enumerate() {
        match character {
            '"' | '\\' | '/' => raw.extend(['\\', character]),
            '\n' => raw.push_str("\\n"),
            character if picks >> (place % 64) & 1 == 0 && !character.is_control() => raw.push(character),
            character => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(raw, "\\u{unit:04x}").expect("a string takes all");
                }
            }
        }
    }
    raw
}

#[test]
fn all_detectors_cover_their_part() {
    let text = "vch-77 for a.b@c.de, card 4111 1111 1111 1111, Authorization: Bearer abc123";
    let mut found = Found::default();
    let detectors: Vec<usize> = all().scan(text.as_bytes(), &mut found).iter().map(|found| found.detector).collect();
    assert_eq!(detectors, [3, 0, 1, 2]);
    assert_eq!(covered(&all(), text), "*** for ***@c.de, card **** **** **** 1111, Authorization: Bearer ***");
}

#[test]
fn overlaps_are_joined_and_keep_nothing() {
    let scanner = Scanner::new(vec![Detector::Known(Kind::Email), pattern("@corp[.a-z]+ id")]);
    let mut found = Found::default();
    let matches = scanner.scan(b"to a@corp.de id, b@c.de", &mut found);
    assert_eq!(matches[0], Match { span: 3..15, detector: 0, shape: Shape::Opaque });
    assert_eq!(matches[1], Match { span: 17..23, detector: 0, shape: Shape::Email });
    assert_eq!(matches.len(), 2);
    let twice = Scanner::new(vec![pattern("[a-z]+@c.de"), Detector::Known(Kind::Email)]);
    let same = Match { span: 0..6, detector: 0, shape: Shape::Opaque };
    assert_eq!(twice.scan(b"b@c.de", &mut found), [same]);
}

#[test]
fn a_name_that_reads_as_a_domain_is_not_kept() {
    assert_eq!(covered(&all(), "1@b.com.ivan@c.de"), "***@c.de");
    assert_eq!(covered(&all(), "a@b.com1@c.de"), "***@b.com***@c.de");
}

#[test]
fn characters_that_nobody_sees_hide_nothing() {
    let open = Scanner::new(Profile::Default.detectors().iter().map(|kind| Detector::Known(*kind)).collect());
    let simple = Scanner::new(all().detectors()[..3].to_vec());
    for (text, expected) in [
        ("to ann.l\u{AD}ee\u{FF20}exam\u{AD}ple.com now", "to *** now"),
        ("to ann.l&shy;ee&#64;exam&#xAD;ple.com now", "to *** now"),
        ("card 41\u{AD}11 1111\u{A0}1111 1111.", "card ***."),
        ("card ４１１１１１１１１１１１１１１１ x", "card *** x"),
        // Without the character that nobody sees this is no card.
        ("4111111111111111\u{200B}5", "************1111\u{200B}5"),
    ] {
        for scanner in [&open, &simple] {
            assert_eq!(covered(scanner, text), expected, "{text}");
        }
    }
}

#[test]
fn a_later_text_forgets_the_former() {
    let mut found = Found::default();
    assert_eq!(all().scan(b"a@b.com", &mut found).len(), 1);
    assert!(all().scan(b"nothing", &mut found).is_empty());
    let (built_in, mut idle) = (Scanner::new(all().detectors()[..3].to_vec()), Found::default());
    assert!(built_in.scan(b"nothing at all to be found in 2026-11-20 10:00:00", &mut idle).is_empty());
    assert_eq!((idle.matches.capacity(), idle.spans.capacity()), (0, 0), "a text without a match allocates nothing");
    assert!(Scanner::default().scan(b"a@b.com", &mut found).is_empty());
}

#[test]
fn behind_each_escape_the_raw_gate_opens() {
    for (detector, before, inside) in [
        (Detector::Known(Kind::Email), "x", "a@b.com"),
        (Detector::Known(Kind::PaymentCard), "x", "4111-1111 1111-1111"),
        (Detector::Known(Kind::BearerToken), "x", "Bearer abc"),
        (Detector::Known(Kind::BearerToken), "x", "eyJa.eyJb.c"),
    ] {
        for escape in [r"\n", r"\t", r"\/", r#"\""#, r"\u0020", r"\ud83d\ude00"] {
            for picks in [0, u64::MAX, 1, 2, 4, 8, 16, 32] {
                let raw = format!("{before}{escape}{}", escaped(inside, picks));
                assert!(detector.raw_gate(raw.as_bytes()), "{raw}");
            }
        }
    }
}

#[test]
fn escapes_alone_do_not_open_the_gate() {
    let scanner = Scanner::new(vec![
        Detector::Known(Kind::Email),
        Detector::Known(Kind::PaymentCard),
        Detector::Known(Kind::BearerToken),
    ]);
    for raw in [
        r"line one\n\tline two",
        r#"a \"3ds\" challenge"#,
        r"\u0437\u0430\u043a\u0430\u0437 \u2116 7",
        r"C:\\users\\u0040",
    ] {
        assert!(!scanner.raw_gate(raw.as_bytes()), "{raw}");
    }
}

const CANDIDATES: &str = "([ab @.\"\\\\/\n-]|[a1я]@b\\.co|4111[ -]?1111[ -]?1111[ -]?1111|[Bb]earer [a1]{1,3}|eyJ[a.]{1,6}|vch-[0-9]{1,3}|\\PC){0,10}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn matches_are_the_union_of_what_each_detector_finds(text in CANDIDATES) {
        prop_assume!(!fold::is_needed(text.as_bytes()));
        let (scanner, mut found) = (all(), Found::default());
        let matches = scanner.scan(text.as_bytes(), &mut found);
        let mut parts: Vec<Range<usize>> = Vec::new();
        for detector in scanner.detectors() {
            let first = parts.len();
            detector.find(text.as_bytes(), &mut parts);
            prop_assert!(parts[first..].windows(2).all(|pair| pair[0].end <= pair[1].start));
            prop_assert!(parts.len() == first || detector.gate(text.as_bytes()));
        }
        for byte in 0..text.len() {
            let expected = parts.iter().any(|part| part.contains(&byte));
            prop_assert_eq!(matches.iter().any(|found| found.span.contains(&byte)), expected);
        }
        prop_assert!(matches.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
        prop_assert!(parts.iter().all(|part| matches.iter().any(|found| found.span.start <= part.start && part.end <= found.span.end)));
    }

    #[test]
    fn the_raw_gate_opens_for_every_spelling(text in CANDIDATES, picks in any::<u64>()) {
        let raw = escaped(&text, picks);
        for detector in all().detectors() {
            prop_assert!(!detector.gate(text.as_bytes()) || detector.raw_gate(raw.as_bytes()), "{} {raw}", detector.name());
        }
    }

    #[test]
    fn no_mask_is_a_match(text in CANDIDATES) {
        let (scanner, mut found, mut again) = (all(), Found::default(), Found::default());
        for Match { span, shape, .. } in scanner.scan(text.as_bytes(), &mut found) {
            let mut mask = Vec::new();
            Replacement::Mask.write(*shape, &text.as_bytes()[span.clone()], &mut mask);
            prop_assert!(scanner.scan(&mask, &mut again).is_empty(), "{:?}", mask);
        }
    }

    #[test]
    fn a_text_with_masked_addresses_has_none_left(text in CANDIDATES) {
        let scanner = Scanner::new(vec![Detector::Known(Kind::Email)]);
        let masked = covered(&scanner, &text);
        prop_assert_eq!(covered(&scanner, &masked), masked);
    }
}

/// Pieces of which what is found, what almost is, and what stands around are made.
const PARTS: &str = concat!(
    "([ab@.\"'\\\\/:=,; \n-]|[a1я]@b\\.co|4111[ -]?1111[ -]?1111[ -]?1111|(5[0-9]{7}|[0-9a-f]{8})-([0-9a-f]{4}-){3}[0-9]{12}",
    "|[0-9a-f]{1,9}|[0-9]{1,13}|[A-F]|2026-11-21[ T]13:08|\\+|%2[bB]|\\(|8 ?916 ?1234567|DE89 ?3704 ?0044 ?0532 ?0130 ?00",
    "|123-45-6789|[Bb]earer |basic YTpi|eyJhbGciOiJIUzI1NiJ9\\.e|-----BEGIN A KEY-----|AKIAIOSFODNN7EXAMPLE|AKIA|sk_live_",
    "|[A-Z0-9]{16}|://u:p@|(PG|db)?_?(PASSWORD|[Pp]ass|tOken|Пароль|code|x)|[?&]|--|\u{AD}|\u{FF20}|&shy;|&#64;|;|inn|инн|phone)",
);

/// The profiles all of whose detectors have a signal.
static GATED: LazyLock<Vec<(Profile, Scanner)>> = LazyLock::new(|| {
    let scanner = |profile: Profile| Scanner::new(profile.detectors().iter().copied().map(Detector::Known).collect());
    [Profile::Default, Profile::Ru, Profile::Secrets].map(|profile| (profile, scanner(profile))).into()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_gate_turns_nothing_away(parts in prop::collection::vec(PARTS, 0..24)) {
        let text = parts.concat();
        for (profile, scanner) in &*GATED {
            let (mut found, mut all) = (Found::default(), Found::default());
            scanner.scan(text.as_bytes(), &mut found);
            let signals = if fold::is_needed(text.as_bytes()) { Signals::MAX } else { Signals::MAX & !gate::ODD };
            scanner.look_with(&Signs::everywhere(signals), (text.as_bytes(), &Near::default()), &mut all);
            unite(&mut all.matches, scanner.detectors());
            prop_assert_eq!(&found.matches, &all.matches, "{}", profile.name());
            let mut from = 0;
            while let Some(run) = numbers::next_run(text.as_bytes(), from) {
                from = run.span.end;
                let first = all.matches.len();
                if run.is_idle(text.as_bytes()) {
                    scanner.ask((text.as_bytes(), &Near::default()), &run, &mut all);
                    prop_assert_eq!(all.matches.len(), first, "a run of no interest has a match: {}", text);
                }
            }
            let raw = format!("{{\"a\" :[\"{}\"]}}", text.replace(['"', '\\', '\n'], "~"));
            let inside = &raw[7..raw.len() - 3];
            if scanner.next_sign(raw.as_bytes(), 0).is_none() {
                prop_assert!(scanner.scan(inside.as_bytes(), &mut found).is_empty(), "{raw}");
            }
        }
    }

    #[test]
    fn no_string_without_a_sign_has_a_match(texts in prop::collection::vec(prop::collection::vec(PARTS, 0..8), 1..6)) {
        let (mut raw, mut strings) = (String::from("{\"a\":["), Vec::new());
        for text in texts {
            let text = text.concat().replace(['"', '\\', '\n'], "~");
            raw.push('"');
            strings.push(raw.len()..raw.len() + text.len());
            raw += &text;
            raw += if text.len() % 2 == 0 { "\"," } else { "\", {\"b\": 1.5, \"c\":\"x\"}, " };
        }
        raw += "0]}";
        for (_, scanner) in &*GATED {
            let mut found = Found::default();
            let (mut from, mut left) = (0, strings.as_slice());
            loop {
                let sign = scanner.next_sign(raw.as_bytes(), from);
                while let [string, rest @ ..] = left && sign.is_none_or(|sign| string.end <= sign) {
                    prop_assert!(scanner.scan(&raw.as_bytes()[string.clone()], &mut found).is_empty(), "{raw}");
                    left = rest;
                }
                let [string, rest @ ..] = left else { break };
                (from, left) = (string.end, rest);
            }
        }
    }
}
