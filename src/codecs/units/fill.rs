//! Records from units that are whole.

use std::sync::Arc;

use super::layout::Layout;
use super::{End, Line};
use crate::codecs::lines::head;
use crate::event::{Filler, Origin, Row, Seen};

/// What reading a piece came to, besides records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that are not JSON objects although they should be.
    pub not_json: usize,
    /// Lines that were cut.
    pub truncated: usize,
    /// Lines of container logs that no runtime wrote.
    pub unframed: usize,
    /// Lines whose end was never written.
    pub dangling: usize,
    /// Records of several lines that were full before they ended.
    pub split: usize,
    /// Lines that are not valid in their charset: what is not is replaced when they are written.
    pub invalid: usize,
}

/// `number` as text, at the end of `digits`: the largest has twenty.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// The batch's first block is what was read; the next one, what was joined.
const READ: u16 = 0;
const JOINED: u16 = 1;

/// A batch that is being filled.
pub(super) struct Fill<'a> {
    layout: &'a Layout,
    filler: Filler<'a>,
    origins: &'a [Arc<Origin>; 3],
    /// The number that each origin has in the batch, once it was needed.
    numbers: [Option<u16>; 3],
    pub(super) joined: Vec<u8>,
    pub(super) tally: Tally,
    /// Is the whole block known to be UTF-8?
    is_clean: bool,
}

impl<'a> Fill<'a> {
    pub(super) fn new(layout: &'a Layout, filler: Filler<'a>, origins: &'a [Arc<Origin>; 3]) -> Self {
        let (joined, tally) = (Vec::new(), Tally::default());
        Self { layout, filler, origins, numbers: [None; 3], joined, tally, is_clean: false }
    }

    /// What is read from here on is `block`.
    pub(super) fn over(&mut self, block: &[u8]) {
        self.is_clean = self.layout.is_text() && simdutf8::basic::from_utf8(block).is_ok();
    }

    /// Adds a line as a record; an empty one is left out.
    #[inline]
    pub(super) fn line(&mut self, line: &Line<'_>) {
        let limit = self.layout.decoder.max_line_bytes;
        let text = if line.text.len() > limit { &line.text[..head(line.text, limit)] } else { line.text };
        let end = if line.is_dangling { End::Early } else { End::Written };
        self.record(&Line { text, ..*line }, end);
    }

    /// Adds a record of these bytes.
    #[inline]
    pub(super) fn record(&mut self, line: &Line<'_>, end: End) {
        if line.text.is_empty() {
            return;
        }
        let (block, start) = match line.place {
            Some(start) => (READ, start),
            None => (JOINED, self.join(line.text)),
        };
        let row = Row {
            text: line.text,
            block,
            start,
            origin: self.origin(line),
            seen: Seen { position: line.position, time: line.time },
            is_told: line.is_told,
            // What ends early may be found longer by another reading: that is another record, not the same one again.
            sub: if end == End::Early { (line.original as u32).max(1) } else { 0 },
        };
        let is_cut = line.original > line.text.len() as u64;
        if is_cut || self.layout.is_text() || self.filler.add_json(&row).is_err() {
            self.text(&row);
        }
        if let Some(key) = &self.layout.position_key {
            self.filler.mark(key, decimal(line.position, &mut [0; 20]));
        }
        if is_cut {
            self.tally.truncated += 1;
            self.filler.mark_truncated();
            self.filler.mark("original_bytes", line.original.to_string().as_bytes());
        }
        if line.is_dangling {
            self.tally.dangling += 1;
            self.filler.mark("partial", b"true");
        }
    }

    fn text(&mut self, row: &Row<'_>) {
        self.tally.not_json += usize::from(!self.layout.is_text());
        let is_known = self.is_clean && row.block == READ;
        self.tally.invalid += usize::from(!is_known && simdutf8::basic::from_utf8(row.text).is_err());
        self.filler.add_text(row);
    }

    fn join(&mut self, text: &[u8]) -> usize {
        let start = self.joined.len();
        self.joined.extend_from_slice(text);
        start
    }

    #[inline]
    fn origin(&mut self, line: &Line<'_>) -> u16 {
        if let Some(origin) = line.from {
            return self.filler.origin(origin);
        }
        let at = line.stream as usize;
        match self.numbers[at] {
            Some(number) => number,
            None => *self.numbers[at].insert(self.filler.origin(&self.origins[at])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn positions_are_written_as_numbers() {
        for number in [0, 7, 10, 4096, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
