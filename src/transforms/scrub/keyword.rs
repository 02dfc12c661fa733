//! Words near a number that say what it is: `ИНН 7707083893`.

use std::ops::Range;

/// How far before a number its word may begin.
const REACH: usize = 64;
/// Digits between the word and the number that make it the word of another number.
const OTHER_NUMBER: usize = 6;

/// What is known of a text besides the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Near<'a> {
    /// The name of the member it is the value of.
    pub key: Option<&'a [u8]>,
    /// Is it a JSON number?
    pub is_number: bool,
}

/// Whether the member's name has one of the `words`, or one stands shortly before `span` with no other number in
/// between. A word with a `*` at its end may go on.
pub(super) fn is_near(text: &[u8], span: &Range<usize>, near: Near<'_>, words: &[&str]) -> bool {
    if near.key.is_some_and(|key| Folded::of_key(key).has(words).is_some()) {
        return true;
    }
    let start = span.start.saturating_sub(REACH);
    let folded = Folded::of_text(&text[start..span.start]);
    folded.has(words).is_some_and(|end| !folded.has_number(end))
}

/// Text in lower case, on the stack.
struct Folded {
    room: [u8; REACH * 2],
    length: usize,
}

impl Folded {
    fn of_text(text: &[u8]) -> Self {
        let mut folded = Self { room: [0; REACH * 2], length: 0 };
        let mut lead = 0;
        for &byte in text.iter().take(REACH) {
            folded.push(lower(lead, byte));
            folded.fix_lead(lead, byte);
            lead = byte;
        }
        folded
    }

    /// `clientInn` is two words.
    fn of_key(key: &[u8]) -> Self {
        let mut folded = Self { room: [0; REACH * 2], length: 0 };
        let mut lead = 0;
        for &byte in key.iter().take(REACH) {
            if byte.is_ascii_uppercase() && u8::is_ascii_lowercase(&lead) {
                folded.push(b'_');
            }
            folded.push(lower(lead, byte));
            folded.fix_lead(lead, byte);
            lead = byte;
        }
        folded
    }

    fn push(&mut self, byte: u8) {
        self.room[self.length] = byte;
        self.length += 1;
    }

    /// `Р` to `Я` have their small letters behind another first byte.
    fn fix_lead(&mut self, lead: u8, byte: u8) {
        if lead == 0xD0 && (0xA0..=0xAF).contains(&byte) {
            self.room[self.length - 2] = 0xD1;
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.room[..self.length]
    }

    /// The end of the last of the `words`.
    fn has(&self, words: &[&str]) -> Option<usize> {
        let (bytes, mut end, mut is_inside) = (self.bytes(), None, false);
        for (at, byte) in bytes.iter().enumerate() {
            let is_start = !std::mem::replace(&mut is_inside, is_letter(*byte)) && is_inside;
            if is_start {
                let here = words.iter().filter_map(|word| word_end(&bytes[at..], word.as_bytes())).max();
                end = end.max(here.map(|length| at + length));
            }
        }
        end
    }

    fn has_number(&self, from: usize) -> bool {
        self.bytes()[from..].windows(OTHER_NUMBER).any(|window| window.iter().all(u8::is_ascii_digit))
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

/// How long the word is, if `text` begins with it.
fn word_end(text: &[u8], word: &[u8]) -> Option<usize> {
    // Most words begin with another letter, and a call to compare them costs more than this.
    if text.first() != word.first() {
        return None;
    }
    let (stem, goes_on) = word.strip_suffix(b"*").map_or((word, false), |stem| (stem, true));
    let is_whole = text.starts_with(stem) && (goes_on || !text.get(stem.len()).copied().is_some_and(is_letter));
    is_whole.then_some(stem.len())
}

fn lower(lead: u8, byte: u8) -> u8 {
    match (lead, byte) {
        (0xD0, 0x90..=0x9F) => byte + 0x20,
        (0xD0, 0xA0..=0xAF) => byte - 0x20,
        _ => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(text: &str, number: &str, words: &[&str]) -> bool {
        let start = text.find(number).unwrap();
        is_near(text.as_bytes(), &(start..start + number.len()), Near::default(), words)
    }

    #[test]
    fn words_are_whole_and_close() {
        for text in ["ИНН 77", "инн: 77", "Инн организации — 77", "(inn) 77", "INN=77", "x_inn 77"]
        {
            assert!(near(text, "77", &["инн", "inn"]), "{text}");
        }
        for text in [
            "dinner 77",
            "инновации 77",
            "77 инн",
            "ИНН 500100732259 заказ 77",
            "inn and much more than sixty-four bytes of other text in between, then 77",
        ] {
            assert!(!near(text, "77", &["инн", "inn"]), "{text}");
        }
        assert!(near("ПАСПОРТА РФ 77", "77", &["паспорт*"]));
        assert!(near("СЕРИЯ РЮ 77", "77", &["рю"]));
    }

    #[test]
    fn the_name_of_a_member_counts() {
        let word = |key: &str| is_near(b"77", &(0..2), Near { key: Some(key.as_bytes()), is_number: true }, &["inn"]);
        assert!(word("clientInn") && word("INN_2") && word("inn") && !word("dinner") && !word("beginning"));
    }
}
