//! Registers of 32 bytes.
#![allow(unsafe_code)]

use super::Lanes;
use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
    _mm256_or_si256, _mm256_set1_epi8, _mm256_sub_epi8,
};

/// 32 bytes in a register. Only [`run`](super::run) names it, where the processor has AVX2.
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
    fn mask(self) -> u64 {
        // SAFETY: as in `all`.
        u64::from(unsafe { _mm256_movemask_epi8(self.0) }.cast_unsigned())
    }
}
