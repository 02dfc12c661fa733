//! The check of a JSON text against RFC 8259, in one pass, without recursion or allocation.
//!
//! A fault costs whatever it costs; text without one is the case that counts. So the paths of a string without escapes and of a number of up to sixteen characters are
//! inlined, and everything rarer (whitespace, escapes, exponents, faults) is called.
#![allow(
    clippy::inline_always,
    reason = "the hot loop is one function on purpose: a few per cent faster than leaving it to the compiler, and no caller can change that"
)]

use super::fault::{Fault, FaultKind};
use super::scan::{self, Seen};

/// How many containers may lie inside one another; the outermost one is level 1.
pub const MAX_DEPTH: usize = 128;

/// Checks that `text` is one JSON value, of any type, with nothing but whitespace around it.
///
/// # Errors
/// The first fault; one of syntax is found before one of UTF-8.
pub fn check(text: &[u8]) -> Result<(), Fault> {
    let mut checker = Checker::over(text)?;
    let (at, byte) = checker.token(0);
    let end = checker.value(at, byte, 0)?;
    checker.finish(end)
}

/// A text on its way through the check.
pub(super) struct Checker<'a> {
    pub(super) text: &'a [u8],
    seen: Seen,
}

impl<'a> Checker<'a> {
    pub(super) fn over(text: &'a [u8]) -> Result<Self, Fault> {
        if u32::try_from(text.len()).is_err() {
            return Err(Fault { at: u32::MAX as usize, kind: FaultKind::TooLong });
        }
        Ok(Self { text, seen: Seen::default() })
    }

    /// The byte at `at`; zero, which is legal nowhere, beyond the end.
    #[inline(always)]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    /// The first byte at or after `at` that is not whitespace, and where it is.
    #[inline(always)]
    pub(super) fn token(&self, at: usize) -> (usize, u8) {
        let byte = self.byte(at);
        if byte > b' ' { (at, byte) } else { self.token_after_space(at) }
    }

    fn token_after_space(&self, from: usize) -> (usize, u8) {
        let mut at = from;
        while matches!(self.byte(at), b' ' | b'\t' | b'\n' | b'\r') {
            at += 1;
        }
        (at, self.byte(at))
    }

    /// Checks that nothing but whitespace follows, and that what went by was UTF-8.
    #[inline(always)]
    pub(super) fn finish(&self, end: usize) -> Result<(), Fault> {
        let (at, _) = self.token(end);
        if at != self.text.len() {
            return Err(Fault { at, kind: FaultKind::TrailingBytes });
        }
        // Bytes outside strings are all matched against ASCII, so those that the string scan saw are all that can be high.
        if self.seen.any_high() { utf8(self.text) } else { Ok(()) }
    }

    /// The fault `kind` at `at`, or the unexpected end if the text is over there.
    #[cold]
    pub(super) fn fault(&self, at: usize, kind: FaultKind) -> Fault {
        if at < self.text.len() {
            Fault { at, kind }
        } else {
            Fault { at: self.text.len(), kind: FaultKind::UnexpectedEnd }
        }
    }

    /// Offset of the closing quote of the string whose content begins at `from`, and whether it has escapes.
    #[inline(always)]
    pub(super) fn string(&mut self, from: usize) -> Result<(usize, bool), Fault> {
        let at = scan::special(self.text, from, &mut self.seen);
        if self.byte(at) == b'"' { Ok((at, false)) } else { Ok((self.escaped_string(at)?, true)) }
    }

    /// Goes on after the first special byte of a string, which is not its closing quote.
    #[inline(never)]
    fn escaped_string(&mut self, from: usize) -> Result<usize, Fault> {
        let mut at = from;
        loop {
            match self.byte(at) {
                b'"' => return Ok(at),
                b'\\' => at = self.escape(at)?,
                _ => return Err(self.fault(at, FaultKind::ControlCharacter)),
            }
            at = scan::special(self.text, at, &mut self.seen);
        }
    }

    /// Offset behind the escape whose backslash is at `at`.
    fn escape(&self, at: usize) -> Result<usize, Fault> {
        match self.byte(at + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
            b'u' => self.unicode_escape(at),
            _ => Err(self.fault(at + 1, FaultKind::UnknownEscape)),
        }
    }

    fn unicode_escape(&self, at: usize) -> Result<usize, Fault> {
        let lone = Fault { at, kind: FaultKind::LoneSurrogate };
        match self.hex(at + 2)? {
            0xdc00..0xe000 => Err(lone),
            0xd800..0xdc00 => {
                let next = at + 6;
                if self.byte(next) != b'\\' || self.byte(next + 1) != b'u' {
                    return Err(lone);
                }
                if (0xdc00..0xe000).contains(&self.hex(next + 2)?) { Ok(next + 6) } else { Err(lone) }
            }
            _ => Ok(at + 6),
        }
    }

    fn hex(&self, from: usize) -> Result<u32, Fault> {
        (from..from + 4).try_fold(0, |value, at| {
            let digit = char::from(self.byte(at)).to_digit(16).ok_or_else(|| self.fault(at, FaultKind::ExpectedHex))?;
            Ok(value * 16 + digit)
        })
    }

    /// Offset behind the value that begins with `byte` at `at`, inside `depth` containers.
    #[inline(always)]
    pub(super) fn value(&mut self, at: usize, byte: u8, depth: usize) -> Result<usize, Fault> {
        match byte {
            b'"' => Ok(self.string(at + 1)?.0 + 1),
            b'{' | b'[' => self.container(at, depth),
            _ => self.scalar(at, byte),
        }
    }

    #[inline(always)]
    fn scalar(&self, at: usize, byte: u8) -> Result<usize, Fault> {
        match byte {
            b'0'..=b'9' => self.number(at),
            b'-' => self.number(at + 1),
            b't' => self.literal(at, b"true"),
            b'f' => self.literal(at, b"false"),
            b'n' => self.literal(at, b"null"),
            _ => Err(self.fault(at, FaultKind::ExpectedValue)),
        }
    }

    #[inline(always)]
    fn literal(&self, at: usize, word: &[u8]) -> Result<usize, Fault> {
        let end = at + word.len();
        if self.text.get(at..end) == Some(word) { Ok(end) } else { Err(self.broken_literal(at, word)) }
    }

    #[cold]
    fn broken_literal(&self, at: usize, word: &[u8]) -> Fault {
        let rest = &self.text[at..];
        if word.starts_with(rest) {
            self.fault(self.text.len(), FaultKind::UnexpectedEnd)
        } else {
            Fault { at, kind: FaultKind::ExpectedValue }
        }
    }

    /// Offset behind the container that opens at `open`, inside `outer` others.
    fn container(&mut self, open: usize, outer: usize) -> Result<usize, Fault> {
        let mut nest = Nest { objects: 0, depth: outer };
        let mut close = nest.enter(self.byte(open), open)?;
        let (mut at, mut byte) = self.token(open + 1);
        let mut empty = byte == close;
        loop {
            if !empty {
                if close == b'}' {
                    at = self.key(at, byte)?.colon;
                    (at, byte) = self.token(at + 1);
                }
                if matches!(byte, b'{' | b'[') {
                    close = nest.enter(byte, at)?;
                    (at, byte) = self.token(at + 1);
                    empty = byte == close;
                    continue;
                }
                at = if byte == b'"' { self.string(at + 1)?.0 + 1 } else { self.scalar(at, byte)? };
            }
            loop {
                (at, byte) = self.token(at);
                if byte == b',' {
                    break;
                }
                if byte != close {
                    return Err(self.fault(at, expected_after_value(close)));
                }
                at += 1;
                nest.leave();
                if nest.depth == outer {
                    return Ok(at);
                }
                close = nest.close();
            }
            (at, byte) = self.token(at + 1);
            empty = false;
        }
    }

    /// Checks the key that should begin with `byte` at `at`, and the colon behind it.
    #[inline(always)]
    pub(super) fn key(&mut self, at: usize, byte: u8) -> Result<Key, Fault> {
        if byte != b'"' {
            return Err(self.fault(at, FaultKind::ExpectedKey));
        }
        let (end, escaped) = self.string(at + 1)?;
        let (colon, byte) = self.token(end + 1);
        if byte != b':' {
            return Err(self.fault(colon, FaultKind::ExpectedColon));
        }
        Ok(Key { end, escaped, colon })
    }
}

/// A checked key: offsets of its closing quote and of its colon.
pub(super) struct Key {
    pub(super) end: usize,
    pub(super) escaped: bool,
    pub(super) colon: usize,
}

/// What should have followed a value in the container that `close` ends.
pub(super) const fn expected_after_value(close: u8) -> FaultKind {
    if close == b'}' { FaultKind::ExpectedCommaOrBrace } else { FaultKind::ExpectedCommaOrBracket }
}

/// The containers around the point of the check: a bit each, set for an object, the innermost one lowest.
struct Nest {
    objects: u128,
    depth: usize,
}

impl Nest {
    /// Enters the container that `open` begins; returns the byte that will end it.
    #[inline(always)]
    fn enter(&mut self, open: u8, at: usize) -> Result<u8, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault { at, kind: FaultKind::TooDeep });
        }
        self.depth += 1;
        self.objects = (self.objects << 1) | u128::from(open == b'{');
        Ok(self.close())
    }

    #[inline(always)]
    fn leave(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    /// The byte that ends the innermost container.
    #[inline(always)]
    fn close(&self) -> u8 {
        if self.objects & 1 == 1 { b'}' } else { b']' }
    }
}

#[inline(never)]
fn utf8(text: &[u8]) -> Result<(), Fault> {
    if simdutf8::basic::from_utf8(text).is_ok() {
        return Ok(());
    }
    let at = std::str::from_utf8(text).map_or_else(|fault| fault.valid_up_to(), str::len);
    Err(Fault { at, kind: FaultKind::InvalidUtf8 })
}
