//! OTLP as bytes: spans, log records and metric points stay the protobuf messages they came as.
//!
//! - [`wire`]: the protobuf wire format, read field by field; the only code here that sees bytes nobody has checked;
//! - [`schema`]: the messages of OTLP as tables, from which bytes are checked and projected;
//! - [`project`]: a message, or one field of it, as JSON text;
//! - [`encode`]: JSON text as a message, the other way;
//! - [`write`]: a record with its overlay, as the messages it now is;
//! - [`memo`]: what a shared message became, for the record after;
//! - [`log`]: a line or a JSON object as a log record;
//! - [`members`]: which top-level members a record of each form reads as;
//! - [`facts`]: what sampling asks of a record, in one walk over it;
//! - [`keep`]: records as they are written down, with what they share;
//! - [`stamp`]: fields put into a message by bytes.
//!
//! A record is the bytes of its own message. What it shares with others of its request (resource, scope, and for a
//! point what its metric says of itself) stands in a [`Head`]. Nothing is decoded before somebody reads it.

mod check;
mod encode;
pub mod facts;
mod keep;
mod log;
pub(crate) mod members;
mod memo;
pub(crate) mod project;
pub mod schema;
pub mod stamp;
pub mod wire;
mod write;

pub use encode::Wrong;
pub(crate) use keep::{Keeper, Places};
pub use write::{Shown, Writer};

use super::tables::Span;

/// A range of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl From<std::ops::Range<usize>> for Range {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start as u32, end: range.end as u32 }
    }
}

impl Range {
    /// Where it stands with so many bytes before it; one that is not there does not move.
    pub(crate) fn moved(self, by: u32) -> Self {
        if self.start == self.end { Self::default() } else { Self { start: self.start + by, end: self.end + by } }
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

/// What records of one resource, scope and metric share: messages in the block that the records are in. An empty
/// range is a message that was not there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    pub(crate) resource: Range,
    pub(crate) resource_schema_url: Range,
    pub(crate) scope: Range,
    pub(crate) scope_schema_url: Range,
    /// The metric without its points, in the arena; only points have one.
    pub(crate) metric: Option<Span>,
}
