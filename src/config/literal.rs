//! Where a byte of a parsed string stands in the file.
//!
//! A program inside `'''...'''` is compiled long after parsing; its faults must still point at the right line. The parser does not keep
//! the way back through escapes, so this module walks the raw notation again, only when a place is asked for.

use super::tree::{Splice, Text};
use crate::diagnostic::{Place, Sources};
use std::ops::Range;
use toml::de::DeValue;

/// The place of a stretch of a string after interpolation; the whole string where no closer place can be told.
pub(super) fn place_in(sources: &Sources, place: &Place, text: &Text, stretch: Range<usize>) -> Place {
    let start = as_written(&text.splices, stretch.start, |splice| splice.written.start);
    let end = as_written(&text.splices, stretch.end, |splice| splice.written.end);
    written_place(sources, place, start..end)
}

/// The place of a stretch of a string as it was parsed, before interpolation.
pub(super) fn written_place(sources: &Sources, place: &Place, stretch: Range<usize>) -> Place {
    let Some(offsets) = offsets(sources.text(place)) else {
        return place.clone();
    };
    let at = |index: usize| place.span.start + offsets[index.min(offsets.len() - 1)];
    Place { file: place.file, span: at(stretch.start)..at(stretch.end).max(at(stretch.start)) }
}

/// The offset before interpolation; `inside` says which end of a replaced stretch stands for what is in it.
fn as_written(splices: &[Splice], offset: usize, inside: fn(&Splice) -> usize) -> usize {
    let Some(splice) = splices.iter().rev().find(|splice| splice.result.start <= offset) else {
        return offset;
    };
    if offset < splice.result.end { inside(splice) } else { splice.written.end + offset - splice.result.end }
}

/// For each byte of the string as parsed, its offset in the raw notation (quotes included); the last entry is the end.
/// None if walking the notation does not yield what the parser reads.
fn offsets(raw: &str) -> Option<Vec<usize>> {
    let value = DeValue::parse(raw).ok()?;
    let parsed = value.get_ref().as_str()?;
    let notation = Notation::of(raw)?;
    let end = raw.len().checked_sub(notation.quote.len())?;
    let mut walk = Walk { raw, at: notation.start, text: String::new(), offsets: Vec::new() };
    while walk.at < end {
        if notation.escapes && raw[walk.at..].starts_with('\\') {
            walk.escape()?;
        } else {
            walk.plain()?;
        }
    }
    walk.offsets.push(walk.at);
    (walk.text == parsed).then_some(walk.offsets)
}

struct Notation {
    quote: &'static str,
    start: usize,
    escapes: bool,
}

impl Notation {
    fn of(raw: &str) -> Option<Self> {
        let (quote, escapes) = [("'''", false), ("\"\"\"", true), ("'", false), ("\"", true)]
            .into_iter()
            .find(|(quote, _)| raw.starts_with(quote) && raw.len() >= 2 * quote.len())?;
        let mut start = quote.len();
        if quote.len() == 3 {
            // TOML drops a line break right behind the opening quotes.
            let rest = &raw[start..];
            start += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
        }
        Some(Self { quote, start, escapes })
    }
}

struct Walk<'a> {
    raw: &'a str,
    at: usize,
    text: String,
    offsets: Vec<usize>,
}

impl Walk<'_> {
    fn plain(&mut self) -> Option<()> {
        let character = self.raw.get(self.at..)?.chars().next()?;
        self.emit(character, character.len_utf8());
        Some(())
    }

    fn emit(&mut self, character: char, written: usize) {
        self.text.push(character);
        self.offsets.resize(self.text.len(), self.at);
        self.at += written;
    }

    /// One escape of TOML 1.1, or the backslash that joins lines.
    fn escape(&mut self) -> Option<()> {
        let rest = self.raw.get(self.at + 1..)?;
        let simple = match rest.chars().next()? {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'e' => '\u{1b}',
            same @ ('"' | '\\') => same,
            'x' => return self.code_point(2),
            'u' => return self.code_point(4),
            'U' => return self.code_point(8),
            _ => {
                let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                self.at += 1 + blank;
                return (blank > 0).then_some(());
            }
        };
        self.emit(simple, 2);
        Some(())
    }

    fn code_point(&mut self, digits: usize) -> Option<()> {
        let hex = self.raw.get(self.at + 2..self.at + 2 + digits)?;
        let character = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
        self.emit(character, 2 + digits);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::offsets;
    use proptest::prelude::*;
    use toml::de::DeValue;

    fn parsed(raw: &str) -> String {
        let value = DeValue::parse(raw).expect("valid TOML");
        value.get_ref().as_str().expect("a string").to_owned()
    }

    #[test]
    fn every_notation_leads_back_to_its_bytes() {
        for (raw, needle, at) in [
            ("'a$B'", "$B", 2),
            ("\"a\\tb\"", "b", 4),
            ("\"\\u00e9\\U0001F600 z\"", "z", 18),
            ("'''\r\nab\r\nc'''", "c", 9),
            ("'''x'''", "x", 3),
            ("\"\"\"\na \\\n   b\"\"\"", "b", 11),
            ("\"\"\"a\"b\"\"\"\"", "b", 5),
            ("\"\\x41\\eq\"", "q", 7),
        ] {
            let text = parsed(raw);
            let map = offsets(raw).expect("the walk agrees with the parser");
            let place = text.find(needle).expect("needle");
            assert_eq!(map[place], at, "{raw}");
            assert_eq!(map.len(), text.len() + 1, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_parser(raw in r#"("|'|"""|''')[ -~\n\\]{0,20}"#) {
            let quote: String = raw.chars().take_while(|c| *c == '"' || *c == '\'').take(3).collect();
            let raw = format!("{raw}{quote}");
            if DeValue::parse(&raw).is_ok_and(|value| value.get_ref().is_str()) {
                prop_assert!(offsets(&raw).is_some(), "{:?}", raw);
            }
        }
    }
}
