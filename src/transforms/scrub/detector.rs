//! One face for all detectors.
//!
//! They see *decoded* text. It is UTF-8 in practice; any other bytes are searched as well as they can be.

use std::ops::Range;

use super::{bearer, card, email, escape, mask::Shape, pattern::Pattern};

/// What to look for in a text.
#[derive(Debug, Clone)]
pub enum Detector {
    /// E-mail addresses, see [`email`].
    Email,
    /// Payment card numbers with a valid check digit, see [`card`].
    PaymentCard,
    /// Bearer tokens and JSON Web Tokens, see [`bearer`].
    BearerToken,
    /// An expression of the user, see [`Pattern`].
    Pattern(Pattern),
}

impl Detector {
    /// The name used in the configuration and as the label of counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::PaymentCard => "payment_card",
            Self::BearerToken => "bearer_token",
            Self::Pattern(_) => "pattern",
        }
    }

    /// What of the match at `span` of `text` may stay readable. A domain with an `@` behind it is the name in the
    /// next address, so nothing of it is kept.
    pub fn shape(&self, text: &[u8], span: &Range<usize>) -> Shape {
        match self {
            Self::Email if text.get(span.end) == Some(&b'@') => Shape::Opaque,
            Self::Email => Shape::Email,
            Self::PaymentCard => Shape::PaymentCard,
            Self::BearerToken | Self::Pattern(_) => Shape::Opaque,
        }
    }

    /// Whether the decoded `text` may have a match; `false` is certain, and cheap.
    pub fn gate(&self, text: &[u8]) -> bool {
        match self {
            Self::Email => email::gate(text),
            Self::PaymentCard => card::gate(text),
            Self::BearerToken => bearer::gate(text),
            Self::Pattern(_) => true,
        }
    }

    /// Whether the still escaped content of a JSON string may have a match once decoded; `false` is certain.
    pub fn raw_gate(&self, raw: &[u8]) -> bool {
        self.gate(raw)
            || match self {
                Self::Email => escape::hides(raw, |byte| byte == b'@'),
                Self::PaymentCard => escape::hides(raw, card::is_part),
                Self::BearerToken => escape::hides(raw, bearer::is_part),
                Self::Pattern(_) => true,
            }
    }

    /// Appends the spans of all matches in the decoded `text`, in order and without overlap.
    pub fn find(&self, text: &[u8], found: &mut Vec<Range<usize>>) {
        match self {
            Self::Email => email::find(text, found),
            Self::PaymentCard => card::find(text, found),
            Self::BearerToken => bearer::find(text, found),
            Self::Pattern(pattern) => pattern.find(text, found),
        }
    }
}
