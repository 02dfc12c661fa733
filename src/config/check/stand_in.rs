//! Values for secrets that were not asked for: what any value of the setting would be, where the setting can hold one.

use super::{Schema, Walk, allows};
use crate::config::tree::{Node, Text};
use crate::diagnostic::{Report, Severity};
use serde_json::Value as Json;

/// Bytes that are enough for any key.
const KEY: usize = 64;

impl Walk<'_> {
    pub(super) fn stand_in(&mut self, node: &Node, text: &Text, schema: &Schema<'_>) -> Option<toml::Value> {
        let alternatives = schema.alternatives();
        if !alternatives.is_empty() {
            let fitting = alternatives.iter().find_map(|choice| self.silently(node, text, choice));
            return fitting.or_else(|| self.wrong_type(node, &schema.expected()));
        }
        if let Some(constants) = schema.constants() {
            return constants.first().and_then(|constant| toml::Value::try_from(*constant).ok());
        }
        let types = schema.types();
        if allows(&types, "string") {
            return Some(toml::Value::String(match schema.format() {
                Some("byte-size") => (number(schema) as u64).to_string(),
                Some("duration") => "1s".to_owned(),
                _ if schema.is_secret() => text.content.repeat(KEY.div_ceil(text.content.len())),
                _ => text.content.clone(),
            }));
        }
        let is_whole = text.whole.is_some();
        match types.first() {
            Some(&"integer") if is_whole => Some(toml::Value::Integer(number(schema) as i64)),
            Some(&"number") if is_whole => Some(toml::Value::Float(number(schema))),
            Some(&"boolean") if is_whole => Some(toml::Value::Boolean(true)),
            _ => self.wrong_type(node, &schema.expected()),
        }
    }

    fn silently(&self, node: &Node, text: &Text, schema: &Schema<'_>) -> Option<toml::Value> {
        let mut report = Report::default();
        let value =
            Walk { report: &mut report, subject: self.subject, path: self.path.clone() }.stand_in(node, text, schema);
        value.filter(|_| report.count(Severity::Error) == 0)
    }
}

/// A number that the schema allows.
fn number(schema: &Schema<'_>) -> f64 {
    let least = schema.number("minimum").or(schema.number("exclusiveMinimum").map(|floor| floor + 1.0));
    let most = schema.number("maximum").unwrap_or(f64::INFINITY);
    let default = schema.default_value().and_then(Json::as_f64);
    default.unwrap_or_else(|| least.unwrap_or(1.0).max(1.0)).min(most)
}
