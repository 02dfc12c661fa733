//! A setting with several forms: named constants, tables told apart by a tag, or values of different types.

use super::{Schema, Walk, allows};
use crate::config::tree::{Node, Table, Value};
use crate::diagnostic::{Code, Diagnostic, Report, Severity};

impl Walk<'_> {
    pub(super) fn choice(&mut self, node: &Node, alternatives: &[Schema<'_>]) -> Option<toml::Value> {
        if let Value::Table(table) = &node.value
            && let Some(tag) = Schema::tag_of(alternatives)
        {
            return self.tagged((node, table), alternatives, tag);
        }
        let (constant, free): (Vec<_>, Vec<_>) = alternatives.iter().partition(|choice| choice.constants().is_some());
        let fitting: Vec<_> = free.into_iter().filter(|choice| fits(node, choice)).collect();
        match fitting.as_slice() {
            [] if !constant.is_empty() && matches!(node.value, Value::Text(_)) => {
                let all: Vec<_> = constant.iter().filter_map(|choice| choice.constants()).flatten().collect();
                self.constant(node, &all)
            }
            [] => {
                let words: Vec<_> = alternatives.iter().map(Schema::expected).collect();
                self.wrong_type(node, &unique(words).join(" or "))
            }
            [only] => self.value(node, only),
            several => self.best(node, several),
        }
    }

    fn tagged(
        &mut self,
        (node, table): (&Node, &Table),
        alternatives: &[Schema<'_>],
        tag: &str,
    ) -> Option<toml::Value> {
        let names: Vec<String> = alternatives.iter().filter_map(|choice| tag_value(choice, tag)).collect();
        let Some(entry) = table.get(tag) else {
            self.path.push(tag.to_owned());
            let message = format!("missing setting `{}` in {}", self.name(), self.subject);
            self.path.pop();
            let list = super::listed(names.iter().map(String::as_str));
            let fault = Diagnostic::new(Code::MissingSetting, message);
            return self.fault(fault.at(&node.place, format!("expected `{tag}` here: one of {list}")));
        };
        let Value::Text(text) = &entry.node.value else {
            return self.tag_fault(tag, |walk| walk.wrong_type(&entry.node, "a string"), &entry.node);
        };
        match alternatives.iter().find(|choice| tag_value(choice, tag).as_ref() == Some(&text.content)) {
            Some(choice) => self.plain(node, choice),
            None => self.tag_fault(tag, |walk| walk.not_allowed(&entry.node, &text.content, &names), &entry.node),
        }
    }

    fn tag_fault(
        &mut self,
        tag: &str,
        report: impl FnOnce(&mut Self) -> Option<toml::Value>,
        node: &Node,
    ) -> Option<toml::Value> {
        if matches!(node.value, Value::Faulty) {
            return None;
        }
        self.path.push(tag.to_owned());
        let none = report(self);
        self.path.pop();
        none
    }

    /// The first form without a fault, else the faults of the form that has the fewest.
    fn best(&mut self, node: &Node, several: &[&Schema<'_>]) -> Option<toml::Value> {
        let mut fewest: Option<Report> = None;
        for choice in several {
            let mut report = Report::default();
            let value =
                Walk { report: &mut report, subject: self.subject, path: self.path.clone() }.value(node, choice);
            if value.is_some() {
                return value;
            }
            if fewest.as_ref().is_none_or(|best| report.count(Severity::Error) < best.count(Severity::Error)) {
                fewest = Some(report);
            }
        }
        self.report.append(fewest.unwrap_or_default());
        None
    }
}

fn tag_value(choice: &Schema<'_>, tag: &str) -> Option<String> {
    let constants = choice.properties().remove(tag)?.constants()?;
    constants.first()?.as_str().map(str::to_owned)
}

/// Whether the value could be of this form, by its type alone; a variable can become anything but a table.
fn fits(node: &Node, schema: &Schema<'_>) -> bool {
    let alternatives = schema.alternatives();
    if !alternatives.is_empty() {
        return alternatives.iter().any(|choice| fits(node, choice));
    }
    let types = schema.types();
    let names: &[&str] = match &node.value {
        Value::Text(text) if text.whole.is_some() => &["string", "integer", "number", "boolean", "array"],
        Value::Text(_) => &["string"],
        Value::Integer(_) => &["integer", "number"],
        Value::Float(_) => &["number"],
        Value::Boolean(_) => &["boolean"],
        Value::Array(_) => &["array"],
        Value::Table(_) => &["object"],
        Value::Datetime(_) | Value::Faulty => &[],
    };
    names.iter().any(|name| allows(&types, name))
}

fn unique(words: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for word in words {
        if !kept.contains(&word) {
            kept.push(word);
        }
    }
    kept
}
