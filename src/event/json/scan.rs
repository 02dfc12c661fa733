//! Finds the few bytes that matter in many that do not, sixteen at a time: this is where the check of a record spends its time.
//!
//! On `x86_64` with SSE2, which every such processor has, so there is nothing to detect; elsewhere with eight bytes in a machine word. No load
//! ever reaches beyond the text: its last bytes are loaded once more, together with those before them, and shifted into place.
#![allow(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "the hot loop is one function on purpose: a few per cent faster than leaving it to the compiler, and no caller can change that"
)]

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::run;
#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::{Seen, marks, nondigits, special};
#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::run;
#[cfg(target_arch = "x86_64")]
pub(super) use sse2::{Seen, marks, nondigits, special};

/// Bytes looked at in one step.
pub(super) const STEP: usize = 16;

/// As many bytes as a register holds. What compares gives all ones in each byte for which it holds.
pub(crate) trait Lanes: Copy {
    /// How many: 32 at most.
    const BYTES: usize;

    /// The first bytes of a text that has enough.
    fn of(bytes: &[u8]) -> Self;
    /// The same byte in each place.
    fn all(byte: u8) -> Self;
    /// The bits of both.
    fn or(self, other: Self) -> Self;
    /// Each byte less `byte`, modulo 256.
    fn minus(self, byte: u8) -> Self;
    /// The bytes that equal `byte`.
    fn equal(self, byte: u8) -> Self;
    /// The bytes that are `limit` or less, unsigned.
    fn at_most(self, limit: u8) -> Self;
    /// The bytes above `limit`, as signed numbers: none beyond ASCII is.
    fn above(self, limit: u8) -> Self;
    /// The high bit of each byte, that of the first byte lowest.
    fn mask(self) -> u32;
}

/// Work over many bytes, done with the widest registers that the processor has: see [`run`].
pub(crate) trait Work {
    /// What it gives.
    type Done;

    /// Does it; to be inlined always, or it would not be compiled for these registers.
    fn run<L: Lanes>(self) -> Self::Done;
}

/// Is this one of the bytes that [`special`] finds?
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Where the bytes that give valid JSON its shape lie among the next sixteen: a bit each, that of the first byte lowest. None are set beyond the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Quotes.
    pub(super) quote: u32,
    /// Backslashes.
    pub(super) backslash: u32,
    /// Opening brackets of either kind.
    pub(super) open: u32,
    /// Closing brackets of either kind.
    pub(super) close: u32,
}

impl Marks {
    /// The marks at `at`, byte by byte.
    fn slowly(text: &[u8], at: usize) -> Self {
        let mut marks = Self::default();
        for (offset, byte) in text.iter().skip(at).take(STEP).enumerate() {
            let bit = 1 << offset;
            match byte {
                b'"' => marks.quote |= bit,
                b'\\' => marks.backslash |= bit,
                b'{' | b'[' => marks.open |= bit,
                b'}' | b']' => marks.close |= bit,
                _ => {}
            }
        }
        marks
    }
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use super::{Lanes, Marks, STEP, is_special};
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8, _mm_sub_epi8, _mm_xor_si128,
    };

    /// Sixteen bytes in a register.
    #[derive(Clone, Copy)]
    pub(super) struct Block(__m128i);

    impl Block {
        #[inline(always)]
        fn of(bytes: &[u8; STEP]) -> Self {
            // SAFETY: the reference is good for sixteen bytes, the load asks for no alignment, and every x86_64 has SSE2.
            Self(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
        }

        #[inline(always)]
        fn flip(self, bits: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm_xor_si128(self.0, Self::all(bits).0) })
        }

        /// A bit for each byte that is a quote, a backslash or a control character.
        ///
        /// Flipping bit 1 moves the quote (0x22) right behind the control characters, so that one unsigned comparison finds both.
        #[inline(always)]
        fn special(self) -> u32 {
            self.flip(2).at_most(0x20).or(self.equal(b'\\')).mask()
        }

        /// Bit 5 tells the square brackets from the curly ones, so setting it folds four comparisons into two.
        #[inline(always)]
        fn marks(self, before: u32) -> Marks {
            let folded = self.or(Self::all(0x20));
            Marks {
                quote: self.equal(b'"').mask() >> before,
                backslash: self.equal(b'\\').mask() >> before,
                open: folded.equal(b'{').mask() >> before,
                close: folded.equal(b'}').mask() >> before,
            }
        }

        #[inline(always)]
        fn digits(self) -> u32 {
            self.minus(b'0').at_most(9).mask()
        }
    }

    impl Lanes for Block {
        const BYTES: usize = STEP;

        #[inline(always)]
        fn of(bytes: &[u8]) -> Self {
            Self::of(bytes.first_chunk().expect("the text has as many bytes"))
        }

        #[inline(always)]
        fn all(byte: u8) -> Self {
            // SAFETY: works on registers alone, and every x86_64 has SSE2; so it is for all below.
            Self(unsafe { _mm_set1_epi8(byte.cast_signed()) })
        }

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm_or_si128(self.0, other.0) })
        }

        #[inline(always)]
        fn minus(self, byte: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm_sub_epi8(self.0, Self::all(byte).0) })
        }

        #[inline(always)]
        fn equal(self, byte: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm_cmpeq_epi8(self.0, Self::all(byte).0) })
        }

        #[inline(always)]
        fn at_most(self, limit: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm_cmpeq_epi8(_mm_min_epu8(self.0, Self::all(limit).0), self.0) })
        }

        #[inline(always)]
        fn above(self, limit: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm_cmpgt_epi8(self.0, Self::all(limit).0) })
        }

        #[inline(always)]
        fn mask(self) -> u32 {
            // SAFETY: as in `all`.
            unsafe { _mm_movemask_epi8(self.0) }.cast_unsigned()
        }
    }

    /// All bytes that went by, or-ed together: enough to tell whether any was not ASCII.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Seen(Block);

    impl Default for Seen {
        fn default() -> Self {
            Self(Block::all(0))
        }
    }

    impl Seen {
        /// Was any byte above 0x7f?
        pub(in super::super) fn any_high(self) -> bool {
            self.0.mask() != 0
        }

        #[inline(always)]
        fn add(&mut self, bytes: Block) {
            self.0 = self.0.or(bytes);
        }
    }

    /// The sixteen bytes at `at`, if the text has that many.
    #[inline(always)]
    fn load(text: &[u8], at: usize) -> Option<Block> {
        let (bytes, _) = text.get(at..)?.split_first_chunk::<STEP>()?;
        Some(Block::of(bytes))
    }

    /// The sixteen bytes that end the text, if it has that many, and how many of them lie before `at`.
    #[inline(always)]
    fn load_tail(text: &[u8], at: usize) -> Option<(Block, u32)> {
        let bytes = text.last_chunk::<STEP>()?;
        Some((Block::of(bytes), (at - (text.len() - STEP)).min(STEP) as u32))
    }

    /// Offset of the first quote, backslash or control character at or after `from`; the text's length if there is none.
    #[inline(always)]
    pub(in super::super) fn special(text: &[u8], from: usize, seen: &mut Seen) -> usize {
        let mut at = from;
        while let Some(bytes) = load(text, at) {
            seen.add(bytes);
            let found = bytes.special();
            if found != 0 {
                return at + found.trailing_zeros() as usize;
            }
            at += STEP;
        }
        let Some((bytes, before)) = load_tail(text, at) else {
            return special_short(text, at, seen);
        };
        seen.add(bytes);
        let found = bytes.special() >> before;
        if found == 0 { text.len() } else { at + found.trailing_zeros() as usize }
    }

    #[cold]
    fn special_short(text: &[u8], from: usize, seen: &mut Seen) -> usize {
        for &byte in text {
            seen.add(Block::all(byte));
        }
        text.iter().skip(from).position(|&byte| is_special(byte)).map_or(text.len(), |offset| from + offset)
    }

    /// A bit for each of the sixteen bytes from `at` on that is not a digit; bytes beyond the text, and all higher bits, count as such.
    #[inline(always)]
    pub(in super::super) fn nondigits(text: &[u8], at: usize) -> u32 {
        if let Some(bytes) = load(text, at) {
            return !bytes.digits();
        }
        match load_tail(text, at) {
            Some((bytes, before)) => !(bytes.digits() >> before),
            None => nondigits_short(text, at),
        }
    }

    #[cold]
    fn nondigits_short(text: &[u8], at: usize) -> u32 {
        let digits = text.iter().skip(at).take(STEP).enumerate();
        !digits.fold(0, |mask, (offset, byte)| mask | (u32::from(byte.is_ascii_digit()) << offset))
    }

    /// The marks among the sixteen bytes from `at` on.
    #[inline(always)]
    pub(in super::super) fn marks(text: &[u8], at: usize) -> Marks {
        if let Some(bytes) = load(text, at) {
            return bytes.marks(0);
        }
        match load_tail(text, at) {
            Some((bytes, before)) => bytes.marks(before),
            None => Marks::slowly(text, at),
        }
    }
}

/// Registers of 32 bytes, for whoever brings [`Work`], where the processor has them.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::sse2::Block;
    use super::{Lanes, Work};
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set1_epi8, _mm256_sub_epi8,
    };

    /// Does `work` with the widest registers there are.
    #[inline]
    pub(crate) fn run<W: Work>(work: W) -> W::Done {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("popcnt") {
            // SAFETY: the processor has what `wide` is compiled for.
            unsafe { wide(work) }
        } else {
            work.run::<Block>()
        }
    }

    #[target_feature(enable = "avx2,bmi1,popcnt")]
    fn wide<W: Work>(work: W) -> W::Done {
        work.run::<Wide>()
    }

    /// 32 bytes in a register. Only `wide` names it, so it is there only where the processor has AVX2.
    #[derive(Clone, Copy)]
    pub(super) struct Wide(__m256i);

    impl Lanes for Wide {
        const BYTES: usize = 32;

        #[inline(always)]
        fn of(bytes: &[u8]) -> Self {
            let bytes: &[u8; 32] = bytes.first_chunk().expect("the text has as many bytes");
            // SAFETY: the reference is good for 32 bytes, the load asks for no alignment, and there is AVX2: see `Wide`.
            Self(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
        }

        #[inline(always)]
        fn all(byte: u8) -> Self {
            // SAFETY: works on registers alone, and there is AVX2: see `Wide`. So it is for all below.
            Self(unsafe { _mm256_set1_epi8(byte.cast_signed()) })
        }

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm256_or_si256(self.0, other.0) })
        }

        #[inline(always)]
        fn minus(self, byte: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm256_sub_epi8(self.0, Self::all(byte).0) })
        }

        #[inline(always)]
        fn equal(self, byte: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm256_cmpeq_epi8(self.0, Self::all(byte).0) })
        }

        #[inline(always)]
        fn at_most(self, limit: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm256_cmpeq_epi8(_mm256_min_epu8(self.0, Self::all(limit).0), self.0) })
        }

        #[inline(always)]
        fn above(self, limit: u8) -> Self {
            // SAFETY: as in `all`.
            Self(unsafe { _mm256_cmpgt_epi8(self.0, Self::all(limit).0) })
        }

        #[inline(always)]
        fn mask(self) -> u32 {
            // SAFETY: as in `all`.
            unsafe { _mm256_movemask_epi8(self.0) }.cast_unsigned()
        }
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    #[cfg(not(target_arch = "x86_64"))]
    use super::Work;
    use super::{Lanes, Marks, STEP, is_special};

    /// Does `work`.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn run<W: Work>(work: W) -> W::Done {
        work.run::<Block>()
    }

    /// Sixteen bytes.
    #[derive(Clone, Copy)]
    pub(super) struct Block([u8; STEP]);

    impl Block {
        fn where_it_holds(self, holds: impl Fn(u8) -> bool) -> Self {
            Self(self.0.map(|byte| u8::from(holds(byte)).wrapping_neg()))
        }
    }

    impl Lanes for Block {
        const BYTES: usize = STEP;

        fn of(bytes: &[u8]) -> Self {
            Self(*bytes.first_chunk().expect("the text has as many bytes"))
        }

        fn all(byte: u8) -> Self {
            Self([byte; STEP])
        }

        fn or(self, other: Self) -> Self {
            Self(std::array::from_fn(|place| self.0[place] | other.0[place]))
        }

        fn minus(self, byte: u8) -> Self {
            Self(self.0.map(|own| own.wrapping_sub(byte)))
        }

        fn equal(self, byte: u8) -> Self {
            self.where_it_holds(|own| own == byte)
        }

        fn at_most(self, limit: u8) -> Self {
            self.where_it_holds(|own| own <= limit)
        }

        fn above(self, limit: u8) -> Self {
            self.where_it_holds(|own| own.cast_signed() > limit.cast_signed())
        }

        fn mask(self) -> u32 {
            self.0.iter().enumerate().fold(0, |mask, (place, byte)| mask | u32::from(byte >> 7) << place)
        }
    }

    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const WORD: usize = 8;

    /// All bytes that went by, or-ed together: enough to tell whether any was not ASCII.
    #[derive(Clone, Copy, Default)]
    pub(in super::super) struct Seen(u64);

    impl Seen {
        /// Was any byte above 0x7f?
        pub(in super::super) fn any_high(self) -> bool {
            self.0 & HIGH != 0
        }
    }

    fn load(text: &[u8], at: usize) -> Option<u64> {
        let (block, _) = text.get(at..)?.split_first_chunk::<WORD>()?;
        Some(u64::from_le_bytes(*block))
    }

    /// The high bit of the lowest byte below `limit` (at most 0x80); those above it may be wrong, since the subtraction borrows.
    fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(EACH * u64::from(limit)) & !word & HIGH
    }

    fn equal(word: u64, byte: u8) -> u64 {
        below(word ^ (EACH * u64::from(byte)), 1)
    }

    /// Offset of the first quote, backslash or control character at or after `from`; the text's length if there is none.
    pub(in super::super) fn special(text: &[u8], from: usize, seen: &mut Seen) -> usize {
        let mut at = from;
        while let Some(word) = load(text, at) {
            seen.0 |= word;
            let found = below(word ^ (EACH * 2), 0x21) | equal(word, b'\\');
            if found != 0 {
                return at + (found.trailing_zeros() / 8) as usize;
            }
            at += WORD;
        }
        let rest = text.get(at..).unwrap_or_default();
        for &byte in rest {
            seen.0 |= u64::from(byte);
        }
        rest.iter().position(|&byte| is_special(byte)).map_or(text.len(), |offset| at + offset)
    }

    /// A bit for each of the sixteen bytes from `at` on that is not a digit; bytes beyond the text, and all higher bits, count as such.
    pub(in super::super) fn nondigits(text: &[u8], at: usize) -> u32 {
        let digits = text.iter().skip(at).take(STEP).enumerate();
        !digits.fold(0, |mask, (offset, byte)| mask | (u32::from(byte.is_ascii_digit()) << offset))
    }

    /// The marks among the sixteen bytes from `at` on.
    pub(in super::super) fn marks(text: &[u8], at: usize) -> Marks {
        Marks::slowly(text, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_find_what_a_plain_loop_finds(text in proptest::collection::vec(prop_oneof![4 => Just(b'a'), 1 => any::<u8>(), 1 => b'0'..=b'9', 1 => proptest::sample::select(b"{}[]\"\\".to_vec())], 0..80), from in 0_usize..80) {
            let from = from.min(text.len());
            let expected = text[from..].iter().position(|&b| is_special(b)).map_or(text.len(), |o| from + o);
            let (mut seen, mut word_seen) = (Seen::default(), portable::Seen::default());
            prop_assert_eq!(special(&text, from, &mut seen), expected);
            prop_assert_eq!(portable::special(&text, from, &mut word_seen), expected);
            let high = text[from..expected].iter().any(|b| !b.is_ascii());
            prop_assert!(!high || (seen.any_high() && word_seen.any_high()));
            prop_assert!(text.iter().any(|b| !b.is_ascii()) || !(seen.any_high() || word_seen.any_high()));

            prop_assert_eq!(marks(&text, from), Marks::slowly(&text, from));
            prop_assert_eq!(portable::marks(&text, from), Marks::slowly(&text, from));
            let expected = (0..STEP).filter(|o| !text.get(from + o).is_some_and(u8::is_ascii_digit)).fold(!0xffff_u32, |m, o| m | (1 << o));
            prop_assert_eq!(nondigits(&text, from), expected);
            prop_assert_eq!(portable::nondigits(&text, from), expected);
        }

        #[test]
        fn lanes_of_any_width_do_what_a_plain_loop_does(bytes in any::<[u8; 32]>(), other in any::<[u8; 32]>(), byte in any::<u8>(), limit in 0_u8..0x80) {
            let wide = run(Compare(&bytes, &other, byte, limit));
            for half in 0..2 {
                let (bytes, other) = (&bytes[half * STEP..], &other[half * STEP..]);
                let work = || Compare(bytes, other, byte, limit);
                let plain = work().run::<portable::Block>();
                prop_assert_eq!(work().run::<sse2::Block>(), plain);
                let width = wide.len();
                prop_assert_eq!(wide.map(|mask| (mask >> (half * STEP)) & 0xFFFF), plain, "{}", width);
            }
        }
    }

    /// All that lanes can do.
    struct Compare<'a>(&'a [u8], &'a [u8], u8, u8);

    impl Work for Compare<'_> {
        type Done = [u32; 6];

        fn run<L: Lanes>(self) -> Self::Done {
            let (own, other) = (L::of(self.0), L::of(self.1));
            let found = [
                own.equal(self.2),
                own.at_most(self.2),
                own.above(self.3),
                own.minus(self.2),
                own.or(other),
                L::all(self.2),
            ];
            found.map(L::mask)
        }
    }
}
