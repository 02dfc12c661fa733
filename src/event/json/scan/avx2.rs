//! Registers of 32 bytes, for whoever brings [`Work`], where the processor has them.
#![allow(unsafe_code)]

use std::sync::LazyLock;

use super::sse2::Block;
use super::{Lanes, Work};
use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
    _mm256_or_si256, _mm256_set1_epi8, _mm256_sub_epi8,
};

/// Has the processor what `wide` is compiled for? Asked once: a line is not much longer than the question.
static IS_WIDE: LazyLock<bool> = LazyLock::new(|| {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
});

/// Does `work` with the widest registers there are.
#[inline]
pub(crate) fn run<W: Work>(work: W) -> W::Done {
    if *IS_WIDE {
        // SAFETY: the processor has what `wide` is compiled for.
        unsafe { wide(work) }
    } else {
        work.run::<Block>()
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
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
