//! The index of a record: where its top-level members lie, and what its keys have in common, found in the pass that checks it.
#![allow(
    clippy::inline_always,
    reason = "the hot loop is one function on purpose: a few per cent faster than leaving it to the compiler, and no caller can change that"
)]

use super::check::{Checker, expected_after_value};
use super::fault::{Fault, FaultKind};

/// One top-level member: offsets in bytes from the record's first byte; the key without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Member {
    /// First byte of the key.
    pub key: u32,
    /// Behind the key's last byte: its closing quote.
    pub key_end: u32,
    /// First byte of the value.
    pub value: u32,
    /// Behind the value's last byte.
    pub value_end: u32,
}

/// Members of the outermost object; a record of more is not indexed. Looking one up, and writing a record whose members
/// were all changed, take time with the square of their number: a hostile line shall not stall its lane.
pub const MAX_MEMBERS: usize = 4096;

impl Member {
    /// The key's raw bytes in the record that was indexed.
    fn key_in<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.key as usize..self.key_end as usize]
    }
}

/// What one pass learned of a record's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Shape {
    /// The [`key_bit`] of each key: a key whose bit is missing here is not in the record, unless the record is odd.
    pub keys: u64,
    /// Some key equals another, or has an escape; so that all other records may compare raw bytes and stop at the first match.
    pub odd: bool,
}

/// One of 64 bits for the raw bytes of a key, from its length and three of its bytes.
pub const fn key_bit(key: &[u8]) -> u64 {
    let [.., last] = key else { return 1 };
    let mixed =
        key.len() as u32 ^ ((key[0] as u32) << 8) ^ ((*last as u32) << 16) ^ ((key[key.len() / 2] as u32) << 24);
    1 << (mixed.wrapping_mul(0x9e37_79b1) >> 26)
}

/// Checks `text`, one record, in full and appends its top-level members to `members`. Whitespace may surround the record.
///
/// # Errors
/// The first fault; `members` is then as it was.
pub fn index(text: &[u8], members: &mut Vec<Member>) -> Result<Shape, Fault> {
    let before = members.len();
    let shape = record(text, members);
    if shape.is_err() {
        members.truncate(before);
    }
    shape
}

fn record(text: &[u8], members: &mut Vec<Member>) -> Result<Shape, Fault> {
    let mut checker = Checker::over(text)?;
    let first = members.len();
    let mut shape = Shape::default();
    let (mut at, mut byte) = checker.token(0);
    if byte != b'{' {
        return Err(Fault { at, kind: FaultKind::NotAnObject });
    }
    (at, byte) = checker.token(at + 1);
    if byte != b'}' {
        loop {
            let start = at + 1;
            let key = checker.key(at, byte)?;
            (at, byte) = checker.token(key.colon + 1);
            let end = checker.value(at, byte, 1)?;
            let member = Member { key: start as u32, key_end: key.end as u32, value: at as u32, value_end: end as u32 };
            shape.odd |= key.escaped;
            shape.note(text, &members[first..], member);
            members.push(member);
            if members.len() - first > MAX_MEMBERS {
                return Err(Fault { at: start, kind: FaultKind::TooManyMembers });
            }
            (at, byte) = checker.token(end);
            if byte != b',' {
                break;
            }
            (at, byte) = checker.token(at + 1);
        }
        if byte != b'}' {
            return Err(checker.fault(at, expected_after_value(b'}')));
        }
    }
    checker.finish(at + 1)?;
    let found = &members[first..];
    shape.odd = shape.odd || (found.len() > FEW && any_twice(text, found));
    Ok(shape)
}

/// Up to how many members a new key is compared with those before it; beyond that all keys are sorted once, so that a record of many keys does not take quadratic time.
const FEW: usize = 32;

impl Shape {
    /// Takes note of a new member's key; `earlier` are the members before it.
    #[inline(always)]
    fn note(&mut self, text: &[u8], earlier: &[Member], member: Member) {
        let key = member.key_in(text);
        let bit = key_bit(key);
        if self.keys & bit != 0 && earlier.len() < FEW {
            self.odd |= earlier.iter().any(|other| other.key_in(text) == key);
        }
        self.keys |= bit;
    }
}

/// Do two members have the same raw key?
#[inline(never)]
fn any_twice(text: &[u8], members: &[Member]) -> bool {
    let mut keys: Vec<(u64, &[u8])> =
        members.iter().map(|member| member.key_in(text)).map(|key| (leading_bytes(key), key)).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

/// The key's first eight bytes as a number that sorts fast; ties are left to the bytes themselves.
fn leading_bytes(key: &[u8]) -> u64 {
    key.iter().take(8).fold(0, |number, &byte| (number << 8) | u64::from(byte))
}
