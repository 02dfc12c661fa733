//! Fan-out: one record becomes several, each with an identity of its own that a re-read reproduces.

use super::batch::{Batch, mix};
use super::edit::Editor;
use super::record::Record;

/// Records that are to take the place of one.
#[derive(Debug)]
pub struct Parts {
    of: usize,
    records: Vec<Record>,
}

impl Parts {
    /// The index of the record they come from.
    pub fn of(&self) -> usize {
        self.of
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// No parts: the record just goes.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Editor<'_> {
    /// Makes records of JSON objects that come from the record at `index`: its time and origin, with the origin's
    /// members hidden. They join the batch by [`Batch::substitute`]. Text that is no JSON object makes none.
    pub fn derive<'t>(&mut self, index: usize, texts: impl Iterator<Item = &'t [u8]>) -> Parts {
        let parent = self.row(index);
        let mut records = Vec::new();
        for (number, text) in texts.enumerate() {
            if self.replace(index, text) {
                records.push(Record { sub: sub_of(parent.sub, number as u32), ..self.row(index) });
            }
            self.restore(index, parent);
        }
        Parts { of: index, records }
    }
}

impl Batch {
    /// Puts parts in place of the records they come from; they must come in the order of these records.
    pub fn substitute(&mut self, parts: impl Iterator<Item = Parts>) {
        let mut rest = std::mem::take(&mut self.records).into_iter();
        let mut seen = 0;
        for part in parts {
            self.records.extend(rest.by_ref().take(part.of - seen));
            rest.next();
            seen = part.of + 1;
            self.records.extend(part.records);
        }
        self.records.extend(rest);
    }
}

/// Bits of a digit of a part's number, and the bit that says another digit follows.
const DIGIT: u32 = 3;
const MORE: u32 = 1 << DIGIT;
/// Set in what is hashed.
const HASHED: u32 = 1 << 31;

/// The `sub` of part `number` of a record with `sub`.
///
/// The numbers on the way from the first record are written one behind the other, in digits that tell where each
/// ends: so no two parts of one record ever share a `sub`. Where 31 bits are not enough, a hash stands for it.
fn sub_of(sub: u32, number: u32) -> u32 {
    let mut code = u64::from(sub.max(1));
    let mut rest = number;
    while code < u64::from(HASHED) {
        let more = if rest >= MORE { MORE } else { 0 };
        code = (code << (DIGIT + 1)) | u64::from(more | (rest % MORE));
        rest /= MORE;
        if more == 0 {
            break;
        }
    }
    if code < u64::from(HASHED) && sub & HASHED == 0 {
        return code as u32;
    }
    mix(sub, number.wrapping_add(1)) | HASHED
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_parts_share_a_number() {
        let parts = |of: &[u32], count: u32| -> Vec<u32> {
            of.iter().flat_map(|sub| (0..count).map(|number| sub_of(*sub, number))).collect()
        };
        let first = parts(&[0], 3_000);
        let second = parts(&first[..300], 70);
        let third = parts(&second[..70], 8);
        let mut seen = HashSet::from([0]);
        let mut all = first.iter().chain(&second).chain(&third);
        assert!(all.all(|sub| sub & HASHED == 0 && seen.insert(*sub)), "a number came twice");
    }

    #[test]
    fn what_does_not_fit_is_hashed() {
        let deep = (0..9).fold(0, |sub, _| sub_of(sub, 70));
        assert_ne!(deep & HASHED, 0);
        assert_ne!(sub_of(deep, 0), sub_of(deep, 1));
        assert_ne!(sub_of(0, u32::MAX) & HASHED, 0);
    }
}
