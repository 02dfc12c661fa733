//! The grammar of numbers (RFC 8259, section 6). They are checked as text and never turned into one, so that they leave with every digit they came with.

#![allow(
    clippy::inline_always,
    reason = "the hot loop is one function on purpose: a few per cent faster than leaving it to the compiler, and no caller can change that"
)]

use super::check::Checker;
use super::fault::{Fault, FaultKind};
use super::scan::{self, STEP};

impl Checker<'_> {
    /// Offset behind the number whose first digit should be at `at`.
    #[inline(always)]
    pub(super) fn number(&self, at: usize) -> Result<usize, Fault> {
        let nondigits = scan::nondigits(self.text, at);
        let mut length = nondigits.trailing_zeros() as usize;
        if length == 0 || (length > 1 && self.byte(at) == b'0') {
            return Err(self.fault(at, if length == 0 { FaultKind::ExpectedDigit } else { FaultKind::LeadingZero }));
        }
        if self.byte(at + length) == b'.' {
            let whole = length;
            length = (nondigits & (nondigits - 1)).trailing_zeros() as usize;
            if length == whole + 1 {
                return if length < STEP {
                    Err(self.fault(at + length, FaultKind::ExpectedDigit))
                } else {
                    self.long_number(at)
                };
            }
        }
        if length >= STEP || matches!(self.byte(at + length), b'e' | b'E') {
            return self.long_number(at);
        }
        Ok(at + length)
    }

    /// The same, digit by digit, for numbers that are long or have an exponent.
    #[inline(never)]
    fn long_number(&self, from: usize) -> Result<usize, Fault> {
        if self.byte(from) == b'0' && self.byte(from + 1).is_ascii_digit() {
            return Err(Fault { at: from, kind: FaultKind::LeadingZero });
        }
        let mut at = self.digits(from)?;
        if self.byte(at) == b'.' {
            at = self.digits(at + 1)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            at += 1;
            if matches!(self.byte(at), b'+' | b'-') {
                at += 1;
            }
            at = self.digits(at)?;
        }
        Ok(at)
    }

    /// Offset behind the digits, at least one, that begin at `from`.
    fn digits(&self, from: usize) -> Result<usize, Fault> {
        let mut at = from;
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        if at == from { Err(self.fault(at, FaultKind::ExpectedDigit)) } else { Ok(at) }
    }
}
