//! `reduce`: makes one record of several.
//!
//! Records with the same values of `group_by` are a group. It is complete when a record meets `ends_when`, before one
//! that meets `starts_when`, at `max_events`, `expire_after_ms` after its last record, or `end_every_period_ms` after
//! its first. The record that it becomes has the members of all its records: inner members one by one, each by its
//! strategy. Without one a number is summed, of a member that tells the record's time the first stays and the last is
//! put into `NAME_end`, and of anything else the first stays. Values keep the text they came with.
//!
//! **Holds** the merged values of incomplete groups, at most `max_bytes`: beyond that the group that waited longest is
//! completed early and counted as `group_completed_early`. **A stop** completes all groups; **a reload** leaves them
//! alone if these settings stay, and completes them if not; after **a crash** their records are read again, where the
//! source can.
//!
//! **Guarantee.** A record is delivered when the one that it became is; till then its source waits. A record that comes
//! again while its group is open is not merged twice. If the merged record fails, its records come again, and may be
//! grouped otherwise. **Limits.** Each record of a group but one counts as discarded, for the reason `merged`. Values of
//! `group_by` are compared as text: `1` and `1.0` are two.

mod group;
mod merger;
mod tree;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;

use self::group::{Group, Groups};
use self::merger::Strategy;
use self::tree::Rules;
use super::Keeping;
use super::condition::{ConditionText, Judge};
use super::key;
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Stateful};
use crate::delivery::settings::QueueSettings;
use crate::event::{Batch, Path, Union};
use crate::lang::{Condition, Tables};

/// Makes one record of several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReduceSettings {
    /// Paths to the values that records of a group share; without any, all records are one group.
    #[serde(default)]
    group_by: Vec<String>,
    /// How the values at these paths are merged.
    #[serde(default)]
    merge_strategies: BTreeMap<String, Strategy>,
    /// A record that meets this condition begins a group; the one before it is complete.
    starts_when: Option<ConditionText>,
    /// A record that meets this condition completes its group.
    ends_when: Option<ConditionText>,
    /// Milliseconds without a record after which a group is complete.
    #[serde(default = "expire_after")]
    #[schemars(range(min = 1, max = 86_400_000))]
    expire_after_ms: u64,
    /// Milliseconds after its first record at which a group is complete in any case.
    #[schemars(range(min = 1, max = 86_400_000))]
    end_every_period_ms: Option<u64>,
    /// Milliseconds between looks for groups that are complete by time.
    #[serde(default = "flush_period")]
    #[schemars(range(min = 1, max = 86_400_000))]
    flush_period_ms: u64,
    /// Records of a group, at most.
    max_events: Option<NonZeroUsize>,
    /// Bytes that all groups together hold, at most.
    #[serde(default = "max_bytes")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    max_bytes: usize,
    /// What stands before it.
    #[serde(default)]
    buffer: QueueSettings,
}

const fn expire_after() -> u64 {
    30_000
}

const fn flush_period() -> u64 {
    1_000
}

const fn max_bytes() -> usize {
    8 << 20
}

impl Settings for ReduceSettings {
    type Built = Keeping;
    const NAME: &'static str = "reduce";
    const EXAMPLE: &'static str = r#"[transforms.whole]
type = "reduce"
inputs = ["app"]
group_by = ["request_id"]
ends_when = '.event == "request_finished"'
merge_strategies.message = "concat_newline"

[[tests]]
name = "the records of a request are one"
inputs = [
  { insert_at = "whole", type = "json", value = '{"request_id":"r","message":"begun","bytes":1}' },
  { insert_at = "whole", type = "json", value = '{"request_id":"r","message":"done","bytes":2,"event":"request_finished"}' },
]
outputs = [{ extract_from = "whole", conditions = [
  '.message == "begun\ndone" && .bytes == 3 && .event == "request_finished"',
] }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn held_bytes(&self) -> u64 {
        (self.max_bytes + self.buffer.max_size) as u64
    }

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.starts_when.is_some() && self.ends_when.is_some() {
            let both = Problem::new("ends_when", "a group cannot be told by both `starts_when` and `ends_when`");
            problems.push(both.help("keep one of them"));
        }
        problems.extend(self.starts_when.iter().flat_map(|condition| condition.check("starts_when", tables)));
        problems.extend(self.ends_when.iter().flat_map(|condition| condition.check("ends_when", tables)));
        problems.extend(self.group_by().err());
        problems.extend(self.rules().err());
        problems
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let message = |problem: Problem| problem.message;
        let compile = |condition: &ConditionText| condition.compile(&context.tables);
        let common = Common {
            group_by: self.group_by().map_err(message)?,
            rules: self.rules().map_err(message)?,
            starts_when: self.starts_when.as_ref().map(compile).transpose()?,
            ends_when: self.ends_when.as_ref().map(compile).transpose()?,
            expire_after: Duration::from_millis(self.expire_after_ms),
            end_every: self.end_every_period_ms.map(Duration::from_millis),
            flush_period: Duration::from_millis(self.flush_period_ms),
            max_events: self.max_events.map_or(usize::MAX, NonZeroUsize::get),
            max_bytes: self.max_bytes,
            failed_conditions: Notice::failed_condition(&context),
            unmergeable: Notice::new(&context.id, "merge_failed", "values did not fit their merge strategy"),
            early: Notice::new(
                &context.id,
                "group_completed_early",
                "groups were completed early: `max_bytes` is full",
            ),
            meters: context.meters,
        };
        Ok(Keeping { step: Box::new(Reduce::new(Arc::new(common))), buffer: self.buffer })
    }
}

impl ReduceSettings {
    fn group_by(&self) -> Result<Vec<Path>, Problem> {
        let path = |(at, text): (usize, &String)| {
            Path::parse(text).map_err(|bad| Problem::new(format!("group_by[{at}]"), bad.to_string()))
        };
        self.group_by.iter().enumerate().map(path).collect()
    }

    fn rules(&self) -> Result<Rules, Problem> {
        let mut rules = Rules::default();
        for (text, strategy) in &self.merge_strategies {
            let setting = format!("merge_strategies.{text}");
            let path = Path::parse(text).map_err(|bad| Problem::new(&setting, bad.to_string()))?;
            if !rules.add(&path, *strategy) {
                let message = format!("`{text}` leads to no member: expected a path of names, such as `.a.b`");
                return Err(Problem::new(setting, message));
            }
        }
        Ok(rules)
    }
}

struct Common {
    group_by: Vec<Path>,
    rules: Rules,
    starts_when: Option<Condition>,
    ends_when: Option<Condition>,
    expire_after: Duration,
    end_every: Option<Duration>,
    flush_period: Duration,
    max_events: usize,
    max_bytes: usize,
    failed_conditions: Notice,
    unmergeable: Notice,
    early: Notice,
    meters: Meters,
}

struct Reduce {
    common: Arc<Common>,
    judge: Judge,
    groups: Groups,
    /// What complete groups became.
    done: Vec<(Union, Vec<u8>)>,
    /// When to look for groups that are complete by time.
    look: Option<Instant>,
    key: Vec<u8>,
    text: Vec<u8>,
}

impl Stateful for Reduce {
    fn apply(&mut self, batch: Batch, now: Instant, ports: &mut Ports) {
        let common = self.common.clone();
        let (mut again, mut unmergeable, mut early) = (0, 0, 0);
        for index in 0..batch.len() {
            match self.take(&batch, index, now) {
                Some(failed) => unmergeable += failed,
                None => again += 1,
            }
            early += self.make_room();
        }
        batch.close();
        self.look = self.look.or_else(|| Some(now + common.flush_period)).filter(|_| !self.groups.is_empty());
        common.meters.discarded(Reason::Merged, again);
        common.failed_conditions.count(&common.meters, self.judge.take_failed());
        common.unmergeable.count(&common.meters, unmergeable);
        common.early.count(&common.meters, early);
        self.release(ports);
    }

    fn due(&self) -> Option<Instant> {
        self.look
    }

    fn wake(&mut self, now: Instant, ports: &mut Ports) {
        if self.look.is_none_or(|look| now < look) {
            return;
        }
        let Common { expire_after, end_every, flush_period, .. } = *self.common;
        for group in self.groups.complete_at(now, expire_after, end_every) {
            self.complete(group);
        }
        self.look = Some(now + flush_period).filter(|_| !self.groups.is_empty());
        self.release(ports);
    }

    fn finish(&mut self, ports: &mut Ports) {
        while let Some(group) = self.groups.take_oldest() {
            self.complete(group);
        }
        self.look = None;
        self.release(ports);
    }

    fn renew(&self) -> Box<dyn Stateful> {
        Box::new(Self::new(self.common.clone()))
    }
}

impl Reduce {
    fn new(common: Arc<Common>) -> Self {
        let (judge, groups, done) = (Judge::default(), Groups::default(), Vec::new());
        Self { common, judge, groups, done, look: None, key: Vec::new(), text: Vec::new() }
    }

    /// Adds a record to its group; gives how many of its values could not be merged. None if it is there already.
    fn take(&mut self, batch: &Batch, index: usize, now: Instant) -> Option<usize> {
        let common = self.common.clone();
        let record = batch.get(index);
        key::write(&common.group_by, record, &mut self.key);
        if self.groups.has(&self.key, record.identity().hash(), batch) {
            return None;
        }
        let mut is_met = |condition: &Option<Condition>| {
            condition.as_ref().is_some_and(|condition| self.judge.is_met(condition, record))
        };
        let (starts, ends) = (is_met(&common.starts_when), is_met(&common.ends_when));
        if starts && let Some(group) = self.groups.take(&self.key) {
            self.complete(group);
        }
        self.text.clear();
        record.write_json(&mut self.text);
        let (group, failed) = self.groups.add((&self.key, &self.text), (batch, index), (&common.rules, now));
        if (ends || group.members() >= common.max_events)
            && let Some(group) = self.groups.take(&self.key)
        {
            self.complete(group);
        }
        Some(failed)
    }

    /// Completes groups until the others fit; gives how many.
    fn make_room(&mut self) -> usize {
        let mut completed = 0;
        while self.groups.bytes() > self.common.max_bytes
            && let Some(group) = self.groups.take_oldest()
        {
            self.complete(group);
            completed += 1;
        }
        completed
    }

    fn complete(&mut self, group: Group) {
        self.common.meters.discarded(Reason::Merged, group.members() - 1);
        self.done.push(group.finish());
    }

    fn release(&mut self, ports: &mut Ports) {
        for batch in Batch::united(self.done.drain(..)) {
            ports.send(0, batch);
        }
    }
}

#[cfg(test)]
mod tests;
