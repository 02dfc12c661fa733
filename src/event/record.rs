//! One record: plain data, seen and changed only through its batch.

/// How a record's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    /// A raw line. It reads as `{"message": line, "timestamp": time of reading}`; it is escaped only when written.
    Text,
    /// A JSON object: raw bytes, an index of its members, an overlay of edits.
    Json,
    /// An OTLP `Span`.
    Span,
    /// An OTLP `LogRecord`.
    LogRecord,
    /// One data point of an OTLP `Metric`.
    Point,
}

/// No entry in a table that is addressed by `u32`.
pub(crate) const NONE: u32 = u32::MAX;
/// The bytes are in the batch's arena, not in a block.
pub(crate) const IN_ARENA: u16 = u16::MAX;

/// Facts about a record, as bits.
pub(crate) mod flag {
    /// Some key is there twice or has an escape: look-ups compare decoded keys and prefer the last.
    pub(crate) const ODD_KEYS: u8 = 1;
    /// The root was assigned: the origin's members are not part of this record any more.
    pub(crate) const ORIGIN_HIDDEN: u8 = 2;
    /// `time` is the time of reading, not a time the record tells.
    pub(crate) const OBSERVED: u8 = 4;
    /// The source cut the line at its length limit.
    pub(crate) const TRUNCATED: u8 = 8;
    /// It was a raw line and is stored as what it was written as: its members do not tell its time.
    pub(crate) const WAS_TEXT: u8 = 16;
}

/// A record's row in its batch: 64 bytes, no `Drop`.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Nanoseconds since the Unix epoch; see [`flag::OBSERVED`].
    pub(crate) time: i64,
    /// Where it stands in its stream (for a file: the offset of its first byte).
    pub(crate) position: u64,
    /// Which keys it may have ([`json::key_bit`](super::json::key_bit) of each).
    pub(crate) keys: u64,
    pub(crate) start: u32,
    pub(crate) len: u32,
    /// First of its members in the index, and how many follow. Of an OTLP message: the number of its head.
    pub(crate) members: u32,
    /// First of its edits; they are chained.
    pub(crate) edits: u32,
    /// Counts what one record fans out into.
    pub(crate) sub: u32,
    /// Hash of the outputs taken, fixed by the plan.
    pub(crate) path: u32,
    pub(crate) member_count: u32,
    pub(crate) block: u16,
    pub(crate) origin: u16,
    pub(crate) form: Form,
    pub(crate) flags: u8,
}

const _: () = assert!(size_of::<Record>() <= 64);

impl Form {
    /// Is it an OTLP message?
    pub fn is_otlp(self) -> bool {
        matches!(self, Self::Span | Self::LogRecord | Self::Point)
    }
}

impl Record {
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
