//! `route`: sends records to the outputs whose conditions they meet.
//!
//! Others take `split.errors`, `split.payments` and `split._unmatched` as inputs.
//!
//! **Guarantee.** A record goes to *every* output whose condition it meets, unchanged; each of these copies is a
//! record of its own to the destination. What meets none goes to `_unmatched`. **Limits.** A condition that fails on a
//! record is not met, and counted as an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::condition::{ConditionText, Judge};
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Outcome};
use crate::lang::{Condition, Tables};

/// Sends records to the outputs whose conditions they meet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteSettings {
    /// Outputs by name, each with the condition that a record must meet to go there.
    route: BTreeMap<String, ConditionText>,
    /// Send what meets no condition to the output `_unmatched`; else it is dropped and counted.
    #[serde(default = "yes")]
    reroute_unmatched: bool,
}

fn yes() -> bool {
    true
}

const UNMATCHED: &str = "_unmatched";
/// Names that mean something else.
const RESERVED: [&str; 2] = [UNMATCHED, "dead_letter"];

impl Settings for RouteSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "route";
    const EXAMPLE: &'static str = r#"[transforms.split]
type = "route"
inputs = ["app"]
route.errors = '.level == "error"'
route.payments = 'starts_with(string(.service) ?? "", "pay")'

[[tests]]
name = "a record goes wherever it belongs"
inputs = [
  { insert_at = "split", type = "json", value = '{"service":"payments","level":"error"}' },
  { insert_at = "split", type = "json", value = '{"service":"quest"}' },
]
outputs = [
  { extract_from = "split.errors", expected = '{"service":"payments","level":"error"}' },
  { extract_from = "split.payments", expected = '{"service":"payments","level":"error"}' },
  { extract_from = "split._unmatched", expected = '{"service":"quest"}' },
]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn outputs(&self) -> Vec<Option<String>> {
        let unmatched = self.reroute_unmatched.then(|| UNMATCHED.to_owned());
        self.route.keys().cloned().chain(unmatched).map(Some).collect()
    }

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        if self.route.is_empty() {
            return vec![Problem::new("route", "no routes: expected at least one `route.NAME = \"condition\"`")];
        }
        let check = |(name, condition): (&String, &ConditionText)| {
            let setting = format!("route.{name}");
            if RESERVED.contains(&name.as_str()) || name.is_empty() {
                let problem = Problem::new(setting, format!("`{name}` cannot be the name of a route"));
                return vec![problem.help("choose another name")];
            }
            condition.check(&setting, tables)
        };
        self.route.iter().flat_map(check).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let routes =
            self.route.values().map(|condition| condition.compile(&context.tables)).collect::<Result<_, _>>()?;
        let notice = Notice::failed_condition(&context);
        let common = Common { routes, reroutes_unmatched: self.reroute_unmatched, meters: context.meters, notice };
        Ok(Box::new(Route { common: Arc::new(common), judge: Judge::default(), taken: Vec::new() }))
    }
}

struct Common {
    /// In the order of the outputs.
    routes: Vec<Condition>,
    reroutes_unmatched: bool,
    meters: Meters,
    notice: Notice,
}

struct Route {
    common: Arc<Common>,
    judge: Judge,
    /// Whether any route took the record.
    taken: Vec<bool>,
}

impl Transform for Route {
    fn apply(&mut self, batch: &mut Batch, ports: &mut Ports) {
        let Self { common, judge, taken } = self;
        taken.clear();
        taken.resize(batch.len(), false);
        for (output, condition) in common.routes.iter().enumerate() {
            let matching = batch.select(|index| {
                let is_met = judge.is_met(condition, batch.get(index));
                taken[index] |= is_met;
                is_met
            });
            ports.send(output, matching);
        }
        // What was sent answers for itself; the record here has no outcome of its own.
        let unmatched = batch.extract(|index, _| !taken[index]);
        batch.retain(|_| false);
        if common.reroutes_unmatched {
            ports.send(common.routes.len(), unmatched);
        } else {
            common.meters.discarded(Reason::Unrouted, unmatched.len());
            unmatched.settle(Outcome::Dropped);
        }
        common.notice.count(&common.meters, judge.take_failed());
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self { common: self.common.clone(), judge: Judge::default(), taken: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Origin, StreamKey};
    use crate::transforms::test_kit::{Out, batch, batch_with, problems, settings, step};

    const ROUTES: &str = "route.odd = '.a == 1 || .a == 3'\nroute.small = '(int(.a) ?? 9) < 3'\n";
    const LINES: [&str; 4] = [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#, r#"{"a" : 4}"#];

    fn out(named: &[(usize, &[&str])]) -> Out {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        Out { main: vec![], named: named.iter().map(|(port, of)| (*port, lines(of))).collect() }
    }

    #[test]
    fn a_record_goes_to_every_output_it_matches() {
        let ledger = Arc::default();
        let step = step::<RouteSettings>(ROUTES);
        let gone = step.run(batch_with(&LINES, Origin::new(StreamKey(1)), &ledger));
        let expected = [(0, &[LINES[0], LINES[2]][..]), (1, &[LINES[0], LINES[1]]), (2, &[LINES[3]])];
        assert_eq!(gone, out(&expected));
        let resolution = ledger.resolution();
        assert_eq!((resolution.delivered, resolution.dropped, resolution.failed), (5, 0, 0));
        let names: Vec<_> = settings::<RouteSettings>(ROUTES).outputs().into_iter().flatten().collect();
        assert_eq!(names, ["odd", "small", "_unmatched"]);
    }

    #[test]
    fn without_an_output_for_them_unmatched_records_are_dropped_and_counted() {
        let ledger = Arc::default();
        let text = format!("{ROUTES}reroute_unmatched = false");
        let step = step::<RouteSettings>(&text);
        let gone = step.run(batch_with(&LINES, Origin::new(StreamKey(1)), &ledger));
        assert_eq!(gone, out(&[(0, &[LINES[0], LINES[2]]), (1, &[LINES[0], LINES[1]])]));
        assert_eq!(step.meters.discarded_events(Reason::Unrouted), 1);
        assert_eq!(ledger.resolution().dropped, 1);
        assert_eq!(settings::<RouteSettings>(&text).outputs().len(), 2);
    }

    #[test]
    fn a_condition_that_fails_is_not_met() {
        let step = step::<RouteSettings>("route.x = 'int!(.a) == 1'");
        let lines = [r#"{"a":"1"}"#, LINES[0]];
        assert_eq!(step.run(batch(&lines)), out(&[(0, &[LINES[0]]), (1, &[lines[0]])]));
        assert_eq!(step.meters.error_count("condition_failed"), 1);
    }

    #[test]
    fn faults_name_the_route() {
        let found = problems::<RouteSettings>("route.a = '.x'\nroute._unmatched = 'true'");
        let told: Vec<_> = found.iter().map(|problem| (problem.setting.as_str(), problem.within.is_some())).collect();
        assert_eq!(told, [("route._unmatched", false), ("route.a", true)]);
        assert_eq!(problems::<RouteSettings>("route = {}")[0].setting, "route");
    }
}
