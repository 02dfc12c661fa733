//! Registers of 64 bytes. What compares gives a bit for each byte here, and the compiler sees that no register of bytes
//! need be made of these bits between a comparison and a mask.
#![allow(unsafe_code)]

use super::Lanes;
use std::arch::x86_64::{
    __m512i, __mmask64, _mm512_cmpeq_epi8_mask, _mm512_cmpgt_epi8_mask, _mm512_cmple_epu8_mask, _mm512_loadu_si512,
    _mm512_movepi8_mask, _mm512_movm_epi8, _mm512_or_si512, _mm512_set1_epi8, _mm512_sub_epi8,
};

/// 64 bytes in a register. Only [`run`](super::run) names it, where the processor has AVX-512 with BW.
#[derive(Clone, Copy)]
pub(super) struct Whole(__m512i);

impl Whole {
    #[inline(always)]
    fn of_bits(bits: __mmask64) -> Self {
        // SAFETY: works on registers alone, and there is AVX-512 with BW: see `Whole`. So it is for all below.
        Self(unsafe { _mm512_movm_epi8(bits) })
    }
}

impl Lanes for Whole {
    const BYTES: usize = 64;

    #[inline(always)]
    fn of(bytes: &[u8]) -> Self {
        let bytes: &[u8; 64] = bytes.first_chunk().expect("the text has as many bytes");
        // SAFETY: the reference is good for 64 bytes, the load asks for no alignment, and there is AVX-512.
        Self(unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) })
    }

    #[inline(always)]
    fn all(byte: u8) -> Self {
        // SAFETY: as in `of_bits`.
        Self(unsafe { _mm512_set1_epi8(byte.cast_signed()) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: as in `of_bits`.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn minus(self, byte: u8) -> Self {
        // SAFETY: as in `of_bits`.
        Self(unsafe { _mm512_sub_epi8(self.0, Self::all(byte).0) })
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> Self {
        // SAFETY: as in `of_bits`.
        Self::of_bits(unsafe { _mm512_cmpeq_epi8_mask(self.0, Self::all(byte).0) })
    }

    #[inline(always)]
    fn at_most(self, limit: u8) -> Self {
        // SAFETY: as in `of_bits`.
        Self::of_bits(unsafe { _mm512_cmple_epu8_mask(self.0, Self::all(limit).0) })
    }

    #[inline(always)]
    fn above(self, limit: u8) -> Self {
        // SAFETY: as in `of_bits`.
        Self::of_bits(unsafe { _mm512_cmpgt_epi8_mask(self.0, Self::all(limit).0) })
    }

    #[inline(always)]
    fn mask(self) -> u64 {
        // SAFETY: as in `of_bits`.
        unsafe { _mm512_movepi8_mask(self.0) }
    }
}
