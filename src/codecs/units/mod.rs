//! Units: what the bytes of a file are cut into. A unit is a line; or the pieces of one that a container runtime wrote
//! (`P ... P F`, for each of its outputs apart); or a group of lines that are one record (`multiline`).
//!
//! [`Assembler`] is the state of one file: it takes the file in reads of any size, adds a record for each unit that is whole, and
//! tells by [`Resume`] where reading has to begin again so that what is not whole yet is not lost and nothing comes twice. It
//! does no I/O and reads no clock. A unit that lies in one piece of the block stays there; what is joined is copied once more into bytes of
//! its own. What is held is bounded for each stream by `max_line_bytes` and the caps of `multiline`.
//!
//! Reading order: [`Layout`], `split` and `charset` (lines), `assembler`, `way` (of a line), `chain`, `group`, `long` (what is held),
//! `fill` (records).

mod assembler;
mod chain;
mod charset;
mod fill;
mod group;
mod layout;
mod long;
mod split;
#[cfg(test)]
mod tests;
mod way;

pub use assembler::{Assembler, Estate, Input, Now, Rest, Resume, Taken};
pub use charset::{Charset, charset};
pub use fill::Tally;
pub use layout::{Framing, Layout};

use std::sync::Arc;

use crate::codecs::container::Stream;
use crate::event::Origin;

/// A line on its way to becoming a record, alone or with others.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    text: &'a [u8],
    /// What its file's records have in common, if it began in another file than this one.
    from: Option<&'a Arc<Origin>>,
    /// Where it stands in the batch's block; nowhere, if it was put together.
    place: Option<usize>,
    stream: Stream,
    /// Where its first byte stands in the file.
    position: u64,
    /// Nanoseconds since the Unix epoch.
    time: i64,
    /// Does the line itself tell that time?
    is_told: bool,
    /// How long it is; more than `text` has, if it was cut.
    original: u64,
    /// Did it end before its end was written?
    is_dangling: bool,
}

/// How a unit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By what was written: a re-read ends it at the same place.
    Written,
    /// By a clock, or with the file: a re-read may find more of it.
    Early,
}

/// A buffer of at most so many bytes is kept for the next unit.
const KEPT_BYTES: usize = 64 << 10;

/// Empties a buffer for the next unit, and gives back what an unusual one took.
fn reuse(mut buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > KEPT_BYTES {
        return Vec::new();
    }
    buffer.clear();
    buffer
}
