//! Covers what the detectors find in texts: strings, numbers, keys, raw lines, and JSON inside of them.

use std::ops::Range;

use memchr::memchr;

use super::action::{Act, Piece};
use super::keyword::Near;
use super::tally::{Rule, Tally};
use super::{KeyNames, Kind, Match, Replacement, Scanner, Shape, cloud};
use crate::event::Path;
use crate::event::json;

/// How often a text is looked at again after something was covered in it: covering one match can uncover another.
const ROUNDS: usize = 6;
/// How many strings that hold JSON may lie in each other.
const NESTED: usize = 4;

/// What to look for and what to put in its place.
#[derive(Debug)]
pub(super) struct Cover {
    pub(super) scanner: Scanner,
    pub(super) names: KeyNames,
    /// What happens, by detector.
    pub(super) acts: Vec<Act>,
    /// What happens to values of telling names.
    pub(super) by_name: Act,
    /// Of all of them those that write differently, by which what they wrote is known.
    pub(super) own: Vec<Act>,
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

/// A text to look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) form: Form,
    pub(super) near: Near<'a>,
}

impl<'a> Source<'a> {
    /// A text as it is, of which nothing else is known.
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes, form: Form::Plain, near: Near::default() }
    }
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

impl Cover {
    /// Takes note of what its acts write; to be called when they are all there.
    pub(super) fn with_own(mut self) -> Self {
        let fields = self.fields.iter().filter_map(|field| field.act.as_ref());
        for act in self.acts.iter().chain([&self.by_name]).chain(fields) {
            if !self.own.iter().any(|known| known.writes_like(act)) {
                self.own.push(act.clone());
            }
        }
        self
    }

    /// Appends `source` with what is found in it covered, until nothing is found any more; tells whether there was
    /// anything. What does not come to an end is covered whole.
    pub(super) fn clean(&self, source: Source<'_>, tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        if !self.round(&source, tally, out) {
            return false;
        }
        // What stands in the place of a number is a text.
        let near = Near { is_number: false, ..source.near };
        for _ in 1..ROUNDS {
            let mut next = tally.buffers.empty();
            let again = self.round(&Source { bytes: &out[start..], near, ..source }, tally, &mut next);
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
    fn round(&self, source: &Source<'_>, tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        if source.form == Form::Plain || memchr(b'\\', source.bytes).is_none() {
            return self.matches((source, source.bytes), tally, (out, |span| span));
        }
        if !self.scanner.raw_gate(source.bytes) {
            return false;
        }
        let mut decoded = tally.decoded.take();
        decoded.decode(source.bytes);
        let place = |span| decoded.raw_range(span);
        let changed = self.matches((source, &decoded.text), tally, (out, place));
        tally.decoded.put(decoded);
        changed
    }

    /// Covers what is found in `text`, the decoded form of `source`; `place` leads from the one to the other.
    fn matches(
        &self,
        (source, text): (&Source<'_>, &[u8]),
        tally: &mut Tally,
        (out, place): (&mut Vec<u8>, impl Fn(Range<usize>) -> Range<usize>),
    ) -> bool {
        let count = self.scanner.scan_near(text, &source.near, &mut tally.found).len();
        let mut from = None;
        for number in 0..count {
            let found = tally.found.matches()[number].clone();
            if self.is_left(text, &found.span) {
                continue;
            }
            let mut plain = tally.buffers.empty();
            if self.stand_in((text, &found), &mut plain, tally) {
                let raw = place(found.span.clone());
                out.extend_from_slice(&source.bytes[from.unwrap_or(0)..raw.start]);
                match source.form {
                    Form::Raw => _ = json::escape(&plain, out),
                    Form::Plain => out.extend_from_slice(&plain),
                }
                from = Some(raw.end);
            }
            tally.buffers.put(plain);
        }
        let Some(from) = from else { return false };
        out.extend_from_slice(&source.bytes[from..]);
        true
    }

    /// Writes what stands for a match; `false` if that is the match itself.
    fn stand_in(&self, (text, found): (&[u8], &Match), plain: &mut Vec<u8>, tally: &mut Tally) -> bool {
        let kind = self.scanner.detectors()[found.detector].kind();
        let piece = Piece { text: &text[found.span.clone()], shape: found.shape, kind };
        self.acts[found.detector].write(piece, plain);
        if plain == piece.text {
            return false;
        }
        let is_asked = tally.hits.is_some() && kind == Some(Kind::CloudKey);
        let name = if is_asked { cloud::rule_of(piece.text) } else { None };
        tally.count(Rule::Detector(found.detector, name));
        true
    }

    /// Is the value allowed, or what an action has written?
    fn is_left(&self, text: &[u8], span: &Range<usize>) -> bool {
        self.is_allowed(&text[span.clone()]) || self.own.iter().any(|act| act.is_own(text, span.start, span.end))
    }

    pub(super) fn is_allowed(&self, value: &[u8]) -> bool {
        self.allow.iter().any(|allowed| allowed.eq_ignore_ascii_case(value))
    }

    /// Covers a decoded text, which may be a JSON document.
    pub(super) fn text(&self, (text, near): (&[u8], Near<'_>), tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        match self.document(text, tally, out) {
            Some(changed) => changed,
            None => self.clean(Source { bytes: text, form: Form::Plain, near }, tally, out),
        }
    }

    /// Covers what is inside of a text that is a JSON object or array; nothing if it is none.
    #[inline]
    pub(super) fn document(&self, text: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<bool> {
        let at = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
        if matches!(text[at], b'{' | b'[') { self.bracketed((text, at), tally, out) } else { None }
    }

    /// The same for a text with a bracket at `at`.
    fn bracketed(&self, (text, at): (&[u8], usize), tally: &mut Tally, out: &mut Vec<u8>) -> Option<bool> {
        if json::check(text).is_err() {
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
        self.find(&Spot { text, at: at..text.len(), base: 0 }, Near::default(), tally);
        tally.depth -= 1;
        self.place_hits(text, &outer, tally);
        Some(tally.leave(outer, text, out))
    }
}

/// Appends what stands for a text that cannot be looked at.
fn shut(out: &mut Vec<u8>) {
    Replacement::default().write(Shape::Opaque, b"", out);
}
