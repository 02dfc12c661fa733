//! One look at a text that tells which detectors can find anything in it: most find nothing in most texts.
//!
//! 64 bytes at a time become bits of a few masks; only where these show something is the text read by bytes, and
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
use super::KeyNames;
use super::assign::Assigned;
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
/// A character that people do not see, or take for another one, or what HTML, a URL or JSON writes for one.
pub(super) const ODD: Signals = 1 << 8;
/// Of raw JSON: a key with a telling name.
const NAME: Signals = 1 << 9;
/// Of raw JSON: an escape.
const ESCAPE: Signals = 1 << 10;
/// How many there are.
const COUNT: usize = 11;

/// The signals of a text, and where each showed first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    seen: Signals,
    /// Zero, which is always right, where it is too far away.
    places: [u32; COUNT],
}

impl Signs {
    /// These signals, each from the start of the text on.
    #[cfg(test)]
    pub(super) fn everywhere(seen: Signals) -> Self {
        Self { seen, places: [0; COUNT] }
    }

    /// Is one of these signals there?
    #[inline]
    pub(super) fn has(&self, signals: Signals) -> bool {
        self.seen & signals != 0
    }

    /// All of them but some.
    pub(super) fn without(self, signals: Signals) -> Self {
        Self { seen: self.seen & !signals, ..self }
    }

    /// Is none there?
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Where the first of these signals shows: before it a detector that needs one finds nothing to begin with. The
    /// start of the text, if none does.
    pub(super) fn first(&self, signals: Signals) -> usize {
        let mut seen = self.seen & signals;
        let mut first = if seen == 0 { 0 } else { usize::MAX };
        while seen != 0 {
            first = first.min(self.places[seen.trailing_zeros() as usize] as usize);
            seen &= seen - 1;
        }
        first
    }

    /// Takes note of a signal.
    fn see(&mut self, signal: Signals, place: usize) {
        let place = u32::try_from(place).unwrap_or(0);
        let known = &mut self.places[signal.trailing_zeros() as usize];
        *known = if self.seen & signal == 0 { place } else { place.min(*known) };
        self.seen |= signal;
    }
}

/// Bytes that one step looks at: as many as a mask has bits.
const STEP: usize = 64;
/// Stands behind a text that is shorter than a step: no letter, no digit, no mark, and not tight.
const FILL: u8 = b'~';
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
        let assigned = (wants & ASSIGNED != 0).then(|| Assigned::new(names));
        Self { wants: wants | ODD | NAME | ESCAPE, names: names.clone(), assigned }
    }

    /// Where values of telling names are looked for, if they are.
    pub(super) fn assigned(&self) -> Option<&Assigned> {
        self.assigned.as_ref()
    }

    /// Where in these bytes of JSON, such as a record or a value, something shows first, `from` on, which is no part of
    /// a string or of a number. In a member or an element without such a place there is certainly nothing to cover.
    #[inline]
    pub(super) fn next_sign(&self, raw: &[u8], from: usize) -> Option<usize> {
        let mut watch = Watch::new(self, raw, from);
        json::run(Look::<true>(&mut watch));
        watch.first()
    }

    /// The signals of a decoded text.
    #[inline(always)]
    pub(super) fn signs(&self, text: &[u8]) -> Signs {
        let mut watch = Watch::new(self, text, 0);
        json::run(Look::<false>(&mut watch));
        watch.signs
    }
}

/// A look at a text; one at raw JSON goes no further than the step in which something shows.
struct Look<'a, 'b, const RAW: bool>(&'b mut Watch<'a>);

impl<const RAW: bool> Work for Look<'_, '_, RAW> {
    type Done = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self(watch) = self;
        let (text, mut at) = (watch.text, watch.from);
        let (mut high, mut edge) = (L::all(0), Edge::default());
        while let Some(step) = text[at..].first_chunk() {
            let events = Masks::of::<L>(step, &mut high).events(&mut edge);
            if events.is_any() {
                tell::<L, RAW>(watch, at, &events, (step, 0));
            }
            at += STEP;
            if RAW && !watch.signs.is_empty() {
                break;
            }
        }
        if at < text.len() && (!RAW || watch.signs.is_empty()) {
            let mut room = [FILL; STEP];
            let (step, known) = last_step(text, at, &mut room);
            let events = Masks::of::<L>(step, &mut high).behind(known).events(&mut edge);
            if events.is_any() {
                tell::<L, RAW>(watch, at, &events, (step, known));
            }
        }
        if high.mask() != 0 {
            watch.odd::<RAW>();
        }
    }
}

/// Shows what the masks of the step at `at` point at, of which the first `known` bytes lie before that.
#[inline(always)]
fn tell<L: Lanes, const RAW: bool>(
    watch: &mut Watch<'_>,
    at: usize,
    events: &Events,
    (step, known): (&[u8; STEP], usize),
) {
    let mut classes = [Classes::default(); 2];
    if events.numbers | events.words != 0 {
        classes[1] = Classes::of::<L>(step, known);
    }
    if events.words_before != 0 {
        classes[0] = Classes::of::<L>(watch.text[at - STEP..].first_chunk().expect("a step lies before"), 0);
    }
    watch.step::<RAW>(at, events, &classes);
}

/// The rest of a text from `at` on, shorter than a step, and how many bytes of the step lie before that: it is read with
/// what stands before, or, if all the text is shorter than a step, in a `room` of its own.
#[inline(always)]
fn last_step<'a>(text: &'a [u8], at: usize, room: &'a mut [u8; STEP]) -> (&'a [u8; STEP], usize) {
    let rest = text.len() - at;
    if let Some(step) = text.last_chunk() {
        return (step, STEP - rest);
    }
    room[..rest].copy_from_slice(&text[at..]);
    (room, 0)
}

/// A bit for each byte of a step.
#[derive(Clone, Copy, Debug, Default)]
struct Masks {
    /// From `:` over `;` and `=` to `@`, `J`, backslashes and `%`.
    marks: u64,
    /// First, second and third letters of `bea` and `bas`, and what only looks like them.
    letters: [u64; 3],
    dashes: u64,
    /// What is above the nine: no digit and nothing that stands between digits.
    loose: u64,
    /// What is above the comma and no blank, quote or bracket: keys and more.
    word: u64,
}

impl Masks {
    #[inline(always)]
    fn of<L: Lanes>(step: &[u8; STEP], high: &mut L) -> Self {
        let mut masks = Self::default();
        let mut place = 0;
        while place < STEP {
            let lanes = L::of(&step[place..]);
            let small = lanes.or(L::all(0x20));
            let (a, e, s) = (small.equal(b'a'), small.equal(b'e'), small.equal(b's'));
            let named = lanes.equal(b'J').or(lanes.equal(b'\\')).or(lanes.equal(b'%'));
            let marks = lanes.minus(b':').at_most(b'@' - b':').or(named);
            *high = high.or(lanes);
            masks.marks |= bits(marks, place);
            masks.letters[0] |= bits(small.equal(b'b'), place);
            masks.letters[1] |= bits(e.or(a), place);
            masks.letters[2] |= bits(a.or(s), place);
            masks.dashes |= bits(lanes.equal(b'-'), place);
            masks.loose |= bits(lanes.at_most(b'9'), place);
            masks.word |= bits(lanes.above(b','), place);
            place += L::BYTES;
        }
        masks.loose = !masks.loose;
        masks
    }

    /// Those without the first `known` bytes.
    #[inline(always)]
    fn behind(self, known: usize) -> Self {
        Self {
            marks: self.marks >> known,
            letters: self.letters.map(|mask| mask >> known),
            dashes: self.dashes >> known,
            loose: !(!self.loose >> known),
            word: self.word >> known,
        }
    }

    /// Where the text must be read; `edge` is what the step before told, and then what this one tells the next.
    #[inline(always)]
    fn events(self, edge: &mut Edge) -> Events {
        let Self { marks, letters: [first, second, third], dashes, loose, word } = self;
        let both = (first << 1 | edge.first) & second;
        let goes_on = u64::from(edge.tight + loose.trailing_zeros() >= FEWEST_DIGITS as u32);
        let is_crossed = edge.word + word.trailing_ones() >= FEWEST_IN_KEY as u32;
        let events = Events {
            marks,
            dashes: dashes & (dashes << 1 | edge.dash),
            schemes: (both << 1 | edge.both) & third,
            numbers: run_of_nine(!loose) | (!loose & goes_on),
            words: run_of_fifteen(word),
            words_before: if is_crossed { !(u64::MAX >> edge.word) } else { 0 },
            tight: !loose,
        };
        *edge = Edge {
            dash: dashes >> 63,
            first: first >> 63,
            both: both >> 63,
            tight: loose.leading_zeros(),
            word: word.leading_ones().min(FEWEST_IN_KEY as u32 - 1),
        };
        events
    }
}

/// What a step tells the next one.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    /// The last bit of these masks.
    dash: u64,
    first: u64,
    both: u64,
    /// How many of its last bytes are tight.
    tight: u32,
    /// How many of its last bytes are a word in which no key is told of yet.
    word: u32,
}

/// Bits of a step's masks.
#[derive(Clone, Copy, Debug)]
struct Events {
    /// Single bytes that may matter.
    marks: u64,
    /// Second dashes.
    dashes: u64,
    /// Third letters of what may be `bearer` or `basic`.
    schemes: u64,
    /// Where nine tight bytes begin; the first bit may also stand for a run that began before the step.
    numbers: u64,
    /// From where on a word goes on as long as a key.
    words: u64,
    /// The same in the step before, where it goes on in this one.
    words_before: u64,
    /// Digits, blanks and what stands between in ASCII.
    tight: u64,
}

impl Events {
    #[inline(always)]
    fn is_any(&self) -> bool {
        self.marks | self.dashes | self.schemes | self.numbers | self.words | self.words_before != 0
    }
}

/// More bits of a step, for those that have numbers or long words.
#[derive(Clone, Copy, Debug, Default)]
struct Classes {
    digits: u64,
    /// Letters and digits of ASCII.
    alphanumeric: u64,
}

impl Classes {
    #[inline(always)]
    fn of<L: Lanes>(step: &[u8; STEP], known: usize) -> Self {
        let mut classes = Self::default();
        let mut place = 0;
        while place < STEP {
            let lanes = L::of(&step[place..]);
            let digits = lanes.minus(b'0').at_most(9);
            classes.digits |= bits(digits, place);
            classes.alphanumeric |= bits(lanes.or(L::all(0x20)).minus(b'a').at_most(25).or(digits), place);
            place += L::BYTES;
        }
        Self { digits: classes.digits >> known, alphanumeric: classes.alphanumeric >> known }
    }

    /// Letters with no letter and no digit before them in the step.
    #[inline(always)]
    fn starts(&self) -> u64 {
        self.alphanumeric & !(self.alphanumeric << 1) & !self.digits
    }
}

/// The bits of lanes at their place in a step.
#[inline(always)]
fn bits<L: Lanes>(lanes: L, place: usize) -> u64 {
    lanes.mask() << place
}

/// The bits from which on nine of the mask stand in a row.
#[inline(always)]
fn run_of_nine(mask: u64) -> u64 {
    let two = mask & (mask >> 1);
    let four = two & (two >> 2);
    four & (four >> 4) & (mask >> 8)
}

/// The bits from which on fifteen of the mask stand in a row.
#[inline(always)]
fn run_of_fifteen(mask: u64) -> u64 {
    let two = mask & (mask >> 1);
    let four = two & (two >> 2);
    let eight = four & (four >> 4);
    eight & (eight >> (FEWEST_IN_KEY - 8))
}

#[cfg(test)]
mod tests;
