//! The way of a line: out of the bytes, its charset and what a runtime wrote around it, into a chain or a group, or a record.

use super::assembler::{Assembler, Input, Now, Rest};
use super::fill::Fill;
use super::group::Reading;
use super::layout::{Framing, Layout};
use super::long::Ended;
use super::{Line, reuse};
use crate::codecs::container::{self, Stream};
use crate::codecs::multiline::Multiline;
use crate::event::json;

/// A raw line.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    bytes: &'a [u8],
    place: Option<usize>,
    position: u64,
    /// More than `bytes` has, if it was cut; then its last byte is not among them.
    len: u64,
    last: u8,
    is_dangling: bool,
}

/// What stays the same while a piece is read.
pub(super) struct Pass<'a, 'b> {
    pub(super) layout: &'a Layout,
    pub(super) fill: Fill<'b>,
    pub(super) block: &'a [u8],
    pub(super) now: Now,
}

impl Assembler {
    /// The way of the bytes: the rest of a line that began before, lines, the beginning of the next. Returns how many were taken.
    pub(super) fn lines(&mut self, input: &Input<'_>, pass: &mut Pass<'_, '_>) -> usize {
        let body = &input.block[input.bytes.clone()];
        let layout = pass.layout;
        let split = layout.split(self.charset);
        let mut at = 0;
        while let Some(len) = split.find(&body[at..]) {
            let (start, end) = (at, at + len);
            at = end + split.len();
            if self.is_inside {
                self.is_inside = false;
            } else if self.long.start.is_some() {
                self.end_long(&body[start..end], pass);
            } else {
                let place = Some(input.bytes.start + start);
                let (bytes, position) = (&body[start..end], input.position + start as u64);
                self.raw(Raw { bytes, place, position, len: len as u64, last: 0, is_dangling: false }, pass);
            }
        }
        let rest = &body[at..];
        let free = if input.rest == Rest::Last { rest.len() } else { split.free(rest) };
        if self.is_inside {
            return at + free;
        }
        let is_taken = input.rest == Rest::Last || (input.rest == Rest::InParts && at == 0);
        if !is_taken || free == 0 {
            return at;
        }
        self.long.push(&rest[..free], input.position + at as u64, layout.raw_cap());
        at + free
    }

    fn end_long(&mut self, rest: &[u8], pass: &mut Pass<'_, '_>) {
        self.long.push(rest, 0, pass.layout.raw_cap());
        let Some(ended) = self.long.end() else { return };
        self.raw(ended.raw(false), pass);
        self.long.give_back(ended.head);
    }

    /// A raw line: without its mark, in UTF-8.
    #[inline]
    pub(super) fn raw(&mut self, raw: Raw<'_>, pass: &mut Pass<'_, '_>) {
        let skipped = if raw.position == 0 { self.mark.min(raw.bytes.len()) } else { 0 };
        let bytes = &raw.bytes[skipped..];
        if !self.charset.is_utf8() {
            return self.decoded(Raw { bytes, ..raw }, pass);
        }
        let place = raw.place.map(|place| place + skipped);
        let is_cut = raw.len > raw.bytes.len() as u64;
        let text = if is_cut { bytes } else { pass.layout.strip(bytes) };
        let gone = if is_cut { 1 - pass.layout.strip(&[raw.last]).len() } else { raw.bytes.len() - text.len() };
        self.unwrap(Raw { bytes: text, place, len: raw.len - gone as u64, ..raw }, pass);
    }

    fn decoded(&mut self, raw: Raw<'_>, pass: &mut Pass<'_, '_>) {
        let (text, is_invalid) = self.charset.decode(raw.bytes);
        let text = pass.layout.strip(text.as_bytes());
        // What was left out is counted as it stands in the file.
        let is_cut = text.len() > pass.layout.decoder.max_line_bytes;
        let len = if is_cut { raw.len } else { text.len() as u64 };
        pass.fill.tally.invalid += usize::from(is_invalid);
        self.unwrap(Raw { bytes: text, place: None, len, ..raw }, pass);
    }

    /// Takes a line out of what a runtime wrote around it.
    #[inline]
    fn unwrap(&mut self, raw: Raw<'_>, pass: &mut Pass<'_, '_>) {
        let plain = Line {
            text: raw.bytes,
            from: None,
            place: raw.place,
            stream: Stream::Plain,
            position: raw.position,
            time: pass.now.time,
            is_told: false,
            original: raw.len,
            is_dangling: raw.is_dangling,
        };
        if pass.layout.framing == Framing::Lines {
            return self.whole(&plain, pass);
        }
        let Some(framed) = container::parse(raw.bytes, &mut self.members) else {
            pass.fill.tally.unframed += usize::from(!raw.bytes.is_empty());
            return self.whole(&plain, pass);
        };
        let text = &raw.bytes[framed.payload.clone()];
        let wrapping = (raw.bytes.len() - text.len()) as u64;
        let place = raw.place.map(|place| place + framed.payload.start);
        let line = Line {
            text,
            place,
            stream: framed.stream,
            time: framed.time,
            is_told: true,
            original: raw.len - wrapping,
            ..plain
        };
        if framed.is_escaped {
            let mut scratch = std::mem::take(&mut self.scratch);
            json::unescape(text, &mut scratch);
            let original = scratch.len() as u64;
            self.piece(&Line { text: &scratch, place: None, original, ..line }, framed.is_partial, pass);
            self.scratch = reuse(scratch);
        } else {
            self.piece(&line, framed.is_partial, pass);
        }
    }

    /// A line of a runtime: a piece of a chain, or a whole line.
    #[inline]
    fn piece(&mut self, line: &Line<'_>, is_partial: bool, pass: &mut Pass<'_, '_>) {
        let pending = &mut self.streams[line.stream as usize];
        if line.position < pending.skip {
            return;
        }
        if !is_partial && pending.chain.start.is_none() {
            return self.whole(line, pass);
        }
        pending.chain.push(line, pass.layout.decoder.max_line_bytes.saturating_add(4), pass.now.tick);
        if !is_partial {
            self.end_chain(line.stream, line.is_dangling, pass);
        }
    }

    pub(super) fn end_chain(&mut self, stream: Stream, is_dangling: bool, pass: &mut Pass<'_, '_>) {
        let Some((text, ended)) = self.streams[stream as usize].chain.end() else { return };
        let line = Line {
            text: &text,
            from: ended.from.as_ref(),
            place: None,
            stream,
            position: ended.position,
            time: ended.time,
            is_told: true,
            original: ended.original,
            is_dangling,
        };
        self.whole(&line, pass);
        self.streams[stream as usize].chain.give_back(text);
    }

    /// A line that is whole: a record, or one of a group.
    #[inline]
    fn whole(&mut self, line: &Line<'_>, pass: &mut Pass<'_, '_>) {
        let pending = &mut self.streams[line.stream as usize];
        if line.from.is_none() && line.position < pending.skip {
            return;
        }
        match &pass.layout.multiline {
            None => pass.fill.line(line),
            Some(rules) => pending.group.line(line, &mut pass.reading(rules)),
        }
    }
}

impl Ended {
    pub(super) fn raw(&self, is_dangling: bool) -> Raw<'_> {
        let Self { start, head, len, last } = self;
        Raw { bytes: head, place: None, position: *start, len: *len, last: *last, is_dangling }
    }
}

impl<'b> Pass<'_, 'b> {
    pub(super) fn reading<'s>(&'s mut self, rules: &'s Multiline) -> Reading<'s, 'b> {
        let max_line_bytes = self.layout.decoder.max_line_bytes;
        Reading { rules, fill: &mut self.fill, block: self.block, max_line_bytes, tick: self.now.tick }
    }
}
