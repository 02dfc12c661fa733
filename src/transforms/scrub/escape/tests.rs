use super::hides;

fn hides_at(raw: &str) -> bool {
    hides(raw.as_bytes(), |byte| byte == b'@')
}

#[test]
fn only_the_wanted_byte_counts() {
    for raw in [r"a\u0040b", r"\\\u0040", r"\u043f\u0040", r"\n\u0040"] {
        assert!(hides_at(raw), "{raw}");
    }
    for raw in ["", "a@b", r"\n\t\/\\", r"\\u0040", r"\u0041", r"\u0440", r"\u4000", r"\ud83d\ude00"] {
        assert!(!hides_at(raw), "{raw}");
    }
}

#[test]
fn hexadecimal_digits_come_in_both_cases() {
    assert!(hides(br"\u004A", |byte| byte == b'J'));
    assert!(hides(br"\u004a", |byte| byte == b'J'));
}

#[test]
fn a_broken_escape_is_a_hit() {
    for raw in [r"\", r"\u", r"\u00", r"\u00g0", r"abc\u004"] {
        assert!(hides_at(raw), "{raw}");
    }
}
