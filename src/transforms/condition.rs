//! The setting `condition`: a VRL program that gives a boolean, as text or in Vector's long form.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::program::{self, Weight};
use crate::component::row::Problem;
use crate::event::View;
use crate::lang::{self, Condition, Runner, TimeZone};

/// A condition as written: `".level == \"debug\""` or `{ type = "vrl", source = "..." }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionText {
    source: String,
    /// Where the program stands below the setting.
    at: &'static str,
}

impl<'de> Deserialize<'de> for ConditionText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |value: &toml::Value| value.as_str().map(str::to_owned);
        let value = toml::Value::deserialize(deserializer)?;
        if let Some(source) = text(&value) {
            return Ok(Self { source, at: "" });
        }
        let is_vrl = value.get("type").and_then(toml::Value::as_str) == Some("vrl");
        match value.get("source").and_then(text) {
            Some(source) if is_vrl => Ok(Self { source, at: ".source" }),
            _ => Err(serde::de::Error::custom("expected a VRL condition: text, or `type = \"vrl\"` and `source`")),
        }
    }
}

impl JsonSchema for ConditionText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A VRL program that changes nothing and gives a boolean.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "type": { "const": "vrl", "description": "The language." },
                        "source": { "type": "string", "description": "The program." },
                    },
                    "required": ["type", "source"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl ConditionText {
    /// The condition of this text.
    pub fn new(source: &str) -> Self {
        Self { source: source.to_owned(), at: "" }
    }

    /// The program.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The faults of the condition in `setting`.
    pub fn check(&self, setting: &str) -> Vec<Problem> {
        let setting = format!("{setting}{}", self.at);
        match lang::compile_condition(&self.source, TimeZone::default()) {
            Ok(condition) => program::problems(&setting, condition.warnings(), Weight::Warning),
            Err(faults) => program::problems(&setting, &faults, Weight::Error),
        }
    }

    /// The condition, ready to be asked; an error is a picture of its faults.
    pub fn compile(&self) -> Result<Condition, String> {
        lang::compile_condition(&self.source, TimeZone::default())
            .map_err(|faults| program::pictures("condition", &faults))
    }
}

/// Asks conditions about the records of a batch, for one lane. One that fails is not met, and counted.
#[derive(Default)]
pub(super) struct Judge {
    runner: Runner,
    failed: usize,
}

impl Judge {
    pub(super) fn is_met(&mut self, condition: &Condition, record: View<'_>) -> bool {
        self.runner.check(condition, &record).unwrap_or_else(|_| {
            self.failed += 1;
            false
        })
    }

    /// How many conditions failed since the last time.
    pub(super) fn take_failed(&mut self) -> usize {
        std::mem::take(&mut self.failed)
    }
}
