//! Where lines end.

use memchr::memmem::Finder;

/// What ends a line, as it is written in a charset.
#[derive(Clone, Debug)]
pub(super) struct Delimiter {
    finder: Finder<'static>,
    /// A delimiter begins at a multiple of so many bytes.
    width: usize,
}

impl Delimiter {
    pub(super) fn new(bytes: &[u8], width: usize) -> Self {
        Self { finder: Finder::new(bytes).into_owned(), width }
    }

    pub(super) fn len(&self) -> usize {
        self.finder.needle().len()
    }

    /// Where the first one in `bytes` begins; they begin with a whole character.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self.finder.needle() {
            [byte] => memchr::memchr(*byte, bytes),
            _ => self.find_wide(bytes),
        }
    }

    fn find_wide(&self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        loop {
            let at = from + self.finder.find(&bytes[from..])?;
            if at % self.width == 0 {
                return Some(at);
            }
            from = at + 1;
        }
    }

    /// Does a line end where `bytes` end?
    pub(super) fn ends(&self, bytes: &[u8]) -> bool {
        bytes.ends_with(self.finder.needle())
    }

    /// How many of `bytes`, in which no delimiter is, cannot be the beginning of one.
    pub(super) fn free(&self, bytes: &[u8]) -> usize {
        let free = bytes.len().saturating_sub(self.len() - 1);
        free - free % self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_not_found_between_two() {
        let line_feed = Delimiter::new(b"\n\0", 2);
        // U+0A00 U+000A: the bytes 0A 00 also stand across the first two characters.
        assert_eq!(line_feed.find(b"\0\n\0\x01\n\0"), Some(4));
        assert_eq!((line_feed.free(b"a\0b\0c"), line_feed.free(b"a")), (4, 0));
    }

    #[test]
    fn a_delimiter_of_several_bytes_is_found_from_the_left() {
        let delimiter = Delimiter::new(b"--", 1);
        assert_eq!((delimiter.find(b"a---b"), delimiter.free(b"ab-")), (Some(1), 2));
        assert!(delimiter.ends(b"x--") && !delimiter.ends(b"x-"));
    }
}
