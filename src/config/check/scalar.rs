//! Strings, numbers and truth values; and the variables that become them.

use super::{Schema, Walk, allows, found, listed, split_list};
use crate::component::size::{parse_share, parse_size};
use crate::config::quantity::parse_duration;
use crate::config::tree::{Node, Text, Value};
use crate::diagnostic::{Code, Diagnostic, Place};
use serde_json::Value as Json;

impl Walk<'_> {
    pub(super) fn scalar(&mut self, node: &Node, schema: &Schema<'_>, types: &[&str]) -> Option<toml::Value> {
        match &node.value {
            Value::Text(text) if text.whole.is_some() => self.variable(node, text, schema),
            Value::Text(text) if allows(types, "string") => self.text(node, text, schema),
            Value::Integer(number) if allows(types, "integer") => {
                self.range(node, *number as f64, schema)?;
                Some(toml::Value::Integer(*number))
            }
            Value::Integer(number) if types.contains(&"number") => {
                self.range(node, *number as f64, schema)?;
                Some(toml::Value::Float(*number as f64))
            }
            Value::Float(number) if allows(types, "number") => {
                self.range(node, *number, schema)?;
                Some(toml::Value::Float(*number))
            }
            Value::Boolean(truth) if allows(types, "boolean") => Some(toml::Value::Boolean(*truth)),
            Value::Datetime(_) if types.is_empty() => node.to_toml(),
            _ => self.wrong_type(node, &schema.expected()),
        }
    }

    /// Whoever can read the file, its history or a copy of it has the secret.
    fn plain_secret(&mut self, node: &Node) {
        let (name, subject) = (self.name(), self.subject.to_string());
        self.report.push(plain_secret((&name, &subject), &node.place));
    }

    /// A string that is one variable: read it as the type of the setting.
    fn variable(&mut self, node: &Node, text: &Text, schema: &Schema<'_>) -> Option<toml::Value> {
        let types = schema.types();
        let value = text.content.trim();
        let typed = |value: Value| Node { place: node.place.clone(), value };
        if allows(&types, "integer")
            && !types.is_empty()
            && let Ok(number) = value.parse()
        {
            return self.plain(&typed(Value::Integer(number)), schema);
        }
        if types.contains(&"number")
            && let Ok(number) = value.parse()
        {
            return self.plain(&typed(Value::Float(number)), schema);
        }
        if types.contains(&"boolean")
            && let Ok(truth) = value.parse()
        {
            return self.plain(&typed(Value::Boolean(truth)), schema);
        }
        if allows(&types, "string") {
            return self.text(node, text, schema);
        }
        if types.contains(&"array") && !text.has_secret() {
            let items: Vec<_> = split_list(value).map(|part| with_text(node, text, part)).collect();
            return self.plain(&typed(Value::Array(items)), schema);
        }
        self.wrong_type(node, &schema.expected())
    }

    fn text(&mut self, node: &Node, text: &Text, schema: &Schema<'_>) -> Option<toml::Value> {
        if schema.is_secret() && text.splices.is_empty() && !text.content.is_empty() {
            self.plain_secret(node);
        }
        let length = text.content.chars().count() as f64;
        if schema.number("minLength").is_some_and(|least| length < least) {
            if length == 0.0 {
                self.empty(node, "expected some text")?;
            }
            return self.bad_text(node, "a longer text");
        }
        if schema.number("maxLength").is_some_and(|most| length > most) {
            return self.bad_text(node, "a shorter text");
        }
        let well_formed = match schema.format() {
            Some("byte-size") => match parse_size(&text.content) {
                Some(bytes) => {
                    self.range(node, bytes as f64, schema)?;
                    true
                }
                None => false,
            },
            Some("duration") => parse_duration(&text.content).is_some(),
            Some("share") => parse_share(&text.content).is_some(),
            _ => true,
        };
        if !well_formed {
            return self.bad_text(node, &schema.expected());
        }
        Some(toml::Value::String(text.content.clone()))
    }

    fn bad_text<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let message = format!("`{}` in {} cannot be read", self.name(), self.subject);
        let what = match &node.value {
            Value::Text(text) if text.whole.is_none() && text.splices.is_empty() => {
                format!("{:?}", text.content)
            }
            _ => found(node),
        };
        self.fault(
            Diagnostic::new(Code::BadFormat, message).at(&node.place, format!("expected {expected}, found {what}")),
        )
    }

    fn range(&mut self, node: &Node, number: f64, schema: &Schema<'_>) -> Option<()> {
        let (width_least, width_most) = schema.format().and_then(width).unzip();
        let at_least = schema.number("minimum").or(width_least);
        let at_most = schema.number("maximum").or(width_most);
        let expected = match (at_least, at_most, schema.number("exclusiveMinimum"), schema.number("exclusiveMaximum")) {
            (Some(least), Some(most), ..) if number < least || number > most => {
                format!("between {least} and {most}")
            }
            (Some(least), ..) if number < least => format!("at least {least}"),
            (_, Some(most), ..) if number > most => format!("at most {most}"),
            (.., Some(floor), _) if number <= floor => format!("more than {floor}"),
            (.., Some(ceiling)) if number >= ceiling => format!("less than {ceiling}"),
            _ if number.is_nan() => "a number".to_owned(),
            _ => return Some(()),
        };
        let message = format!("`{}` in {} is out of range", self.name(), self.subject);
        self.fault(Diagnostic::new(Code::OutOfRange, message).at(&node.place, format!("expected {expected}")))
    }

    pub(super) fn constant(&mut self, node: &Node, constants: &[&Json]) -> Option<toml::Value> {
        let value = match &node.value {
            Value::Text(text) => Json::String(text.content.clone()),
            Value::Integer(number) => Json::from(*number),
            Value::Boolean(truth) => Json::from(*truth),
            Value::Float(number) => Json::from(*number),
            _ => Json::Null,
        };
        if constants.contains(&&value) {
            return node.to_toml();
        }
        let names: Vec<String> = constants.iter().map(|constant| shown(constant)).collect();
        let Json::String(written) = value else {
            return self.wrong_type(node, &format!("one of {}", listed(names.iter().map(String::as_str))));
        };
        self.not_allowed(node, &written, &names)
    }

    pub(super) fn not_allowed<T>(&mut self, node: &Node, written: &str, names: &[String]) -> Option<T> {
        if self.tell_value(node, written) {
            return None;
        }
        let message = format!("`{}` in {} has a value that is not allowed", self.name(), self.subject);
        let list = listed(names.iter().map(String::as_str));
        let fault = Diagnostic::new(Code::NotAllowed, message).at(&node.place, format!("expected one of {list}"));
        self.fault(fault.suggest(written, names.iter().map(String::as_str)))
    }
}

/// The warning that a setting of `subject` holds a secret.
pub(in crate::config) fn plain_secret((setting, subject): (&str, &str), place: &Place) -> Diagnostic {
    let message = format!("`{setting}` in {subject} is a secret in plain text");
    let fault = Diagnostic::new(Code::PlainSecret, message).at(place, "anyone who reads this file has it");
    let fault = fault.help("take it from a variable of the environment: `\"${NAME}\"`");
    fault.help("or from a secret backend, `[secret.NAME]`: `\"SECRET[NAME.key]\"`")
}

/// A piece of a variable, as a variable of its own.
pub(super) fn with_text(node: &Node, whole: &Text, part: &str) -> Node {
    let text = Text { content: part.to_owned(), ..whole.clone() };
    Node { place: node.place.clone(), value: Value::Text(text) }
}

/// The range of the integer formats that carry no bounds of their own in a schema.
fn width(format: &str) -> Option<(f64, f64)> {
    Some(match format {
        "uint8" => (0.0, f64::from(u8::MAX)),
        "uint16" => (0.0, f64::from(u16::MAX)),
        "uint32" => (0.0, f64::from(u32::MAX)),
        "int8" => (f64::from(i8::MIN), f64::from(i8::MAX)),
        "int16" => (f64::from(i16::MIN), f64::from(i16::MAX)),
        "int32" => (f64::from(i32::MIN), f64::from(i32::MAX)),
        _ => return None,
    })
}

fn shown(constant: &Json) -> String {
    constant.as_str().map_or_else(|| constant.to_string(), str::to_owned)
}
