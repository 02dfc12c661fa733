//! Covers what the detectors find in texts: strings, numbers, keys, raw lines, and JSON inside of them.

use std::ops::Range;

use memchr::memchr;

use super::action::{Act, Piece};
use super::keyword::Near;
use super::tally::{Rule, Tally};
use super::{KeyNames, Kind, Replacement, Scanner, Shape, cloud};
use crate::event::Path;
use crate::event::json::{self, Visitor, Walk};

/// How often a text is looked at again after something was covered in it: covering one match can uncover another.
const ROUNDS: usize = 6;
/// How many strings that hold JSON may lie in each other.
const NESTED: usize = 4;
/// Bytes of a key that holds letters, `_` and `.` alone and is too short for a secret.
const PLAIN_KEY: usize = 20;
/// Digits of the shortest number that is looked for.
const SHORTEST_NUMBER: usize = 9;

/// What to look for and what to put in its place.
#[derive(Debug)]
pub(super) struct Cover {
    pub(super) scanner: Scanner,
    pub(super) names: KeyNames,
    /// What happens, by detector.
    pub(super) acts: Vec<Act>,
    /// What happens to values of telling names.
    pub(super) by_name: Act,
    /// Values that stay, in lower case.
    pub(super) allow: Vec<Box<[u8]>>,
    /// Fields that are not looked into, or to which something happens whatever they hold.
    pub(super) fields: Vec<Field>,
}

/// A field that the settings name.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) path: Path,
    /// What happens to it; nothing, not even a look, without.
    pub(super) act: Option<Act>,
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The content of a JSON string, with its escapes.
    Raw,
    /// As it is.
    Plain,
}

/// A part of a text, and where the text begins in the value in hand.
#[derive(Clone, Debug)]
pub(super) struct Spot<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: Range<usize>,
    pub(super) base: usize,
}

impl<'a> Spot<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.text[self.at.clone()]
    }

    pub(super) fn raw(&self) -> Range<usize> {
        self.base + self.at.start..self.base + self.at.end
    }
}

// === impl Cover: texts ===

impl Cover {
    /// Appends `source` with what is found in it covered, until nothing is found any more; tells whether there was
    /// anything. What does not come to an end is covered whole.
    pub(super) fn clean(
        &self,
        (source, form): (&[u8], Form),
        near: Near<'_>,
        tally: &mut Tally,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        if !self.round((source, form), near, tally, out) {
            return false;
        }
        // What stands in the place of a number is a text.
        let near = Near { is_number: false, ..near };
        for _ in 1..ROUNDS {
            let mut next = tally.buffers.take();
            next.clear();
            let again = self.round((&out[start..], form), near, tally, &mut next);
            if again {
                out.truncate(start);
                out.extend_from_slice(&next);
            }
            tally.buffers.put(next);
            if !again {
                return true;
            }
        }
        out.truncate(start);
        shut(out);
        tally.unsettled += 1;
        tally.count(Rule::Limit);
        true
    }

    /// Looks once; appends nothing if nothing is found.
    fn round(&self, (source, form): (&[u8], Form), near: Near<'_>, tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        if form == Form::Plain || memchr(b'\\', source).is_none() {
            return self.matches((source, source, form), near, tally, (out, |span| span));
        }
        if !self.scanner.raw_gate(source) {
            return false;
        }
        let mut decoded = tally.decoded.take();
        decoded.decode(source);
        let place = |span| decoded.raw_range(span);
        let changed = self.matches((source, &decoded.text, form), near, tally, (out, place));
        tally.decoded.put(decoded);
        changed
    }

    /// Covers what is found in `text`, the decoded form of `source`; `place` leads from the one to the other.
    fn matches(
        &self,
        (source, text, form): (&[u8], &[u8], Form),
        near: Near<'_>,
        tally: &mut Tally,
        (out, place): (&mut Vec<u8>, impl Fn(Range<usize>) -> Range<usize>),
    ) -> bool {
        let mut found = std::mem::take(&mut tally.found);
        let mut from = None;
        for found in self.scanner.scan_near(text, near, &mut found) {
            if self.is_left(text, &found.span) {
                continue;
            }
            let kind = self.scanner.detectors()[found.detector].kind();
            let piece = Piece { text: &text[found.span.clone()], shape: found.shape, kind };
            let mut plain = tally.buffers.take();
            plain.clear();
            self.acts[found.detector].write(piece, &mut plain);
            if plain != piece.text {
                let raw = place(found.span.clone());
                out.extend_from_slice(&source[from.unwrap_or(0)..raw.start]);
                match form {
                    Form::Raw => _ = json::escape(&plain, out),
                    Form::Plain => out.extend_from_slice(&plain),
                }
                from = Some(raw.end);
                let name = if tally.hits.is_some() && kind == Some(Kind::CloudKey) {
                    cloud::rule_of(piece.text)
                } else {
                    None
                };
                tally.count(Rule::Detector(found.detector, name));
            }
            tally.buffers.put(plain);
        }
        tally.found = found;
        let Some(from) = from else { return false };
        out.extend_from_slice(&source[from..]);
        true
    }

    /// Is the value allowed, or what an action has written?
    fn is_left(&self, text: &[u8], span: &Range<usize>) -> bool {
        let mut acts =
            self.acts.iter().chain([&self.by_name]).chain(self.fields.iter().filter_map(|field| field.act.as_ref()));
        self.is_allowed(&text[span.clone()]) || acts.any(|act| act.is_own(text, span.start, span.end))
    }

    fn is_allowed(&self, value: &[u8]) -> bool {
        self.allow.iter().any(|allowed| allowed.eq_ignore_ascii_case(value))
    }

    /// Covers a decoded text, which may be a JSON document.
    pub(super) fn text(&self, text: &[u8], near: Near<'_>, tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        match self.document(text, tally, out) {
            Some(changed) => changed,
            None => self.clean((text, Form::Plain), near, tally, out),
        }
    }

    /// Covers what is inside of a text that is a JSON object or array; nothing if it is none.
    pub(super) fn document(&self, text: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<bool> {
        let trimmed = text.trim_ascii_start();
        if !matches!(trimmed.first(), Some(b'{' | b'[')) || json::check(text).is_err() {
            return None;
        }
        if tally.depth == NESTED {
            tally.too_deep += 1;
            tally.count(Rule::Limit);
            shut(out);
            return Some(true);
        }
        let outer = tally.enter();
        tally.depth += 1;
        self.find(Spot { text, at: text.len() - trimmed.len()..text.len(), base: 0 }, Near::default(), tally);
        tally.depth -= 1;
        self.place_hits(text, &outer, tally);
        Some(tally.leave(outer, text, out))
    }

    // === values ===

    /// Finds what to cover in a value.
    pub(super) fn find(&self, value: Spot<'_>, near: Near<'_>, tally: &mut Tally) {
        match value.bytes().first() {
            Some(b'"') => {
                let content = value.at.start + 1..value.at.end - 1;
                self.string(Spot { at: content, ..value }, near, tally);
            }
            Some(b'{' | b'[') => {
                let (whole, key) = (value.bytes(), near.key.unwrap_or_default());
                let mut inside = Inside { cover: self, whole, base: value.base + value.at.start, key, tally };
                json::walk(whole, &mut inside);
            }
            Some(_) => self.number(&value, near, tally),
            None => {}
        }
    }

    /// Finds what to cover in the content of a string.
    fn string(&self, content: Spot<'_>, near: Near<'_>, tally: &mut Tally) {
        let (raw, at) = (content.bytes(), content.raw());
        tally.at = at.start;
        if matches!(raw.trim_ascii_start().first(), Some(b'{' | b'[')) && raw.len() > 2 {
            let mut decoded = tally.decoded.take();
            decoded.decode(raw);
            let mut is_document = false;
            tally.cut(at.clone(), |tally, out| {
                let mut plain = tally.buffers.take();
                plain.clear();
                let changed = self.document(&decoded.text, tally, &mut plain);
                is_document = changed.is_some();
                if changed == Some(true) {
                    json::escape(&plain, out);
                }
                tally.buffers.put(plain);
                changed == Some(true)
            });
            tally.decoded.put(decoded);
            if is_document {
                return;
            }
        }
        tally.cut(at, |tally, out| self.clean((raw, Form::Raw), near, tally, out));
    }

    /// Finds what to cover in a number, which becomes a string.
    fn number(&self, value: &Spot<'_>, near: Near<'_>, tally: &mut Tally) {
        let raw = value.bytes();
        if raw.len() < SHORTEST_NUMBER || !raw[0].is_ascii_digit() {
            return;
        }
        tally.at = value.raw().start;
        tally.cut(value.raw(), |tally, out| {
            out.push(b'"');
            let changed = self.clean((raw, Form::Plain), Near { is_number: true, ..near }, tally, out);
            out.push(b'"');
            changed
        });
    }

    /// Finds what to cover in a key. Most are too plain to hold anything.
    fn key(&self, key: &Spot<'_>, tally: &mut Tally) {
        if is_plain_key(key.bytes()) {
            return;
        }
        tally.at = key.raw().start;
        tally.cut(key.raw(), |tally, out| {
            let changed = self.clean((key.bytes(), Form::Raw), Near::default(), tally, out);
            if changed {
                tally.make_distinct(out, 0);
            }
            changed
        });
    }

    /// The new name of a top-level key, given raw, if there is something to cover in it; both decoded.
    pub(super) fn new_key(&self, raw: &[u8], tally: &mut Tally) -> Option<(Vec<u8>, Vec<u8>)> {
        if is_plain_key(raw) {
            return None;
        }
        let (mut old, mut new) = (Vec::new(), Vec::new());
        json::unescape(raw, &mut old);
        if !self.clean((&old, Form::Plain), Near::default(), tally, &mut new) {
            return None;
        }
        tally.make_distinct(&mut new, 0);
        Some((old, new))
    }

    /// Does the member's name, given raw, tell that its value is to go?
    pub(super) fn is_telling(&self, raw: &[u8], tally: &mut Tally) -> bool {
        if memchr(b'\\', raw).is_none() {
            return self.names.matches(raw);
        }
        let mut key = tally.buffers.take();
        key.clear();
        json::unescape(raw, &mut key);
        let is_telling = self.names.matches(&key);
        tally.buffers.put(key);
        is_telling
    }

    /// Appends what stands for a whole value, JSON text; `false` if it can stay as it is.
    pub(super) fn whole(&self, value: &[u8], (act, rule): (&Act, Rule), tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let is_blind = matches!(act, Act::Cover(_) | Act::Remove) && self.allow.is_empty();
        let mut plain = tally.buffers.take();
        plain.clear();
        if !is_blind {
            match value {
                [b'"', content @ .., b'"'] => json::unescape(content, &mut plain),
                other => plain.extend_from_slice(other),
            }
        }
        let is_own = matches!(act, Act::Hash(_)) && act.is_own(&plain, 0, plain.len());
        let stays = !is_blind && (is_own || self.is_allowed(&plain));
        if !stays {
            let kind = if is_blind { None } else { self.kind_of(&plain, tally) };
            act.write_whole(Piece { text: &plain, shape: Shape::Opaque, kind }, out);
        }
        tally.buffers.put(plain);
        if stays || out[start..] == *value {
            out.truncate(start);
            return false;
        }
        tally.count(rule);
        true
    }

    /// What a value is as a whole.
    fn kind_of(&self, text: &[u8], tally: &mut Tally) -> Option<Kind> {
        let found = self.scanner.scan(text, &mut tally.found).first()?;
        (found.span == (0..text.len())).then(|| self.scanner.detectors()[found.detector].kind()).flatten()
    }
}

/// Appends what stands for a text that cannot be looked at.
fn shut(out: &mut Vec<u8>) {
    Replacement::default().write(Shape::Opaque, b"", out);
}

/// Too short and too plain for anything but a name?
fn is_plain_key(raw: &[u8]) -> bool {
    raw.len() < PLAIN_KEY && raw.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.'))
}

/// Walks through objects and arrays; `base` is where they begin in the value in hand.
struct Inside<'a> {
    cover: &'a Cover,
    whole: &'a [u8],
    base: usize,
    /// The key of the member in hand, raw.
    key: &'a [u8],
    tally: &'a mut Tally,
}

impl Visitor for Inside<'_> {
    fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
        if self.tally.is_skipped(self.base + value.start) {
            return Walk::Skip;
        }
        self.cover.key(&Spot { text, at: key.clone(), base: self.base }, self.tally);
        self.key = &self.whole[key];
        if &text[value.clone()] == b"null" || !self.cover.is_telling(self.key, self.tally) {
            return Walk::Into;
        }
        let act = (&self.cover.by_name, Rule::Name);
        self.cover.cut_whole(&Spot { text, at: value, base: self.base }, act, self.tally);
        Walk::Skip
    }

    fn string(&mut self, text: &[u8], content: Range<usize>) {
        if !self.tally.is_skipped(self.base + content.start) {
            let near = Near { key: Some(self.key), is_number: false };
            self.cover.string(Spot { text, at: content, base: self.base }, near, self.tally);
        }
    }

    fn scalar(&mut self, text: &[u8], value: Range<usize>) {
        if !self.tally.is_skipped(self.base + value.start) {
            let near = Near { key: Some(self.key), is_number: true };
            self.cover.number(&Spot { text, at: value, base: self.base }, near, self.tally);
        }
    }
}

impl Cover {
    /// Covers a whole value in its place.
    pub(super) fn cut_whole(&self, value: &Spot<'_>, act: (&Act, Rule), tally: &mut Tally) {
        tally.at = value.raw().start;
        tally.cut(value.raw(), |tally, out| self.whole(value.bytes(), act, tally, out));
    }
}
