//! Finds a value by its path, in place.

use super::cursor::{elements, members, root};
use super::text::key_eq;
use std::ops::Range;

/// One step of a path into a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// The member with this key, decoded, in UTF-8.
    Field(&'a [u8]),
    /// The element at this place; a negative one counts from the end, where -1 is the last.
    Index(isize),
}

/// Range of the value at `path` inside `value`, valid JSON, without whitespace around it. Keys are compared decoded, and the last of several equal ones counts.
///
/// Costs one pass over what lies before the value on each level of the path.
pub fn seek(value: &[u8], path: &[Segment<'_>]) -> Option<Range<usize>> {
    path.iter().try_fold(root(value), |range, segment| step(value, range.start, *segment))
}

/// The value that `segment` leads to from the container that opens at `open`.
pub(super) fn step(text: &[u8], open: usize, segment: Segment<'_>) -> Option<Range<usize>> {
    match segment {
        Segment::Field(key) => {
            members(text, open).filter(|entry| key_eq(&text[entry.key.clone()], key)).last().map(|entry| entry.value)
        }
        Segment::Index(index) => elements(text, open).nth(place(text, open, index)?),
    }
}

/// Which element of the array at `open` an index means, counted from the front; `None` if it lies before the first.
pub(super) fn place(text: &[u8], open: usize, index: isize) -> Option<usize> {
    if index >= 0 {
        return Some(index.cast_unsigned());
    }
    elements(text, open).count().checked_sub(index.unsigned_abs())
}
