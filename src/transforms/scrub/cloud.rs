//! Keys of clouds, forges and services, by prefix, alphabet and length.
//!
//! Keys are long words, so only words of 15 characters and more are looked at, and in these only where a part of the
//! word begins. A step of eight bytes tells whether a long word can be there.

mod rules;

use std::ops::Range;
use std::sync::LazyLock;

use rules::{Alphabet, RULES, Rule};

use super::word::is_word;

/// Characters of the shortest word that can hold a key.
const FEWEST: usize = 15;
/// A word of `FEWEST` holds one such block, wherever blocks begin.
const BLOCK: usize = 8;
/// Below this byte are blanks, quotes, brackets and marks: no word goes over them.
const LOWEST: u8 = b'-';

/// Rules by the first byte of their prefix.
static BY_FIRST: LazyLock<Box<[Vec<&'static Rule>; 256]>> = LazyLock::new(|| {
    let mut by_first = Box::new(std::array::from_fn(|_| Vec::new()));
    for rule in RULES {
        by_first[usize::from(rule.prefix.as_bytes()[0])].push(rule);
    }
    by_first
});

/// By the first byte of a prefix, a bit for the low six bits of the second.
static SECONDS: [u64; 256] = {
    let (mut seconds, mut number) = ([0; 256], 0);
    while number < RULES.len() {
        let prefix = RULES[number].prefix.as_bytes();
        seconds[prefix[0] as usize] |= 1 << (prefix[1] & 63);
        number += 1;
    }
    seconds
};

/// By the third byte of a prefix, a bit for the low six bits of the first; behind a prefix of two, any byte.
static THIRDS: [u64; 256] = {
    let (mut thirds, mut number) = ([0; 256], 0);
    while number < RULES.len() {
        let prefix = RULES[number].prefix.as_bytes();
        let mut third = 0;
        while third < thirds.len() {
            if prefix.len() == 2 || prefix[2] as usize == third {
                thirds[third] |= 1 << (prefix[0] & 63);
            }
            third += 1;
        }
        number += 1;
    }
    thirds
};

/// Does a key begin at `start`, where a part of a word does? Three bytes turn most away.
#[inline]
pub(super) fn begins(text: &[u8], start: usize) -> bool {
    let Some(&[first, second, third]) = text[start..].first_chunk() else { return false };
    let may_begin = SECONDS[usize::from(first)] >> (second & 63) & THIRDS[usize::from(third)] >> (first & 63) & 1 != 0;
    may_begin && key_at(text, start).is_some()
}

/// Appends the spans of all keys in `text` from `from` on, where the first one begins, in order and without overlap.
pub(super) fn find(text: &[u8], from: usize, found: &mut Vec<Range<usize>>) {
    for_each(text, from, |span, _| found.push(span));
}

/// The name of the rule that finds the key `text`.
pub(super) fn rule_of(text: &[u8]) -> Option<&'static str> {
    let mut name = None;
    for_each(text, 0, |_, rule| name = name.or(Some(rule.name)));
    name
}

fn for_each(text: &[u8], from: usize, mut each: impl FnMut(Range<usize>, &'static Rule)) {
    let mut floor = from;
    for (number, block) in text[from..].chunks_exact(BLOCK).enumerate() {
        let at = from + number * BLOCK;
        if at < floor || has_break(block) || !is_word(text[at]) {
            continue;
        }
        let start = at - text[floor..at].iter().rev().take_while(|byte| is_word(**byte)).count();
        let end = at + text[at..].iter().take_while(|byte| is_word(**byte)).count();
        floor = if end - start >= FEWEST { in_word(text, start..end, &mut each) } else { end };
    }
}

/// Whether one of eight bytes is below [`LOWEST`] (or, which costs a closer look and no more, above ASCII).
fn has_break(block: &[u8]) -> bool {
    const EACH: u64 = u64::from_le_bytes([1; BLOCK]);
    let bytes = u64::from_le_bytes(block.try_into().expect("a block has eight bytes"));
    bytes.wrapping_sub(EACH * u64::from(LOWEST)) & !bytes & (EACH * 0x80) != 0
}

/// Looks at each part of the word at `word`; gives where to go on.
fn in_word(text: &[u8], word: Range<usize>, each: &mut impl FnMut(Range<usize>, &'static Rule)) -> usize {
    let mut at = word.start;
    while at < word.end {
        let is_start = at == 0 || !text[at - 1].is_ascii_alphanumeric();
        let key = if is_start { key_at(text, at) } else { None };
        at = match key {
            Some((end, rule)) => {
                each(at..end, rule);
                end
            }
            None => at + 1,
        };
    }
    at.max(word.end)
}

/// The end of the key that begins at `start`, and what it is.
fn key_at(text: &[u8], start: usize) -> Option<(usize, &'static Rule)> {
    let rest = &text[start..];
    BY_FIRST[usize::from(rest[0])].iter().find_map(|rule| {
        let body = rest.strip_prefix(rule.prefix.as_bytes())?;
        let length = length_of(body, rule)?;
        let is_led = rule.alphabet != Alphabet::Telegram || is_bot(&text[..start]);
        is_led.then_some((start + rule.prefix.len() + length, *rule))
    })
}

/// How long the key goes on behind its prefix. Looks no further than the fewest characters unless these are right, and
/// what goes on without a limit is a key, so that a word of prefixes costs no more than its length.
fn length_of(body: &[u8], rule: &Rule) -> Option<usize> {
    let head = body.get(..rule.fewest)?;
    if !head.iter().all(|byte| rule.alphabet.has(*byte)) || !rule.is_mixed(head) {
        return None;
    }
    let more = body[rule.fewest..]
        .iter()
        .take((rule.most - rule.fewest).saturating_add(1))
        .take_while(|byte| rule.alphabet.has(**byte))
        .count();
    let length = rule.fewest + more;
    (length <= rule.most).then(|| length - body[..length].iter().rev().take_while(|byte| **byte == b'.').count())
}

/// Is the number of a bot and a colon in front?
fn is_bot(before: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b":") else { return false };
    let digits = before.iter().rev().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    (8..=11).contains(&digits)
}

#[cfg(test)]
mod tests;
