//! What an escape inside a raw JSON string hides from a gate.
//!
//! A gate looks for bytes that every match must have. In a string that is still escaped such a byte stands either
//! as itself or as `\u00XX`; the short escapes (`\n`, `\"`, `\/` ...) make none of the bytes that detectors gate on.
//! So a string full of `\n` or of `\u04XX` letters need not be decoded to know that it holds no candidate.

use memchr::memchr;

/// Whether the raw content of a JSON string (without its quotes) has an escape `\u00XX` that stands for a byte which
/// `wanted` accepts. A broken escape counts as a hit: decoding, not the gate, is to judge it.
pub fn hides(raw: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    let mut rest = raw;
    while let Some(slash) = memchr(b'\\', rest) {
        let escape = &rest[slash + 1..];
        match escape.first() {
            None => return true,
            Some(b'u') => match escape.get(1..5).and_then(code_unit) {
                None => return true,
                Some(unit) if u8::try_from(unit).is_ok_and(&wanted) => return true,
                Some(_) => rest = &escape[5..],
            },
            Some(_) => rest = &escape[1..],
        }
    }
    false
}

/// The UTF-16 code unit of four hexadecimal digits.
fn code_unit(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |unit: u16, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(unit << 4 | value as u16)
    })
}

#[cfg(test)]
mod tests;
