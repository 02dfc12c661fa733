use std::sync::LazyLock;

use proptest::prelude::*;
use regex::bytes::Regex;

use super::{find, gate};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn words(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    find(text.as_bytes(), 0, &mut found);
    found.into_iter().map(|span| &text[span]).collect()
}

#[test]
fn tokens_are_found_whole() {
    for (text, token) in [
        ("Authorization: Bearer abc.def-123_~+/==", "abc.def-123_~+/=="),
        ("authorization=bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM"),
        ("BEARER\tx", "x"),
        ("Bearer secret", "secret"),
        ("Bearer Authorized1", "Authorized1"),
        ("Bearer 17|laravelSanctum, next", "17|laravelSanctum"),
        ("Bearer: abc123.", "abc123"),
        ("Bearer%20abc123&x=1", "abc123"),
        ("Bearer+abc123", "abc123"),
        ("bearer token: 8f3a", "8f3a"),
        ("bearer token=8f3a", "8f3a"),
        ("bearer tokens8f3a", "tokens8f3a"),
        (r#"{"a":"Bearer \"abc\""}"#, "abc"),
        ("-H 'Authorization: Bearer abc'", "abc"),
        ("Bearer ключ1 ok", "ключ1"),
        ("x_bearer abc", "abc"),
    ] {
        assert_eq!(words(text), [token], "{text}");
    }
}

#[test]
fn plain_speech_and_other_words_are_left() {
    for text in [
        "",
        "bearer",
        "Bearer ",
        "Bearer",
        "bearer of bad news",
        "Bearer token expired",
        "bearer token.",
        "bearer authentication failed",
        r#"WWW-Authenticate: Bearer realm="example", error="invalid_token""#,
        "forbearer abc",
        "bearers abc",
        "bearerabc",
        "bearing 20 degrees",
        "the beach",
        "Basic dXNlcjpwYXNz",
        "eyJ",
        "eyJhbGciOiJIUzI1NiJ9",
        "keyJ.a",
        "eyJ.",
        "eyJa.b",
    ] {
        assert!(words(text).is_empty(), "{text}: {:?}", words(text));
    }
}

#[test]
fn json_web_tokens_are_found_wherever_they_stand() {
    let cut = &JWT[..40];
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.";
    for (text, token) in [
        (format!("session {JWT} ok"), JWT),
        (format!("?jwt={JWT}&next"), JWT),
        (format!("{JWT}."), JWT),
        (format!("cookie=s:{JWT};"), JWT),
        (format!("x{JWT}"), JWT),
        (format!("Bearer {JWT}"), JWT),
        (format!("cut {cut}"), cut),
        (format!("none {unsigned}"), unsigned.trim_end_matches('.')),
        ("jwe eyJh..iv.ct.tag end".to_owned(), "eyJh..iv.ct.tag"),
        ("pad eyJh.eyJi.c== end".to_owned(), "eyJh.eyJi.c=="),
    ] {
        assert_eq!(words(&text), [token], "{text}");
    }
}

#[test]
fn several_tokens_are_found_in_order() {
    let text = format!("{JWT} then Bearer abc and bearer {JWT}, bearer x");
    assert_eq!(words(&text), [JWT, "abc", JWT, "x"]);
}

#[test]
fn long_texts_of_candidates_take_linear_time() {
    for text in [
        "eyJ".repeat(1 << 18),
        "bearer=realm=".repeat(1 << 16),
        "bearer token=".repeat(1 << 16),
        "bearer ".repeat(1 << 17),
        "b".repeat(1 << 20),
        format!("bearer{}", " ".repeat(1 << 20)),
    ] {
        let mut found = Vec::new();
        find(text.as_bytes(), 0, &mut found);
        assert!(found.len() <= text.len() / 7);
    }
}

static OPENING: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?i-u:bea)|eyJ").expect("a valid expression"));
static COMPACT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+").expect("a valid expression"));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_gate_equals_its_expression(text in "([a-eyEBAJ]|bea|eyJ|[x-z ]{1,9}|\\PC){0,30}") {
        prop_assert_eq!(gate(text.as_bytes()), OPENING.is_match(text.as_bytes()));
    }

    #[test]
    fn what_the_standards_define_is_covered(text in "([ ,xb]|[Bb]earer |BEARER  |eyJ[a-zA-Z0-9_-]{0,9}|\\.|[A-Za-z0-9._~+/-]{1,9}=?|\"|\\PC){0,12}") {
        let mut found = Vec::new();
        find(text.as_bytes(), 0, &mut found);
        for token in COMPACT.find_iter(text.as_bytes()) {
            prop_assert!(token.range().all(|byte| found.iter().any(|span| span.contains(&byte))), "{text}");
        }
        for span in &found {
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end) && !span.is_empty());
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }

    #[test]
    fn a_token_behind_the_word_is_covered(before in "[ -~]{0,9}", word in "[Bb][Ee][Aa][Rr][Ee][Rr] {1,3}", token in "[A-Za-z0-9][A-Za-z0-9._~+/-]{0,19}[0-9]", after in "([ \",;][ -~]{0,9})?") {
        let text = format!("{before} {word}{token}{after}");
        let mut found = Vec::new();
        find(text.as_bytes(), 0, &mut found);
        let start = before.len() + 1 + word.len();
        let covered = (start..start + token.len()).all(|byte| found.iter().any(|span| span.contains(&byte)));
        prop_assert!(covered, "{text}: {found:?}");
    }

    #[test]
    fn any_bytes_are_searched(text in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut found = Vec::new();
        find(&[b"bearer \x80eyJ".as_slice(), &text].concat(), 0, &mut found);
        prop_assert!(!found.is_empty());
    }
}
