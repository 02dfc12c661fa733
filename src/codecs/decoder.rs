//! Decoding: how the lines of a block become the records of a batch.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lines::{head, lines};
use crate::event::{Batch, Filler, Seen};

/// How what was read is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Decoding {
    /// The codec.
    pub codec: Codec,
}

/// A codec for lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// A line is the `message` of a record, whatever is in it.
    #[default]
    Bytes,
    /// A line is a JSON object and the record is that object. A line that is none is kept as with `bytes`, and counted.
    Json,
}

/// Fills batches from blocks of lines.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// What a line is.
    pub codec: Codec,
    /// Longer lines are cut, on a character, and marked.
    pub max_line_bytes: usize,
}

/// A piece of a stream: where it lies in its block, and where in the stream.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The whole lines of the block.
    pub lines: Range<usize>,
    /// Where the block's byte `lines.start` stands in its stream.
    pub position: u64,
    /// When it was read, in nanoseconds since the Unix epoch.
    pub time: i64,
}

/// What decoding a piece came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that are not JSON objects although they should be.
    pub not_json: usize,
    /// Lines that were cut.
    pub truncated: usize,
}

impl Decoder {
    /// Adds the lines of `piece` to a `batch` that was made over `block`.
    pub fn fill(self, batch: &mut Batch, block: &[u8], piece: &Piece) -> Counts {
        let mut filling = Filling { decoder: self, filler: batch.fill(), counts: Counts::default() };
        let first = piece.lines.start;
        for line in lines(&block[piece.lines.clone()]) {
            let seen = Seen { position: piece.position + line.start as u64, time: piece.time };
            filling.add(block, first + line.start..first + line.end, seen);
        }
        filling.counts
    }
}

/// A batch that is being filled.
struct Filling<'a> {
    decoder: Decoder,
    filler: Filler<'a>,
    counts: Counts,
}

impl Filling<'_> {
    #[inline]
    fn add(&mut self, block: &[u8], at: Range<usize>, seen: Seen) {
        let is_json = self.decoder.codec == Codec::Json;
        let limit = self.decoder.max_line_bytes;
        if at.len() > limit {
            self.filler.text(at.start, head(&block[at], limit), seen);
            self.filler.mark_truncated();
            self.counts.truncated += 1;
        } else if is_json && self.filler.json(at.start, at.len(), seen).is_ok() {
            return;
        } else {
            self.filler.text(at.start, at.len(), seen);
        }
        self.counts.not_json += usize::from(is_json);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::event::{Form, Origin, Receipt, Resolution, Resolve, StreamKey, View};

    struct Nobody;
    impl Resolve for Nobody {
        fn resolved(&self, _: u64, _: Resolution) {}
    }

    fn decode(codec: Codec, text: &[u8]) -> (Batch, Counts) {
        let block = Bytes::copy_from_slice(text);
        let origin = Arc::new(Origin::new(StreamKey(1)));
        let mut batch = Batch::new(block.clone(), origin, Receipt::new(Arc::new(Nobody), 0));
        let decoder = Decoder { codec, max_line_bytes: 10 };
        let counts = decoder.fill(&mut batch, &block, &Piece { lines: 2..block.len(), position: 100, time: 5 });
        (batch, counts)
    }

    #[test]
    fn what_is_no_object_is_kept_as_text_and_counted() {
        let (batch, counts) = decode(Codec::Json, b"..{\"a\":1}\n\nnot it\n[1]\n{\"a\":\"far too long\"}\n");
        let forms: Vec<Form> = batch.iter().map(View::form).collect();
        assert_eq!(forms, [Form::Json, Form::Text, Form::Text, Form::Text]);
        assert_eq!(counts, Counts { not_json: 3, truncated: 1 });
        assert_eq!(batch.get(3).text(), b"{\"a\":\"far ");
        assert!(batch.get(3).is_truncated() && !batch.get(2).is_truncated());
        let told = |at: usize| batch.get(at).member(b"truncated").map(std::borrow::Cow::into_owned);
        assert_eq!((told(3), told(2)), (Some(b"true".to_vec()), None), "a reader of the record sees it");
    }

    #[test]
    fn positions_count_every_byte() {
        let (batch, counts) = decode(Codec::Bytes, b"..one\n\n\n\0\xFF\nlast");
        let seen: Vec<(u64, &[u8])> = batch.iter().map(|record| (record.identity().position, record.text())).collect();
        assert_eq!(seen, [(100, &b"one"[..]), (106, &b"\0\xFF"[..]), (109, &b"last"[..])]);
        assert_eq!(counts, Counts::default());
    }
}
