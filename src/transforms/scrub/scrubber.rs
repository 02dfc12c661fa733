//! The scrubber as a thing to have: a step of a pipeline, a guard of what leaves by other ways, a filter for lines.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::cover::Cover;
use super::hmac::Keys;
use super::keys::Telling;
use super::keyword::Near;
use super::places::Place;
use super::profile::Profile;
use super::tally::Tally;
use super::{Kind, ScrubSettings};
use crate::component::meters::Meters;
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Editor, Origin, Shared, SharedParts, json};

/// Origins whose members have been looked at; more are forgotten.
const KNOWN_ORIGINS: usize = 256;

/// What all lanes share.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) cover: Cover,
    /// Where to look, if not everywhere.
    pub(super) places: Option<Vec<Place>>,
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) labels: Vec<&'static str>,
}

/// Takes personal data and secrets out of records and lines. Cheap to fork: lanes share everything but buffers.
pub struct Scrubber {
    pub(super) rules: Arc<Rules>,
    meters: Meters,
    pub(super) tally: Tally,
    origins: Vec<(Arc<Origin>, Arc<Origin>)>,
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber").field("detectors", &self.rules.labels).finish_non_exhaustive()
    }
}

impl Scrubber {
    /// A scrubber as the settings say; the error names what is wrong, such as a key that cannot be read.
    pub fn new(settings: &ScrubSettings, meters: Meters) -> Result<Self, String> {
        Ok(Self::of(settings.rules()?, meters))
    }

    /// The scrubber of a profile, with nothing else set. It cannot fail: no file is read.
    pub fn of_profile(profile: Profile, meters: Meters) -> Self {
        let rules = ScrubSettings::of_profile(profile).rules().expect("a profile alone has no fault");
        Self::of(rules, meters)
    }

    pub(super) fn of(rules: Rules, meters: Meters) -> Self {
        Self { rules: Arc::new(rules), meters, tally: Tally::default(), origins: Vec::new() }
    }

    /// Another one with the same rules, for another lane.
    #[must_use]
    pub fn fork(&self) -> Self {
        self.for_component(self.meters.clone())
    }

    /// Another one with the same rules that counts for another component.
    #[must_use]
    pub fn for_component(&self, meters: Meters) -> Self {
        Self { rules: self.rules.clone(), meters, tally: Tally::default(), origins: Vec::new() }
    }

    /// Its detectors, by the names that counters and findings have.
    pub fn detectors(&self) -> &[&'static str] {
        &self.rules.labels
    }

    /// The tokens that stand for a value of this kind under each key: what to search for where `hash` is the action.
    /// None without a key.
    pub fn tokens(&self, kind: Kind, value: &str) -> Vec<String> {
        self.rules.keys.as_ref().map_or_else(Vec::new, |keys| keys.tokens(Some(kind), value.as_bytes()))
    }

    /// Covers what is found in the records of `batch`, in their place; none is dropped. A record on which a detector
    /// fails is covered whole and counted as an error.
    pub fn batch(&mut self, batch: &mut Batch) {
        self.renew_keys();
        self.tally.holds_bytes = false;
        batch.map_origins(|origin| self.origin(origin));
        let rules = self.rules.clone();
        let mut records = batch.edit();
        self.tally.parts = SharedParts::default();
        let mut next = 0;
        while next < records.len() {
            let covered = catch_unwind(AssertUnwindSafe(|| {
                while next < records.len() {
                    rules.record(&mut records, next, &mut self.tally);
                    next += 1;
                }
            }));
            if covered.is_err() {
                records.replace(next, b"{\"message\":\"[REDACTED]\"}");
                self.tally.fail();
                next += 1;
            }
        }
        self.report();
    }

    /// Counts what was found since the last time.
    pub fn report(&mut self) {
        self.tally.report(&self.rules.labels, &self.meters);
    }

    /// A key file that cannot be read leaves the old key in use: values stay hashed.
    fn renew_keys(&self) {
        if let Some(keys) = &self.rules.keys
            && let Err(error) = keys.renew()
        {
            self.meters.error("scrub_key");
            tracing::warn!(component_id = self.meters.label().id, "the old key stays in use: {error}");
        }
    }

    /// The origin with its members scrubbed: done once for each.
    fn origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        if let Some((_, scrubbed)) = self.origins.iter().find(|(known, _)| Arc::ptr_eq(known, origin)) {
            return scrubbed.clone();
        }
        let scrubbed = self.scrub_origin(origin);
        if self.origins.len() == KNOWN_ORIGINS {
            self.origins.clear();
        }
        self.origins.push((origin.clone(), scrubbed.clone()));
        scrubbed
    }

    fn scrub_origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        let rules = self.rules.clone();
        if !origin.members().iter().any(|member| rules.looks_into(&member.key)) {
            return origin.clone();
        }
        let covered = catch_unwind(AssertUnwindSafe(|| {
            self.tally.begin();
            origin.members().iter().map(|member| rules.shared(member, &mut self.tally)).collect::<Vec<Shared>>()
        }));
        let members = covered.unwrap_or_else(|_| {
            self.tally.fail();
            Vec::new()
        });
        Arc::new(origin.derive(&members))
    }
}

impl Transform for Scrubber {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        self.batch(batch);
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self::fork(self))
    }
}

impl Rules {
    /// Is a shared member of this name to be looked at?
    fn looks_into(&self, key: &str) -> bool {
        let Some(places) = &self.places else { return true };
        let mut paths = places.iter().map(|place| &place.path).chain(self.cover.fields.iter().map(|field| &field.path));
        paths.any(|path| path.first_key() == Some(key.as_bytes()))
    }

    /// A shared member as it may be seen.
    fn shared(&self, member: &Shared, tally: &mut Tally) -> Shared {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        json::quote(member.key.as_bytes(), &mut key);
        let key = &key[1..key.len() - 1];
        let changed = self.cover.member((key, &member.value), &mut value, tally);
        let new_key = self.places.is_none().then(|| self.cover.new_key(key, tally)).flatten();
        Shared {
            key: new_key.map_or_else(|| member.key.clone(), |(_, new)| String::from_utf8_lossy(&new).into()),
            value: if changed { value.into() } else { member.value.clone() },
        }
    }

    fn record(&self, records: &mut Editor<'_>, index: usize, tally: &mut Tally) {
        tally.holds_bytes = records.get(index).holds_bytes();
        let Some(places) = &self.places else { return self.whole_record(records, index, tally) };
        tally.begin();
        for place in places {
            match place.path.first_key() {
                None => self.whole_record(records, index, tally),
                Some(b"message") if place.path.depth() == 1 && self.raw_line(records, index, tally) => {}
                Some(key) => records.rewrite_member(index, key, |value, out| self.cover.at((place, value), tally, out)),
            }
        }
        for field in &self.cover.fields {
            let Some(key) = field.path.first_key() else { continue };
            records.rewrite_member(index, key, |value, out| self.cover.member((key, value), out, tally));
        }
    }

    /// Covers everything in a record.
    fn whole_record(&self, records: &mut Editor<'_>, index: usize, tally: &mut Tally) {
        let has_signs = self.cover.fields.is_empty() && self.cover.scanner.has_signs();
        if has_signs && records.get(index).untouched_json().is_some() {
            return self.untouched_record(records, index, tally);
        }
        tally.begin();
        let is_done = self.raw_line(records, index, tally);
        let mut parts = std::mem::take(&mut tally.parts);
        records.rewrite_with(index, &mut parts, |key, value, out| {
            (!is_done || key != b"message") && self.top_member((key, value), out, tally)
        });
        tally.parts = parts;
        rename(records, index, tally);
    }

    /// Covers the members of a record as it came in which a sign shows.
    fn untouched_record(&self, records: &mut Editor<'_>, index: usize, tally: &mut Tally) {
        let (mut from, mut number, mut is_begun) = (0, 0, false);
        while let Some(sign) = self.cover.scanner.next_sign(records.get(index).text(), from) {
            if !is_begun {
                tally.begin();
                is_begun = true;
            }
            let Some((at, end)) = records.get(index).member_over(sign, number) else { break };
            records.rewrite_number(index, at, |key, value, out| self.top_member((key, value), out, tally));
            (from, number) = (end, at + 1);
        }
        if is_begun {
            rename(records, index, tally);
        }
    }

    /// Covers a top-level member, given with its raw key.
    fn top_member(&self, (key, value): (&[u8], &[u8]), out: &mut Vec<u8>, tally: &mut Tally) -> bool {
        if let Some(names) = self.cover.new_key(key, tally) {
            tally.renames.push(names);
        }
        self.cover.member((key, value), out, tally)
    }

    /// Covers the raw line of a text record, which is decoded text as it stands; tells whether it changed.
    #[inline]
    fn raw_line(&self, records: &mut Editor<'_>, index: usize, tally: &mut Tally) -> bool {
        records.get(index).is_text() && self.cover_raw_line(records, index, tally)
    }

    fn cover_raw_line(&self, records: &mut Editor<'_>, index: usize, tally: &mut Tally) -> bool {
        let Some(line) = records.get(index).untouched_line() else { return false };
        let mut new = tally.buffers.empty();
        let changed = self.raw_message(line, tally, &mut new);
        if changed {
            records.set_member(index, b"message", |out| out.extend_from_slice(&new));
        }
        tally.buffers.put(new);
        changed
    }

    /// Appends what stands for a raw line, as JSON text.
    fn raw_message(&self, line: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        let is_message = |path: &crate::event::Path| path.depth() == 1 && path.first_key() == Some(b"message");
        let named = self.cover.fields.iter().find(|field| is_message(&field.path));
        if named.is_some() || self.cover.names.telling(b"message") != Telling::No {
            let mut quoted = Vec::new();
            json::quote(line, &mut quoted);
            return self.cover.member((b"message", &quoted), out, tally);
        }
        let mut plain = tally.buffers.empty();
        let near = Near { key: Some(b"message"), is_number: false };
        let changed = self.cover.text((line, near), tally, &mut plain);
        if changed {
            json::quote(&plain, out);
        }
        tally.buffers.put(plain);
        changed
    }

    /// Appends a line with what is found in it covered, if there is anything.
    pub(super) fn line(&self, line: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        let outer = tally.enter();
        if !may_be_json(line) || json::check(line).is_err() {
            tally.at = 0;
            let changed = self.cover.text((line, Near::default()), tally, out);
            self.cover.place_hits(b"", &outer, tally);
            return changed;
        }
        self.cover.root(line, self.places.as_deref(), tally);
        self.cover.place_hits(line, &outer, tally);
        tally.leave(outer, line, out)
    }
}

/// Does the line begin as a JSON value does? Most that are none do not.
fn may_be_json(line: &[u8]) -> bool {
    let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
    first.is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
}

/// Gives top-level members their new names; a name that is taken gets a number.
fn rename(records: &mut Editor<'_>, index: usize, tally: &mut Tally) {
    for (old, mut new) in tally.renames.drain(..) {
        let Some(value) = records.get(index).member(&old).map(std::borrow::Cow::into_owned) else { continue };
        records.remove_member(index, &old);
        while records.get(index).member(&new).is_some() {
            new.push(b'_');
        }
        records.set_member(index, &new, |out| out.extend_from_slice(&value));
    }
}
