//! Walks a tree against a schema: every fault with its place, and, where there is none, plain values for serde.
//!
//! The walk goes on after a fault. A value with a fault yields nothing, and so does the table around it.

use super::moved::LIST;
use super::schema::{Others, Schema};
use super::tree::{Entry, Node, Table, Value};
use crate::diagnostic::{Code, Diagnostic, Report, closest};

mod choice;
mod moved;
mod scalar;
mod stand_in;

pub(super) use moved::Subject;
pub(super) use scalar::plain_secret;

/// The settings of a table that satisfies the schema; None if something is wrong, which is then in the report.
/// `subject` says in messages whose settings they are, such as ``source `app` ``.
pub(super) fn check<'a>(
    node: &Node,
    schema: &Schema<'_>,
    subject: impl Into<Subject<'a>>,
    report: &mut Report,
) -> Option<toml::Value> {
    Walk { report, subject: subject.into(), path: Vec::new() }.value(node, schema)
}

struct Walk<'a> {
    report: &'a mut Report,
    subject: Subject<'a>,
    path: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, node: &Node, schema: &Schema<'_>) -> Option<toml::Value> {
        match &node.value {
            Value::Faulty => return None,
            Value::Text(text) if text.is_stand_in => return self.stand_in(node, text, schema),
            _ => {}
        }
        let alternatives = schema.alternatives();
        match alternatives.as_slice() {
            [] => self.plain(node, schema),
            // Of another type no setting is known.
            [_] if Schema::tag_of(&alternatives).is_some() => self.choice(node, &alternatives),
            [only] => self.value(node, only),
            many => self.choice(node, many),
        }
    }

    fn plain(&mut self, node: &Node, schema: &Schema<'_>) -> Option<toml::Value> {
        if let Some(constants) = schema.constants() {
            return self.constant(node, &constants);
        }
        let types = schema.types();
        match &node.value {
            Value::Table(table) if allows(&types, "object") => self.table(node, table, schema),
            Value::Array(items) if allows(&types, "array") => self.array(node, items, schema),
            _ => self.scalar(node, schema, &types),
        }
    }

    fn table(&mut self, node: &Node, table: &Table, schema: &Schema<'_>) -> Option<toml::Value> {
        let properties = schema.properties();
        let others = schema.others();
        let mut settings = Some(toml::Table::new());
        for entry in &table.entries {
            self.path.push(entry.key.clone());
            let value = match (properties.get(entry.key.as_str()), &others) {
                (Some(schema), _) | (None, Others::Like(schema)) => self.value(&entry.node, schema),
                (None, Others::Refused) => {
                    let is_left_out = self.is_left_out(entry, properties.keys().copied());
                    self.path.pop();
                    settings = settings.filter(|_| is_left_out);
                    continue;
                }
            };
            self.path.pop();
            settings = settings.zip(value).map(|(mut settings, value)| {
                settings.insert(entry.key.clone(), value);
                settings
            });
        }
        let missing: Vec<_> = schema.required().into_iter().filter(|name| table.get(name).is_none()).collect();
        // A misspelt setting is one fault, not an unknown and a missing one.
        let unknown = table.entries.iter().filter(|entry| !properties.contains_key(entry.key.as_str()));
        let meant: Vec<_> = unknown.filter_map(|entry| closest(&entry.key, properties.keys().copied())).collect();
        for name in missing.iter().filter(|name| !meant.contains(name)) {
            self.missing(node, name, properties.get(name));
        }
        settings.filter(|_| missing.is_empty()).map(toml::Value::Table)
    }

    fn unknown<'s>(&mut self, entry: &Entry, names: impl Iterator<Item = &'s str> + Clone) {
        let message = format!("unknown setting `{}` in {}", self.name(), self.subject);
        let fault = Diagnostic::new(Code::UnknownSetting, message).at(&entry.key_place, "there is no such setting");
        let hinted = fault.suggest(&entry.key, names.clone());
        let list = listed(names);
        let told = if hinted.help.is_empty() && !list.is_empty() {
            hinted.help(format!("known here: {list}"))
        } else {
            hinted
        };
        self.report.push(told);
    }

    fn missing(&mut self, node: &Node, name: &str, schema: Option<&Schema<'_>>) {
        self.path.push(name.to_owned());
        let message = format!("missing setting `{}` in {}", self.name(), self.subject);
        self.path.pop();
        let expected = schema.map_or_else(|| "a value".to_owned(), Schema::expected);
        let fault = Diagnostic::new(Code::MissingSetting, message)
            .at(&node.place, format!("expected `{name}` here: {expected}"));
        let about = schema.and_then(Schema::description);
        self.report.push(about.into_iter().fold(fault, |fault, text| fault.help(format!("`{name}`: {text}"))));
    }

    fn array(&mut self, node: &Node, items: &[Node], schema: &Schema<'_>) -> Option<toml::Value> {
        let mut values = Some(Vec::new());
        for (index, item) in items.iter().enumerate() {
            self.path.push(format!("[{index}]"));
            let checked = self.item(item, &schema.item(index));
            self.path.pop();
            values = values.zip(checked).map(|(mut values, more)| {
                values.extend(more);
                values
            });
        }
        let values = values?;
        self.length(node, values.len(), schema)?;
        Some(toml::Value::Array(values))
    }

    /// The values of one written item: several, if it is a variable that holds a list.
    fn item(&mut self, item: &Node, schema: &Schema<'_>) -> Option<Vec<toml::Value>> {
        match &item.value {
            // A comma is part of a secret.
            Value::Text(text) if text.whole.is_some() && !text.has_secret() => {
                split_list(&text.content).map(|part| self.value(&scalar::with_text(item, text, part), schema)).collect()
            }
            _ => Some(vec![self.value(item, schema)?]),
        }
    }

    fn length(&mut self, node: &Node, length: usize, schema: &Schema<'_>) -> Option<()> {
        let least = schema.number("minItems").unwrap_or(0.0);
        let most = schema.number("maxItems").unwrap_or(f64::INFINITY);
        if (least..=most).contains(&(length as f64)) {
            return Some(());
        }
        if length == 0 {
            return self.empty(node, "expected at least one item");
        }
        let message = format!("`{}` in {} has the wrong number of items", self.name(), self.subject);
        let bounds = if (length as f64) < least { format!("at least {least}") } else { format!("at most {most}") };
        self.fault(
            Diagnostic::new(Code::OutOfRange, message)
                .at(&node.place, format!("expected {bounds} items, found {length}")),
        )
    }

    fn empty(&mut self, node: &Node, expected: &str) -> Option<()> {
        let message = format!("`{}` in {} is empty", self.name(), self.subject);
        self.fault(Diagnostic::new(Code::Empty, message).at(&node.place, expected))
    }

    fn wrong_type<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let is_list = matches!(node.value, Value::Array(_));
        if self.tell_table(node) || is_list && self.tell_value(node, LIST) {
            return None;
        }
        let message = format!("wrong type of `{}` in {}", self.name(), self.subject);
        let label = format!("expected {expected}, found {}", found(node));
        self.fault(Diagnostic::new(Code::WrongType, message).at(&node.place, label))
    }

    fn fault<T>(&mut self, fault: Diagnostic) -> Option<T> {
        self.report.push(fault);
        None
    }

    /// The setting being looked at, such as `bulk.index` or `endpoints[0]`.
    fn name(&self) -> String {
        let mut name = String::new();
        for step in &self.path {
            if !name.is_empty() && !step.starts_with('[') {
                name.push('.');
            }
            name.push_str(step);
        }
        name
    }
}

/// The items of a variable that stands in a list.
pub(super) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// What stands there. The value of a variable is never shown, since it may be a secret.
fn found(node: &Node) -> String {
    match &node.value {
        Value::Text(text) if text.whole.is_some() => {
            format!("the value of `{}`", text.whole.as_deref().unwrap_or_default())
        }
        _ => node.describe().to_owned(),
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn allows(types: &[&str], name: &str) -> bool {
    types.is_empty() || types.contains(&name)
}

#[cfg(test)]
mod tests;
