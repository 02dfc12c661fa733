//! The values of `fields`: any TOML value that JSON has a form for.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::lang::{Template, TemplateError};

/// The settings `fields.NAME`.
pub(super) type Fields = BTreeMap<String, FieldValue>;

/// A constant, or a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldValue(Value);

impl FieldValue {
    /// The template, if it is text with a hole.
    pub(super) fn template(&self) -> Option<Result<Template, TemplateError>> {
        let text = self.0.as_str().filter(|text| text.contains("{{"))?;
        Some(Template::parse_without_dates(text))
    }

    /// The constant's JSON text.
    pub(super) fn json(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        json(value).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Dates become text; `inf` and `nan` have no JSON form.
fn json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Float(number) => {
            let number = serde_json::Number::from_f64(number);
            Value::Number(number.ok_or("JSON has no `inf` and no `nan`: expected another number, or text")?)
        }
        toml::Value::Array(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        toml::Value::Table(members) => {
            let members = members.into_iter().map(|(key, value)| Ok((key, json(value)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
    })
}

impl JsonSchema for FieldValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FieldValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A string, number, boolean, list or table." })
    }
}
