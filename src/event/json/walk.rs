//! Shows a visitor everything that lies inside a value, in document order and without recursion.

use super::cursor::{byte, skip_space, string_end, value_end};
use std::ops::Range;

/// What to do with the value of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Visit it.
    Into,
    /// Leave it unvisited.
    Skip,
}

/// Is shown what lies inside a value. Ranges are offsets in `text`, the whole of what [`walk`] was given.
pub trait Visitor {
    /// A member of an object, at any depth: the raw content of its key, and its value.
    fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
        let _ = (text, key, value);
        Walk::Into
    }

    /// A string that is a value: its raw content, without quotes.
    fn string(&mut self, text: &[u8], content: Range<usize>);

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self, text: &[u8], value: Range<usize>) {
        let _ = (text, value);
    }
}

/// Visits what lies inside `value`, valid JSON; if it is itself a string, that.
///
/// The end of a member's value is looked up before the visitor is asked, so bytes in nested members are passed once for each object around them.
pub fn walk(value: &[u8], visitor: &mut impl Visitor) {
    let mut around = Around::default();
    let mut at = skip_space(value, 0);
    while at < value.len() {
        at = match byte(value, at) {
            open @ (b'{' | b'[') => {
                around.enter(open);
                skip_space(value, at + 1)
            }
            b'}' | b']' => {
                around.leave();
                skip_space(value, at + 1)
            }
            b',' => skip_space(value, at + 1),
            b'"' if around.in_object() => member(value, at, visitor),
            b'"' => string(value, at, visitor),
            _ => scalar(value, at, visitor),
        };
    }
}

/// Visits the string whose opening quote is at `quote`; gives the offset of what follows.
fn string(text: &[u8], quote: usize, visitor: &mut impl Visitor) -> usize {
    let end = string_end(text, quote + 1);
    visitor.string(text, quote + 1..end);
    skip_space(text, end + 1)
}

/// Visits the number or word at `start`; gives the offset of what follows.
fn scalar(text: &[u8], start: usize, visitor: &mut impl Visitor) -> usize {
    let end = value_end(text, start).max(start + 1).min(text.len());
    visitor.scalar(text, start..end);
    skip_space(text, end)
}

/// Visits the member whose key opens at `quote`; gives the offset of what follows, which is the inside of its value if that is a container to visit.
fn member(text: &[u8], quote: usize, visitor: &mut impl Visitor) -> usize {
    let key = quote + 1..string_end(text, quote + 1);
    let colon = skip_space(text, key.end + 1);
    let start = skip_space(text, colon + 1).min(text.len());
    let end = value_end(text, start);
    if visitor.member(text, key, start..end) == Walk::Skip {
        return skip_space(text, end);
    }
    match byte(text, start) {
        b'"' => string(text, start, visitor),
        b'{' | b'[' => start,
        _ => {
            visitor.scalar(text, start..end);
            skip_space(text, end)
        }
    }
}

/// The containers around the point of the walk, a bit each, set for an object. Values that were built by writing may be deeper than the check allows, hence the spill.
#[derive(Default)]
struct Around {
    objects: u128,
    depth: u32,
    outer: Vec<u128>,
}

impl Around {
    fn enter(&mut self, open: u8) {
        if self.depth == u128::BITS {
            self.outer.push(self.objects);
            self.depth = 0;
        }
        self.objects = (self.objects << 1) | u128::from(open == b'{');
        self.depth += 1;
    }

    fn leave(&mut self) {
        self.objects >>= 1;
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0
            && let Some(objects) = self.outer.pop()
        {
            self.objects = objects;
            self.depth = u128::BITS;
        }
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}
