//! Scrubbing one line at a time, and telling what was found where and why, without the value.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::action::Act;
use super::cover::{Cover, Source, Spot};
use super::keyword::Near;
use super::places::Deed;
use super::scrubber::Scrubber;
use super::tally::{Hit, Outer, Rule, Tally};
use super::{Kind, Replacement};
use crate::event::json::{self, Segment, elements, members};

/// What stands for a line that a detector failed on: as JSON, if the line was JSON.
const FAILED: [&[u8]; 2] = [b"[REDACTED]", b"{\"message\":\"[REDACTED]\"}"];

/// One value that was covered, for `--explain` and `--report`. It holds nothing of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: `.user.email`, `.items[2]`, `.` for a line that is no JSON; ` > ` leads into JSON inside a string, and
    /// `.user.(key)` is a key. Keys in which something was covered are shown covered.
    pub path: String,
    /// What found it: a detector, `key_name`, `field`, `pattern`, or `limit`: it could not be looked at.
    pub rule: &'static str,
    /// Why it counts, in words.
    pub why: String,
    /// What happened to it, as the settings say it.
    pub action: &'static str,
}

impl Scrubber {
    /// Appends a line, JSON or text, with what is found in it covered, if there is anything; tells whether there is. A
    /// line that is JSON stays JSON. What was found is counted when [`report`](Self::report) is called.
    #[must_use = "a line in which nothing is covered is not appended"]
    pub fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> bool {
        let Self { rules, tally, .. } = self;
        let start = out.len();
        let covered = catch_unwind(AssertUnwindSafe(|| {
            tally.begin();
            rules.line(line, tally, out)
        }));
        if let Ok(false) = covered {
            out.truncate(start);
        }
        covered.unwrap_or_else(|_| {
            out.truncate(start);
            out.extend_from_slice(FAILED[usize::from(json::check(line).is_ok())]);
            tally.fail();
            true
        })
    }

    /// Appends a line with what is found in it covered, and tells of everything that was.
    pub fn explain(&mut self, line: &[u8], out: &mut Vec<u8>) -> Vec<Finding> {
        self.tally.hits = Some(Vec::new());
        if !self.line(line, out) {
            out.extend_from_slice(line);
        }
        let hits = self.tally.hits.take().unwrap_or_default();
        hits.into_iter().map(|hit| self.rules.cover.finding(hit)).collect()
    }
}

impl Cover {
    /// Covers a whole line that is a JSON value, through the fields that the settings name.
    pub(super) fn root(&self, line: &[u8], places: Option<&[super::places::Place]>, tally: &mut Tally) {
        let start = line.len() - line.trim_ascii_start().len();
        let value = || Spot { text: line, at: start..line.trim_ascii_end().len(), base: 0 };
        for field in &self.fields {
            let deed = field.act.as_ref().map_or(Deed::Skip, Deed::Act);
            self.below(&value(), (&segments(&field.path), deed), tally);
        }
        tally.skip_cuts();
        match places {
            Some(places) if places.iter().all(|place| place.path.first_key().is_some()) => {
                for place in places {
                    self.below(&value(), (&segments(&place.path), Deed::Look), tally);
                }
            }
            _ => self.find(&value(), Near::default(), tally),
        }
        tally.at = 0;
    }

    /// Gives the hits since `outer` their way inside the document `text`.
    #[inline]
    pub(super) fn place_hits(&self, text: &[u8], outer: &Outer, tally: &mut Tally) {
        if tally.hits.is_some() {
            self.place_those(text, outer, tally);
        }
    }

    fn place_those(&self, text: &[u8], outer: &Outer, tally: &mut Tally) {
        let Some(mut hits) = tally.hits.take() else { return };
        for hit in &mut hits[outer.hits..] {
            let path = self.path_to(text, hit.at);
            hit.inner = join(path, &hit.inner);
            hit.at = outer.at;
        }
        tally.hits = Some(hits);
    }

    /// The way to what begins at `at`; keys are shown covered.
    pub(super) fn path_to(&self, text: &[u8], at: usize) -> String {
        let mut path = String::new();
        let mut open = text.len() - text.trim_ascii_start().len();
        loop {
            let entry = members(text, open).find(|entry| entry.key.start <= at && at < entry.value.end);
            let element = elements(text, open).enumerate().find(|(_, range)| range.contains(&at));
            open = match (entry, element) {
                (Some(entry), _) if at < entry.value.start => {
                    path.push_str(".(key)");
                    return path;
                }
                (Some(entry), _) => {
                    path.push('.');
                    path.push_str(&self.shown(&text[entry.key]));
                    entry.value.start
                }
                (None, Some((place, range))) => {
                    _ = write!(path, "[{place}]");
                    range.start
                }
                (None, None) => break,
            };
        }
        if path.is_empty() { ".".to_owned() } else { path }
    }

    /// A key as it may be shown.
    fn shown(&self, raw: &[u8]) -> String {
        let (mut key, mut shown) = (Vec::new(), Vec::new());
        json::unescape(raw, &mut key);
        let covered = self.clean(Source::plain(&key), &mut Tally::default(), &mut shown);
        String::from_utf8_lossy(if covered { &shown } else { &key }).into_owned()
    }

    fn finding(&self, hit: Hit) -> Finding {
        let (rule, why, act) = match hit.rule {
            Rule::Name => ("key_name", "the name of the member tells".to_owned(), &self.by_name),
            Rule::Limit => {
                let why = "too many strings of JSON in each other, or matches that do not come to an end".to_owned();
                return Finding { path: hit.inner, rule: "limit", why, action: "replace" };
            }
            Rule::Field => ("field", "the settings name the field".to_owned(), self.field_act()),
            Rule::Detector(index, name) => {
                let detector = &self.scanner.detectors()[index];
                let about = detector.kind().map_or("an expression of the settings", Kind::about);
                let why = name.map_or_else(|| about.to_owned(), |name| format!("{name}: {about}"));
                (detector.name(), why, &self.acts[index])
            }
        };
        Finding { path: hit.inner, rule, why, action: act.name() }
    }

    fn field_act(&self) -> &Act {
        self.fields.iter().find_map(|field| field.act.as_ref()).unwrap_or(&self.by_name)
    }
}

impl Act {
    /// The action as the settings say it.
    fn name(&self) -> &'static str {
        match self {
            Self::Cover(Replacement::Fixed(_)) => "replace",
            Self::Cover(Replacement::Mask) => "mask",
            Self::Last4 => "last4",
            Self::Remove => "remove",
            Self::Hash(_) => "hash",
            Self::TruncateIp => "truncate_ip",
        }
    }
}

fn join(outer: String, inner: &str) -> String {
    if inner.is_empty() { outer } else { format!("{outer} > {inner}") }
}

fn segments(path: &crate::event::Path) -> Vec<Segment<'_>> {
    path.first_key().map(Segment::Field).into_iter().chain(path.segments_below_first()).collect()
}
