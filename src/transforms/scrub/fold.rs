//! Characters that people do not see, or take for another one: a soft hyphen that an editor wrote into an address, a
//! full-width at sign, a blank that does not break between the groups of a card.
//!
//! A text that has them is looked at a second time, without the former and with the latter as what they look like.

use std::ops::Range;

use memchr::memchr3_iter;

/// What the bytes of a character become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    Nothing,
    Byte(u8),
}

/// How many bytes the character at the start of `text` has and what it becomes, if it is one of those. All have a first
/// byte that [`is_needed`] searches for.
fn odd(text: &[u8]) -> Option<(usize, Becomes)> {
    match *text {
        // U+00AD soft hyphen, U+200B to U+200D zero width, U+2060 word joiner, U+FEFF byte order mark.
        [0xC2, 0xAD, ..] => Some((2, Becomes::Nothing)),
        [0xE2, 0x80, 0x8B..=0x8D, ..] | [0xE2, 0x81, 0xA0, ..] | [0xEF, 0xBB, 0xBF, ..] => Some((3, Becomes::Nothing)),
        // U+00A0 and U+202F blanks that do not break.
        [0xC2, 0xA0, ..] => Some((2, Becomes::Byte(b' '))),
        [0xE2, 0x80, 0xAF, ..] => Some((3, Becomes::Byte(b' '))),
        // U+2010 to U+2012: hyphens and the dash of figures.
        [0xE2, 0x80, 0x90..=0x92, ..] => Some((3, Becomes::Byte(b'-'))),
        // U+FF01 to U+FF5E: ASCII in full width.
        [0xEF, 0xBC, last @ 0x81..=0xBF, ..] => Some((3, Becomes::Byte(last - 0x60))),
        [0xEF, 0xBD, last @ 0x80..=0x9E, ..] => Some((3, Becomes::Byte(last - 0x20))),
        _ => None,
    }
}

/// Where the text has the first such character.
pub(super) fn first(text: &[u8]) -> Option<usize> {
    memchr3_iter(0xC2, 0xE2, 0xEF, text).find(|at| odd(&text[*at..]).is_some())
}

/// Has the text such a character?
pub(super) fn is_needed(text: &[u8]) -> bool {
    first(text).is_some()
}

/// A text with these characters taken for what they are taken for, and the way back.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) text: Vec<u8>,
    parts: Vec<Part>,
}

/// Where a stretch of the folded text comes from.
#[derive(Debug)]
struct Part {
    at: usize,
    from: usize,
    /// Bytes that each of its bytes stands for.
    width: usize,
}

impl Folded {
    /// Takes `text` in place of what was here.
    pub(super) fn fold(&mut self, text: &[u8]) {
        self.text.clear();
        self.parts.clear();
        let mut from = 0;
        for at in memchr3_iter(0xC2, 0xE2, 0xEF, text) {
            let Some((width, becomes)) = odd(&text[at..]) else { continue };
            self.put(&text[from..at], from, 1);
            if let Becomes::Byte(byte) = becomes {
                self.put(&[byte], at, width);
            }
            from = at + width;
        }
        self.put(&text[from..], from, 1);
    }

    fn put(&mut self, bytes: &[u8], from: usize, width: usize) {
        if !bytes.is_empty() {
            self.parts.push(Part { at: self.text.len(), from, width });
            self.text.extend_from_slice(bytes);
        }
    }

    /// The bytes of the text itself that `span`, which is not empty, stands for.
    pub(super) fn place(&self, span: &Range<usize>) -> Range<usize> {
        let start = |at: usize| {
            let part = &self.parts[self.parts.partition_point(|part| part.at <= at) - 1];
            (part.from + (at - part.at), part.width)
        };
        let (last, width) = start(span.end - 1);
        start(span.start).0..last + width
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odd_characters_are_taken_for_what_they_look_like() {
        let mut folded = Folded::default();
        for (text, plain) in [
            ("ann\u{AD}.lee\u{FF20}exam\u{200B}ple.com", "ann.lee@example.com"),
            ("４１１１\u{A0}1111\u{202F}1111\u{2011}1111", "4111 1111 1111-1111"),
            ("\u{FF01}\u{FF5E}\u{FF3F}\u{FF40}\u{FEFF}", "!~_`"),
        ] {
            assert!(is_needed(text.as_bytes()));
            folded.fold(text.as_bytes());
            assert_eq!(std::str::from_utf8(&folded.text), Ok(plain), "{text}");
            assert_eq!(folded.place(&(0..plain.len())).start, 0);
        }
        assert!(!is_needed("«ёлка» — “quoted”, 7 € é ｡".as_bytes()));
    }

    proptest! {
        #[test]
        fn each_span_leads_back_to_its_characters(text in "[a\u{AD}\u{FF20}\u{A0}é\u{2014}]{1,12}") {
            let mut folded = Folded::default();
            folded.fold(text.as_bytes());
            for (at, _) in folded.text.iter().enumerate().filter(|(_, byte)| byte.is_ascii()) {
                let place = folded.place(&(at..at + 1));
                let mut alone = Folded::default();
                alone.fold(&text.as_bytes()[place]);
                prop_assert_eq!(&alone.text, &folded.text[at..=at]);
            }
        }
    }
}
