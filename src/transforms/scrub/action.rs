//! What happens to what was found.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::hmac::Keys;
use super::{Kind, Replacement, Shape};
use crate::event::json;

/// Stars for what shows nothing.
const STARS: &[u8] = b"***";
/// Characters that `last4` keeps, and how many there must be for that.
const KEPT: usize = 4;
const ENOUGH: usize = 9;

/// What happens to a match.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A text or a mask stands in its place.
    Cover(Replacement),
    /// Stars and the last four digits or letters.
    Last4,
    /// Nothing stands in its place.
    Remove,
    /// A token stands in its place.
    Hash(Arc<Keys>),
    /// The network stands in the place of the address.
    TruncateIp,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a [u8],
    pub(super) shape: Shape,
    pub(super) kind: Option<Kind>,
}

impl Act {
    /// Appends what stands for `piece` to the decoded text `out`.
    pub(super) fn write(&self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Cover(replacement) => replacement.write(piece.shape, piece.text, out),
            Self::Hash(keys) => keys.write(piece.kind, piece.text, out),
            Self::Last4 => last_four(piece, out),
            Self::TruncateIp => network(piece.text, out),
            // Else what comes behind it next would be taken for the value.
            Self::Remove if piece.kind.is_some_and(Kind::is_anchored) => out.extend_from_slice(STARS),
            Self::Remove => {}
        }
    }

    /// Appends the JSON text that stands for a whole value, whose decoded text is in `piece`.
    pub(super) fn write_whole(&self, piece: Piece<'_>, out: &mut Vec<u8>) {
        if matches!(self, Self::Remove) {
            out.extend_from_slice(b"null");
            return;
        }
        let mut plain = Vec::new();
        self.write(piece, &mut plain);
        json::quote(&plain, out);
    }

    /// Does the span from `at` to `end` of `text` lie in what this has written before?
    pub(super) fn is_own(&self, text: &[u8], at: usize, end: usize) -> bool {
        let stands = match self {
            Self::Cover(Replacement::Fixed(fixed)) => fixed.as_bytes(),
            Self::Hash(keys) => return keys.is_token(text, at, end),
            _ => STARS,
        };
        let first = at.saturating_sub(stands.len()).max(end.saturating_sub(stands.len()));
        (first..=at).any(|start| {
            text.get(start) == stands.first() && text.get(start..).is_some_and(|text| text.starts_with(stands))
        })
    }

    /// Does it leave the same traces? Of two with keys only if they are the same ones.
    pub(super) fn writes_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cover(Replacement::Fixed(own)), Self::Cover(Replacement::Fixed(other))) => own == other,
            (Self::Hash(own), Self::Hash(other)) => Arc::ptr_eq(own, other),
            (Self::Hash(_) | Self::Cover(Replacement::Fixed(_)), _)
            | (_, Self::Hash(_) | Self::Cover(Replacement::Fixed(_))) => false,
            _ => true,
        }
    }
}

/// Short texts and those of which detectors disagree show nothing.
fn last_four(piece: Piece<'_>, out: &mut Vec<u8>) {
    if piece.shape == Shape::PaymentCard {
        Replacement::Mask.write(piece.shape, piece.text, out);
        return;
    }
    out.extend_from_slice(STARS);
    let kept: Vec<u8> = piece.text.iter().rev().copied().filter(u8::is_ascii_alphanumeric).take(ENOUGH).collect();
    if kept.len() == ENOUGH {
        out.extend(kept[..KEPT].iter().rev());
    }
}

/// The first three bytes of an IPv4 address, the first six of an IPv6 one: a provider's smallest networks.
fn network(text: &[u8], out: &mut Vec<u8>) {
    let address = std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
    let network = match address {
        Some(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        Some(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
        None => return out.extend_from_slice(STARS),
    };
    out.extend_from_slice(network.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(act: &Act, kind: Kind, text: &str) -> String {
        let mut out = Vec::new();
        act.write(Piece { text: text.as_bytes(), shape: Shape::Opaque, kind: Some(kind) }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_action_shows_what_it_may() {
        for (act, kind, text, shown) in [
            (Act::Last4, Kind::Phone, "+7 916 123-45-67", "***4567"),
            (Act::Last4, Kind::Snils, "12345678", "***"),
            (Act::Remove, Kind::Email, "a@b.cd", ""),
            (Act::Remove, Kind::BearerToken, "abc", "***"),
            (Act::TruncateIp, Kind::Ipv4, "203.0.113.77", "203.0.113.0"),
            (Act::TruncateIp, Kind::Ipv6, "2001:db8:1:2:3::4", "2001:db8:1::"),
            (Act::TruncateIp, Kind::Email, "a@b.cd", "***"),
        ] {
            assert_eq!(written(&act, kind, text), shown, "{act:?}");
        }
        let fixed = Act::Cover(Replacement::default());
        assert!(fixed.is_own(b"x [REDACTED] y", 3, 11) && fixed.is_own(b"[REDACTED]", 0, 10));
        assert!(!fixed.is_own(b"[REDACTED]a", 1, 11) && !fixed.is_own(b"REDACTED", 0, 8));
    }
}
