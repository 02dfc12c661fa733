use proptest::prelude::*;

use super::{DEFAULT_NAMES, KeyNames, NameFault, SECRET_NAMES, Telling};
use crate::transforms::scrub::Profile;

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

#[test]
fn the_last_word_of_a_name_tells() {
    let names = KeyNames::default();
    for name in [
        "old_password",
        "newPassword",
        "github-token",
        "githubToken",
        "spring.datasource.password",
        "PGPASSWORD",
        "stripe_secret",
        "my_api_key",
        "x-access-token",
        "admin_pwd",
        "gift_card_number",
        "старый_пароль",
    ] {
        assert_eq!(names.telling(name.as_bytes()), Telling::End, "{name}");
    }
    for name in ["password2", "token_1", "TOKEN12", "card", "Карта", "пароль_пользователя"] {
        assert_eq!(names.telling(name.as_bytes()), Telling::Whole, "{name}");
    }
    for name in [
        "password_changed_at",
        "max_tokens",
        "bypass",
        "compass",
        "secretary",
        "tokenizer",
        "discard",
        "2",
        "",
        "_2",
        "keyboard",
    ] {
        assert_eq!(names.telling(name.as_bytes()), Telling::No, "{name}");
    }
    // As long as a line: a look that began anew at each byte would not come to an end.
    let long = format!("{}zpassword", "_".repeat(1 << 20));
    assert_eq!(names.telling(long.as_bytes()), Telling::No);
    assert_eq!(names.telling(format!("x{}", long.replace('z', "")).as_bytes()), Telling::End);
    let own = KeyNames::new(["build"]).unwrap();
    for name in ["old_password", "last_build", "build2"] {
        assert_eq!(own.telling(name.as_bytes()), Telling::No, "{name}");
    }
}

#[test]
fn behind_an_end_what_is_no_secret_stays() {
    for (value, is_taken) in
        [("\"x\"", true), ("\"\"", true), ("{}", true), ("[1]", true), ("1234", true), ("17", false), ("true", false)]
    {
        assert_eq!(Telling::End.takes(value.as_bytes()), is_taken, "{value}");
        assert!(Telling::Whole.takes(value.as_bytes()) && !Telling::No.takes(value.as_bytes()));
    }
    assert!(!Telling::End.takes(b"false") && !Telling::End.takes(b"null") && !Telling::Whole.takes(b"null"));
}

#[test]
fn no_profile_knows_fewer_secrets_than_secrets() {
    for profile in Profile::ALL {
        let known = profile.key_names();
        for name in SECRET_NAMES {
            assert!(known.contains(name), "{name} in {}", profile.name());
        }
    }
}
