//! What keys and tokens are made of.

/// Base64url and dots: a key of a cloud, a part of a JSON Web Token.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Are large and small letters mixed as in no word, not even one of several (`OrderController`)?
pub(super) fn is_mixed(word: &[u8]) -> bool {
    let of = |is: fn(&u8) -> bool| word.iter().filter(|byte| is(byte)).count();
    4 * of(u8::is_ascii_uppercase) >= word.len() && 4 * of(u8::is_ascii_lowercase) >= word.len()
}
