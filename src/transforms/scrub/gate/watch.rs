//! What the masks point at, read by bytes.

use memchr::memrchr;

use super::super::{cloud, numbers};
use super::{
    ASSIGNED, AT, BASIC, BEARER, DIGITS, ESCAPE, Events, FEWEST_DIGITS, FEWEST_IN_KEY, Gate, KEY, NAME, PEM, STEP,
    Signals, TOKEN, alphanumeric,
};

/// What stands behind the dashes of a PEM block.
const PEM_BEGIN: &[u8] = b"BEGIN ";

/// A text that is being looked at.
pub(super) struct Watch<'a> {
    gate: &'a Gate,
    text: &'a [u8],
    pub(super) seen: Signals,
    /// Ends of numbers before here belong to runs that are known.
    digits_floor: usize,
}

impl<'a> Watch<'a> {
    pub(super) fn new(gate: &'a Gate, text: &'a [u8]) -> Self {
        Self { gate, text, seen: 0, digits_floor: 0 }
    }

    /// Reads what the masks of the step at `at` point at.
    #[inline(never)]
    pub(super) fn step<const RAW: bool>(&mut self, at: usize, events: Events) {
        each_bit(events.marks, |bit| self.mark::<RAW>(at + bit - STEP));
        if events.numbers != 0 && self.is_open(DIGITS) {
            each_bit(events.numbers, |bit| {
                if has_digits(&events, bit) {
                    self.digits(at + bit - STEP);
                }
            });
        }
        if events.words != 0 && self.is_open(KEY) {
            self.words(at, events.words);
        }
    }

    /// Is the signal wanted, and not there yet?
    fn is_open(&self, signal: Signals) -> bool {
        self.gate.wants & !self.seen & signal != 0
    }

    fn mark<const RAW: bool>(&mut self, at: usize) {
        let signal = match self.text[at] {
            b'@' => AT,
            b':' if RAW && matches!(self.text[..at].last(), Some(b'"' | b' ' | b'\t' | b'\n' | b'\r')) => self.key(at),
            b':' | b'=' if self.is_open(ASSIGNED) && self.is_assigned(at) => ASSIGNED,
            b'J' if self.text[..at].ends_with(b"ey") => TOKEN,
            b'\\' if RAW => ESCAPE,
            b'-' => self.dashes(at),
            b'a' | b'A' | b's' | b'S' => self.scheme(at - 2),
            _ => 0,
        };
        self.seen |= signal & self.gate.wants;
    }

    fn is_assigned(&self, at: usize) -> bool {
        self.gate.assigned().is_some_and(|assigned| assigned.tells(self.text, at))
    }

    /// What the colon at `at` tells, which stands behind a quote or a blank: whether a key of JSON ends there that
    /// tells of its value. No name in a text without escapes stands there: a quote begins a text that begins with the
    /// colon, and what stands before that is no name.
    fn key(&self, at: usize) -> Signals {
        let Some(before) = self.text[..at].trim_ascii_end().strip_suffix(b"\"") else { return 0 };
        if !self.gate.names.may_end(before) || self.text[at + 1..].starts_with(b"null") {
            return 0;
        }
        let key = memrchr(b'"', before).map_or(0, |quote| quote + 1);
        if self.gate.names.matches(&before[key..]) { NAME } else { 0 }
    }

    /// What two dashes, the second at `at`, are a part of.
    fn dashes(&self, at: usize) -> Signals {
        let run = at - 1;
        if self.text[at + 1..].starts_with(PEM_BEGIN) {
            return PEM;
        }
        if self.text[..run].ends_with(b"-") {
            return 0;
        }
        let is_flag = self.is_open(ASSIGNED) && self.gate.assigned().is_some_and(|names| names.is_flag(self.text, run));
        if is_flag { ASSIGNED } else { 0 }
    }

    /// What the word at `start` is, which begins with `bea` or `bas`, or nearly.
    fn scheme(&self, start: usize) -> Signals {
        let is = |word: &[u8]| self.text[start..].get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
        let is_inside = start > 0 && self.text[start - 1].is_ascii_alphanumeric();
        match is_inside {
            false if is(b"bearer") => BEARER,
            false if is(b"basic") => BASIC,
            _ => 0,
        }
    }

    /// What may be nine digits end at `last`.
    fn digits(&mut self, last: usize) {
        if last < self.digits_floor || !self.is_open(DIGITS) {
            return;
        }
        let first = last + 1 - FEWEST_DIGITS;
        let Some(digit) = self.text[first..=last].iter().position(u8::is_ascii_digit) else {
            // The next number begins behind this.
            self.digits_floor = last + FEWEST_DIGITS;
            return;
        };
        let run = numbers::run_around(self.text, first + digit);
        self.digits_floor = run.span.end + FEWEST_DIGITS - 1;
        if run.digits >= FEWEST_DIGITS && !run.is_idle(self.text) {
            self.seen |= DIGITS;
        }
    }

    /// Words of a key's length end at `ends`: keys begin where a part of a word does.
    fn words(&mut self, at: usize, ends: u64) {
        let letters = alphanumeric(self.text, at);
        let starts = letters & !(letters << 1) & (ends >> (FEWEST_IN_KEY - 1));
        each_bit(starts, |bit| {
            if self.is_open(KEY) && cloud::begins(self.text, at + bit - STEP) {
                self.seen |= KEY;
            }
        });
    }
}

/// Has what ends at `bit` digits enough to be a number? What goes on beyond the masks has.
fn has_digits(events: &Events, bit: usize) -> bool {
    let before = (events.tight << (63 - bit)).leading_ones() as usize;
    let behind = (events.tight >> bit).trailing_ones() as usize;
    let (first, last) = (bit + 1 - before, bit + behind - 1);
    let inside = (events.digits >> first) << (first + 63 - last);
    first == 0 || last == 63 || inside.count_ones() as usize >= FEWEST_DIGITS
}

/// Shows the places of the bits, from the lowest on.
#[inline]
fn each_bit(mut bits: u64, mut each: impl FnMut(usize)) {
    while bits != 0 {
        each(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}
