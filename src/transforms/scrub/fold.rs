//! Characters that people do not see, or take for another one: a soft hyphen that an editor wrote into an address, a
//! full-width at sign, a blank that does not break between the groups of a card; and what HTML (`&shy;`, `&#64;`), URLs
//! (`%40`) and JSON inside of text (`\u0040`, also `\x40`) write for these and for characters of ASCII.
//!
//! A text that has them is looked at a second time, without the former and with the latter as what they look like.

use std::ops::Range;

use memchr::{memchr3_iter, memrchr};

/// Bytes of the longest name of a character, with its `&` and its semicolon.
const NAME: usize = b"&ZeroWidthSpace;".len();

/// What the bytes of a character become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    Nothing,
    Byte(u8),
}

/// How many bytes the character at the start of `text` has and what it becomes, if it is one of those. All begin with
/// `&`, `%`, a backslash, or a byte that [`first`] searches for.
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
        [b'&', ..] => named(text),
        [b'%', a, b, ..] => Some((3, becomes(numbered(&[a, b], 16)?)?)),
        [b'\\', b'/', ..] => Some((2, Becomes::Byte(b'/'))),
        [b'\\', b'x', a, b, ..] => Some((4, becomes(numbered(&[a, b], 16)?)?)),
        [b'\\', b'u', a, b, c, d, ..] => Some((6, becomes(numbered(&[a, b, c, d], 16)?)?)),
        _ => None,
    }
}

/// What an escaped character becomes: one of ASCII that is printed is itself.
fn becomes(character: char) -> Option<Becomes> {
    match u8::try_from(character) {
        Ok(byte @ b' '..=b'~') => Some(Becomes::Byte(byte)),
        _ if character.is_ascii() => None,
        _ => Some(odd(character.encode_utf8(&mut [0; 4]).as_bytes())?.1),
    }
}

/// Does the text begin with such a character?
pub(super) fn begins_odd(text: &[u8]) -> bool {
    odd(text).is_some()
}

/// The same for a character that HTML names (its standard, section 13.5) or numbers.
fn named(text: &[u8]) -> Option<(usize, Becomes)> {
    let end = text.iter().take(NAME).position(|byte| *byte == b';')?;
    let character = match &text[1..end] {
        b"shy" => '\u{AD}',
        b"nbsp" => '\u{A0}',
        b"zwj" | b"zwnj" | b"ZeroWidthSpace" | b"NoBreak" => '\u{200B}',
        b"commat" => '@',
        b"period" => '.',
        b"quot" => '"',
        b"apos" => '\'',
        b"equals" => '=',
        b"colon" => ':',
        b"lowbar" => '_',
        [b'#', b'x' | b'X', digits @ ..] => numbered(digits, 16)?,
        [b'#', digits @ ..] => numbered(digits, 10)?,
        _ => return None,
    };
    Some((end + 1, becomes(character)?))
}

fn numbered(digits: &[u8], radix: u32) -> Option<char> {
    let number = digits
        .iter()
        .try_fold(0_u32, |number, digit| number.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?))?;
    char::from_u32(number).filter(|_| !digits.is_empty())
}

/// Where the text has the first such character beyond ASCII.
pub(super) fn first(text: &[u8]) -> Option<usize> {
    memchr3_iter(0xC2, 0xE2, 0xEF, text).find(|at| odd(&text[*at..]).is_some())
}

/// Where the name of such a character begins that ends with the semicolon at `end`.
pub(super) fn name_before(text: &[u8], end: usize) -> Option<usize> {
    let floor = (end + 1).saturating_sub(NAME);
    let start = floor + memrchr(b'&', &text[floor..end])?;
    named(&text[start..]).map(|_| start)
}

/// Has the text such a character, or a name of one?
pub(super) fn is_needed(text: &[u8]) -> bool {
    (!text.is_ascii() && first(text).is_some())
        || memchr3_iter(b'&', b'%', b'\\', text).any(|at| begins_odd(&text[at..]))
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
        for (at, byte) in text.iter().enumerate() {
            if !matches!(byte, b'&' | b'%' | b'\\' | 0xC2 | 0xE2 | 0xEF) {
                continue;
            }
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
            ("ann&shy;.lee&#64;exam&#x200B;ple&period;com", "ann.lee@example.com"),
            ("4111&nbsp;1111 1111 111&#49;", "4111 1111 1111 1111"),
            ("ann%40example%2ecom", "ann@example.com"),
            (r"redis:\/\/:x@h, &quot;a&lowbar;b&quot;&colon;", "redis://:x@h, \"a_b\":"),
            ("%22mail%22%3A%22ann%40example.com%22", "\"mail\":\"ann@example.com\""),
            (r"ann\u0040example.com, ann\\u0040x.com, ann\x40x.com", r"ann@example.com, ann\@x.com, ann@x.com"),
            (r"4111\u00A01111\u00ad 1111 1111", "4111 1111 1111 1111"),
            ("\u{FF01}\u{FF5E}\u{FF3F}\u{FF40}\u{FEFF}", "!~_`"),
        ] {
            assert!(is_needed(text.as_bytes()));
            folded.fold(text.as_bytes());
            assert_eq!(std::str::from_utf8(&folded.text), Ok(plain), "{text}");
            assert_eq!(folded.place(&(0..plain.len())).start, 0);
        }
        assert!(!is_needed("«ёлка» — “quoted”, 7 € é ｡".as_bytes()));
        for plain in [
            "a & b; &amp; &lt; &copy;",
            "&#; &#x; &#xD800; &#99999999999; &#10;",
            "?a=1&shy",
            "&&&;;;",
            "50%",
            "%d of %s, 5% ok, %0a%D0%BF",
            r"C:\users\x, \n\t\u000a\u043f\ud83d\u00",
        ] {
            assert!(!is_needed(plain.as_bytes()), "{plain}");
        }
    }

    proptest! {
        #[test]
        fn each_span_leads_back_to_its_characters(text in r"([a&;%\\\u{AD}\u{FF20}\u{A0}é\u{2014}]|&shy;|&#64;|%40|\\u0040){1,12}") {
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
