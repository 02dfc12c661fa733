//! Finds the few bytes that matter in many that do not, sixteen at a time: this is where the check of a record spends its time.
//!
//! On `x86_64` with SSE2, which every such processor has, so there is nothing to detect (but for [`run`]); elsewhere with eight bytes in a machine word. No load
//! ever reaches beyond the text: its last bytes are loaded once more, together with those before them, and shifted into place.
#![allow(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "the hot loop is one function on purpose: a few per cent faster than leaving it to the compiler, and no caller can change that"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable;
#[cfg(target_arch = "x86_64")]
mod run;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::run;
#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::{Seen, marks, nondigits, special};
#[cfg(target_arch = "x86_64")]
pub(crate) use run::run;
#[cfg(target_arch = "x86_64")]
pub(super) use sse2::{Seen, marks, nondigits, special};

/// Bytes looked at in one step.
pub(super) const STEP: usize = 16;

/// As many bytes as a register holds. What compares gives all ones in each byte for which it holds.
pub(crate) trait Lanes: Copy {
    /// How many: 64 at most.
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
    fn mask(self) -> u64;
}

/// Work over many bytes, done with the widest registers that the processor has: see [`run`].
pub(crate) trait Work {
    /// What it gives.
    type Done;

    /// Does it. To be inlined always, with all that touches lanes and without a closure around them, or it would not be
    /// compiled for these registers and call a function for each instruction.
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

        /// The mask of the sixteen bytes.
        #[inline(always)]
        fn bits(self) -> u32 {
            // SAFETY: works on registers alone, and every x86_64 has SSE2.
            unsafe { _mm_movemask_epi8(self.0) }.cast_unsigned()
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
            self.flip(2).at_most(0x20).or(self.equal(b'\\')).bits()
        }

        /// Bit 5 tells the square brackets from the curly ones, so setting it folds four comparisons into two.
        #[inline(always)]
        fn marks(self, before: u32) -> Marks {
            let folded = self.or(Self::all(0x20));
            Marks {
                quote: self.equal(b'"').bits() >> before,
                backslash: self.equal(b'\\').bits() >> before,
                open: folded.equal(b'{').bits() >> before,
                close: folded.equal(b'}').bits() >> before,
            }
        }

        #[inline(always)]
        fn digits(self) -> u32 {
            self.minus(b'0').at_most(9).bits()
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
        fn mask(self) -> u64 {
            u64::from(self.bits())
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
            self.0.bits() != 0
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

#[cfg(test)]
mod tests;
