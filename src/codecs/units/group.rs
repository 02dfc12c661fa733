//! A group: lines of one stream that are one record.

use std::sync::Arc;
use std::time::Duration;

use super::fill::Fill;
use super::{End, Line, reuse};
use crate::codecs::container::Stream;
use crate::codecs::lines::head;
use crate::codecs::multiline::{Multiline, State, Verdict};
use crate::event::Origin;

/// The lines so far of a record.
#[derive(Debug, Default)]
pub(super) struct Group {
    open: Option<Open>,
    /// Its lines, unless it has but one that lies in the block.
    text: Vec<u8>,
    /// The file in which it began, if it is another one.
    from: Option<Arc<Origin>>,
}

/// What is known of a group besides its text.
#[derive(Clone, Copy, Debug)]
struct Open {
    state: State,
    stream: Stream,
    /// Where it lies in the block, while it has but one line.
    place: Option<(usize, usize)>,
    /// Where reading begins again for its sake: where it begins, or the file, if that is in another one.
    start: u64,
    position: u64,
    time: i64,
    is_told: bool,
    lines: u32,
    original: u64,
    is_dangling: bool,
    /// The last line's, and when that was read.
    last: i64,
    tick: Duration,
}

/// What a group needs while a piece is read.
pub(super) struct Reading<'a, 'b> {
    pub(super) rules: &'a Multiline,
    pub(super) fill: &'a mut Fill<'b>,
    /// The batch's block.
    pub(super) block: &'a [u8],
    pub(super) max_line_bytes: usize,
    pub(super) tick: Duration,
}

impl Group {
    /// A line comes: it joins the group, or ends it and begins the next, or stands alone.
    pub(super) fn line(&mut self, line: &Line<'_>, reading: &mut Reading<'_, '_>) {
        // The rules see no more of a line than is kept of it, in however many pieces it came.
        let line = &Line { text: &line.text[..head(line.text, reading.max_line_bytes)], ..*line };
        if self.open.is_some_and(|open| open.is_late(line, reading.rules.timeout)) {
            self.end(End::Written, reading);
        }
        if let Some(open) = self.open {
            match reading.rules.next(open.state, line.text) {
                Verdict::Joins(state) => return self.join(line, state, reading),
                Verdict::JoinsLast => {
                    self.join(line, open.state, reading);
                    return self.end(End::Written, reading);
                }
                Verdict::Ends => self.end(End::Written, reading),
            }
        }
        match reading.rules.begins(line.text) {
            Some(state) => self.begin(line, state, reading),
            None => reading.fill.line(line),
        }
    }

    fn begin(&mut self, line: &Line<'_>, state: State, reading: &Reading<'_, '_>) {
        let place = line.place.map(|start| (start, line.text.len()));
        if place.is_none() {
            self.text.extend_from_slice(line.text);
        }
        self.from = line.from.cloned();
        self.open = Some(Open {
            state,
            stream: line.stream,
            place,
            start: line.from.map_or(line.position, |_| 0),
            position: line.position,
            time: line.time,
            is_told: line.is_told,
            lines: 1,
            original: line.original,
            is_dangling: line.is_dangling,
            last: line.time,
            tick: reading.tick,
        });
    }

    /// Adds a line; one that the group has no room for begins another, in the same place of the rules.
    fn join(&mut self, line: &Line<'_>, state: State, reading: &mut Reading<'_, '_>) {
        let Some(open) = self.open else { return };
        let bytes = open.place.map_or(self.text.len(), |(_, len)| len) + 1 + line.text.len();
        if open.lines >= reading.rules.max_lines || bytes > reading.rules.max_bytes {
            reading.fill.tally.split += 1;
            self.end(End::Written, reading);
            return self.begin(line, state, reading);
        }
        self.keep(reading.block);
        self.text.push(b'\n');
        self.text.extend_from_slice(line.text);
        if let Some(open) = &mut self.open {
            (open.state, open.last, open.tick) = (state, line.time, reading.tick);
            open.lines += 1;
            open.original += 1 + line.original;
            open.is_dangling = line.is_dangling;
        }
    }

    /// Copies what lies in the block: it must not be there any more when the group goes on.
    pub(super) fn keep(&mut self, block: &[u8]) {
        if let Some((start, len)) = self.open.as_mut().and_then(|open| open.place.take()) {
            self.text.extend_from_slice(&block[start..start + len]);
        }
    }

    /// The group is a record.
    pub(super) fn end(&mut self, end: End, reading: &mut Reading<'_, '_>) {
        let Some(open) = self.open.take() else { return };
        let text = match open.place {
            Some((start, len)) => &reading.block[start..start + len],
            None => &self.text,
        };
        let line = Line {
            text,
            from: self.from.as_ref(),
            place: open.place.map(|(start, _)| start),
            stream: open.stream,
            position: open.position,
            time: open.time,
            is_told: open.is_told,
            original: open.original,
            is_dangling: open.is_dangling,
        };
        reading.fill.record(&line, if open.is_dangling { End::Early } else { end });
        self.text = reuse(std::mem::take(&mut self.text));
        self.from = None;
    }

    /// The next file goes on with it. `origin` is that of its stream in this one.
    pub(super) fn pass_down(&mut self, origin: &Arc<Origin>) {
        if let Some(open) = &mut self.open {
            open.start = 0;
            self.from.get_or_insert_with(|| origin.clone());
        }
    }

    /// A line may have been read just now, as far as the clock of this file knows.
    pub(super) fn is_new_at(&mut self, tick: Duration) {
        if let Some(open) = &mut self.open {
            open.tick = tick;
        }
    }

    pub(super) fn is_inherited(&self) -> bool {
        self.open.is_some() && self.from.is_some()
    }

    /// Where reading begins again for its sake.
    pub(super) fn start(&self) -> Option<u64> {
        self.open.map(|open| open.start)
    }

    /// When it has ended, if no line comes.
    pub(super) fn deadline(&self, rules: &Multiline) -> Option<Duration> {
        self.open.map(|open| open.tick.saturating_add(rules.timeout))
    }

    pub(super) fn held(&self) -> usize {
        self.text.len()
    }
}

impl Open {
    /// Did too much time pass before `line`, as the lines tell?
    fn is_late(&self, line: &Line<'_>, timeout: Duration) -> bool {
        self.is_told && line.is_told && i128::from(line.time) - i128::from(self.last) > timeout.as_nanos() as i128
    }
}
