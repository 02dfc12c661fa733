//! Fields: the ways that paths of the settings lead through values.

use std::ops::Range;

use super::action::Act;
use super::cover::{Cover, Spot};
use super::keys::Telling;
use super::keyword::Near;
use super::tally::{Rule, Tally};
use crate::event::Path;
use crate::event::json::{self, Segment, Visitor, Walk};

/// What to do at the end of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed<'a> {
    /// Look for matches; the last key counts as a name.
    Look,
    /// Do this, whatever is there.
    Act(&'a Act),
    /// Leave it alone.
    Skip,
}

/// A path to look into.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: Path,
    /// What its name tells: known from the start, where it is one key.
    telling: Telling,
}

impl Cover {
    /// A place to look into.
    pub(super) fn place(&self, path: Path) -> Place {
        let key = path.first_key().filter(|_| path.depth() == 1);
        let telling = key.map_or(Telling::No, |key| self.names.telling(key));
        Place { path, telling }
    }

    /// Covers the value of a member, given with its raw key; one with a telling name goes whole. Tells whether `out`
    /// holds a new value.
    pub(super) fn member(&self, (key, value): (&[u8], &[u8]), out: &mut Vec<u8>, tally: &mut Tally) -> bool {
        let is_named = |path: &Path| path.first_key().is_some_and(|first| json::key_eq(key, first));
        if self.fields.iter().any(|field| is_named(&field.path)) {
            return self.named_member((key, value), out, tally);
        }
        let telling = self.telling(key, tally);
        tally.clear();
        self.value((key, value, telling), out, tally)
    }

    /// The same for a member that the settings name, or in which they name something.
    fn named_member(&self, (key, value): (&[u8], &[u8]), out: &mut Vec<u8>, tally: &mut Tally) -> bool {
        let named =
            || self.fields.iter().filter(|field| field.path.first_key().is_some_and(|first| json::key_eq(key, first)));
        if let Some(field) = named().find(|field| field.path.depth() == 1) {
            return field.act.as_ref().is_some_and(|act| self.whole((value, act, Rule::Field), tally, out));
        }
        let telling = self.telling(key, tally);
        tally.clear();
        if !telling.takes(value) {
            for field in named() {
                let deed = field.act.as_ref().map_or(Deed::Skip, Deed::Act);
                self.below(&whole(value), (&field.path.segments_below_first(), deed), tally);
            }
            tally.skip_cuts();
        }
        self.value((key, value, telling), out, tally)
    }

    fn value(&self, (key, value, telling): (&[u8], &[u8], Telling), out: &mut Vec<u8>, tally: &mut Tally) -> bool {
        if telling.takes(value) {
            return self.whole((value, &self.by_name, Rule::Name), tally, out);
        }
        self.find(&whole(value), Near { key: Some(key), is_number: false }, tally);
        tally.splice(0, value, out)
    }

    /// Covers what stands at a place that is not the root, in the value of its first key.
    pub(super) fn at(&self, (place, value): (&Place, &[u8]), tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        let below = place.path.segments_below_first();
        tally.clear();
        if below.is_empty() {
            let key = place.path.first_key().unwrap_or_default();
            return self.value((key, value, place.telling), out, tally);
        }
        self.below(&whole(value), (&below, Deed::Look), tally);
        tally.splice(0, value, out)
    }

    /// Follows a path, which is not empty, from a value on: through every occurrence of its keys.
    pub(super) fn below(&self, value: &Spot<'_>, (path, deed): (&[Segment<'_>], Deed<'_>), tally: &mut Tally) {
        let Some((first, rest)) = path.split_first() else { return };
        match first {
            Segment::Field(key) if value.bytes().first() == Some(&b'{') => {
                let base = value.base + value.at.start;
                json::walk(value.bytes(), &mut Members { cover: self, base, key, rest, deed, tally });
            }
            Segment::Field(_) => {}
            Segment::Index(_) => {
                if let Some(found) = json::seek(value.bytes(), &path[..1]) {
                    let at = value.at.start + found.start..value.at.start + found.end;
                    self.inner(&Spot { at, ..*value }, (rest, deed), tally);
                }
            }
        }
    }

    fn inner(&self, value: &Spot<'_>, (rest, deed): (&[Segment<'_>], Deed<'_>), tally: &mut Tally) {
        if !rest.is_empty() {
            self.below(value, (rest, deed), tally);
            return;
        }
        match deed {
            Deed::Look => self.find(value, Near::default(), tally),
            Deed::Act(act) => self.cut_whole(value, (act, Rule::Field), tally),
            Deed::Skip => tally.skips.push(value.raw()),
        }
    }
}

/// A value as a spot of itself.
fn whole(value: &[u8]) -> Spot<'_> {
    Spot { text: value, at: 0..value.len(), base: 0 }
}

/// Follows a path through the members of one object.
struct Members<'a> {
    cover: &'a Cover,
    base: usize,
    key: &'a [u8],
    rest: &'a [Segment<'a>],
    deed: Deed<'a>,
    tally: &'a mut Tally,
}

impl Visitor for Members<'_> {
    fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
        if !json::key_eq(&text[key], self.key) {
            return Walk::Skip;
        }
        let is_name = matches!(self.deed, Deed::Look) && self.rest.is_empty();
        let is_told = is_name && self.cover.names.telling(self.key).takes(&text[value.clone()]);
        let value = Spot { text, at: value, base: self.base };
        if is_told {
            self.cover.cut_whole(&value, (&self.cover.by_name, Rule::Name), self.tally);
        } else {
            self.cover.inner(&value, (self.rest, self.deed), self.tally);
        }
        Walk::Skip
    }

    fn string(&mut self, _: &[u8], _: Range<usize>) {}
}
