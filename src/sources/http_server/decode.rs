//! Bodies to records.

use std::ops::Range;

use super::super::door::Draft;
use super::Cut;
use super::answer::Refusal;
use crate::codecs::{Codec, lines};
use crate::event::{Batch, Filler, Seen, json};

/// Content types of bodies with a JSON object in each line: there is no registered one.
const LINES: [&str; 4] = ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/// Records that a request may have: what is kept for each is many times as large as an empty one.
const MOST_RECORDS: u64 = 1 << 20;

/// How bodies are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder {
    pub(super) codec: Codec,
    /// None: the content type tells.
    pub(super) cut: Option<Cut>,
}

impl Decoder {
    /// How a body of this content type is read.
    pub(super) fn of(self, content_type: Option<&str>) -> Self {
        let is_lines = content_type.is_some_and(|name| LINES.iter().any(|known| known.eq_ignore_ascii_case(name)));
        let told = if is_lines { Cut::NewlineDelimited } else { Cut::Bytes };
        Self { cut: Some(self.cut.unwrap_or(told)), ..self }
    }

    /// The records of a body. One that cannot be read refuses all.
    pub(super) fn batch(self, draft: Draft) -> Result<Batch, Refusal> {
        let body = draft.body;
        let mut batch = Batch::new(body.clone(), draft.origin, draft.receipt);
        let end = draft.seen.position + MOST_RECORDS;
        let mut records = Records { body: &body, filler: batch.fill(), seen: draft.seen, end };
        let filled = match (self.codec, self.cut) {
            (Codec::Bytes, Some(Cut::NewlineDelimited)) => lines(&body).try_for_each(|at| records.text(at)),
            (Codec::Bytes, _) if body.is_empty() => Ok(()),
            (Codec::Bytes, _) => records.text(0..body.len()),
            (Codec::Json, Some(Cut::NewlineDelimited)) => lines(&body).try_for_each(|at| records.line(at)),
            (Codec::Json, _) => records.values(),
        };
        if let Err((at, why)) = filled {
            batch.close();
            return Err(Refusal::malformed(&body, at, &why));
        }
        Ok(batch)
    }
}

/// Where in a body something is wrong, and what.
type Fault = (usize, String);

/// The records of a body, one after the other.
struct Records<'a> {
    body: &'a [u8],
    filler: Filler<'a>,
    seen: Seen,
    /// Where there are too many.
    end: u64,
}

impl Records<'_> {
    fn text(&mut self, at: Range<usize>) -> Result<(), Fault> {
        self.filler.text(at.start, at.len(), self.seen);
        self.count(at.start)
    }

    fn object(&mut self, at: Range<usize>) -> Result<(), Fault> {
        self.filler
            .json(at.start, at.len(), self.seen)
            .map_err(|fault| (at.start + fault.at, fault.kind.to_string()))?;
        self.count(at.start)
    }

    fn count(&mut self, at: usize) -> Result<(), Fault> {
        if self.seen.position == self.end {
            return Err((at, format!("more than {MOST_RECORDS} records in one request")));
        }
        self.seen.position += 1;
        Ok(())
    }

    /// An object, or nothing but space.
    fn line(&mut self, at: Range<usize>) -> Result<(), Fault> {
        if self.body[at.clone()].trim_ascii().is_empty() { Ok(()) } else { self.object(at) }
    }

    /// An object, or an array of objects.
    fn values(&mut self) -> Result<(), Fault> {
        let start = self.body.len() - self.body.trim_ascii_start().len();
        if self.body.get(start) != Some(&b'[') {
            return self.object(start..self.body.len());
        }
        json::check(self.body).map_err(|fault| (fault.at, fault.kind.to_string()))?;
        json::elements(self.body, start).try_for_each(|at| self.object(at))
    }
}
