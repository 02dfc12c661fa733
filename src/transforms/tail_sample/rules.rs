//! What decides about a trace: rules in order, of which the first that the trace meets is for it.

use std::time::Instant;

use super::record::Seen;
use crate::lang::Condition;
use crate::transforms::condition::Judge;
use crate::transforms::consistent::{Randomness, Threshold};

/// Rules of a step, at most: a bit for each, and one for what meets none.
pub(super) const MOST: usize = 63;

/// A rule.
pub(super) struct Rule {
    pub(super) name: Box<str>,
    pub(super) of_span: OfSpan,
    pub(super) of_trace: OfTrace,
    pub(super) threshold: Threshold,
    pub(super) limit: Option<Rate>,
}

/// What one record of the trace has to meet, all of it.
#[derive(Default)]
pub(super) struct OfSpan {
    pub(super) is_error: bool,
    /// Nanoseconds.
    pub(super) longer_than: Option<u64>,
    /// Names of services, one of which it has to be of.
    pub(super) services: Vec<String>,
    pub(super) condition: Option<Condition>,
}

/// What the trace as a whole has to meet, all of it.
#[derive(Default)]
pub(super) struct OfTrace {
    /// Nanoseconds.
    pub(super) longer_than: Option<u64>,
    pub(super) min_spans: Option<u32>,
    pub(super) max_spans: Option<u32>,
}

/// How much may stay in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    Traces(u32),
    Spans(u32),
}

/// What is known of a trace; its records need not be read again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    /// By rule: has a record met what a record has to meet?
    met: u64,
    pub(super) spans: u32,
    /// Nanoseconds since the Unix epoch.
    start: u64,
    end: u64,
    pub(super) randomness: Randomness,
    /// The highest that its spans were sampled by before.
    threshold: Threshold,
    pub(super) has_root: bool,
}

/// What is to become of a trace, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) rule: u16,
    pub(super) fate: Fate,
}

/// What becomes of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    /// It is not of the share.
    Dropped,
    /// Its rule has let enough pass.
    Limited,
}

/// What a rule does with every trace that meets it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Always {
    Keeps,
    Drops,
}

/// The limits of all rules, by number, and the time.
pub(super) type Limits<'a> = (&'a mut [Option<Limit>], Instant);

/// All of them; the last is for traces that meet no other.
pub(super) struct Rules(pub(super) Vec<Rule>);

impl Rules {
    /// What is known of a trace of which nothing was seen.
    pub(super) fn blank(&self, id: &[u8; 16]) -> Summary {
        let open = self.0.iter().enumerate().filter(|(_, rule)| rule.of_span.is_empty());
        Summary {
            met: open.fold(0, |met, (at, _)| met | 1 << at),
            spans: 0,
            start: u64::MAX,
            end: 0,
            randomness: Randomness::of_trace(id),
            threshold: Threshold::ALL,
            has_root: false,
        }
    }

    /// Adds a record to what is known of its trace.
    pub(super) fn add(&self, summary: &mut Summary, seen: &Seen<'_>, judge: &mut Judge) {
        if seen.is_span {
            summary.add_span(seen);
        }
        for (at, rule) in self.0.iter().enumerate() {
            if summary.met >> at & 1 == 0 && rule.of_span.is_met(seen, judge) {
                summary.met |= 1 << at;
            }
        }
    }

    /// The rule that is for the trace, as far as it is known.
    fn first(&self, summary: &Summary) -> usize {
        self.0.iter().zip(0..).position(|(rule, at)| rule.is_met(summary, at)).unwrap_or(self.0.len() - 1)
    }

    /// Decides about a record that came after `verdict`, which dropped its trace: by the first rule before the one of the
    /// verdict that this record meets alone. It does not tell how many spans the trace has.
    pub(super) fn decide_late(&self, alone: &Summary, verdict: Verdict, (limits, now): Limits<'_>) -> Option<Verdict> {
        let before = &self.0[..usize::from(verdict.rule)];
        let is_it = |(rule, at): (&Rule, usize)| rule.of_trace.max_spans.is_none() && rule.is_met(alone, at);
        let at = before.iter().zip(0..).position(is_it)?;
        Some(self.decide_by(at, alone, (limits, now)))
    }

    /// Would the trace stay if it met no rule?
    pub(super) fn is_of_rest(&self, summary: &Summary) -> bool {
        self.0.last().is_some_and(|rest| rest.keeps(summary))
    }

    /// The rule for a trace whose fate nothing that may come can change.
    pub(super) fn settled(&self, summary: &Summary) -> Option<Verdict> {
        let mut before = None;
        for (at, rule) in self.0.iter().enumerate() {
            let always = rule.always()?;
            if before.is_some_and(|before| before != always) {
                return None;
            }
            if rule.is_met(summary, at) && rule.of_trace.max_spans.is_none() {
                let fate = if always == Always::Keeps { Fate::Kept } else { Fate::Dropped };
                return Some(Verdict { rule: at as u16, fate });
            }
            before = Some(always);
        }
        None
    }

    /// Decides about a trace.
    pub(super) fn decide(&self, summary: &Summary, limits: Limits<'_>) -> Verdict {
        self.decide_by(self.first(summary), summary, limits)
    }

    fn decide_by(&self, at: usize, summary: &Summary, (limits, now): Limits<'_>) -> Verdict {
        let rule = &self.0[at];
        let fate = if !rule.keeps(summary) {
            Fate::Dropped
        } else if limits[at].as_mut().is_none_or(|limit| limit.lets_pass(summary.spans, now)) {
            Fate::Kept
        } else {
            Fate::Limited
        };
        Verdict { rule: at as u16, fate }
    }

    pub(super) fn limits(&self, now: Instant) -> Vec<Option<Limit>> {
        self.0.iter().map(|rule| rule.limit.map(|rate| Limit::new(rate, now))).collect()
    }
}

impl Rule {
    /// One for all traces.
    pub(super) fn rest(threshold: Threshold) -> Self {
        Self {
            name: "default".into(),
            of_span: OfSpan::default(),
            of_trace: OfTrace::default(),
            threshold,
            limit: None,
        }
    }

    fn is_met(&self, summary: &Summary, at: usize) -> bool {
        let OfTrace { longer_than, min_spans, max_spans } = self.of_trace;
        summary.met >> at & 1 == 1
            && longer_than.is_none_or(|limit| summary.duration() > limit)
            && min_spans.is_none_or(|least| summary.spans >= least)
            && max_spans.is_none_or(|most| summary.spans <= most)
    }

    /// Is the trace of the rule's share? What is to be kept in any case is, whatever its spans say.
    fn keeps(&self, summary: &Summary) -> bool {
        self.threshold == Threshold::ALL || self.threshold.max(summary.threshold).keeps(summary.randomness)
    }

    fn always(&self) -> Option<Always> {
        match self.threshold {
            Threshold::ALL if self.limit.is_none() => Some(Always::Keeps),
            Threshold::NONE => Some(Always::Drops),
            _ => None,
        }
    }
}

impl OfSpan {
    fn is_empty(&self) -> bool {
        !self.is_error && self.longer_than.is_none() && self.services.is_empty() && self.condition.is_none()
    }

    fn is_met(&self, seen: &Seen<'_>, judge: &mut Judge) -> bool {
        (!self.is_error || seen.facts.is_error)
            && self.longer_than.is_none_or(|limit| seen.duration() > limit)
            && (self.services.is_empty() || seen.is_of(&self.services))
            && self.condition.as_ref().is_none_or(|condition| judge.is_met(condition, seen.record))
    }
}

impl Summary {
    fn add_span(&mut self, seen: &Seen<'_>) {
        self.spans = self.spans.saturating_add(1);
        self.has_root |= !seen.facts.has_parent;
        if seen.facts.start != 0 {
            self.start = self.start.min(seen.facts.start);
        }
        self.end = self.end.max(seen.facts.end);
        let said = seen.said();
        self.threshold = self.threshold.max(said.threshold.unwrap_or_default());
        self.randomness = said.randomness.unwrap_or(self.randomness);
    }

    /// Nanoseconds from its first start to its last end.
    fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// A rate at work: what may stay now.
pub(super) struct Limit {
    rate: Rate,
    left: f64,
    at: Instant,
}

impl Limit {
    fn new(rate: Rate, now: Instant) -> Self {
        let (Rate::Traces(most) | Rate::Spans(most)) = rate;
        Self { rate, left: f64::from(most), at: now }
    }

    /// May a trace of so many spans stay? One that has more than a second may have is let pass after a second of rest.
    fn lets_pass(&mut self, spans: u32, now: Instant) -> bool {
        let (Rate::Traces(most) | Rate::Spans(most)) = self.rate;
        let cost = f64::from(if matches!(self.rate, Rate::Traces(_)) { 1 } else { spans.max(1) });
        let most = f64::from(most);
        self.left = (self.left + now.saturating_duration_since(self.at).as_secs_f64() * most).min(most);
        self.at = now;
        let passes = self.left >= cost.min(most);
        if passes {
            self.left -= cost;
        }
        passes
    }
}
