//! The same without vector registers: eight bytes in a machine word.

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

    fn mask(self) -> u64 {
        self.0.iter().enumerate().fold(0, |mask, (place, byte)| mask | u64::from(byte >> 7) << place)
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
