//! `levada test`: runs the `[[tests]]` of a configuration.

mod compare;

use std::process::ExitCode;

use super::files::Given;
use super::screen::{self, Format, say};
use super::{FAULTY, USAGE};
use crate::component::clock;
use crate::config::{Case, CaseOutput, OutputRef, Plan, Section};
use crate::event::{Batch, Seen, View};
use crate::lang::{Runner, Tables};
use crate::topology::{Emitted, Trial};

/// Run the `[[tests]]` of a configuration: no socket is opened, no file is read or written.
#[derive(Debug, clap::Args)]
pub(super) struct Test {
    #[command(flatten)]
    given: Given,
    /// Only tests with this in their names.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

pub(super) fn test(arguments: &Test) -> ExitCode {
    let loaded = arguments.given.files().load();
    screen::print_faults_as(Format::Human, &loaded);
    let Some(plan) = &loaded.plan else { return ExitCode::from(FAULTY) };
    let (mut passed, mut failed) = (0, 0);
    for case in plan.tests.iter().filter_map(|section: &Section| section.read::<Case>().ok()) {
        if arguments.filter.as_ref().is_some_and(|wanted| !case.name.contains(wanted.as_str())) {
            continue;
        }
        let failures = run(plan, &case);
        say(&format!("test {} ... {}\n", case.name, if failures.is_empty() { "ok" } else { "FAILED" }));
        for failure in &failures {
            say(&format!("  {}\n", failure.replace('\n', "\n  ")));
        }
        if failures.is_empty() { passed += 1 } else { failed += 1 }
    }
    say(&format!("{passed} passed, {failed} failed\n"));
    if passed + failed == 0 {
        eprintln!("error: there is no such test; declare some: `[[tests]]` (docs/configuration.md)");
        return ExitCode::from(USAGE);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAULTY) }
}

/// What went wrong.
fn run(plan: &Plan, case: &Case) -> Vec<String> {
    let trial = match Trial::new(plan) {
        Ok(trial) => trial,
        Err(error) => return vec![error.to_string()],
    };
    let mut inputs = Vec::new();
    for (position, input) in (0..).zip(case.inputs()) {
        let record = match input.record(Seen { position, time: clock::now() }) {
            Ok(record) => record,
            Err(problem) => return vec![problem.message],
        };
        inputs.extend(input.insert_at.0.iter().map(|id| (id.clone(), record.clone())));
    }
    let emitted = trial.run(inputs);
    let mut failures: Vec<_> = case.outputs.iter().flat_map(|output| outputs(plan, output, &emitted)).collect();
    failures.extend(case.no_outputs_from.iter().filter_map(|name| silence(plan, name, &emitted)));
    failures
}

fn outputs(plan: &Plan, wanted: &CaseOutput, emitted: &Emitted) -> Vec<String> {
    let from = &wanted.extract_from.0;
    let name = from.join("`, `");
    let batches: Vec<&Batch> = from.iter().flat_map(|name| emitted.of(&output(plan, name))).collect();
    let records: Vec<View<'_>> = batches.iter().flat_map(|batch| batch.iter()).collect();
    let mut failures = Vec::new();
    if let Some(expected) = wanted.expected_records() {
        failures.extend(compare::difference(&name, &expected, &json(&records)));
    } else if records.is_empty() {
        failures.push(format!("nothing came out of `{name}`"));
        return failures;
    }
    let unmet = wanted.conditions.iter().filter_map(|condition| {
        let why = meets(condition, &records).err()?;
        Some(format!("no record of `{name}` meets `{}`{why}\n{}", condition.source().trim(), listed(&records)))
    });
    failures.extend(unmet);
    failures
}

/// Does any record meet it? Else what the condition said of the last one.
fn meets(condition: &crate::transforms::ConditionText, records: &[View<'_>]) -> Result<(), String> {
    let condition = condition.compile(&Tables::default()).map_err(|why| format!(": {why}"))?;
    let mut runner = Runner::new();
    let mut last = String::new();
    for record in records {
        match runner.check(&condition, record) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(why) => last = format!(": {why}"),
        }
    }
    Err(last)
}

fn silence(plan: &Plan, name: &str, emitted: &Emitted) -> Option<String> {
    let output = output(plan, name);
    let records: Vec<View<'_>> = emitted.of(&output).flat_map(Batch::iter).collect();
    (!records.is_empty()).then(|| format!("`{name}` was to stay silent, and sent\n{}", listed(&records)))
}

fn listed(records: &[View<'_>]) -> String {
    let lines = json(records).into_iter().map(|record| format!("  {record}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn json(records: &[View<'_>]) -> Vec<serde_json::Value> {
    let value = |record: &View<'_>| {
        let mut text = Vec::new();
        record.write_json(&mut text);
        serde_json::from_slice(&text).unwrap_or_default()
    };
    records.iter().map(value).collect()
}

/// The output of this name: names were checked with the configuration.
fn output(plan: &Plan, name: &str) -> OutputRef {
    let mut ids = plan.transforms.iter().map(|step| &step.id);
    let port = ids.find_map(|id| Some((id, name.strip_prefix(id.as_str())?.strip_prefix('.')?)));
    match port {
        Some((id, port)) => OutputRef { component: id.clone(), port: Some(port.to_owned()) },
        None => OutputRef { component: name.to_owned(), port: None },
    }
}
