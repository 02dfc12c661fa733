//! The random number of a trace, and the threshold that a share is.

/// Both have so many bits.
const BITS: u32 = 56;
const END: u64 = 1 << BITS;
/// Hexadecimal digits of 56 bits.
const DIGITS: u32 = BITS / 4;
/// Digits of a threshold that is made of a ratio, without those that all thresholds near 0 or 1 begin with.
const PRECISION: u32 = 4;

/// The random number of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::transforms) struct Randomness(u64);

impl Randomness {
    /// Of a trace that has no other: the last 56 bits of its id.
    pub(in crate::transforms) fn of_trace(id: &[u8; 16]) -> Self {
        Self(u128::from_be_bytes(*id) as u64 & (END - 1))
    }

    /// As `rv` has it: 14 hexadecimal digits.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        (text.len() == DIGITS as usize).then(|| hex(text)).flatten().map(Self)
    }
}

/// What randomness is not to be below of; the larger, the fewer stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::transforms) struct Threshold(u64);

impl Threshold {
    /// All stay.
    pub(in crate::transforms) const ALL: Self = Self(0);
    /// None stays.
    pub(in crate::transforms) const NONE: Self = Self(END);

    /// That of a ratio from 0 to 1, rounded to four digits that tell something: 0.1 is `e666`.
    pub(in crate::transforms) fn of_ratio(ratio: f64) -> Self {
        Self::of_ratio_with(ratio, PRECISION)
    }

    pub(super) fn of_ratio_with(ratio: f64, precision: u32) -> Self {
        if ratio >= 1.0 {
            return Self::ALL;
        }
        if ratio <= 0.0 {
            return Self::NONE;
        }
        // Near 0 and 1 the first digits are `f` or `0`: they say nothing, and do not count.
        let told = precision + alike(ratio).max(alike(1.0 - ratio));
        let exact = END - (ratio * END as f64).round() as u64;
        let shift = 4 * DIGITS.saturating_sub(told);
        let half = if shift == 0 { 0 } else { 1 << (shift - 1) };
        Self(((exact + half) >> shift) << shift)
    }

    /// As `th` has it: 1 to 14 hexadecimal digits, the most significant first.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let is_sized = (1..=DIGITS as usize).contains(&text.len());
        let number = is_sized.then(|| hex(text)).flatten()?;
        Some(Self(number << (4 * (DIGITS - text.len() as u32))))
    }

    /// Does a trace with this randomness stay?
    pub(in crate::transforms) fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// Appends its digits, without zeros at the end. Only of one that something can reach.
    pub(in crate::transforms) fn write(self, out: &mut Vec<u8>) {
        let mut rest = self.0;
        loop {
            out.push(b"0123456789abcdef"[(rest >> (BITS - 4)) as usize & 15]);
            rest = (rest << 4) & (END - 1);
            if rest == 0 {
                return;
            }
        }
    }

    /// How many spans one stands for that stayed.
    #[cfg(test)]
    pub(in crate::transforms) fn adjusted_count(self) -> f64 {
        END as f64 / (END - self.0) as f64
    }
}

/// How many of the first digits are all `0` in a share from 0 to 1.
fn alike(share: f64) -> u32 {
    // The exponent of a number in [0.5, 1) is 0 here; there are no such small numbers that have none.
    let exponent = (share.to_bits() >> 52 & 0x7FF) as i32 - 1022;
    exponent.min(0).unsigned_abs() / 4
}

/// Lower case alone, as the specification has it.
fn hex(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(threshold: Threshold) -> String {
        let mut out = Vec::new();
        threshold.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// 2 to the power of `-exponent`, times `of`.
    fn parts(of: u64, exponent: i32) -> f64 {
        of as f64 * 2_f64.powi(-exponent)
    }

    /// The vectors of the Collector's `pkg/sampling`, `probability_test.go`.
    #[test]
    fn ratios_are_the_collectors_thresholds() {
        for (ratio, precision, expected) in [
            (0.1, 4, "e666"),
            (0.01, 4, "fd70a"),
            (0.5, 4, "8"),
            (0.25, 4, "c"),
            (1.0, 4, "0"),
            (1.0 / 3.0, 3, "aab"),
            (2.0 / 3.0, 3, "555"),
            (1.0 / 3.0, 14, "aaaaaaaaaaaaac"),
            (15.0 / 16.0, 14, "1"),
            (parts(1, 56), 3, "ffffffffffffff"),
            (parts(2, 56), 3, "fffffffffffffe"),
            (parts(3, 56), 3, "fffffffffffffd"),
            (parts(4, 56), 3, "fffffffffffffc"),
            (parts(8, 56), 3, "fffffffffffff8"),
            (parts(0x10, 56), 3, "fffffffffffff"),
            (1.0 - parts(0x0456_789A, 28), 14, "456789a"),
            (1.0 - parts(0x0456_789A, 28), 6, "45678a"),
            (1.0 - parts(0x0456_789A, 28), 4, "4568"),
            (1.0 - parts(0x0456_789A, 28), 1, "4"),
            (1.0 - parts(0x0456_789A, 40), 14, "000456789a"),
            (1.0 - parts(0x0456_789A, 40), 4, "0004568"),
            (1.0 - parts(0x0007_89AB_CDEF, 40), 5, "0789ac"),
            (1.0 - parts(0x0007_89AB_CDEF, 40), 1, "08"),
            (1.0 - parts(0x1234_5678, 32), 7, "1234568"),
            (1.0 - parts(0x1234_5678, 32), 2, "12"),
            (1.0 - parts(0x0008_0801, 28), 3, "00808"),
            (1.0 - parts(0x0008_0801, 28), 1, "008"),
        ] {
            assert_eq!(told(Threshold::of_ratio_with(ratio, precision)), expected, "{ratio} {precision}");
        }
    }

    #[test]
    fn adjusted_counts_are_those_of_the_digits() {
        let count = |digits: &[u8]| Threshold::parse(digits).unwrap().adjusted_count();
        for (digits, expected) in [(b"0", 1.0), (b"8", 2.0), (b"c", 4.0), (b"e", 8.0), (b"f", 16.0)] {
            assert!((count(digits) - expected).abs() < 1e-9, "{expected}");
        }
        assert!((count(b"ffffffffffffff") - parts(1, -56)).abs() < 1.0);
        assert!((count(b"e666") - 10.0).abs() < 0.001);
        assert!((count(b"555") - 1.0 / (1.0 - parts(0x555, 12))).abs() < 1e-9);
    }

    #[test]
    fn a_trace_stays_if_it_is_not_below() {
        let id = 0xabab_abab_abab_abab_abd2_9d6a_7215_ced0_u128.to_be_bytes();
        let randomness = Randomness::of_trace(&id);
        assert_eq!(Some(randomness), Randomness::parse(b"d29d6a7215ced0"));
        assert!(Threshold::parse(b"d29d6a7215ced0").unwrap().keeps(randomness));
        assert!(!Threshold::parse(b"d29d6a7215ced1").unwrap().keeps(randomness));
        assert!(Threshold::ALL.keeps(Randomness(0)));
        assert!(!Threshold::of_ratio(0.0).keeps(Randomness(END - 1)));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for bad in ["", "$", "0x1p+3", "14.5", "-1", "E", "100000000000000", "ffffffffffffffff"] {
            assert_eq!(Threshold::parse(bad.as_bytes()), None, "{bad}");
            assert_eq!(Randomness::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Randomness::parse(b"3"), None);
        assert_eq!(told(Threshold::parse(b"1000").unwrap()), "1");
    }
}
