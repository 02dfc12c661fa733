//! Runs of digits: what cards, telephones, accounts and identity numbers have in common.
//!
//! A run is at least nine digits with no more than two separators between two of them. One search finds the runs of
//! a text; each detector then looks only at these.

use std::ops::Range;

use memchr::memchr_iter;

use super::card;

/// Digits of the shortest number that is looked for: a social security number.
const FEWEST: usize = 9;
/// Separators that may stand between two digits: `+7 (916) 123-45-67`.
const WIDEST_GAP: usize = 2;
/// Any so many neighbours in a run hold a digit.
const WINDOW: usize = WIDEST_GAP + 1;
/// So far apart may looks be: a run that is no longer than it must be holds a whole window at one of them.
const STRIDE: usize = FEWEST - WIDEST_GAP;
/// Digits of the longest number that is looked for, and one more: enough to see that it is too long.
const MOST: usize = 16;
/// Digits of a date and an hour.
const DATE: usize = 10;
/// Characters of a UUID (RFC 9562).
const UUID: usize = 36;
/// Groups of the most divided number that is looked for.
const MOST_GROUPS: usize = 6;

/// Digits close to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// From the first digit to behind the last one.
    pub(super) span: Range<usize>,
    /// How many digits.
    pub(super) digits: usize,
}

impl Run {
    /// Is it a time, a UUID or a part of a hash? No detector finds anything there.
    pub(super) fn is_idle(&self, text: &[u8]) -> bool {
        let (before, after) = (&text[..self.span.start], &text[self.span.end..]);
        // A telephone number needs nothing behind its plus.
        let is_led = matches!(before, [.., b'+' | b'('] | [.., b'%', b'2', b'B' | b'b']);
        !is_led && (self.is_time(text, after) || self.is_in_hash(text, (before, after)) || self.is_in_uuid(text))
    }

    /// `2026-11-21 13`, before a colon.
    fn is_time(&self, text: &[u8], after: &[u8]) -> bool {
        let is_date =
            matches!(text[self.span.clone()], [b'1' | b'2', b'9' | b'0', _, _, b'-', _, _, b'-', _, _, b' ', _, _]);
        is_date && self.digits == DATE && after.first() == Some(&b':')
    }

    /// One block of digits with a small letter of a hexadecimal word at either side: nothing stands alone there but,
    /// behind a name, a card, and the words of an account have capitals.
    fn is_in_hash(&self, text: &[u8], (before, after): (&[u8], &[u8])) -> bool {
        let is_hex = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'a'..=b'f'));
        self.span.len() == self.digits
            && (is_hex(before.last()) || is_hex(after.first()))
            && !card::stands_alone(text, self.span.clone())
    }

    /// A part of a UUID that stands alone: no group of its digits does.
    fn is_in_uuid(&self, text: &[u8]) -> bool {
        let is_part = |byte: &&u8| class(**byte) & UUID_PART != 0;
        let start = self.span.start - text[..self.span.start].iter().rev().take(UUID).take_while(is_part).count();
        let Some(uuid) = text.get(start..start + UUID) else { return false };
        let has_groups =
            [8, 13, 18, 23].into_iter().all(|place| uuid[place] == b'-') && memchr_iter(b'-', uuid).count() == 4;
        let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        self.span.end <= start + UUID
            && has_groups
            // What stands before the run is such a part: see above.
            && text[self.span.start..start + UUID].iter().all(|byte| is_part(&byte))
            && !matches!(text[..start].last(), Some(b'+' | b'('))
            && !is_word(text[..start].last())
            && !is_word(text.get(start + UUID))
    }
}

/// The run with the digit at `digit`.
pub(super) fn run_around(text: &[u8], digit: usize) -> Run {
    run_at(text, run_start(text, 0, digit))
}

/// The next run at or behind `from`, which is the start of the text or the end of the last run.
pub(super) fn next_run(text: &[u8], from: usize) -> Option<Run> {
    let mut probe = from + STRIDE - 1;
    while let Some(window) = text.get(probe..probe + WINDOW) {
        let Some(offset) = window.iter().position(u8::is_ascii_digit) else {
            probe += STRIDE;
            continue;
        };
        let start = run_start(text, from, probe + offset);
        let run = run_at(text, start);
        if run.digits >= FEWEST {
            return Some(run);
        }
        probe = run.span.end + STRIDE;
    }
    None
}

fn run_start(text: &[u8], from: usize, anchor: usize) -> usize {
    let (mut start, mut gap) = (anchor, 0);
    for (at, byte) in text[from..anchor].iter().enumerate().rev() {
        match class(*byte) {
            class if class & DIGIT != 0 => (start, gap) = (from + at, 0),
            class if class & SEPARATOR != 0 && gap < WIDEST_GAP => gap += 1,
            _ => break,
        }
    }
    start
}

fn run_at(text: &[u8], start: usize) -> Run {
    let (mut end, mut digits, mut gap) = (start, 0, 0);
    for (at, byte) in text[start..].iter().enumerate() {
        match class(*byte) {
            class if class & DIGIT != 0 => (end, digits, gap) = (start + at + 1, digits + 1, 0),
            class if class & SEPARATOR != 0 && gap < WIDEST_GAP => gap += 1,
            _ => break,
        }
    }
    Run { span: start..end, digits }
}

/// It is a digit.
const DIGIT: u8 = 1;
/// It may stand between digits.
const SEPARATOR: u8 = 1 << 1;
/// It may be a part of a UUID.
const UUID_PART: u8 = 1 << 2;

/// For each byte what it is: one look instead of several comparisons.
static CLASSES: [u8; 256] = {
    let (mut classes, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let is = byte as u8;
        classes[byte] = if is.is_ascii_digit() { DIGIT } else { 0 }
            | if matches!(is, b' ' | b'-' | b'(' | b')') { SEPARATOR } else { 0 }
            | if is.is_ascii_hexdigit() || is == b'-' { UUID_PART } else { 0 };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

fn is_separator(byte: u8) -> bool {
    class(byte) & SEPARATOR != 0
}

/// The starts of the groups of digits in a run.
fn groups(text: &[u8], span: Range<usize>) -> impl Iterator<Item = usize> {
    let is_start =
        move |at: &usize| text[*at].is_ascii_digit() && (*at == span.start || !text[at - 1].is_ascii_digit());
    (span.start..span.end).filter(is_start)
}

/// Appends the numbers that begin with a group of the run, as `number_at` has them; they do not overlap.
pub(super) fn find_in(
    run: &Run,
    text: &[u8],
    found: &mut Vec<Range<usize>>,
    number_at: impl Fn(usize) -> Option<Range<usize>>,
) {
    let mut floor = run.span.start;
    for start in groups(text, run.span.clone()) {
        if start >= floor
            && let Some(span) = number_at(start)
        {
            floor = span.end;
            found.push(span);
        }
    }
}

/// How many digits `text` begins with.
pub(super) fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The first digits of a number, with where its groups end.
#[derive(Debug, Default)]
pub(super) struct Number {
    digits: [u8; MOST],
    /// Digits up to the end of each group, and where in the text that is.
    ends: [(usize, usize); MOST_GROUPS],
    groups: usize,
}

impl Number {
    /// Reads from `start` to no further than `limit`, whole groups only.
    pub(super) fn read(text: &[u8], start: usize, limit: usize) -> Self {
        let mut number = Self::default();
        let (mut at, mut count) = (start, 0);
        while number.groups < MOST_GROUPS {
            let length = text[at..limit].iter().take(MOST + 1).take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 || count + length > MOST {
                break;
            }
            for (digit, byte) in number.digits[count..].iter_mut().zip(&text[at..at + length]) {
                *digit = byte - b'0';
            }
            count += length;
            at += length;
            number.ends[number.groups] = (count, at);
            number.groups += 1;
            at += text[at..limit].iter().take(WIDEST_GAP).take_while(|&&byte| is_separator(byte)).count();
        }
        number
    }

    /// The digits up to the end of group `groups`.
    pub(super) fn digits(&self, groups: usize) -> &[u8] {
        &self.digits[..self.ends[groups - 1].0]
    }

    /// Where group number `groups`, counted from one, ends in the text.
    pub(super) fn end(&self, groups: usize) -> usize {
        self.ends[groups - 1].1
    }

    /// How many groups have been read.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// The lengths of the first groups.
    pub(super) fn lengths(&self) -> [usize; MOST_GROUPS] {
        let mut before = 0;
        std::array::from_fn(|group| {
            let count = if group < self.groups { self.ends[group].0 } else { before };
            count - std::mem::replace(&mut before, count)
        })
    }

    /// The group at which there are exactly `count` digits, counted from one.
    pub(super) fn group_at(&self, count: usize) -> Option<usize> {
        self.ends[..self.groups].iter().position(|(digits, _)| *digits == count).map(|at| at + 1)
    }
}

/// Is the span no part of a longer word, number or code? A hyphen counts as part of it where a letter or a digit
/// stands behind.
pub(super) fn stands_alone(text: &[u8], span: &Range<usize>) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let before = match text[..span.start] {
        [.., byte] if is_word(byte) => false,
        [.., byte, b'-' | b'.'] => !is_word(byte),
        _ => true,
    };
    let after = match text[span.end..] {
        [byte, ..] if is_word(byte) => false,
        [b'-' | b'.', byte, ..] => !is_word(byte),
        _ => true,
    };
    before && after
}

/// What `look` finds in the runs of a text.
#[cfg(test)]
pub(super) fn in_runs(text: &str, look: impl Fn(&Run, &mut Vec<Range<usize>>)) -> Vec<&str> {
    let (mut from, mut found) = (0, Vec::new());
    while let Some(run) = next_run(text.as_bytes(), from) {
        from = run.span.end;
        look(&run, &mut found);
    }
    found.into_iter().map(|span| &text[span]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<&str> {
        in_runs(text, |run, found| found.push(run.span.clone()))
    }

    #[test]
    fn runs_end_where_the_gap_is_too_wide() {
        assert_eq!(all("call +7 (916) 123-45-67, or 123-45-6789."), ["7 (916) 123-45-67", "123-45-6789"]);
        assert_eq!(all("12345678 a 2026-11-21 and 1  2  3  4  5  6  7  8  9"), ["1  2  3  4  5  6  7  8  9"]);
        assert!(all("12345 - 6789, 0.12345678, 550e8400-e29b-41d4-a716").is_empty());
    }

    #[test]
    fn a_number_is_read_in_its_groups() {
        let number = Number::read(b"8 (916) 123-45-67 89", 0, 20);
        assert_eq!(number.lengths(), [1, 3, 3, 2, 2, 2]);
        assert_eq!((number.group_at(11), number.end(5)), (Some(5), 17));
        assert_eq!(number.digits(5), [8, 9, 1, 6, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(Number::read(&[b'1'; 40], 0, 40).groups(), 0);
    }

    proptest! {
        #[test]
        fn every_run_of_nine_digits_is_found(before in "[a-z ]{0,30}", run in "[0-9]([ ()-]{0,2}[0-9]){8,20}", after in "[a-z]{0,30}") {
            let text = format!("{before}x{run}{after}");
            prop_assert_eq!(all(&text), [run.as_str()]);
        }
    }
}
