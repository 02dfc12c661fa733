//! JSON as bytes: a record is checked in full in the one pass that indexes it, and is then read, searched and rewritten in place, without ever becoming a tree.
//!
//! - [`check`], [`index`]: the only code here that sees text nobody has checked yet (RFC 8259, UTF-8, [`MAX_DEPTH`]);
//! - [`seek`], [`splice_set`], [`splice_remove`], [`walk`]: work on text that passed, never panic on other text;
//! - [`escape`], [`quote`], [`unescape`], [`key_eq`], [`Decoded`]: strings and what lies between their quotes.
//!
//! # What is accepted
//!
//! Exactly the texts that `serde_json` reads as a value, but for four things:
//!
//! - a number of any size is accepted as text (RFC 8259, section 6, sets no limit of its own: an implementation may); `serde_json` refuses `1e999` as out of range;
//! - containers may be nested [`MAX_DEPTH`] deep, where the outermost one counts as level 1; `serde_json` stops one earlier, at 127, since its counter of 128 must stay above zero;
//! - an object that is indexed may have at most [`MAX_MEMBERS`] members (section 9: an implementation may set limits);
//! - a text may be no longer than `u32::MAX` bytes.
//!
//! Like `serde_json`, and stricter than RFC 8259 needs (section 8.1 and 8.2 leave both open), a byte order mark and an escaped surrogate without its partner are faults. Names that
//! occur twice are accepted (section 4: "should be unique"): the last one counts, and [`Shape::odd`] tells.

mod check;
mod cursor;
mod fault;
mod index;
mod number;
#[cfg(any(test, fuzzing))]
pub mod probe;
mod scan;
mod seek;
mod splice;
#[cfg(test)]
mod tests;
mod text;
mod walk;

pub(crate) use cursor::{Entry, elements, members, string_end, value_end};
pub(crate) use scan::{Lanes, Work, run};

pub use check::{MAX_DEPTH, check};
pub use fault::{Fault, FaultKind};
pub use index::{MAX_MEMBERS, Member, Shape, index, key_bit};
pub use seek::{Segment, seek};
pub use splice::{splice_remove, splice_set};
pub use text::{Decoded, escape, key_eq, quote, unescape};
pub use walk::{Visitor, Walk, walk};
