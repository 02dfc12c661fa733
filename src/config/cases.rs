//! `[[tests]]`: records that go into transforms, and what has to come out of them. The form is Vector's; inputs of type
//! `json` and outputs with `expected` are Levada's own.

use std::collections::HashMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::plan::{Component, OutputRef, Plan, Section};
use crate::component::row::{About, Problem};
use crate::diagnostic::{Code, Diagnostic, Report, Sources};
use crate::event::{Batch, Path, Seen};
use crate::lang::{self, Tables};
use crate::transforms::ConditionText;

/// One test.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is called in the results.
    pub name: String,
    /// The record that goes in, where there is only one.
    input: Option<CaseInput>,
    /// The records that go in.
    #[serde(default)]
    inputs: Vec<CaseInput>,
    /// What has to come out.
    #[serde(default)]
    pub outputs: Vec<CaseOutput>,
    /// Outputs that nothing may come out of.
    #[serde(default)]
    pub no_outputs_from: Vec<String>,
}

/// A record that goes in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseInput {
    /// The transform that gets it, or several.
    pub insert_at: Names,
    /// What the record is made of.
    #[serde(default, rename = "type")]
    form: Form,
    /// The line (`raw`), or the JSON object (`json`).
    value: Option<String>,
    /// The members (`log`); a key such as `"user.id"` is a path.
    #[schemars(with = "Option<HashMap<String, serde_json::Value>>")]
    log_fields: Option<toml::Table>,
    /// A VRL program that makes the record out of an empty one (`vrl`).
    source: Option<String>,
}

/// What a record is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// A line of text: `value`.
    #[default]
    Raw,
    /// A JSON object: `value`.
    Json,
    /// Members: `log_fields`.
    Log,
    /// A program: `source`.
    Vrl,
}

/// What has to come out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseOutput {
    /// The output of a transform, such as `parsed` or `parsed.dropped`, or several.
    pub extract_from: Names,
    /// VRL conditions, each of which some record has to meet.
    #[serde(default)]
    pub conditions: Vec<ConditionText>,
    /// The records that have to come out, all of them and in this order: JSON objects, as text.
    pub expected: Option<Names>,
}

/// One text, or a list.
#[derive(Clone, Debug)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(one) => Ok(Self(vec![one])),
            other => other.try_into().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl JsonSchema for Names {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
        ] })
    }
}

impl Case {
    /// The records that go in.
    pub fn inputs(&self) -> impl Iterator<Item = &CaseInput> {
        self.input.iter().chain(&self.inputs)
    }

    /// What the schema cannot tell, and what the components of `plan` do not agree to.
    fn check(&self, plan: &Plan, tables: &Tables) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.inputs().next().is_none() {
            faults.push(Problem::new("", "expected at least one of `inputs`").into());
        }
        if self.outputs.is_empty() && self.no_outputs_from.is_empty() {
            faults
                .push(Problem::new("", "expected `outputs` or `no_outputs_from`: without them it cannot fail").into());
        }
        let singular = self.input.iter().map(|input| ("input".to_owned(), input));
        let plural = self.inputs.iter().enumerate().map(|(at, input)| (format!("inputs[{at}]"), input));
        for (setting, input) in singular.chain(plural) {
            faults.extend(
                input.record(Seen { position: 0, time: 0 }).err().map(|problem| below(&setting, problem).into()),
            );
            faults.extend(input.insert_at.0.iter().filter_map(|name| unknown_step(plan, &setting, name)));
        }
        for (at, output) in self.outputs.iter().enumerate() {
            faults.extend(output.check(&format!("outputs[{at}]"), (plan, tables)));
        }
        let silent = self.no_outputs_from.iter().enumerate();
        faults.extend(silent.filter_map(|(at, name)| unknown_output(plan, format!("no_outputs_from[{at}]"), name)));
        faults
    }
}

impl CaseOutput {
    fn check(&self, setting: &str, (plan, tables): (&Plan, &Tables)) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        let names = self.extract_from.0.iter();
        faults.extend(names.filter_map(|name| unknown_output(plan, format!("{setting}.extract_from"), name)));
        for (at, condition) in self.conditions.iter().enumerate() {
            faults.extend(condition.check(&format!("{setting}.conditions[{at}]"), tables).into_iter().map(Fault::from));
        }
        for text in self.expected.iter().flat_map(|texts| &texts.0) {
            let object = serde_json::from_str::<serde_json::Map<_, _>>(text);
            let told = object.map_err(|error| {
                Problem::new(format!("{setting}.expected"), format!("expected a JSON object: {error}"))
            });
            faults.extend(told.err().map(Fault::from));
        }
        faults
    }

    /// The expected records.
    pub fn expected_records(&self) -> Option<Vec<serde_json::Value>> {
        let texts = self.expected.as_ref()?;
        Some(texts.0.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }
}

impl CaseInput {
    /// The record. Of inputs with different positions these are different records.
    pub fn record(&self, seen: Seen) -> Result<Batch, Problem> {
        let needed = |name: &str| Problem::new(name, format!("missing `{name}`: `type` asks for it"));
        match self.form {
            Form::Raw => Ok(Batch::of_line(self.value.as_ref().ok_or_else(|| needed("value"))?.as_bytes(), seen)),
            Form::Json => object("value", self.value.as_ref().ok_or_else(|| needed("value"))?.as_bytes(), seen),
            Form::Log => members(self.log_fields.as_ref().ok_or_else(|| needed("log_fields"))?, seen),
            Form::Vrl => made_by(self.source.as_ref().ok_or_else(|| needed("source"))?, seen),
        }
    }
}

fn object(setting: &str, text: &[u8], seen: Seen) -> Result<Batch, Problem> {
    Batch::of_object(text, seen).map_err(|fault| Problem::new(setting, format!("expected a JSON object: {fault}")))
}

/// The record with these members.
fn members(fields: &toml::Table, seen: Seen) -> Result<Batch, Problem> {
    let wrong = |message: String| Problem::new("log_fields", message);
    let mut batch = object("log_fields", b"{}", seen)?;
    let mut records = batch.edit();
    for (key, value) in fields {
        let path = Path::parse(&format!(".{key}")).map_err(|error| wrong(error.to_string()))?;
        let json = serde_json::to_vec(value).map_err(|error| wrong(error.to_string()))?;
        records.set(0, &path, &json);
    }
    Ok(batch)
}

/// The record that a program makes out of an empty one.
fn made_by(source: &str, seen: Seen) -> Result<Batch, Problem> {
    let wrong = |message: String| Problem::new("source", message).about(About::Program);
    let program = lang::compile(source, lang::TimeZone::default())
        .map_err(|faults| wrong(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; ")))?;
    let mut batch = object("source", b"{}", seen)?;
    let outcome = lang::Runner::new().run(&program, &mut lang::Row::new(&mut batch.edit(), 0));
    match outcome {
        lang::Outcome::Changed | lang::Outcome::Unchanged => Ok(batch),
        lang::Outcome::Many => Err(wrong("expected one record, found a list".to_owned())),
        lang::Outcome::Aborted(why) | lang::Outcome::Failed(why) => Err(wrong(why)),
    }
}

fn below(setting: &str, problem: Problem) -> Problem {
    Problem { setting: format!("{setting}.{}", problem.setting), ..problem }
}

/// A fault of a test: of a value, or of a name that no component has.
enum Fault {
    Value(Problem),
    Name { setting: String, name: String, known: Vec<String> },
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Value(problem)
    }
}

fn unknown_step(plan: &Plan, setting: &str, name: &str) -> Option<Fault> {
    let known: Vec<_> = plan.transforms.iter().map(|step| step.id.clone()).collect();
    let setting = format!("{setting}.insert_at");
    (!known.iter().any(|id| id == name)).then(|| Fault::Name { setting, name: name.to_owned(), known })
}

fn unknown_output(plan: &Plan, setting: String, name: &str) -> Option<Fault> {
    let known: Vec<_> = plan.transforms.iter().flat_map(outputs).map(|output| output.to_string()).collect();
    (!known.iter().any(|output| output == name)).then(|| Fault::Name { setting, name: name.to_owned(), known })
}

/// The outputs of a transform.
fn outputs(step: &Component) -> Vec<OutputRef> {
    let ports = step.outputs.iter().cloned();
    ports.map(|port| OutputRef { component: step.id.clone(), port }).collect()
}

/// Judges the tests of a plan.
pub(super) fn judge(plan: &Plan, tables: &Tables, (sources, report): (&mut Sources, &mut Report)) {
    for section in &plan.tests {
        let case: Case = match section.read() {
            Ok(case) => case,
            Err(refused) => {
                report.push(*refused);
                continue;
            }
        };
        let subject = format!("test `{}`", case.name);
        let (mut problems, mut names) = (Vec::new(), Vec::new());
        for fault in case.check(plan, tables) {
            match fault {
                Fault::Value(problem) => problems.push(problem),
                Fault::Name { setting, name, known } => names.push((setting, name, known)),
            }
        }
        super::judge::judge((section, &subject), Ok(problems), &plan.files, (sources, report));
        for (setting, name, known) in names {
            report.push(unknown(section, &subject, (&setting, &name), &known));
        }
    }
}

fn unknown(section: &Section, subject: &str, (setting, name): (&str, &str), known: &[String]) -> Diagnostic {
    let fault = Diagnostic::new(Code::UnknownInput, format!("`{setting}` of {subject} names `{name}`"));
    let fault = fault.at(section.place_of(setting), "no transform has this name");
    let hinted = fault.suggest(name, known.iter().map(String::as_str));
    if !hinted.help.is_empty() || known.is_empty() {
        return hinted;
    }
    let list: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    hinted.help(format!("known here: {}", list.join(", ")))
}
