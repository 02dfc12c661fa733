//! The settings, their faults, and the step that they make.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::record::Places;
use super::rules::{MOST, OfSpan, OfTrace, Rate, Rule, Rules};
use super::{Common, TailSample};
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::size::ByteSize;
use crate::delivery::settings::QueueSettings;
use crate::lang::Tables;
use crate::transforms::Keeping;
use crate::transforms::condition::ConditionText;
use crate::transforms::consistent::Threshold;
use crate::transforms::notice::Notice;

/// Keeps traces by what became of them: those with errors, slow ones, and a share of the rest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::transforms) struct TailSampleSettings {
    /// What decides, in this order: the first that a trace meets is for it.
    #[serde(default)]
    #[schemars(extend("default" = []))]
    rules: Vec<RuleSettings>,
    /// The share of the traces that meet no rule, from 0 to 1: the same traces as any `sample` of this ratio keeps.
    #[schemars(range(min = 0.0, max = 1.0))]
    ratio: f64,
    /// Seconds after its first record at which a trace is decided about in any case.
    #[serde(default = "decision_wait")]
    #[schemars(range(min = 1, max = 86_400))]
    decision_wait_secs: u64,
    /// Seconds after its root at which a trace is decided about.
    #[serde(default = "decision_delay")]
    #[schemars(range(min = 0, max = 86_400))]
    decision_delay_secs: u64,
    /// Bytes of memory that traces which are not decided about take, at most.
    #[serde(default = "max_bytes")]
    max_bytes: ByteSize,
    /// Bytes of one trace, at which it is decided about; what comes later follows that.
    #[serde(default = "max_trace_bytes")]
    max_trace_bytes: ByteSize,
    /// Where bytes go that have no room in memory.
    #[serde(default)]
    spill: SpillSettings,
    /// What is remembered of decisions.
    #[serde(default)]
    decision_cache: CacheSettings,
    /// Are log records of a trace kept and dropped with it? Else they pass.
    #[serde(default)]
    logs: bool,
    /// Do all spans of a trace come here, by whatever means? Says that rules about errors and slow traces are meant.
    #[serde(default)]
    whole_traces: bool,
    /// What stands before it.
    #[serde(default)]
    buffer: QueueSettings,
}

/// A rule. Of what one record has to meet some record of the trace has to meet all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RuleSettings {
    /// What it is called: the attribute `sampling.rule` of what it keeps.
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// A span whose status is an error, or a log record of an error.
    #[serde(default)]
    error: bool,
    /// A span of more than so many milliseconds.
    span_longer_than_ms: Option<u64>,
    /// A record of one of these services: `service.name` of its resource.
    #[serde(default)]
    services: Vec<String>,
    /// A record that meets this condition.
    condition: Option<ConditionText>,
    /// More than so many milliseconds from the first start to the last end.
    trace_longer_than_ms: Option<u64>,
    /// So many spans or more.
    min_spans: Option<u32>,
    /// So many spans or fewer.
    max_spans: Option<u32>,
    /// The share of the traces that meet it, from 0 to 1.
    #[serde(default = "all")]
    #[schemars(range(min = 0.0, max = 1.0))]
    ratio: f64,
    /// Of these no more traces in a second.
    #[schemars(range(min = 1))]
    traces_per_second: Option<u32>,
    /// Of these no more spans in a second.
    #[schemars(range(min = 1))]
    spans_per_second: Option<u32>,
}

/// Where bytes go that have no room in memory.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SpillSettings {
    /// Is there such a place? It is in `data_dir`, in files without a name.
    enabled: bool,
    /// Bytes of the disk, at most.
    max_bytes: ByteSize,
}

/// What is remembered of decisions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct CacheSettings {
    /// Bytes of memory, at most: about 40 for a trace.
    max_bytes: ByteSize,
}

impl Default for SpillSettings {
    fn default() -> Self {
        Self { enabled: true, max_bytes: ByteSize(1 << 30) }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { max_bytes: ByteSize(16 << 20) }
    }
}

const fn all() -> f64 {
    1.0
}

const fn decision_wait() -> u64 {
    30
}

const fn decision_delay() -> u64 {
    2
}

const fn max_bytes() -> ByteSize {
    ByteSize(128 << 20)
}

const fn max_trace_bytes() -> ByteSize {
    ByteSize(8 << 20)
}

impl Settings for TailSampleSettings {
    type Built = Keeping;
    const NAME: &'static str = "tail_sample";
    const EXAMPLE: &'static str = r#"[transforms.traces]
type = "tail_sample"
inputs = ["app"]
ratio = 0.1
whole_traces = true

[[transforms.traces.rules]]
name = "errors"
error = true

[[transforms.traces.rules]]
name = "slow"
trace_longer_than_ms = 5000

[[tests]]
name = "a trace with an error is kept whole"
inputs = [
  { insert_at = "traces", type = "json", value = '{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","duration":1000}' },
  { insert_at = "traces", type = "json", value = '{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203332","duration":10,"status":{"code":"error"}}' },
  { insert_at = "traces", type = "json", value = '{"trace_id":"0af7651916cd43dd84000000000000ff","span_id":"b7ad6b7169203333","duration":10}' },
]
outputs = [{ extract_from = "traces", conditions = [
  '.span_id == "b7ad6b7169203331" && .attributes."sampling.rule" == "errors"',
  '.span_id == "b7ad6b7169203332" && .trace_state == "ot=th:0"',
] }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn held_bytes(&self) -> u64 {
        self.max_bytes.0.saturating_add(self.decision_cache.max_bytes.0).saturating_add(self.buffer.max_size as u64)
    }

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut names = HashSet::new();
        for (at, rule) in self.rules.iter().enumerate() {
            let mut faults = rule.faults(tables);
            if !names.insert(rule.name.as_str()) || rule.name == "default" {
                let message = format!("`{}` is the name of another rule", rule.name);
                faults.push(
                    Problem::new("name", message).help("each rule has a name of its own, and `default` is taken"),
                );
            }
            problems.extend(faults.into_iter().map(|problem| below(at, problem)));
        }
        problems.extend(self.faults());
        problems
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let rules = self.rules.iter().map(|rule| rule.build(&context.tables));
        let rest = Rule::rest(Threshold::of_ratio(self.ratio));
        let rules = rules.chain([Ok(rest)]).collect::<Result<Vec<_>, String>>()?;
        let bytes = |size: ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
        let notice = |kind, what| Notice::new(&context.id, kind, what);
        let common = Common {
            rules: Rules(rules),
            places: Places::default(),
            wait: Duration::from_secs(self.decision_wait_secs),
            delay: Duration::from_secs(self.decision_delay_secs),
            max_bytes: bytes(self.max_bytes),
            max_trace_bytes: bytes(self.max_trace_bytes),
            spill_folder: context.state_dir.clone(),
            spill_bytes: if self.spill.enabled { self.spill.max_bytes.0 } else { 0 },
            cache_bytes: bytes(self.decision_cache.max_bytes),
            logs: self.logs,
            failed_conditions: Notice::failed_condition(&context),
            early: notice("decided_early", "traces were decided about early: `max_bytes` is full"),
            spill_failed: notice("spill_failed", "bytes could not be written to or read back from the disk"),
            sampling: context.meters.of_sampling(),
            meters: context.meters,
        };
        Ok(Keeping { step: Box::new(TailSample::new(Arc::new(common))), buffer: self.buffer })
    }
}

impl TailSampleSettings {
    fn faults(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(ratio_fault(self.ratio));
        if self.rules.len() > MOST {
            problems.push(Problem::new("rules", format!("{} rules: expected at most {MOST}", self.rules.len())));
        }
        if self.max_trace_bytes.0 > self.max_bytes.0 {
            let problem = Problem::new("max_trace_bytes", "one trace may not be larger than all together");
            problems.push(problem.help("lower it, or raise `max_bytes`"));
        }
        let needs_all = |rule: &&RuleSettings| {
            rule.error || rule.trace_longer_than_ms.is_some() || rule.span_longer_than_ms.is_some()
        };
        if let Some(rule) = self.rules.iter().find(needs_all).filter(|_| !self.whole_traces) {
            let message = format!(
                "the rule `{}` holds for what comes to this agent: spans of the same trace that go to other agents are decided about without it",
                rule.name
            );
            let help = "send all spans of a trace to one agent, by its id, and sample there; then, or where one agent sees whole traces, set `whole_traces = true`";
            problems.push(Problem { is_warning: true, ..Problem::new("rules", message).help(help) });
        }
        problems
    }
}

impl RuleSettings {
    fn faults(&self, tables: &Tables) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(ratio_fault(self.ratio));
        problems.extend(self.condition.iter().flat_map(|condition| condition.check("condition", tables)));
        if self.traces_per_second.is_some() && self.spans_per_second.is_some() {
            problems.push(Problem::new("spans_per_second", "two limits: expected one of traces and of spans"));
        }
        if [self.traces_per_second, self.spans_per_second].contains(&Some(0)) {
            problems.push(Problem::new("", "a limit of 0 keeps nothing: set `ratio = 0.0`"));
        }
        if self.max_spans.zip(self.min_spans).is_some_and(|(most, least)| most < least) {
            problems.push(Problem::new("max_spans", "no trace has fewer spans than it has at least"));
        }
        if self.is_empty() {
            let problem = Problem::new("", "the rule asks for nothing, so that every trace meets it");
            problems.push(problem.help("what is for all other traces is `ratio` of the transform"));
        }
        problems
    }

    fn is_empty(&self) -> bool {
        let of_span =
            self.error || self.span_longer_than_ms.is_some() || !self.services.is_empty() || self.condition.is_some();
        // A limit alone is something: it is for all traces that come so far.
        let is_limited = self.traces_per_second.is_some() || self.spans_per_second.is_some();
        let of_trace = self.trace_longer_than_ms.is_some() || self.min_spans.is_some() || self.max_spans.is_some();
        !of_span && !of_trace && !is_limited
    }

    fn build(&self, tables: &Tables) -> Result<Rule, String> {
        let nanos = |milliseconds: u64| milliseconds.saturating_mul(1_000_000);
        Ok(Rule {
            name: self.name.as_str().into(),
            of_span: OfSpan {
                is_error: self.error,
                longer_than: self.span_longer_than_ms.map(nanos),
                services: self.services.clone(),
                condition: self.condition.as_ref().map(|condition| condition.compile(tables)).transpose()?,
            },
            of_trace: OfTrace {
                longer_than: self.trace_longer_than_ms.map(nanos),
                min_spans: self.min_spans,
                max_spans: self.max_spans,
            },
            threshold: Threshold::of_ratio(self.ratio),
            limit: self.traces_per_second.map(Rate::Traces).or(self.spans_per_second.map(Rate::Spans)),
        })
    }
}

fn ratio_fault(ratio: f64) -> Option<Problem> {
    let is_share = (0.0..=1.0).contains(&ratio);
    (!is_share).then(|| Problem::new("ratio", format!("`{ratio}` is no share: expected a number from 0 to 1")))
}

fn below(at: usize, problem: Problem) -> Problem {
    let setting = format!("rules[{at}].{}", problem.setting);
    Problem { setting: setting.trim_end_matches('.').to_owned(), ..problem }
}
