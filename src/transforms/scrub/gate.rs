//! One look at a text that tells which detectors can find anything in it: most find nothing in most texts.
//!
//! Sixteen bytes at a time become bits of a few masks; only where these show something is the text read by bytes, and
//! mostly turned away there: a date has too few digits, a UUID begins no key, `page=` is no telling name. A signal that
//! is not there is certain; one that is there means that the detectors which need it must look themselves.
//!
//! The same look goes over the raw bytes of JSON, where a colon behind a quote ends a key, and an escape may hide
//! anything: a record without a signal has nothing to cover, neither in a value nor in a key.

#![allow(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for the registers that the processor has, and the loop is one function on purpose"
)]

mod watch;

use self::watch::Watch;
use super::assign::Assigned;
use super::{KeyNames, fold};
use crate::event::json::{self, Lanes, Work};

/// What a text has.
pub(super) type Signals = u16;

/// An at sign.
pub(super) const AT: Signals = 1;
/// A telling name in front of `=`, a colon, or of a blank behind two dashes.
pub(super) const ASSIGNED: Signals = 1 << 1;
/// The word `bearer`.
pub(super) const BEARER: Signals = 1 << 2;
/// The word `basic`.
pub(super) const BASIC: Signals = 1 << 3;
/// `eyJ`, which is `{"` in base64.
pub(super) const TOKEN: Signals = 1 << 4;
/// The beginning of a PEM block.
pub(super) const PEM: Signals = 1 << 5;
/// Nine digits, close to each other, that are no time and no UUID.
pub(super) const DIGITS: Signals = 1 << 6;
/// A key of a cloud.
pub(super) const KEY: Signals = 1 << 7;
/// A character that people do not see, or take for another one.
pub(super) const ODD: Signals = 1 << 8;
/// Of raw JSON: a key with a telling name.
const NAME: Signals = 1 << 9;
/// Of raw JSON: an escape.
const ESCAPE: Signals = 1 << 10;

/// New bytes that one step looks at: the high half of a mask. The low half shows those before.
const STEP: usize = 32;
/// The bits of a mask that are new.
const NEW: u64 = !0 << STEP;
/// Digits of the shortest number that is looked for.
const FEWEST_DIGITS: usize = 9;
/// A key of a cloud goes on at least so long: all of them have more.
const FEWEST_IN_KEY: usize = 15;

/// What is looked for.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    wants: Signals,
    names: KeyNames,
    assigned: Option<Assigned>,
}

impl Gate {
    /// A gate for detectors that need these signals; with `names` of members whose value goes.
    pub(super) fn new(wants: Signals, names: &KeyNames) -> Self {
        let assigned = (wants & ASSIGNED != 0).then(|| Assigned::new(names.clone()));
        Self { wants: wants | ODD | NAME | ESCAPE, names: names.clone(), assigned }
    }

    /// Where values of telling names are looked for, if they are.
    pub(super) fn assigned(&self) -> Option<&Assigned> {
        self.assigned.as_ref()
    }

    /// The signals of a decoded text.
    pub(super) fn signals(&self, text: &[u8]) -> Signals {
        self.look::<false>(text)
    }

    /// Is there certainly nothing to cover in these bytes of JSON, such as a record or a value?
    pub(super) fn is_clean(&self, raw: &[u8]) -> bool {
        self.look::<true>(raw) == 0
    }

    #[inline]
    fn look<const RAW: bool>(&self, text: &[u8]) -> Signals {
        json::run(Look::<RAW> { gate: self, text })
    }
}

/// A look at a text.
struct Look<'a, const RAW: bool> {
    gate: &'a Gate,
    text: &'a [u8],
}

impl<const RAW: bool> Work for Look<'_, RAW> {
    type Done = Signals;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Signals {
        let Self { gate, text } = self;
        let mut watch = Watch::new(gate, text);
        let (mut masks, mut at) = (Masks::default(), 0);
        while at < text.len() {
            masks.forget();
            let mut place = 0;
            while place < STEP && at + place < text.len() {
                let (lanes, known) = load::<L>(text, at + place);
                masks.add::<L, RAW>(lanes, place, known);
                place += L::BYTES;
            }
            let events = masks.events();
            if !events.is_quiet() {
                watch.step::<RAW>(at, events);
                if RAW && watch.seen != 0 {
                    return watch.seen;
                }
            }
            at += STEP;
        }
        let is_odd = masks.high != 0 && fold::is_needed(text);
        watch.seen | if is_odd { ODD } else { 0 }
    }
}

/// A bit for each of 64 bytes: the 32 before a step, lowest, and those of the step.
#[derive(Clone, Copy, Debug, Default)]
struct Masks {
    marks: u64,
    /// First, second and third letters of `bea` and `bas`, and what only looks like them.
    letters: [u64; 3],
    dashes: u64,
    digits: u64,
    /// Digits, blanks and what stands between in ASCII.
    tight: u64,
    /// What is above the comma and no blank, quote or bracket: keys and more.
    word: u64,
    /// Of any step: not zero if there is a byte beyond ASCII.
    high: u32,
}

impl Masks {
    /// Makes room for a step.
    #[inline(always)]
    fn forget(&mut self) {
        let [first, second, third] = &mut self.letters;
        *first >>= STEP;
        *second >>= STEP;
        *third >>= STEP;
        self.marks >>= STEP;
        self.dashes >>= STEP;
        self.digits >>= STEP;
        self.tight >>= STEP;
        self.word >>= STEP;
    }

    /// Adds lanes that begin `place` bytes behind the start of the step, without their first `known` bytes.
    #[inline(always)]
    fn add<L: Lanes, const RAW: bool>(&mut self, lanes: L, place: usize, known: usize) {
        let to = STEP + place;
        let small = lanes.or(L::all(0x20));
        let (a, e, s) = (small.equal(b'a'), small.equal(b'e'), small.equal(b's'));
        let mut marks = lanes.equal(b'@').or(lanes.equal(b'=')).or(lanes.equal(b':')).or(lanes.equal(b'J'));
        if RAW {
            marks = marks.or(lanes.equal(b'\\'));
        }
        self.high |= lanes.mask();
        self.marks |= bits(marks, known) << to;
        self.letters[0] |= bits(small.equal(b'b'), known) << to;
        self.letters[1] |= bits(e.or(a), known) << to;
        self.letters[2] |= bits(a.or(s), known) << to;
        self.dashes |= bits(lanes.equal(b'-'), known) << to;
        self.digits |= bits(lanes.minus(b'0').at_most(9), known) << to;
        self.tight |= bits(lanes.minus(b' ').at_most(b'9' - b' '), known) << to;
        self.word |= bits(lanes.above(b','), known) << to;
    }

    /// Where the text must be read, among the new bytes.
    #[inline(always)]
    fn events(&self) -> Events {
        let [first, second, third] = self.letters;
        let scheme = (first << 2) & (second << 1) & third;
        Events {
            marks: (self.marks | scheme | (self.dashes & (self.dashes << 1))) & NEW,
            numbers: ends_of::<FEWEST_DIGITS>(self.tight) & NEW,
            words: ends_of::<FEWEST_IN_KEY>(self.word) & NEW,
            digits: self.digits,
            tight: self.tight,
        }
    }
}

/// Bits of a step's masks.
#[derive(Clone, Copy, Debug)]
struct Events {
    /// Single bytes that may matter, and the last ones of `--`, `bea` and `bas`.
    marks: u64,
    /// Ends of what may be nine digits.
    numbers: u64,
    /// Ends of what may be fifteen characters of a key.
    words: u64,
    /// Masks as they are.
    digits: u64,
    tight: u64,
}

impl Events {
    #[inline(always)]
    fn is_quiet(self) -> bool {
        self.marks | self.numbers | self.words == 0
    }
}

/// The bits behind which `LENGTH` of the mask stand in a row, 9 to 16.
#[inline(always)]
fn ends_of<const LENGTH: usize>(mask: u64) -> u64 {
    let two = mask & (mask << 1);
    let four = two & (two << 2);
    let eight = four & (four << 4);
    eight & (eight << (LENGTH - 8))
}

/// A bit for each byte of the lanes, without the first `known` ones.
#[inline(always)]
fn bits<L: Lanes>(lanes: L, known: usize) -> u64 {
    u64::from(lanes.mask() >> known)
}

/// The lanes at `at`, which lies in the text, and how many of their first bytes lie before it. No load reaches beyond
/// the text: its last bytes are loaded with those before them.
#[inline(always)]
fn load<L: Lanes>(text: &[u8], at: usize) -> (L, usize) {
    let rest = &text[at..];
    if rest.len() >= L::BYTES {
        return (L::of(rest), 0);
    }
    if text.len() >= L::BYTES {
        return (L::of(&text[text.len() - L::BYTES..]), L::BYTES - rest.len());
    }
    let mut room = [0; STEP];
    room[..rest.len()].copy_from_slice(rest);
    (L::of(&room), 0)
}

/// A bit for each letter or digit of ASCII in a step.
struct Alphanumeric<'a> {
    text: &'a [u8],
    at: usize,
}

impl Work for Alphanumeric<'_> {
    type Done = u64;

    #[inline(always)]
    fn run<L: Lanes>(self) -> u64 {
        let (mut mask, mut place) = (0, 0);
        while place < STEP && self.at + place < self.text.len() {
            let (lanes, known) = load::<L>(self.text, self.at + place);
            let letters = lanes.or(L::all(0x20)).minus(b'a').at_most(25);
            mask |= bits(letters.or(lanes.minus(b'0').at_most(9)), known) << place;
            place += L::BYTES;
        }
        mask
    }
}

/// A bit for each letter or digit of ASCII in the step at `at`, and in that before it.
fn alphanumeric(text: &[u8], at: usize) -> u64 {
    let of = |at| json::run(Alphanumeric { text, at });
    of(at) << STEP | at.checked_sub(STEP).map_or(0, of)
}

#[cfg(test)]
mod tests;
