//! What keys and tokens are made of.

/// Base64url and dots: a key of a cloud, a part of a JSON Web Token.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}
