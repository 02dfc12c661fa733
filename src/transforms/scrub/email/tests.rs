use std::{ops::Range, sync::LazyLock};

use proptest::prelude::*;
use regex::bytes::Regex;

use super::{find, gate};

fn spans(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    find(text, 0, &mut found);
    found
}

fn words(text: &str) -> Vec<&str> {
    spans(text.as_bytes()).into_iter().map(|span| &text[span]).collect()
}

static EXPRESSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}").expect("a valid expression"));

fn expected(text: &[u8]) -> Vec<Range<usize>> {
    EXPRESSION.find_iter(text).map(|found| found.range()).collect()
}

#[test]
fn addresses_are_found_whole() {
    for (text, address) in [
        ("for dmitri.okafor17@example.com", "dmitri.okafor17@example.com"),
        ("<a+b@mail.example.co.uk>", "a+b@mail.example.co.uk"),
        ("to=x%y_z@a-b.io, next", "x%y_z@a-b.io"),
        ("mailto:A@B.CD.", "A@B.CD"),
        ("a@b.com.", "a@b.com"),
        ("a@b.com.1", "a@b.com"),
        ("a@b..com", "a@b..com"),
        ("x@y.museum-2", "x@y.museum"),
        ("пишите на иван.петров@почта.рф, срочно", "иван.петров@почта.рф"),
        ("адрес «ivan@mail.ru»", "ivan@mail.ru"),
        ("ivan@mail.ru — ждём", "ivan@mail.ru"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("联系：a@b.cn。谢谢", "a@b.cn"),
    ] {
        assert_eq!(words(text), [address], "{text}");
    }
}

#[test]
fn near_misses_are_left() {
    for text in [
        "",
        "@",
        "a@",
        "@b.com",
        "a@b",
        "a@b.c",
        "a@.com",
        "a@b.1com",
        "a @b.com",
        "a@ b.com",
        "user@host",
        "git@[::1]",
        "10@20.30",
        "a@@b.com",
        "rate 5@10.5",
        "import @types/node",
        "— @почта.рф",
        "a@b. com",
    ] {
        assert!(words(text).is_empty(), "{text}");
    }
}

#[test]
fn neighbours_share_no_byte() {
    assert_eq!(words("a@b.com1@c.de"), ["a@b.com", "1@c.de"]);
    assert_eq!(words("a@b.com@c.de"), ["a@b.com"]);
    assert_eq!(words("a@b.яяx@c.de"), ["a@b.яяx", "@c.de"]);
    assert_eq!(words("ёx@c.dex@c.dex@c.de"), ["ёx@c.dex", "@c.dex", "@c.de"]);
}

#[test]
fn long_texts_of_candidates_take_linear_time() {
    for text in ["a@".repeat(200_000), "a@b.".repeat(100_000), format!("a@{}", "b.".repeat(200_000))] {
        assert!(words(&text).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn ascii_spans_equal_the_expression(text in "([ab1Z._%+@. -]|@|\\.co|@b\\.|[ -~]){0,60}") {
        prop_assert_eq!(spans(text.as_bytes()), expected(text.as_bytes()));
    }

    #[test]
    fn mixed_texts_lose_nothing(text in "([a1.@яё»例-]|@|\\.co|\\.яя|x@c\\.de|\\PC){0,40}") {
        let found = spans(text.as_bytes());
        for part in expected(text.as_bytes()) {
            let covered = part.clone().all(|byte| found.iter().any(|span| span.contains(&byte)));
            prop_assert!(covered, "{:?} of {:?} in {:?}", part, text, found);
        }
        for span in &found {
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert!(found.is_empty() || gate(text.as_bytes()));
    }

    #[test]
    fn any_bytes_lose_nothing(text in prop::collection::vec(prop_oneof![Just(b'@'), Just(b'.'), Just(b'a'), Just(0xD1), Just(0x8F), any::<u8>()], 0..60)) {
        let found = spans(&text);
        for part in expected(&text) {
            prop_assert!(part.clone().all(|byte| found.iter().any(|span| span.contains(&byte))));
        }
    }
}
