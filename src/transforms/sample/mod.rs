//! `sample`: keeps a share of the records.
//!
//! **Guarantee.** Whether a record stays is a pure function of the record. A span stays by the random number of its trace
//! (its id, or `rv` in its `tracestate`) and the threshold that the share is, as OpenTelemetry's consistent probability
//! sampling has it: every sampler of that kind, anywhere, keeps the same traces, and `th` in the `tracestate` says how
//! many spans one stands for. So does a record whose `key_field` is the id of a trace, and an OTLP log record that has
//! one. Any other stays by the value of `key_field`, else by its identity, so that a re-read makes the same choice. The
//! share is therefore met over many records, not by counting: unlike Vector, which counts, the first record of a
//! group is not sure to stay, and `group_by` makes groups independent of each other but does not count them out.
//! **Limits.** Records of streams that cannot be read again (stdin, HTTP) and have neither trace nor key are chosen anew
//! if they come again.

mod choice;
mod hash;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use self::choice::{Choice, Fate, Rule, Scratch, Share};
use super::condition::ConditionText;
use super::consistent::{Threshold, trace_state};
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Transform, discard};
use crate::event::{Batch, Editor, Path, Shared, json};
use crate::lang::{Tables, Template};

/// Keeps a share of the records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleSettings {
    /// Keep one record of this many. One of `rate` and `ratio` must be set.
    #[schemars(range(min = 1))]
    rate: Option<u64>,
    /// Keep this share of the records: more than 0, at most 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    ratio: Option<f64>,
    /// Path to a value that decides: records with the same value stay or go together.
    key_field: Option<String>,
    /// A template; records for which it gives different text are chosen independently.
    group_by: Option<String>,
    /// Records that meet this condition always stay.
    exclude: Option<ConditionText>,
    /// Shares of their own for records that meet a condition; the first that a record meets is for it.
    #[serde(default)]
    #[schemars(extend("default" = []))]
    rules: Vec<RuleSettings>,
    /// Path at which a chosen record gets the rate or ratio, as text; empty for nowhere. A span gets a threshold in its
    /// `trace_state` instead.
    #[serde(default = "sample_rate")]
    sample_rate_key: String,
}

/// A share for some records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RuleSettings {
    /// What a record has to meet.
    condition: ConditionText,
    /// Keep one record of this many. One of `rate` and `ratio` must be set.
    #[schemars(range(min = 1))]
    rate: Option<u64>,
    /// Keep this share of the records, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    ratio: Option<f64>,
}

impl RuleSettings {
    fn share(&self, at: usize) -> Result<Share, Problem> {
        if self.ratio == Some(0.0) && self.rate.is_none() {
            return Ok(Share::Ratio(0.0));
        }
        let below = |problem: Problem| {
            let place = format!("rules[{at}].{}", problem.setting);
            Problem { setting: place.trim_end_matches('.').to_owned(), ..problem }
        };
        share(self.rate, self.ratio).map_err(below)
    }

    fn build(&self, at: usize, tables: &Tables) -> Result<Rule, String> {
        let share = self.share(at)?;
        Ok(Rule { condition: self.condition.compile(tables)?, share, threshold: share.threshold() })
    }
}

fn share(rate: Option<u64>, ratio: Option<f64>) -> Result<Share, Problem> {
    match (rate, ratio) {
        (Some(0), None) => Err(Problem::new("rate", "`0` is no rate: expected a number from 1 on")),
        (Some(rate), None) => Ok(Share::OneOf(rate)),
        (None, Some(ratio)) if ratio > 0.0 && ratio <= 1.0 => Ok(Share::Ratio(ratio)),
        (None, Some(ratio)) => {
            let problem = Problem::new("ratio", format!("`{ratio}` is no share: expected more than 0, at most 1"));
            Err(problem.help("to drop all records use a `filter` with the condition `false`"))
        }
        (None, None) => Err(Problem::new("", "no share: expected `rate` or `ratio`")),
        (Some(_), Some(_)) => Err(Problem::new("", "two shares: expected only one of `rate` and `ratio`")),
    }
}

fn sample_rate() -> String {
    "sample_rate".to_owned()
}

impl SampleSettings {
    fn group(&self) -> Result<Option<Template>, Problem> {
        let parse = |text: &String| {
            Template::parse(text)
                .map_err(|error| Problem { within: Some(error.span), ..Problem::new("group_by", error.message) })
        };
        self.group_by.as_ref().map(parse).transpose()
    }

    fn key(&self) -> Result<Option<Path>, Problem> {
        self.key_field.as_ref().map(|text| path("key_field", text)).transpose()
    }

    fn mark(&self) -> Result<Option<Path>, Problem> {
        match self.sample_rate_key.as_str() {
            "" => Ok(None),
            text => path("sample_rate_key", text).map(Some),
        }
    }
}

fn path(setting: &str, text: &str) -> Result<Path, Problem> {
    let path = Path::parse(text).map_err(|bad| Problem::new(setting, bad.to_string()))?;
    match path.depth() {
        0 => Err(Problem::new(setting, "`.` is the whole record: expected the path of a member")),
        _ => Ok(path),
    }
}

impl Settings for SampleSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "sample";
    const EXAMPLE: &'static str = r#"[transforms.fewer]
type = "sample"
inputs = ["app"]
rate = 10
key_field = "trace_id"
exclude = '.level == "error"'

[[tests]]
name = "errors always stay"
inputs = [{ insert_at = "fewer", type = "json", value = '{"trace_id":"a","level":"error"}' }]
outputs = [{ extract_from = "fewer", expected = '{"trace_id":"a","level":"error"}' }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        let whole = share(self.rate, self.ratio).err();
        let faults = [whole, self.group().err(), self.key().err(), self.mark().err()];
        let excluded = self.exclude.iter().flat_map(|condition| condition.check("exclude", tables));
        let rules = self.rules.iter().enumerate().flat_map(|(at, rule)| {
            let conditions = rule.condition.check(&format!("rules[{at}].condition"), tables);
            rule.share(at).err().into_iter().chain(conditions)
        });
        faults.into_iter().flatten().chain(excluded).chain(rules).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let message = |problem: Problem| problem.message;
        let share = share(self.rate, self.ratio).map_err(message)?;
        let rules = self.rules.iter().enumerate().map(|(at, rule)| rule.build(at, &context.tables));
        let choice = Choice {
            rules: rules.collect::<Result<_, String>>()?,
            share,
            threshold: share.threshold(),
            key: self.key().map_err(message)?,
            group: self.group().map_err(message)?,
            exclude: self.exclude.as_ref().map(|condition| condition.compile(&context.tables)).transpose()?,
        };
        let shares = choice.rules.iter().map(|rule| rule.share).chain([share]);
        let told = shares.map(|share| Shared::string("", &share.to_string()).value).collect();
        let mark = self.mark().map_err(message)?.map(|path| (path, told));
        let notice = Notice::failed_condition(&context);
        let common = Common { choice, mark, meters: context.meters, notice };
        Ok(Box::new(Sample::new(Arc::new(common))))
    }
}

struct Common {
    choice: Choice,
    /// Where the share is written, and the JSON text of each: of the rules, then of all others.
    mark: Option<(Path, Vec<Box<[u8]>>)>,
    meters: Meters,
    notice: Notice,
}

struct Sample {
    common: Arc<Common>,
    scratch: Scratch,
    /// What becomes of each record that stays.
    fates: Vec<Fate>,
    text: Vec<u8>,
}

impl Transform for Sample {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        let Self { common, scratch, fates, text } = self;
        fates.clear();
        discard(batch, &common.meters, Reason::Sampled, |record| {
            let fate = common.choice.of(record, scratch);
            if fate != Fate::Gone {
                fates.push(fate);
            }
            fate != Fate::Gone
        });
        common.notice.count(&common.meters, scratch.judge.take_failed());
        if fates.iter().all(|fate| *fate == Fate::Stays || (common.mark.is_none() && matches!(fate, Fate::Chosen(_)))) {
            return;
        }
        let mut records = batch.edit();
        for (index, fate) in fates.iter().enumerate() {
            match (fate, &common.mark) {
                (Fate::Chosen(rule), Some((path, told))) => records.set(index, path, &told[*rule]),
                (Fate::Sampled(threshold), _) => stamp(&mut records, index, *threshold, text),
                _ => {}
            }
        }
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self::new(self.common.clone()))
    }
}

impl Sample {
    fn new(common: Arc<Common>) -> Self {
        Self { common, scratch: Scratch::default(), fates: Vec::new(), text: Vec::new() }
    }
}

/// Puts the threshold into the `tracestate` of a span.
fn stamp(records: &mut Editor<'_>, index: usize, threshold: Threshold, text: &mut Vec<u8>) {
    let Some(facts) = records.get(index).facts() else { return };
    text.clear();
    trace_state::write(&facts.trace_state, Some(threshold), text);
    drop(facts);
    records.set_member(index, b"trace_state", |out| json::quote(text, out));
}
