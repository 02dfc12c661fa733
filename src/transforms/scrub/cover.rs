//! Covers what the detectors find inside a JSON value: matches are cut out of the raw bytes and written over.

use std::ops::Range;

use memchr::memchr;

use super::{Found, KeyNames, Replacement, Scanner, Shape};
use crate::component::meters::Meters;
use crate::event::json::{self, Decoded, Segment, Visitor, Walk};
use crate::event::{Editor, Path};

/// What to look for and what to put in its place.
pub(super) struct Cover {
    scanner: Scanner,
    names: KeyNames,
    replacement: Replacement,
    labels: Vec<&'static str>,
}

/// Counts of a batch, and the buffers of a lane.
#[derive(Default)]
pub(super) struct Tally {
    by_detector: Vec<u64>,
    by_name: u64,
    found: Found,
    decoded: Decoded,
    cuts: Vec<Cut>,
    texts: Vec<u8>,
    plain: Vec<u8>,
}

/// Raw bytes of a value to be written over by a range of `Tally::texts`.
struct Cut {
    raw: Range<usize>,
    text: Range<usize>,
}

impl Tally {
    pub(super) fn report(&mut self, cover: &Cover, meters: &Meters) {
        for (count, label) in self.by_detector.iter_mut().zip(&cover.labels) {
            meters.scrubbed(label, std::mem::take(count));
        }
        meters.scrubbed("key_name", std::mem::take(&mut self.by_name));
    }
}

impl Tally {
    fn clear(&mut self) {
        self.cuts.clear();
        self.texts.clear();
    }

    /// Moves the cuts from number `first` on by `offset` bytes.
    fn shift(&mut self, first: usize, offset: usize) {
        for cut in &mut self.cuts[first..] {
            cut.raw.start += offset;
            cut.raw.end += offset;
        }
    }

    /// Appends `whole` with the cuts written over; tells whether there are any.
    fn splice(&self, whole: &[u8], out: &mut Vec<u8>) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let mut from = 0;
        for cut in &self.cuts {
            out.extend_from_slice(&whole[from..cut.raw.start]);
            out.extend_from_slice(&self.texts[cut.text.clone()]);
            from = cut.raw.end;
        }
        out.extend_from_slice(&whole[from..]);
        true
    }
}

/// A path to look into.
pub(super) struct Place {
    pub(super) path: Path,
    is_telling: bool,
}

impl Cover {
    pub(super) fn new(scanner: Scanner, names: KeyNames, replacement: Replacement) -> Self {
        let labels = scanner.detectors().iter().map(super::Detector::name).collect();
        Self { scanner, names, replacement, labels }
    }

    /// A place to look into; whether its name tells is known from the start.
    pub(super) fn place(&self, path: Path) -> Place {
        let is_telling = path.depth() == 1 && path.first_key().is_some_and(|key| self.names.matches(key));
        Place { path, is_telling }
    }

    /// Covers everything in a record.
    pub(super) fn record(&self, records: &mut Editor<'_>, index: usize, tally: &mut Tally) {
        let is_done = self.line(records, index, tally);
        records.rewrite(index, |key, value, out| {
            let is_covered = is_done && key == b"message";
            !is_covered && self.member((key, value), out, tally)
        });
    }

    /// Covers what stands at `path`, in every occurrence of its keys; its last key counts as a name.
    pub(super) fn at(&self, record: (&mut Editor<'_>, usize), place: &Place, tally: &mut Tally) {
        let (records, index) = record;
        let path = &place.path;
        let Some(key) = path.first_key() else {
            self.record(records, index, tally);
            return;
        };
        if path.depth() == 1 && key == b"message" && self.line(records, index, tally) {
            return;
        }
        let below = path.segments_below_first();
        records.rewrite_member(index, key, |whole, out| {
            if below.is_empty() {
                return self.value((whole, place.is_telling), out, tally);
            }
            tally.clear();
            self.below(whole, &below, tally);
            tally.splice(whole, out)
        });
    }

    /// Finds what to cover where `path`, which is not empty, leads to in `value`.
    fn below(&self, value: &[u8], path: &[Segment<'_>], tally: &mut Tally) {
        let (Some(first), rest) = (path.first(), &path[1..]) else { return };
        match first {
            Segment::Field(key) if value.first() == Some(&b'{') => {
                json::walk(value, &mut Members { cover: self, key, rest, tally });
            }
            Segment::Field(_) => {}
            Segment::Index(_) => {
                if let Some(found) = json::seek(value, &path[..1]) {
                    self.inner((value, found), rest, tally);
                }
            }
        }
    }

    /// Finds what to cover where `rest` leads to from the value at `at`, with offsets in `whole`.
    fn inner(&self, value: (&[u8], Range<usize>), rest: &[Segment<'_>], tally: &mut Tally) {
        let (whole, at) = value;
        if rest.is_empty() {
            self.find(whole, at, tally);
            return;
        }
        let before = tally.cuts.len();
        self.below(&whole[at.clone()], rest, tally);
        tally.shift(before, at.start);
    }

    /// Covers the raw line of a text record, which is decoded text as it stands; tells whether it changed.
    fn line(&self, records: &mut Editor<'_>, index: usize, tally: &mut Tally) -> bool {
        let Some(line) = records.get(index).untouched_line() else { return false };
        if self.names.matches(b"message") {
            tally.by_name += 1;
            records.set_member(index, b"message", |out| self.write_opaque(out));
            return true;
        }
        let mut from = 0;
        tally.plain.clear();
        for found in self.scanner.scan(line, &mut tally.found) {
            count(&mut tally.by_detector, found.detector);
            tally.plain.extend_from_slice(&line[from..found.span.start]);
            self.replacement.write(found.shape, &line[found.span.clone()], &mut tally.plain);
            from = found.span.end;
        }
        if from == 0 {
            return false;
        }
        tally.plain.extend_from_slice(&line[from..]);
        let plain = std::mem::take(&mut tally.plain);
        records.set_member(index, b"message", |out| json::quote(&plain, out));
        tally.plain = plain;
        true
    }

    /// Covers the value of a member; one with a telling name goes whole. Tells whether `out` holds a new value.
    pub(super) fn member(&self, member: (&[u8], &[u8]), out: &mut Vec<u8>, tally: &mut Tally) -> bool {
        let (key, value) = member;
        let is_telling = self.is_telling(key, tally);
        self.value((value, is_telling), out, tally)
    }

    fn value(&self, (value, is_telling): (&[u8], bool), out: &mut Vec<u8>, tally: &mut Tally) -> bool {
        if is_telling && value != b"null" {
            tally.by_name += 1;
            self.write_opaque(out);
            return true;
        }
        tally.clear();
        self.find(value, 0..value.len(), tally);
        tally.splice(value, out)
    }

    /// Finds what to cover in the value at `at` of `whole`.
    fn find(&self, whole: &[u8], at: Range<usize>, tally: &mut Tally) {
        match whole.get(at.start) {
            Some(b'"') => self.string(whole, at.start + 1..at.end - 1, tally),
            Some(b'{' | b'[') => {
                let mut inside = Inside { cover: self, base: at.start, tally };
                json::walk(&whole[at], &mut inside);
            }
            _ => {}
        }
    }

    /// Cuts the whole value at `at`, because of its name.
    fn cut_value(&self, at: Range<usize>, tally: &mut Tally) {
        tally.by_name += 1;
        let start = tally.texts.len();
        self.write_opaque(&mut tally.texts);
        tally.cuts.push(Cut { raw: at, text: start..tally.texts.len() });
    }

    /// Finds what to cover in the string content `at` of `whole`.
    fn string(&self, whole: &[u8], at: Range<usize>, tally: &mut Tally) {
        let raw = &whole[at.clone()];
        if memchr(b'\\', raw).is_none() {
            self.scanner.scan(raw, &mut tally.found);
            for found in tally.found.matches() {
                count(&mut tally.by_detector, found.detector);
                let text = write(&mut tally.texts, &mut tally.plain, |plain| {
                    self.replacement.write(found.shape, &raw[found.span.clone()], plain);
                });
                tally.cuts.push(Cut { raw: at.start + found.span.start..at.start + found.span.end, text });
            }
        } else if self.scanner.raw_gate(raw) {
            self.escaped_string(raw, at.start, tally);
        }
    }

    fn escaped_string(&self, raw: &[u8], base: usize, tally: &mut Tally) {
        tally.decoded.decode(raw);
        self.scanner.scan(&tally.decoded.text, &mut tally.found);
        for found in tally.found.matches() {
            count(&mut tally.by_detector, found.detector);
            let text = write(&mut tally.texts, &mut tally.plain, |plain| {
                self.replacement.write(found.shape, &tally.decoded.text[found.span.clone()], plain);
            });
            let span = tally.decoded.raw_range(found.span.clone());
            tally.cuts.push(Cut { raw: base + span.start..base + span.end, text });
        }
    }

    fn is_telling(&self, raw: &[u8], tally: &mut Tally) -> bool {
        if memchr(b'\\', raw).is_none() {
            return self.names.matches(raw);
        }
        tally.plain.clear();
        json::unescape(raw, &mut tally.plain);
        self.names.matches(&tally.plain)
    }

    fn write_opaque(&self, out: &mut Vec<u8>) {
        let mut plain = Vec::new();
        self.replacement.write(Shape::Opaque, b"", &mut plain);
        json::quote(&plain, out);
    }
}

/// Appends the escaped form of what `fill` writes to `texts`.
fn write(texts: &mut Vec<u8>, plain: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let start = texts.len();
    plain.clear();
    fill(plain);
    json::escape(plain, texts);
    start..texts.len()
}

fn count(by_detector: &mut Vec<u64>, detector: usize) {
    if by_detector.len() <= detector {
        by_detector.resize(detector + 1, 0);
    }
    by_detector[detector] += 1;
}

/// Walks through objects and arrays; `base` is where they begin in the whole value.
struct Inside<'a> {
    cover: &'a Cover,
    base: usize,
    tally: &'a mut Tally,
}

impl Visitor for Inside<'_> {
    fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
        if !self.cover.is_telling(&text[key], self.tally) || &text[value.clone()] == b"null" {
            return Walk::Into;
        }
        self.cover.cut_value(self.base + value.start..self.base + value.end, self.tally);
        Walk::Skip
    }

    fn string(&mut self, text: &[u8], content: Range<usize>) {
        let before = self.tally.cuts.len();
        self.cover.string(text, content, self.tally);
        self.tally.shift(before, self.base);
    }
}

/// Follows a path through the members of one object.
struct Members<'a> {
    cover: &'a Cover,
    key: &'a [u8],
    rest: &'a [Segment<'a>],
    tally: &'a mut Tally,
}

impl Visitor for Members<'_> {
    fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
        if !json::key_eq(&text[key], self.key) {
            return Walk::Skip;
        }
        if self.rest.is_empty() && self.cover.names.matches(self.key) && &text[value.clone()] != b"null" {
            self.cover.cut_value(value, self.tally);
        } else {
            self.cover.inner((text, value), self.rest, self.tally);
        }
        Walk::Skip
    }

    fn string(&mut self, _: &[u8], _: Range<usize>) {}
}
