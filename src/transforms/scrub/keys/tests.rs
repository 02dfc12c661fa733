use proptest::prelude::*;

use super::{DEFAULT_NAMES, KeyNames, NameFault};

#[test]
fn spellings_of_a_name_are_one() {
    let names = KeyNames::default();
    for key in [
        "password",
        "PASSWORD",
        "Pass-Word",
        "api_key",
        "apiKey",
        "API-KEY",
        "api.key",
        "_token_",
        "Set-Cookie",
        "X-Api-Key",
        "cardNumber",
        "http.request.header.authorization",
        "e-mail",
        "Пароль",
        "ПАРОЛЬ",
        "па-роль",
    ] {
        assert!(names.matches(key.as_bytes()), "{key}");
    }
}

#[test]
fn near_misses_are_left() {
    let names = KeyNames::default();
    let long = "password".repeat(20);
    for key in [
        "",
        "_",
        "-.-",
        "passwords",
        "pass word",
        "tokens",
        "key",
        "id",
        "message",
        "email_verified",
        "span",
        "pa",
        "парол",
        "п",
        "tokenя",
        &long,
    ] {
        assert!(!names.matches(key.as_bytes()), "{key}");
    }
    assert!(!names.matches(b"token\xff"));
    assert!(!names.matches(b"\xff"));
}

#[test]
fn a_list_replaces_or_extends_the_default() {
    let own = KeyNames::new(["Voucher-Code"]).expect("a valid name");
    assert!(own.matches(b"voucherCode") && !own.matches(b"password"));
    let more = KeyNames::new(DEFAULT_NAMES.iter().chain(&["voucher_code"])).expect("valid names");
    assert!(more.matches(b"voucherCode") && more.matches(b"password"));
}

#[test]
fn names_of_no_use_are_refused() {
    assert_eq!(KeyNames::new(["_-."]).expect_err("a fault"), NameFault::Empty("_-.".into()));
    let longest = "x".repeat(63);
    assert!(KeyNames::new([&longest]).expect("63 bytes").matches(longest.as_bytes()));
    let long = "x".repeat(64);
    assert_eq!(KeyNames::new([&long]).expect_err("a fault"), NameFault::TooLong(long));
}

fn naive(names: &[&str], key: &str) -> bool {
    let fold = |name: &str| name.to_lowercase().replace(['_', '-', '.'], "");
    !fold(key).is_empty() && names.iter().any(|name| fold(name) == fold(key))
}

proptest! {
    #[test]
    fn matches_equal_naive_folding(names in prop::collection::vec("[abяİK_]{0,4}x", 1..5), key in "[abABяЯİKx_.-]{0,6}") {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let set = KeyNames::new(&names).expect("valid names");
        prop_assert_eq!(set.matches(key.as_bytes()), naive(&names, &key));
    }

    #[test]
    fn each_default_matches_in_any_case(index in 0..DEFAULT_NAMES.len(), upper in any::<u64>()) {
        let spelled: String = DEFAULT_NAMES[index].chars().enumerate().map(|(place, character)| {
            if upper >> (place % 64) & 1 == 1 { character.to_uppercase().next().unwrap_or(character) } else { character }
        }).collect();
        prop_assert!(KeyNames::default().matches(spelled.as_bytes()), "{}", spelled);
    }
}
