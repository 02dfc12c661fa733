//! What names end with.

use super::{KeyNames, is_ignored};

/// What names end with: turns most words away by two bytes, without knowing where they begin.
#[derive(Debug, Clone)]
pub(in super::super) struct Tails {
    /// By the low five bits of the last byte, a bit for those of the byte before: case does not differ in them.
    pairs: Box<[u32; 32]>,
    /// The last two characters of names that end beyond ASCII.
    wide: Vec<[char; 2]>,
}

impl Tails {
    pub(super) fn none() -> Self {
        Self { pairs: Box::new([0; 32]), wide: Vec::new() }
    }

    /// Adds the end of a folded name.
    pub(super) fn add(&mut self, name: &[u8]) {
        if let Some((last, rest)) = last_char(name).filter(|(last, _)| !last.is_ascii()) {
            self.wide.push([last_char(rest).map_or('_', |(before, _)| before), last]);
            return;
        }
        let pair = |last: &u8, before: u32| (usize::from(*last & 31), before);
        let (last, before) = match name {
            [last] => pair(last, u32::MAX),
            [.., before, last] => pair(last, 1 << (before & 31)),
            [] => return,
        };
        self.pairs[last] |= before;
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
        let (last, before) = match text {
            [.., before, last] => (*last, *before),
            [last] => (*last, b'_'),
            [] => return false,
        };
        if !last.is_ascii() {
            return self.fit_wide(text);
        }
        let befores = self.pairs[usize::from(last & 31)];
        let may_be_hidden = is_ignored(before) || !before.is_ascii();
        is_ignored(last) || befores >> (before & 31) & 1 != 0 || (befores != 0 && may_be_hidden)
    }

    /// The same for a text that ends beyond ASCII. What cannot be told may fit.
    fn fit_wide(&self, text: &[u8]) -> bool {
        let Some((last, rest)) = last_char(text) else { return true };
        let Some(last) = small(last).filter(|last| !last.is_ascii()) else { return true };
        let before = last_char(rest).map_or('_', |(before, _)| before);
        let may_be_hidden = before.is_ascii() && is_ignored(before as u8);
        let is_before = |own: char| own == '_' || may_be_hidden || small(before).is_none_or(|before| before == own);
        self.wide.iter().any(|[own_before, own]| *own == last && is_before(*own_before))
    }
}

/// The last character, and what stands before it.
fn last_char(text: &[u8]) -> Option<(char, &[u8])> {
    let length = 1 + text.iter().rev().take(4).position(|byte| byte & 0xC0 != 0x80)?;
    let (rest, last) = text.split_at(text.len() - length);
    Some((std::str::from_utf8(last).ok()?.chars().next()?, rest))
}

/// The small letter of a character, if it is one letter.
fn small(character: char) -> Option<char> {
    let mut letters = character.to_lowercase();
    letters.next().filter(|_| letters.next().is_none())
}
