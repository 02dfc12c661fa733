//! The last words of names of secrets: in `POSTGRES_PASSWORD=...` the end of the name tells.

use std::sync::LazyLock;

use super::KeyNames;

/// Last words behind `_`, `-`, `.`, or a small letter before a capital one.
pub(in super::super) const STRONG_ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "secret_key",
    "private_key",
    "credentials",
    "card_number",
    "cvv",
    "cvc",
    "пароль",
    "секрет",
    "токен",
];

/// Those that tell behind anything in a name of capitals alone: `PGPASSWORD`.
pub(in super::super) const GLUED_ENDINGS: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "apikey"];

/// Bytes of the longest of these words, with marks between its letters, and some.
const REACH: usize = 64;

static ENDINGS: LazyLock<[KeyNames; 2]> =
    LazyLock::new(|| [STRONG_ENDINGS, GLUED_ENDINGS].map(|names| KeyNames::new(names).expect("the table is sound")));

/// All of them, folded.
pub(super) fn all() -> impl Iterator<Item = &'static [u8]> {
    ENDINGS.iter().flat_map(|set| set.names.iter().map(AsRef::as_ref))
}

/// Does the last word of a name tell?
pub(super) fn tells(name: &[u8]) -> bool {
    let [strong, glued] = &*ENDINGS;
    tells_by_end(name, |end, is_part| if is_part { strong.matches(end) } else { glued.matches(end) })
}

/// Is a word at the end of the name one that `is` knows? It is told whether the word stands behind a mark, or a small
/// letter before a capital one; else the name is one of capitals alone, and the word may begin anywhere in it.
pub(in super::super) fn tells_by_end(name: &[u8], is: impl Fn(&[u8], bool) -> bool) -> bool {
    let is_loud = !name.iter().any(u8::is_ascii_lowercase);
    // A name may be as long as a line.
    (name.len().saturating_sub(REACH).max(1)..name.len()).any(|start| {
        let is_part = matches!(name[start - 1], b'_' | b'-' | b'.')
            || (name[start - 1].is_ascii_lowercase() && name[start].is_ascii_uppercase());
        (is_part && is(&name[start..], true)) || (is_loud && is(&name[start..], false))
    })
}

/// A name without the number that it ends with: `password2`.
#[inline]
pub(in super::super) fn without_number(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    &name[..name.len() - digits]
}
