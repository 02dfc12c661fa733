//! What names end with.

use super::{KeyNames, is_ignored};

/// Words of 64 bits, one for each three low halves of bytes.
const WORDS: usize = 1 << (3 * 5 - 6);
/// Letters of an ending that are looked at, after the last three bytes.
const LETTERS: usize = 6;
/// Words of 64 bits for these.
const WORDS_OF_LETTERS: usize = 64;
/// How far from the end of a word the last of its letters are looked for.
const REACH: usize = 16;

/// What names end with: turns most words away by three bytes, without knowing where they begin.
#[derive(Debug, Clone)]
pub(in super::super) struct Tails {
    /// A bit for the low five bits of each of the last three bytes: case does not differ in them.
    threes: Box<[u64; WORDS]>,
    /// A bit for the last letters, or as many as a shorter name has.
    letters: Box<[u64; WORDS_OF_LETTERS]>,
    /// The last two characters of names that end beyond ASCII.
    wide: Vec<[char; 2]>,
}

impl Tails {
    pub(super) fn none() -> Self {
        Self { threes: Box::new([0; WORDS]), letters: Box::new([0; WORDS_OF_LETTERS]), wide: Vec::new() }
    }

    /// Adds the end of a folded name.
    pub(super) fn add(&mut self, name: &[u8]) {
        if let Some((last, rest)) = last_char(name).filter(|(last, _)| !last.is_ascii()) {
            self.wide.push([last_char(rest).map_or('_', |(before, _)| before), last]);
            return;
        }
        let ending = &name[name.len().saturating_sub(LETTERS)..];
        let (word, bit) = place_of(ending.iter().fold(0, |letters, byte| letters << 8 | u64::from(*byte)));
        self.letters[word] |= bit;
        // What stands before a shorter name may be anything, and so may a byte of a letter that has two cases.
        let letter = |from_end: usize| match name.len().checked_sub(from_end).map(|at| name[at]) {
            Some(byte) if byte.is_ascii() => Place::Byte(byte),
            _ => Place::Any,
        };
        let letters = [letter(1), letter(2), letter(3)];
        // Each of the last three bytes of a word is a letter of the name or one of the ignored.
        for ignored in 0..8 {
            let mut next = letters.iter();
            let places = [0, 1, 2].map(|place| match ignored >> place & 1 {
                0 => *next.next().expect("there are as many letters as places"),
                _ => Place::Ignored,
            });
            self.add_places(places);
        }
    }

    /// Adds all threes of these, the last first.
    fn add_places(&mut self, [last, before, first]: [Place; 3]) {
        for first in bits_of(first.codes()) {
            for before in bits_of(before.codes()) {
                for last in bits_of(last.codes()) {
                    let three = first << 10 | before << 5 | last;
                    self.threes[three / 64] |= 1 << (three % 64);
                }
            }
        }
    }

    /// Those of several sets of names.
    pub(in super::super) fn of<'a>(sets: impl IntoIterator<Item = &'a KeyNames>) -> Self {
        let mut tails = Self::none();
        sets.into_iter().flat_map(|set| &set.names).for_each(|name| tails.add(name));
        tails
    }

    /// Whether a name can end where `text` does; `false` is certain.
    #[inline]
    pub(in super::super) fn fit(&self, text: &[u8]) -> bool {
        let Some(&[first, before, last]) = text.last_chunk() else { return self.fit_short(text) };
        let code = |byte: u8| usize::from(byte & 31);
        let three = code(first) << 10 | code(before) << 5 | code(last);
        let may_fit = self.threes[three / 64] >> (three % 64) & 1 != 0;
        (may_fit && self.has_letters(text)) || ((first | before | last) >= 0x80 && self.fit_wide(text))
    }

    /// Are the last letters of the text, without the ignored, those of a name, or of one that is shorter?
    fn has_letters(&self, text: &[u8]) -> bool {
        let (mut letters, mut count) = (0, 0);
        for &byte in text.iter().rev().take(REACH).filter(|byte| !is_ignored(**byte)) {
            if !byte.is_ascii() {
                return true;
            }
            letters |= u64::from(byte.to_ascii_lowercase()) << (8 * count);
            count += 1;
            let (word, bit) = place_of(letters);
            if self.letters[word] & bit != 0 {
                return true;
            }
            if count == LETTERS {
                return false;
            }
        }
        text.len() > REACH
    }

    /// The same for a text of two bytes or less: as if an ignored byte stood before it.
    #[cold]
    fn fit_short(&self, text: &[u8]) -> bool {
        let mut room = [b'_'; 3];
        room[3 - text.len()..].copy_from_slice(text);
        !text.is_empty() && self.fit(&room)
    }

    /// The same for a text that ends beyond ASCII. What cannot be told may fit.
    fn fit_wide(&self, text: &[u8]) -> bool {
        let Some((last, rest)) = last_char(text) else { return true };
        // A letter beyond ASCII before the last one may be the capital of one of ASCII.
        let Some(last) = small(last).filter(|last| !last.is_ascii()) else { return true };
        let before = last_char(rest).map_or('_', |(before, _)| before);
        let may_be_hidden = before.is_ascii() && is_ignored(before as u8);
        let is_before = |own: char| own == '_' || may_be_hidden || small(before).is_none_or(|before| before == own);
        self.wide.iter().any(|[own_before, own]| *own == last && is_before(*own_before))
    }
}

/// Where the bit of some letters stands.
fn place_of(letters: u64) -> (usize, u64) {
    let place = letters.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - 12);
    ((place / 64) as usize, 1 << (place % 64))
}

/// What may stand at a place.
#[derive(Clone, Copy, Debug)]
enum Place {
    Byte(u8),
    Ignored,
    Any,
}

impl Place {
    /// A bit for the low half of each such byte.
    fn codes(self) -> u32 {
        match self {
            Self::Byte(byte) => 1 << (byte & 31),
            Self::Ignored => b"_-.".iter().fold(0, |codes, byte| codes | 1 << (byte & 31)),
            Self::Any => u32::MAX,
        }
    }
}

/// The places of the bits.
fn bits_of(mut bits: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.checked_ilog2()?;
        bits &= !(1 << place);
        Some(place as usize)
    })
}

/// The last character, and what stands before it.
fn last_char(text: &[u8]) -> Option<(char, &[u8])> {
    // Most letters beyond ASCII have two bytes.
    if let [rest @ .., lead @ 0xC2..=0xDF, last @ 0x80..=0xBF] = text {
        return Some((char::from_u32(u32::from(lead & 0x1F) << 6 | u32::from(last & 0x3F))?, rest));
    }
    let length = 1 + text.iter().rev().take(4).position(|byte| byte & 0xC0 != 0x80)?;
    let (rest, last) = text.split_at(text.len() - length);
    Some((std::str::from_utf8(last).ok()?.chars().next()?, rest))
}

/// The small letter of a character, if it is one letter.
fn small(character: char) -> Option<char> {
    if matches!(character, 'а'..='я' | 'a'..='z') {
        return Some(character);
    }
    let mut letters = character.to_lowercase();
    letters.next().filter(|_| letters.next().is_none())
}
