//! One look at a text that tells which detectors can find anything in it: most find nothing in most texts.
//!
//! Without branches over windows of fixed size, so that the compiler makes vector code of it. A signal that is not
//! there is certain; one that is there means that the detectors which need it must look themselves.

/// What a text has.
pub(super) type Signals = u8;

/// An at sign.
pub(super) const AT: Signals = 1;
/// `=` or a colon.
pub(super) const ASSIGNED: Signals = 1 << 1;
/// The beginning of `bearer` or `basic` in any case, or `yJ` as in `eyJ`.
pub(super) const SCHEME: Signals = 1 << 2;
/// Two dashes.
pub(super) const DASHES: Signals = 1 << 3;
/// Nine digits, wherever they are.
pub(super) const DIGITS: Signals = 1 << 4;
/// Twelve characters without a blank, quote, bracket or mark behind an eighth byte: every key of twenty has them.
pub(super) const WORD: Signals = 1 << 5;

/// Places that one step looks at: a register of the baseline.
const PLACES: usize = 16;
/// Bytes behind a place that are looked at with it.
const AHEAD: usize = 4;
const WINDOW: usize = PLACES + AHEAD;
/// Digits of the shortest number that is looked for.
const FEWEST_DIGITS: u16 = 9;

/// The signals of `text`.
pub(super) fn signals(text: &[u8]) -> Signals {
    let whole = (text.len() + PLACES).saturating_sub(WINDOW) / PLACES;
    let rest = &text[whole * PLACES..];
    // What is left fits into two windows, with zeros behind it.
    let mut tail = [0; WINDOW + PLACES];
    tail[..rest.len()].copy_from_slice(rest);
    let mut seen = Seen::default();
    for number in 0..=whole + usize::from(rest.len() > PLACES) {
        let from = if number < whole { &text[number * PLACES..] } else { &tail[(number - whole) * PLACES..] };
        if let Some(window) = from.first_chunk() {
            seen.look(window);
        }
    }
    seen.signals()
}

/// What was seen, by place.
#[derive(Default)]
struct Seen {
    bits: [u8; PLACES],
    /// How many digits, up to 255.
    digits: [u8; PLACES],
    /// For each eight bytes whether all, and the four behind them, may belong to a word.
    eights: [u64; PLACES / 8],
}

impl Seen {
    #[inline]
    fn look(&mut self, window: &[u8; WINDOW]) {
        let mut word = [0_u8; PLACES];
        for place in 0..PLACES {
            let [a, b, c, d] = [window[place], window[place + 1], window[place + 2], window[place + 3]];
            let marks = (mask(a == b'@') & AT) | ((mask(a == b'=') | mask(a == b':')) & ASSIGNED);
            let dashes = mask(a == b'-') & mask(b == b'-') & DASHES;
            self.bits[place] |= marks | dashes | scheme([a, b, c, d]);
            self.digits[place] = self.digits[place].saturating_add(u8::from(a.wrapping_sub(b'0') < 10));
            word[place] = is_word(a) & is_word(window[place + AHEAD]);
        }
        for (all, word) in self.eights.iter_mut().zip(word.as_chunks::<8>().0) {
            let word = u64::from_le_bytes(*word);
            let word = word & (word >> 32);
            let word = word & (word >> 16);
            *all |= word & (word >> 8);
        }
    }

    fn signals(&self) -> Signals {
        let bits = self.bits.iter().fold(0, |all, bits| all | bits);
        let digits: u16 = self.digits.iter().map(|&count| u16::from(count)).sum();
        let eights = self.eights.iter().fold(0, |all, eights| all | eights) & 0xFF;
        bits | (mask(digits >= FEWEST_DIGITS) & DIGITS) | (mask(eights != 0) & WORD)
    }
}

/// All bits or none.
#[inline]
fn mask(condition: bool) -> u8 {
    u8::from(condition).wrapping_neg()
}

/// As signed numbers, so that what is beyond ASCII lies below.
#[inline]
fn is_word(a: u8) -> u8 {
    mask(a.cast_signed() >= b'-'.cast_signed())
}

#[inline]
fn scheme([a, b, c, d]: [u8; 4]) -> u8 {
    let [first, second, third, fourth] = [a | 0x20, b | 0x20, c | 0x20, d | 0x20];
    let bearer = mask(second == b'e') & mask(third == b'a');
    let basic = mask(second == b'a') & mask(third == b's') & mask(fourth == b'i');
    ((mask(first == b'b') & (bearer | basic)) | (mask(a == b'y') & mask(b == b'J'))) & SCHEME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_seen_at_every_place() {
        for (text, signal) in [
            ("@", AT),
            ("x=", ASSIGNED),
            ("\":", ASSIGNED),
            ("ь:", ASSIGNED),
            ("bea", SCHEME),
            ("BaSi", SCHEME),
            ("yJ", SCHEME),
            ("--", DASHES),
            ("123-45-6789", DIGITS),
            ("(916) 123456", DIGITS),
            ("AKIAIOSFODNN7EXAMPLE", WORD),
            ("hooks.slack.com/services/T", WORD),
            ("a_b-c.d_e-f.g_h-i.j_", WORD),
        ] {
            for before in 0..90 {
                for after in [0, 1, 2, 3, 31, 40] {
                    let text = format!("{}{text}{}", "~".repeat(before), "~".repeat(after));
                    assert!(signals(text.as_bytes()) & signal != 0, "{text}");
                }
            }
        }
    }

    #[test]
    fn a_text_without_candidates_has_no_signal() {
        for text in ["", "a", "no entry in the cache, reading it from the second one now", "took 17 ms of 250"] {
            assert_eq!(signals(text.as_bytes()), 0, "{text}");
        }
    }
}
