//! One look at a text that tells which detectors can find anything in it: most find nothing in most texts.
//!
//! Without branches over windows of fixed size, so that the compiler makes vector code of it. A signal that is not
//! there is certain; one that is there means that the detectors which need it must look themselves.

/// What a text has.
pub(super) type Signals = u8;

/// An at sign.
pub(super) const AT: Signals = 1;
/// `=`, or a colon behind a letter or a quote.
pub(super) const ASSIGNED: Signals = 1 << 1;
/// The beginning of `bearer` or `basic` in any case, or `yJ` as in `eyJ`.
pub(super) const SCHEME: Signals = 1 << 2;
/// Two dashes.
pub(super) const DASHES: Signals = 1 << 3;
/// A run of nine digits with their separators may be there.
pub(super) const DIGITS: Signals = 1 << 4;
/// A word of fifteen characters may be there.
pub(super) const WORD: Signals = 1 << 5;

/// Places that one step looks at.
const PLACES: usize = 32;
/// Bytes behind a place that are looked at with it.
const AHEAD: usize = 3;
const WINDOW: usize = PLACES + AHEAD;
const WORDS: usize = PLACES / 8;
/// Digits of the shortest number that is looked for.
const FEWEST_DIGITS: usize = 9;

/// The signals of `text`.
pub(super) fn signals(text: &[u8]) -> Signals {
    let mut seen = Seen::default();
    let mut rest = text;
    while let Some(window) = rest.first_chunk::<WINDOW>() {
        seen.look(window);
        rest = &rest[PLACES..];
    }
    // What is left fits into two windows, with zeros behind it.
    let mut tail = [0; 2 * WINDOW];
    tail[..rest.len()].copy_from_slice(rest);
    seen.look(tail.first_chunk().expect("it is two windows long"));
    if rest.len() > PLACES {
        seen.look(tail[PLACES..].first_chunk().expect("it is two windows long"));
    }
    seen.signals()
}

/// What was seen, by place.
#[derive(Default)]
struct Seen {
    bits: [u8; PLACES],
    /// How many digits.
    digits: [u8; PLACES],
    /// For each byte whether it and the three behind it belong to a number.
    fours: [u64; WORDS],
    /// For each eight bytes whether all belong to a word.
    eights: [u64; WORDS],
}

impl Seen {
    #[inline]
    fn look(&mut self, window: &[u8; WINDOW]) {
        let (mut number, mut word) = ([0_u8; PLACES], [0_u8; PLACES]);
        for place in 0..PLACES {
            let [a, b, c, d] = [window[place], window[place + 1], window[place + 2], window[place + 3]];
            self.bits[place] |= at(a) | assigned(a, b) | scheme([a, b, c, d]) | (mask(a == b'-') & mask(b == b'-') & DASHES);
            let digit = mask(a.wrapping_sub(b'0') < 10);
            self.digits[place] = self.digits[place].saturating_add(digit & 1);
            number[place] = digit | mask(a == b' ') | mask(a == b'-') | mask(a & 0xFE == b'(');
            // From the dash to the letters and no further; of what lies between, the slash and the colon are no part.
            word[place] = mask(a.wrapping_sub(b'-') < 0x4E) & !mask(a == b'/') & !mask(a == b':');
        }
        for (part, (number, word)) in number.as_chunks::<8>().0.iter().zip(word.as_chunks::<8>().0).enumerate() {
            let pairs = u64::from_le_bytes(*number);
            let pairs = pairs & (pairs >> 8);
            self.fours[part] |= pairs & (pairs >> 16);
            let word = u64::from_le_bytes(*word);
            let word = word & (word >> 32);
            let word = word & (word >> 16);
            self.eights[part] |= word & (word >> 8);
        }
    }

    fn signals(&self) -> Signals {
        let bits = self.bits.iter().fold(0, |all, bits| all | bits);
        // Blocks of four begin at every fourth byte, so a run of seven bytes holds a whole one.
        let fours = self.fours.iter().fold(0, |all, fours| all | fours) & 0x0000_00FF_0000_00FF;
        let is_number = fours != 0 && self.digits.iter().map(|&count| usize::from(count)).sum::<usize>() >= FEWEST_DIGITS;
        let eights = self.eights.iter().fold(0, |all, eights| all | eights) & 0xFF;
        bits | (mask(is_number) & DIGITS) | (mask(eights != 0) & WORD)
    }
}

/// All bits or none.
#[inline]
fn mask(condition: bool) -> u8 {
    u8::from(condition).wrapping_neg()
}

#[inline]
fn at(a: u8) -> u8 {
    mask(a == b'@') & AT
}

#[inline]
fn assigned(a: u8, b: u8) -> u8 {
    let led = mask(a > b'9') | mask(a == b'"') | mask(a == b'\'');
    (mask(b == b'=') | (mask(b == b':') & led)) & ASSIGNED
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
            ("AKIAIOSFODNN7EX", WORD),
            ("hooks.slack.com", WORD),
            ("a_b-c.d_e-f.g_h", WORD),
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
        for text in ["", "a", "no entry in the cache, reading the price from the second replica now", "took 17 ms, 13:08:46"] {
            assert_eq!(signals(text.as_bytes()), 0, "{text}");
        }
    }
}
