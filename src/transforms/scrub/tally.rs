//! What a lane keeps: counts of a batch, buffers, and what is to be cut out of the value in hand.

use std::ops::Range;

use super::scanner::Found;
use crate::component::meters::Meters;
use crate::event::SharedParts;
use crate::event::json::Decoded;

/// Buffers that are used again.
#[derive(Debug)]
pub(super) struct Pool<T>(Vec<T>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> Pool<T> {
    pub(super) fn take(&mut self) -> T {
        self.0.pop().unwrap_or_default()
    }

    pub(super) fn put(&mut self, buffer: T) {
        self.0.push(buffer);
    }
}

impl Pool<Vec<u8>> {
    /// One with nothing in it.
    pub(super) fn empty(&mut self) -> Vec<u8> {
        let mut buffer = self.take();
        buffer.clear();
        buffer
    }
}

/// Raw bytes of a value to be written over by a range of the texts.
#[derive(Debug)]
struct Cut {
    raw: Range<usize>,
    text: Range<usize>,
}

/// One thing that was found, for those who ask why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where the string, number or key with it begins in the text in hand.
    pub(super) at: usize,
    /// The way to it inside a string that holds JSON.
    pub(super) inner: String,
    pub(super) rule: Rule,
}

/// Why something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The detector at this index, and the name of its rule where it has several.
    Detector(usize, Option<&'static str>),
    /// The name of the member.
    Name,
    /// The field is named in the settings.
    Field,
    /// A limit was met: it cannot be looked at, so it goes.
    Limit,
}

/// Counts and buffers of a lane.
#[derive(Debug, Default)]
pub(super) struct Tally {
    by_detector: Vec<u64>,
    by_name: u64,
    by_field: u64,
    /// Strings that were covered whole: JSON in JSON in JSON ..., or matches that would not end.
    pub(super) too_deep: usize,
    pub(super) unsettled: usize,
    /// Records that were replaced, since a detector failed on them.
    pub(super) failed: usize,
    pub(super) found: Found,
    pub(super) buffers: Pool<Vec<u8>>,
    pub(super) decoded: Pool<Decoded>,
    cuts: Vec<Cut>,
    texts: Vec<u8>,
    /// Values that are not to be looked into.
    pub(super) skips: Vec<Range<usize>>,
    /// Keys written in this record, so that no two become one.
    keys: Vec<Vec<u8>>,
    /// Top-level keys with their new names, both decoded.
    pub(super) renames: Vec<(Vec<u8>, Vec<u8>)>,
    /// What became of the resources and scopes of the batch in hand.
    pub(super) parts: SharedParts,
    /// Has the record in hand bytes that are written as base64?
    pub(super) holds_bytes: bool,
    /// How many strings that hold JSON are around.
    pub(super) depth: usize,
    /// Where the string, number or key in hand begins.
    pub(super) at: usize,
    /// What was found, if somebody asks.
    pub(super) hits: Option<Vec<Hit>>,
}

/// The state around a document inside a string.
#[derive(Debug)]
pub(super) struct Outer {
    cuts: usize,
    texts: usize,
    pub(super) at: usize,
    pub(super) hits: usize,
    skips: Vec<Range<usize>>,
}

impl Tally {
    /// Makes ready for a record.
    #[inline]
    pub(super) fn begin(&mut self) {
        if !self.keys.is_empty() {
            self.keys.clear();
            self.renames.clear();
        }
        self.clear();
    }

    /// Begins anew, and counts the record on which a detector failed.
    pub(super) fn fail(&mut self) {
        *self = Self { failed: self.failed + 1, hits: self.hits.take(), ..Self::default() };
    }

    /// Makes ready for a value.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.cuts.clear();
        self.texts.clear();
        self.skips.clear();
    }

    /// Counts what a rule found.
    pub(super) fn count(&mut self, rule: Rule) {
        match rule {
            Rule::Name => self.by_name += 1,
            Rule::Field => self.by_field += 1,
            Rule::Limit => {}
            Rule::Detector(index, _) => {
                if self.by_detector.len() <= index {
                    self.by_detector.resize(index + 1, 0);
                }
                self.by_detector[index] += 1;
            }
        }
        if let Some(hits) = &mut self.hits {
            hits.push(Hit { at: self.at, inner: String::new(), rule });
        }
    }

    /// Puts what `write` appends in the place of the raw bytes at `raw`, unless it says that there is nothing to do.
    pub(super) fn cut(&mut self, raw: Range<usize>, write: impl FnOnce(&mut Self, &mut Vec<u8>) -> bool) {
        let mut text = self.buffers.empty();
        if write(self, &mut text) {
            let start = self.texts.len();
            self.texts.extend_from_slice(&text);
            self.cuts.push(Cut { raw, text: start..self.texts.len() });
        }
        self.buffers.put(text);
    }

    /// From here on what has been cut is not looked into, and cuts need not come in order.
    pub(super) fn skip_cuts(&mut self) {
        self.skips.extend(self.cuts.iter().map(|cut| cut.raw.clone()));
    }

    /// Is what begins at `at` not to be looked into?
    pub(super) fn is_skipped(&self, at: usize) -> bool {
        self.skips.iter().any(|skip| skip.contains(&at))
    }

    /// Leaves the value in hand for a document inside it.
    pub(super) fn enter(&mut self) -> Outer {
        Outer {
            cuts: self.cuts.len(),
            texts: self.texts.len(),
            at: self.at,
            hits: self.hits.as_ref().map_or(0, Vec::len),
            skips: std::mem::take(&mut self.skips),
        }
    }

    /// Appends the document with its cuts written over, and comes back to the value around it.
    pub(super) fn leave(&mut self, outer: Outer, document: &[u8], out: &mut Vec<u8>) -> bool {
        let is_changed = self.splice(outer.cuts, document, out);
        self.cuts.truncate(outer.cuts);
        self.texts.truncate(outer.texts);
        self.at = outer.at;
        self.skips = outer.skips;
        is_changed
    }

    /// Appends `whole` with the cuts from number `first` on written over; tells whether there are any.
    #[inline]
    pub(super) fn splice(&mut self, first: usize, whole: &[u8], out: &mut Vec<u8>) -> bool {
        self.cuts.len() > first && self.write_over(first, whole, out)
    }

    fn write_over(&mut self, first: usize, whole: &[u8], out: &mut Vec<u8>) -> bool {
        let cuts = &mut self.cuts[first..];
        if !cuts.is_sorted_by_key(|cut| cut.raw.start) {
            cuts.sort_by_key(|cut| cut.raw.start);
        }
        let mut from = 0;
        for cut in cuts {
            // Of two fields in the settings one may lie in the other.
            if cut.raw.start < from {
                continue;
            }
            out.extend_from_slice(&whole[from..cut.raw.start]);
            out.extend_from_slice(&self.texts[cut.text.clone()]);
            from = cut.raw.end;
        }
        out.extend_from_slice(&whole[from..]);
        true
    }

    /// Makes the key that is the end of `out`, from `start` on, differ from those of this record.
    pub(super) fn make_distinct(&mut self, out: &mut Vec<u8>, start: usize) {
        let alike = self.keys.iter().filter(|key| key.as_slice() == &out[start..]).count();
        self.keys.push(out[start..].to_vec());
        if alike > 0 {
            out.extend_from_slice(format!("_{}", alike + 1).as_bytes());
        }
    }

    /// Moves the counts into the meters; `labels` names the detectors.
    pub(super) fn report(&mut self, labels: &[&'static str], meters: &Meters) {
        for (count, label) in self.by_detector.iter_mut().zip(labels) {
            meters.scrubbed(label, std::mem::take(count));
        }
        meters.scrubbed("key_name", std::mem::take(&mut self.by_name));
        meters.scrubbed("field", std::mem::take(&mut self.by_field));
        meters.errors("scrub_too_deep", std::mem::take(&mut self.too_deep));
        meters.errors("scrub_unsettled", std::mem::take(&mut self.unsettled));
        meters.errors("scrub_failed", std::mem::take(&mut self.failed));
    }
}
