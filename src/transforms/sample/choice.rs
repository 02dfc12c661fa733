//! What becomes of a record.

use super::hash::{Hash, plain};
use crate::event::otlp::facts::{Facts, trace_id};
use crate::event::{Form, Path, View};
use crate::lang::{Condition, Template};
use crate::transforms::condition::Judge;
use crate::transforms::consistent::{Randomness, Threshold, trace_state};

/// How many records stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Share {
    OneOf(u64),
    Ratio(f64),
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneOf(rate) => rate.fmt(f),
            Self::Ratio(ratio) => ratio.fmt(f),
        }
    }
}

impl Share {
    fn has(self, hash: u64) -> bool {
        match self {
            Self::OneOf(rate) => hash.is_multiple_of(rate),
            Self::Ratio(ratio) if ratio <= 0.0 => false,
            // A ratio of 1 saturates, so that the largest hash is in.
            Self::Ratio(ratio) => hash <= (ratio * u64::MAX as f64) as u64,
        }
    }

    /// What spans and records of traces are judged by.
    pub(super) fn threshold(self) -> Threshold {
        match self {
            Self::OneOf(rate) => Threshold::of_ratio(1.0 / rate as f64),
            Self::Ratio(ratio) => Threshold::of_ratio(ratio),
        }
    }
}

/// A share, and the records it is for.
pub(super) struct Rule {
    pub(super) condition: Condition,
    pub(super) share: Share,
    pub(super) threshold: Threshold,
}

/// What decides about a record.
pub(super) struct Choice {
    /// The first that a record meets is for it.
    pub(super) rules: Vec<Rule>,
    /// Of records that meet none.
    pub(super) share: Share,
    pub(super) threshold: Threshold,
    pub(super) key: Option<Path>,
    pub(super) group: Option<Template>,
    pub(super) exclude: Option<Condition>,
}

/// Buffers of a lane.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) judge: Judge,
    text: String,
    key: Vec<u8>,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is.
    Stays,
    /// It stays for the share of this rule; the one behind the last is that of all others.
    Chosen(usize),
    /// A span that stays, and is to say by which threshold.
    Sampled(Threshold),
    Gone,
}

impl Choice {
    pub(super) fn of(&self, record: View<'_>, scratch: &mut Scratch) -> Fate {
        let is_excluded = self.exclude.as_ref().is_some_and(|condition| scratch.judge.is_met(condition, record));
        let rule = if is_excluded { self.rules.len() } else { self.rule_of(record, &mut scratch.judge) };
        let (share, threshold) = self.rules.get(rule).map_or((self.share, self.threshold), Rule::share);
        let facts = self.by_trace().then(|| record.facts()).flatten();
        if let Some(facts) = facts.filter(|_| record.form() == Form::Span) {
            return match of_span(&facts, if is_excluded { Threshold::ALL } else { threshold }) {
                Fate::Gone if is_excluded => Fate::Stays,
                fate => fate,
            };
        }
        let stays = is_excluded
            || self
                .randomness(record, scratch)
                .map_or_else(|| share.has(self.hash(record, scratch)), |randomness| threshold.keeps(randomness));
        match stays {
            _ if is_excluded => Fate::Stays,
            true => Fate::Chosen(rule),
            false => Fate::Gone,
        }
    }

    fn rule_of(&self, record: View<'_>, judge: &mut Judge) -> usize {
        let met = self.rules.iter().position(|rule| judge.is_met(&rule.condition, record));
        met.unwrap_or(self.rules.len())
    }

    /// Are spans chosen by their trace? Not if they are to be chosen by something else.
    fn by_trace(&self) -> bool {
        let is_trace = |path: &Path| path.depth() == 1 && path.first_key() == Some(b"trace_id");
        self.group.is_none() && self.key.as_ref().is_none_or(is_trace)
    }

    /// That of the trace which the key names; without a key, of the trace that an OTLP log record belongs to.
    fn randomness(&self, record: View<'_>, scratch: &mut Scratch) -> Option<Randomness> {
        if self.group.is_some() {
            return None;
        }
        let id = match &self.key {
            None => record.facts()?.trace_id?,
            Some(path) => {
                scratch.key.clear();
                plain(&record.get(path)?, &mut scratch.key);
                trace_id(&scratch.key)?
            }
        };
        Some(Randomness::of_trace(&id))
    }

    fn hash(&self, record: View<'_>, scratch: &mut Scratch) -> u64 {
        let mut hash = Hash::default();
        if let Some(group) = &self.group {
            scratch.text.clear();
            // Records that lack the group's members are a group of their own.
            if group.render(&record, record.time().0, &mut scratch.text).is_ok() {
                hash.add(scratch.text.as_bytes());
            }
        }
        if let Some(value) = self.key.as_ref().and_then(|path| record.get(path)) {
            scratch.key.clear();
            plain(&value, &mut scratch.key);
            hash.add(&scratch.key);
        } else {
            let identity = record.identity();
            hash.add(&identity.stream.0.to_le_bytes());
            hash.add(&identity.position.to_le_bytes());
            hash.add(&identity.sub.to_le_bytes());
        }
        hash.finish()
    }
}

impl Rule {
    fn share(&self) -> (Share, Threshold) {
        (self.share, self.threshold)
    }
}

/// A span that was sampled before is judged by the higher of both thresholds, which is the one it says then: it stands
/// for as many spans as both samplers together left out.
fn of_span(facts: &Facts<'_>, threshold: Threshold) -> Fate {
    let said = trace_state::read(&facts.trace_state);
    let own = facts.trace_id.as_ref().map(Randomness::of_trace);
    let Some(randomness) = said.randomness.or(own) else { return Fate::Stays };
    let threshold = threshold.max(said.threshold.unwrap_or_default());
    match threshold.keeps(randomness) {
        true if said.threshold == Some(threshold) => Fate::Stays,
        true => Fate::Sampled(threshold),
        false => Fate::Gone,
    }
}
