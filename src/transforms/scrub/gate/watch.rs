//! What the masks point at, read by bytes.

use memchr::memrchr;

use super::super::{Telling, cloud, fold, numbers};
use super::{
    ASSIGNED, AT, BASIC, BEARER, Classes, DIGITS, ESCAPE, Events, FEWEST_DIGITS, Gate, KEY, NAME, ODD, PEM, STEP,
    Signals, Signs, TOKEN,
};

/// What stands behind the dashes of a PEM block.
const PEM_BEGIN: &[u8] = b"BEGIN ";

/// A text that is being looked at.
pub(super) struct Watch<'a> {
    gate: &'a Gate,
    pub(super) text: &'a [u8],
    pub(super) from: usize,
    pub(super) signs: Signs,
    /// Numbers that begin before here are known.
    digits_floor: usize,
}

impl<'a> Watch<'a> {
    #[inline]
    pub(super) fn new(gate: &'a Gate, text: &'a [u8], from: usize) -> Self {
        Self { gate, text, from, signs: Signs::default(), digits_floor: from }
    }

    /// Reads what the masks of the step at `at` point at; `classes` are those of the step before and its own.
    #[inline(never)]
    pub(super) fn step<const RAW: bool>(&mut self, at: usize, events: &Events, classes: &[Classes; 2]) {
        each_bit(events.marks, |bit| self.mark::<RAW>(at + bit));
        let [before, own] = classes;
        if events.words_before != 0 && self.is_open(KEY) {
            self.words(at - STEP, events.words_before & before.starts());
        }
        if events.words != 0 && self.is_open(KEY) {
            let is_inside = at > 0 && self.text[at - 1].is_ascii_alphanumeric();
            self.words(at, events.words & own.starts() & !u64::from(is_inside));
        }
        if events.numbers != 0 && self.is_open(DIGITS) {
            self.numbers(at, events, own.digits);
        }
        each_bit(events.schemes, |bit| self.scheme(at + bit - 2));
        each_bit(events.dashes, |bit| self.dashes(at + bit));
    }

    /// Reads the words that begin at `starts`, which may be keys.
    #[inline(always)]
    fn words(&mut self, at: usize, starts: u64) {
        each_bit(starts, |bit| {
            if cloud::begins(self.text, at + bit) {
                self.see(KEY, at + bit);
            }
        });
    }

    /// Where something showed first.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        (!self.signs.is_empty()).then(|| self.signs.first(Signals::MAX))
    }

    /// Searches for odd characters; of raw JSON only for one that comes before all else.
    #[inline(never)]
    pub(super) fn odd<const RAW: bool>(&mut self) {
        let end =
            if RAW { self.first().map_or(self.text.len(), |first| first.max(self.from)) } else { self.text.len() };
        if let Some(offset) = fold::first(&self.text[self.from..end]) {
            self.see(ODD, self.from + offset);
        }
    }

    /// Is the signal wanted, and not there yet?
    fn is_open(&self, signal: Signals) -> bool {
        self.gate.wants & signal != 0 && !self.signs.has(signal)
    }

    /// Takes note of a signal.
    fn see(&mut self, signal: Signals, place: usize) {
        if self.gate.wants & signal != 0 {
            self.signs.see(signal, place);
        }
    }

    #[inline(always)]
    fn mark<const RAW: bool>(&mut self, at: usize) {
        match self.text[at] {
            b':' | b'=' => self.sign::<RAW>(at),
            b'@' => self.see(AT, at),
            b'J' if self.text[..at].ends_with(b"ey") => self.see(TOKEN, at - 2),
            b'\\' if RAW => self.see(ESCAPE, at),
            b'%' | b'\\' if fold::begins_odd(&self.text[at..]) => self.see(ODD, at),
            b';' => {
                if let Some(start) = fold::name_before(self.text, at) {
                    self.see(ODD, start);
                }
            }
            _ => {}
        }
    }

    /// What the `=` or the colon at `at` tells.
    #[inline(always)]
    fn sign<const RAW: bool>(&mut self, at: usize) {
        let Some(before) = self.text[..at].last() else { return };
        let is_key = RAW && matches!(before, b'"' | b' ' | b'\t' | b'\n' | b'\r') && self.text[at] == b':';
        if is_key {
            if self.is_telling_key(at) {
                self.see(NAME, at);
            }
        } else if self.is_open(ASSIGNED) && self.gate.assigned().is_some_and(|names| names.tells(self.text, at)) {
            self.see(ASSIGNED, at);
        }
    }

    /// Does a key of JSON that tells of its value end before the colon at `at`, which stands behind a quote or a
    /// blank? In a text without escapes no name that tells can stand there: a quote begins a text that begins with the
    /// colon, and what stands before that is no name.
    #[inline(always)]
    fn is_telling_key(&self, at: usize) -> bool {
        let before = match &self.text[..at] {
            [before @ .., b'"'] => before,
            before => match before.trim_ascii_end() {
                [before @ .., b'"'] => before,
                _ => return false,
            },
        };
        self.gate.names.may_end(before) && self.tells(before, at)
    }

    fn tells(&self, before: &[u8], at: usize) -> bool {
        let key = memrchr(b'"', before).map_or(0, |quote| quote + 1);
        let telling = self.gate.names.telling(&before[key..]);
        telling != Telling::No && !self.text[at + 1..].starts_with(b"null")
    }

    /// What two dashes, the second at `at`, are a part of.
    fn dashes(&mut self, at: usize) {
        let run = at - 1;
        if self.text[at + 1..].starts_with(PEM_BEGIN) {
            return self.see(PEM, run);
        }
        let is_begun = self.text[..run].ends_with(b"-");
        if !is_begun && self.gate.assigned().is_some_and(|names| names.is_flag(self.text, run)) {
            self.see(ASSIGNED, run);
        }
    }

    /// What the word at `start` is, if a word begins there: with `ba` or `be`.
    fn scheme(&mut self, start: usize) {
        if start > 0 && self.text[start - 1].is_ascii_alphanumeric() {
            return;
        }
        let is = |word: &[u8]| self.text[start..].get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
        if is(b"bearer") {
            self.see(BEARER, start);
        } else if is(b"basic") {
            self.see(BASIC, start);
        }
    }

    /// Reads the runs of tight bytes that may be numbers, unless they have too few digits.
    #[inline]
    fn numbers(&mut self, at: usize, events: &Events, digits: u64) {
        let mut numbers = events.numbers;
        while numbers != 0 {
            let first = numbers.trailing_zeros();
            let length = (events.tight >> first).trailing_ones();
            let run = u64::MAX >> (64 - length) << first;
            let is_open = first == 0 || first + length == 64;
            if is_open || (digits & run).count_ones() as usize >= FEWEST_DIGITS {
                self.digits(at + first as usize, at + (first + length) as usize);
            }
            numbers &= !run;
        }
    }

    /// Reads the numbers among the tight bytes from `from` to `to`.
    fn digits(&mut self, from: usize, to: usize) {
        let mut from = from.max(self.digits_floor);
        while from < to {
            let Some(digit) = self.text[from..to].iter().position(u8::is_ascii_digit) else { return };
            let run = numbers::run_around(self.text, from + digit);
            if run.digits >= FEWEST_DIGITS && !run.is_idle(self.text) {
                return self.see(DIGITS, run.span.start);
            }
            from = run.span.end;
            self.digits_floor = from;
        }
    }
}

/// Shows the places of the bits, from the lowest on.
#[inline(always)]
fn each_bit(mut bits: u64, mut each: impl FnMut(usize)) {
    while bits != 0 {
        each(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}
