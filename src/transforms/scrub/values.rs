//! Covers values: what strings, numbers and keys hold, at any depth, and values that go whole.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use super::action::{Act, Piece};
use super::cover::{Cover, Form, Source, Spot};
use super::keyword::Near;
use super::tally::{Rule, Tally};
use super::{Kind, Shape, Telling};
use crate::event::json::{self, Visitor, Walk};

/// Bytes of a key that holds letters, `_` and `.` alone and is too short for a secret.
const PLAIN_KEY: usize = 20;
/// Digits of the shortest number that is looked for.
const SHORTEST_NUMBER: usize = 9;

impl Cover {
    /// Finds what to cover in a value.
    #[inline]
    pub(super) fn find(&self, value: &Spot<'_>, near: Near<'_>, tally: &mut Tally) {
        match value.bytes().first() {
            Some(b'"') => {
                let content = value.at.start + 1..value.at.end - 1;
                self.string(&Spot { at: content, ..*value }, near, tally);
            }
            Some(b'{' | b'[') => {
                let (whole, key) = (value.bytes(), near.key.unwrap_or_default());
                let next = if tally.holds_bytes { Some(0) } else { self.scanner.next_sign(whole, 0) };
                let Some(next) = next else { return };
                json::walk(
                    whole,
                    &mut Inside { cover: self, whole, base: value.base + value.at.start, key, next, tally },
                );
            }
            Some(_) => self.number(value, near, tally),
            None => {}
        }
    }

    /// Finds what to cover in the content of a string.
    fn string(&self, content: &Spot<'_>, near: Near<'_>, tally: &mut Tally) {
        let (raw, at) = (content.bytes(), content.raw());
        tally.at = at.start;
        if tally.holds_bytes && self.bytes(content, near, tally) {
            return;
        }
        let is_document = matches!(raw.trim_ascii_start().first(), Some(b'{' | b'['));
        if !is_document && self.is_clean(raw, near, tally) {
            return;
        }
        if is_document && raw.len() > 2 {
            let mut decoded = tally.decoded.take();
            decoded.decode(raw);
            let mut is_document = false;
            tally.cut(at.clone(), |tally, out| {
                let mut plain = tally.buffers.empty();
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
        tally.cut(at, |tally, out| self.clean(Source { bytes: raw, form: Form::Raw, near }, tally, out));
    }

    /// Covers a string whole that is the base64 of a text in which something is found; tells whether it did.
    fn bytes(&self, content: &Spot<'_>, near: Near<'_>, tally: &mut Tally) -> bool {
        let Ok(text) = STANDARD.decode(content.bytes()) else { return false };
        if text.is_empty() || std::str::from_utf8(&text).is_err() {
            return false;
        }
        let mut covered = tally.buffers.empty();
        let is_found = self.text((&text, near), tally, &mut covered);
        tally.buffers.put(covered);
        if is_found {
            let quoted = content.raw().start - 1..content.raw().end + 1;
            tally.cut(quoted, |_, out| {
                self.by_name.write_whole(Piece { text: &text, shape: Shape::Opaque, kind: None }, out);
                true
            });
        }
        is_found
    }

    /// Is there nothing to be found? Most strings have nothing, and shall cost no more than to know that. Where signs
    /// show beforehand, only a string that has one comes here.
    #[inline]
    fn is_clean(&self, raw: &[u8], near: Near<'_>, tally: &mut Tally) -> bool {
        if self.scanner.has_signs() {
            return false;
        }
        match memchr(b'\\', raw) {
            None => self.scanner.scan_near(raw, &near, &mut tally.found).is_empty(),
            Some(_) => !self.scanner.raw_gate(raw),
        }
    }

    /// Finds what to cover in a number, which becomes a string.
    fn number(&self, value: &Spot<'_>, near: Near<'_>, tally: &mut Tally) {
        let (raw, near) = (value.bytes(), Near { is_number: true, ..near });
        if raw.len() < SHORTEST_NUMBER || !raw[0].is_ascii_digit() {
            return;
        }
        tally.at = value.raw().start;
        tally.cut(value.raw(), |tally, out| {
            out.push(b'"');
            let changed = self.clean(Source { bytes: raw, form: Form::Plain, near }, tally, out);
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
            let changed = self.clean(Source { form: Form::Raw, ..Source::plain(key.bytes()) }, tally, out);
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
        if !self.clean(Source::plain(&old), tally, &mut new) {
            return None;
        }
        tally.make_distinct(&mut new, 0);
        Some((old, new))
    }

    /// What the member's name, given raw, tells of its value.
    pub(super) fn telling(&self, raw: &[u8], tally: &mut Tally) -> Telling {
        if memchr(b'\\', raw).is_none() {
            return self.names.telling(raw);
        }
        let mut key = tally.buffers.empty();
        json::unescape(raw, &mut key);
        let telling = self.names.telling(&key);
        tally.buffers.put(key);
        telling
    }

    /// Appends what stands for a whole value, JSON text; `false` if it can stay as it is.
    pub(super) fn whole(&self, (value, act, rule): (&[u8], &Act, Rule), tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let is_blind = matches!(act, Act::Cover(_) | Act::Remove) && self.allow.is_empty();
        let mut plain = tally.buffers.empty();
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
    /// No sign shows from where the walk is to here: see [`Scanner::next_sign`](super::Scanner::next_sign).
    next: usize,
    tally: &'a mut Tally,
}

impl Inside<'_> {
    /// Goes on behind a string or a number that has been looked into.
    fn pass(&mut self, end: usize) {
        if !self.tally.holds_bytes {
            self.next = self.cover.scanner.next_sign(self.whole, end).unwrap_or(usize::MAX);
        }
    }
}

impl Visitor for Inside<'_> {
    fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
        if value.end <= self.next || self.tally.is_skipped(self.base + value.start) {
            return Walk::Skip;
        }
        self.cover.key(&Spot { text, at: key.clone(), base: self.base }, self.tally);
        self.key = &self.whole[key];
        if !self.cover.telling(self.key, self.tally).takes(&text[value.clone()]) {
            return Walk::Into;
        }
        let act = (&self.cover.by_name, Rule::Name);
        self.cover.cut_whole(&Spot { text, at: value, base: self.base }, act, self.tally);
        Walk::Skip
    }

    fn string(&mut self, text: &[u8], content: Range<usize>) {
        if content.end > self.next && !self.tally.is_skipped(self.base + content.start) {
            let near = Near { key: Some(self.key), is_number: false };
            self.cover.string(&Spot { text, at: content.clone(), base: self.base }, near, self.tally);
            self.pass(content.end);
        }
    }

    fn scalar(&mut self, text: &[u8], value: Range<usize>) {
        if value.end > self.next && !self.tally.is_skipped(self.base + value.start) {
            let near = Near { key: Some(self.key), is_number: true };
            self.cover.number(&Spot { text, at: value.clone(), base: self.base }, near, self.tally);
            self.pass(value.end);
        }
    }
}

impl Cover {
    /// Covers a whole value in its place.
    pub(super) fn cut_whole(&self, value: &Spot<'_>, (act, rule): (&Act, Rule), tally: &mut Tally) {
        tally.at = value.raw().start;
        tally.cut(value.raw(), |tally, out| self.whole((value.bytes(), act, rule), tally, out));
    }
}
