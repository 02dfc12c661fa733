//! `filter`: keeps the records that meet a condition.
//!
//! **Guarantee.** Records that stay are not touched; those that go are counted as `filtered`. **Limits.** A condition
//! that fails on a record (a missing member, a wrong type) is not met; it is counted as an error as well.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::condition::{ConditionText, Judge};
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Transform, discard};
use crate::event::Batch;
use crate::lang::{Condition, Tables};

/// Keeps the records that meet a condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterSettings {
    /// What a record must meet to stay.
    condition: ConditionText,
}

impl Settings for FilterSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "filter";
    const EXAMPLE: &'static str = r#"[transforms.relevant]
type = "filter"
inputs = ["app"]
condition = '.level != "debug"'

[[tests]]
name = "what only debuggers read is dropped"
inputs = [
  { insert_at = "relevant", type = "json", value = '{"level":"debug"}' },
  { insert_at = "relevant", type = "json", value = '{"level":"info"}' },
]
outputs = [{ extract_from = "relevant", expected = '{"level":"info"}' }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        self.condition.check("condition", tables)
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let notice = Notice::failed_condition(&context);
        let common = Common { condition: self.condition.compile(&context.tables)?, meters: context.meters, notice };
        Ok(Box::new(Filter { common: Arc::new(common), judge: Judge::default() }))
    }
}

struct Common {
    condition: Condition,
    meters: Meters,
    notice: Notice,
}

struct Filter {
    common: Arc<Common>,
    judge: Judge,
}

impl Transform for Filter {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        let Common { condition, meters, notice } = &*self.common;
        discard(batch, meters, Reason::Filtered, |record| self.judge.is_met(condition, record));
        notice.count(meters, self.judge.take_failed());
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self { common: self.common.clone(), judge: Judge::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Origin, StreamKey};
    use crate::transforms::test_kit::{batch, batch_with, problems, step};

    const LINES: [&str; 4] = [r#"{"level":"debug"}"#, r#"{"level" : "in\u0066o"}"#, r#"{"a":1}"#, "plain debug"];

    #[test]
    fn keeps_what_meets_the_condition_byte_for_byte() {
        for condition in [r#"'.level == "info"'"#, r#"{ type = "vrl", source = '.level == "info"' }"#] {
            let ledger = Arc::default();
            let step = step::<FilterSettings>(&format!("condition = {condition}"));
            assert_eq!(step.main(batch_with(&LINES, Origin::new(StreamKey(1)), &ledger)), [LINES[1]]);
            assert_eq!(step.meters.discarded_events(Reason::Filtered), 3);
            let resolution = ledger.resolution();
            assert_eq!((resolution.delivered, resolution.dropped, resolution.failed), (1, 3, 0));
        }
    }

    #[test]
    fn a_condition_that_fails_is_not_met_and_is_an_error() {
        let step = step::<FilterSettings>("condition = 'starts_with!(.level, \"d\")'");
        assert_eq!(step.main(batch(&LINES)), [LINES[0]]);
        assert_eq!(step.meters.discarded_events(Reason::Filtered), 3);
        assert_eq!(step.meters.error_count("condition_failed"), 2);
    }

    #[test]
    fn a_raw_line_reads_as_its_message() {
        let step = step::<FilterSettings>("condition = 'contains(string(.message) ?? \"\", \"debug\")'");
        let kept = step.main(batch(&LINES));
        assert_eq!(kept.len(), 1);
        assert!(kept[0].starts_with(r#"{"message":"plain debug","#), "{kept:?}");
    }

    #[test]
    fn faults_stand_at_their_place() {
        let found = problems::<FilterSettings>("condition = '.a = 1'");
        assert_eq!((found.len(), found[0].setting.as_str()), (1, "condition"));
        let found = problems::<FilterSettings>("condition = { type = 'vrl', source = '.a' }");
        assert_eq!(found[0].setting, "condition.source");
        assert!(found[0].message.contains("must give a boolean"), "{found:?}");
        for bad in ["condition = 1", "condition = { type = 'lua', source = '.a' }", "condition = { type = 'vrl' }"] {
            assert!(toml::from_str::<FilterSettings>(bad).is_err(), "{bad}");
        }
    }
}
