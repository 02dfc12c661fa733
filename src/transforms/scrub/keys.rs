//! Names of members whose value is covered whole, whatever it holds.
//!
//! Names are compared without regard to case and to `_`, `-` and `.`: `api_key` also means `apiKey`, `API-Key` and
//! `api.key`. They are whole names: `password` does not mean `password_changed_at`. Beside the lists that are here, a
//! name is also known by its last word: `old_password`, `githubToken`.

mod endings;
mod names;
mod tails;

use std::{error, fmt};

pub(super) use endings::{GLUED_ENDINGS, STRONG_ENDINGS, tells_by_end, without_number};

pub use names::{DEFAULT_NAMES, PERSON_NAMES, RUSSIAN_NAMES, SECRET_NAMES};
pub(super) use names::{HEADER_NAMES, QUERY_NAMES};
pub(super) use tails::Tails;

/// Bytes of the longest name, folded.
const LONGEST: usize = 63;
/// Digits of a number that may be a password.
const FEWEST_DIGITS: usize = 4;
/// Stretches that the names of a set lie in, by their shape: so many that most have one name or none.
const STRETCHES: usize = 1024;

/// What a name tells of the value of its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nothing.
    No,
    /// Its last word is that of a secret: `old_password`.
    End,
    /// It is one of the names.
    Whole,
}

impl Telling {
    /// Does this value, JSON text, go? Behind a name of which only the end tells, `true` and small numbers stay:
    /// `has_token`, `tests_pass`.
    #[inline]
    pub fn takes(self, value: &[u8]) -> bool {
        match self {
            Self::No => false,
            Self::End if matches!(value.first(), Some(b'"' | b'{' | b'[')) => true,
            Self::End => value.len() >= FEWEST_DIGITS && !matches!(value, b"true" | b"false" | b"null"),
            Self::Whole => value != b"null",
        }
    }
}

/// A set of names.
#[derive(Debug, Clone)]
pub struct KeyNames {
    /// Folded, those of one shape next to each other.
    names: Vec<Box<[u8]>>,
    /// Where the names of each shape begin, and behind the last.
    starts: Box<[u32; STRETCHES + 1]>,
    /// For each first byte of a folded name: which lengths and which last bytes are in use.
    hints: Box<[Hint; 256]>,
    tails: Tails,
    /// Does the last word of a name tell, too?
    has_endings: bool,
}

/// The number of the stretch that a folded name lies in: by its length and three of its bytes.
fn shape_of(folded: &[u8]) -> usize {
    let [first, .., last] = folded else { return 0 };
    let middle = folded[folded.len() / 2];
    let mixed = folded.len() as u32 ^ u32::from(*first) << 8 ^ u32::from(*last) << 16 ^ u32::from(middle) << 24;
    (mixed.wrapping_mul(0x9E37_79B1) >> 22) as usize
}

/// What the names with one first byte have in common; turns most keys away before they are folded.
#[derive(Debug, Clone, Copy, Default)]
struct Hint {
    /// A bit for each length.
    lengths: u64,
    /// A bit for each value of the low five bits of the last byte: those do not differ by case.
    endings: u32,
}

impl Hint {
    fn ending(byte: u8) -> u32 {
        1 << (byte & 31)
    }
}

/// Why a name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameFault {
    /// Nothing but `_`, `-` and `.`.
    Empty(String),
    /// More than 63 bytes.
    TooLong(String),
}

impl fmt::Display for NameFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(name) => {
                write!(out, "key name `{name}` has no letter or digit, expected a name such as `api_key`")
            }
            Self::TooLong(name) => write!(out, "key name `{name}` is longer than {LONGEST} bytes"),
        }
    }
}

impl error::Error for NameFault {}

impl Default for KeyNames {
    /// [`DEFAULT_NAMES`], and what ends with a word that tells.
    fn default() -> Self {
        Self::new(DEFAULT_NAMES).expect("the names of the table are neither empty nor too long").with_endings()
    }
}

impl KeyNames {
    /// The set of `names`. To extend the default list, chain it with the user's.
    pub fn new<Name: AsRef<str>>(names: impl IntoIterator<Item = Name>) -> Result<Self, NameFault> {
        let fold = |name: Name| {
            let (name, mut folded) = (name.as_ref(), Folded::default());
            match folded.take(name.as_bytes()) {
                false => Err(NameFault::TooLong(name.into())),
                true if folded.bytes().is_empty() => Err(NameFault::Empty(name.into())),
                true => Ok(folded.bytes().into()),
            }
        };
        Ok(Self::of(names.into_iter().map(fold).collect::<Result<_, _>>()?))
    }

    /// The same set; the last word of a name tells, too: `old_password`, `githubToken`, `PGPASSWORD`, `password2`.
    #[must_use]
    pub fn with_endings(mut self) -> Self {
        self.has_endings = true;
        endings::all().for_each(|name| self.tails.add(name));
        self
    }

    /// The set of what is in any of these.
    pub(super) fn union<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::of(sets.into_iter().flat_map(|set| &set.names).cloned().collect())
    }

    /// The set of these folded names, none of which is empty.
    fn of(mut names: Vec<Box<[u8]>>) -> Self {
        names.sort_unstable_by(|one, other| (shape_of(one), one).cmp(&(shape_of(other), other)));
        names.dedup();
        let mut set = Self { names, ..Self::none() };
        for name in &set.names {
            let (Some(first), Some(last)) = (name.first(), name.last()) else { continue };
            let hint = &mut set.hints[usize::from(*first)];
            hint.lengths |= 1 << name.len();
            hint.endings |= Hint::ending(*last);
            set.tails.add(name);
        }
        let begins = |shape| set.names.partition_point(|name| shape_of(name) < shape);
        let starts: Vec<u32> = (0..=STRETCHES).map(|shape| begins(shape) as u32).collect();
        set.starts.copy_from_slice(&starts);
        set
    }

    /// Whether the decoded member name `key` is one of the names. Allocates only for a name that is not UTF-8.
    pub fn matches(&self, key: &[u8]) -> bool {
        self.tails.fit(key) && self.place(key).is_some()
    }

    /// What the decoded member name `key` tells of its value.
    #[inline]
    pub fn telling(&self, key: &[u8]) -> Telling {
        if self.may_end(key) { self.telling_of(key) } else { Telling::No }
    }

    #[inline(never)]
    fn telling_of(&self, key: &[u8]) -> Telling {
        if self.place(key).is_some() {
            return Telling::Whole;
        }
        let name = without_number(key);
        match self.has_endings {
            true if name.len() < key.len() && self.place(name).is_some() => Telling::Whole,
            true if endings::tells(name) => Telling::End,
            _ => Telling::No,
        }
    }

    /// The number of the name that the decoded `key` is; each name has its own.
    pub(super) fn place(&self, key: &[u8]) -> Option<usize> {
        let mut folded = Folded::default();
        if self.may_match(key) && folded.take(key) { self.place_of(folded.bytes()) } else { None }
    }

    /// The last byte of each name.
    pub(super) fn lasts(&self) -> impl Iterator<Item = u8> {
        self.names.iter().filter_map(|name| name.last().copied())
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The numbers that the names of another set have in this one.
    pub(super) fn shared_with<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> {
        other.names.iter().filter_map(|name| self.place_of(name))
    }

    /// No name at all.
    pub(super) fn none() -> Self {
        Self {
            names: Vec::new(),
            hints: Box::new([Hint::default(); 256]),
            starts: Box::new([0; STRETCHES + 1]),
            tails: Tails::none(),
            has_endings: false,
        }
    }

    /// Whether a name can end where `text` does; `false` is certain.
    #[inline]
    pub(super) fn may_end(&self, text: &[u8]) -> bool {
        self.tails.fit(text) || (text.last().is_some_and(u8::is_ascii_digit) && self.tails.fit(without_number(text)))
    }

    /// What the first byte, the last byte and the length tell of a key.
    fn may_match(&self, key: &[u8]) -> bool {
        let first = key.iter().find(|&&byte| !is_ignored(byte));
        let last = key.iter().rfind(|&&byte| !is_ignored(byte));
        let (Some(first), Some(last)) = (first, last) else {
            return false;
        };
        if !first.is_ascii() || !last.is_ascii() {
            return true;
        }
        let hint = self.hints[usize::from(first.to_ascii_lowercase())];
        // Lower case makes a character longer by half at most (U+0130 and its like), so never a key by twice.
        hint.endings & Hint::ending(*last) != 0 && hint.lengths.trailing_zeros() as usize <= 2 * key.len()
    }

    fn place_of(&self, folded: &[u8]) -> Option<usize> {
        let shape = shape_of(folded);
        let (start, end) = (self.starts[shape] as usize, self.starts[shape + 1] as usize);
        (start..end).find(|place| *self.names[*place] == *folded)
    }
}

fn is_ignored(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.')
}

/// A name in lower case without the ignored bytes, on the stack.
struct Folded {
    room: [u8; LONGEST + 1],
    length: usize,
}

impl Default for Folded {
    fn default() -> Self {
        Self { room: [0; LONGEST + 1], length: 0 }
    }
}

impl Folded {
    fn bytes(&self) -> &[u8] {
        &self.room[..self.length]
    }

    /// Folds `name` in; `false` if it does not fit.
    fn take(&mut self, name: &[u8]) -> bool {
        if name.is_ascii() {
            return self.take_ascii(name);
        }
        let mut scratch = [0; 4];
        String::from_utf8_lossy(name)
            .chars()
            .flat_map(char::to_lowercase)
            .filter(|&character| !character.is_ascii() || !is_ignored(character as u8))
            .all(|character| self.push(character.encode_utf8(&mut scratch).as_bytes()))
    }

    fn take_ascii(&mut self, name: &[u8]) -> bool {
        for byte in name {
            // Written in any case, but kept only if it counts: which it is shall not be a jump.
            let Some(room) = self.room.get_mut(self.length) else {
                return false;
            };
            *room = byte.to_ascii_lowercase();
            self.length += usize::from(!is_ignored(*byte));
        }
        self.length <= LONGEST
    }

    fn push(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self.room[..LONGEST].get_mut(self.length..self.length + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.length += bytes.len();
        true
    }
}

#[cfg(test)]
mod tests;
