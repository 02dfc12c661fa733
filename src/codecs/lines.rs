//! Lines in a block of bytes: where each begins and ends, and where one that is too long is cut.

use std::ops::Range;

/// The lines of `bytes` in order, without their line feeds. Empty ones are left out. Bytes behind the last line feed
/// are a line too: the caller gives whole lines, or knows that the rest is one.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let ends = memchr::memchr_iter(b'\n', bytes).chain(std::iter::once(bytes.len()));
    let mut next = 0;
    ends.filter_map(move |end| {
        let start = std::mem::replace(&mut next, end + 1);
        (end > start).then_some(start..end)
    })
}

/// How many bytes of `line` to keep so that they are no more than `limit` and end with a whole UTF-8 character.
/// In bytes that are no UTF-8 the cut is at the limit.
pub fn head(line: &[u8], limit: usize) -> usize {
    if line.len() <= limit {
        return line.len();
    }
    let is_inside = |at: usize| line[at] & 0xC0 == 0x80;
    // A character has at most three bytes behind its first.
    let start = (limit.saturating_sub(3)..=limit).rev().find(|at| !is_inside(*at));
    start.filter(|at| *at > 0).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_does_not_split_a_character() {
        let line = "aé€😀".as_bytes();
        let kept: Vec<usize> = (1..=line.len()).map(|limit| head(line, limit)).collect();
        assert_eq!(kept, [1, 1, 3, 3, 3, 6, 6, 6, 6, 10]);
        assert_eq!(head(&[0x80; 9], 5), 5, "no character to keep whole");
    }

    proptest! {
        #[test]
        fn agrees_with_split(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200)) {
            let found: Vec<&[u8]> = lines(&bytes).map(|at| &bytes[at]).collect();
            let model: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(found, model);
        }
    }
}
