//! What stands in the place of a match.
//!
//! No mask is itself a match, so a second scrub leaves it as it is.

use memchr::memrchr;

const STARS: &[u8] = b"***";
/// PCI DSS 3.4 lets the last four digits of a card be shown.
const CARD_DIGITS_KEPT: usize = 4;

/// What of a match a mask may leave readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The domain: `***@example.com`. It tells providers apart; the length of the name is hidden.
    Email,
    /// The last four digits and the grouping: `****-****-****-1111`.
    PaymentCard,
    /// Nothing, not even the length: `***`.
    Opaque,
}

/// How matches are covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// The same text for every match.
    Fixed(String),
    /// Stars, and what the shape of the match allows to keep.
    Mask,
}

impl Default for Replacement {
    fn default() -> Self {
        Self::Fixed("[REDACTED]".into())
    }
}

impl Replacement {
    /// Appends what stands for `matched` to the decoded text `out`; the caller escapes it. For the value of a
    /// named key use [`Shape::Opaque`].
    pub fn write(&self, shape: Shape, matched: &[u8], out: &mut Vec<u8>) {
        match (self, shape) {
            (Self::Fixed(text), _) => out.extend_from_slice(text.as_bytes()),
            (Self::Mask, Shape::Email) => mask_email(matched, out),
            (Self::Mask, Shape::PaymentCard) => mask_card(matched, out),
            (Self::Mask, Shape::Opaque) => out.extend_from_slice(STARS),
        }
    }
}

fn mask_email(matched: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STARS);
    if let Some(at) = memrchr(b'@', matched) {
        out.extend_from_slice(&matched[at..]);
    }
}

fn mask_card(matched: &[u8], out: &mut Vec<u8>) {
    let digits = matched.iter().filter(|byte| byte.is_ascii_digit()).count();
    let mut hidden = digits.saturating_sub(CARD_DIGITS_KEPT);
    out.extend(matched.iter().map(|&byte| {
        if byte.is_ascii_digit() && hidden > 0 {
            hidden -= 1;
            return b'*';
        }
        byte
    }));
}

#[cfg(test)]
mod tests;
