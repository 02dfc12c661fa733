//! Puts environment variables into strings.
//!
//! It works on parsed strings only, never on keys and never on the text of a file, so no value can add a setting or end a string.
//!
//! | form | variable unset | variable empty |
//! |---|---|---|
//! | `$NAME`, `${NAME}` | fault | empty |
//! | `${NAME-d}` | `d` | empty |
//! | `${NAME:-d}`, `${NAME:"d"}` | `d` | `d` |
//! | `${NAME?m}` | fault `m` | empty |
//! | `${NAME:?m}` | fault `m` | fault `m` |
//! | `$$` | `$` | `$` |
//!
//! As in a POSIX shell the colon makes "empty" count as "unset". A `$` before anything else stays, as programs and patterns use it.

use super::literal;
use super::tree::{Node, Splice, Text, Value};
use crate::diagnostic::{Code, Diagnostic, Report, Sources};
use std::ops::Range;

/// Where variables come from: the process's environment, or a table in a test.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Interpolates every string of a tree. A string with a fault becomes [`Value::Faulty`].
pub(super) fn interpolate(node: &mut Node, environment: Environment<'_>, sources: &Sources, report: &mut Report) {
    match &mut node.value {
        Value::Text(text) => {
            let faults = match expand(&text.content, environment) {
                Ok(expanded) => {
                    *text = expanded;
                    return;
                }
                Err(faults) => faults,
            };
            for fault in faults {
                report.push(
                    fault
                        .diagnostic()
                        .at(&literal::written_place(sources, &node.place, fault.span.clone()), fault.label()),
                );
            }
            node.value = Value::Faulty;
        }
        Value::Array(items) => {
            for item in items {
                interpolate(item, environment, sources, report);
            }
        }
        Value::Table(table) => {
            for entry in &mut table.entries {
                interpolate(&mut entry.node, environment, sources, report);
            }
        }
        _ => {}
    }
}

/// Something that cannot be replaced, and where it stands in the string.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    span: Range<usize>,
    reason: Reason,
}

#[derive(Debug, PartialEq, Eq)]
enum Reason {
    Unset(String),
    Required(String, String),
    Malformed,
}

impl Fault {
    fn diagnostic(&self) -> Diagnostic {
        match &self.reason {
            Reason::Unset(name) | Reason::Required(name, _) => {
                Diagnostic::new(Code::MissingVariable, format!("the environment variable `{name}` is not set"))
                    .help(format!("set it, or give a default: `${{{name}:-default}}`"))
            }
            Reason::Malformed => Diagnostic::new(Code::BadInterpolation, "an interpolation that cannot be read")
                .help("write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; a literal `${` is `$${`"),
        }
    }

    fn label(&self) -> String {
        match &self.reason {
            Reason::Unset(_) => "no value and no default".to_owned(),
            Reason::Required(_, message) if message.is_empty() => "a value is required".to_owned(),
            Reason::Required(_, message) => message.clone(),
            Reason::Malformed => "expected a name and `}`".to_owned(),
        }
    }
}

/// What stands for a variable without a value.
enum Fallback<'t> {
    Fail,
    FailWith(&'t str),
    Use(&'t str),
}

/// Whether an empty value is a value.
#[derive(PartialEq, Eq)]
enum Empty {
    Counts,
    IsUnset,
}

struct Reference<'t> {
    name: &'t str,
    fallback: Fallback<'t>,
    empty: Empty,
}

impl Reference<'_> {
    fn resolve(&self, environment: Environment<'_>) -> Result<String, Reason> {
        match environment(self.name) {
            Some(value) if !value.is_empty() || self.empty == Empty::Counts => Ok(value),
            _ => match self.fallback {
                Fallback::Use(default) => Ok(default.to_owned()),
                Fallback::FailWith(message) => Err(Reason::Required(self.name.to_owned(), message.to_owned())),
                Fallback::Fail => Err(Reason::Unset(self.name.to_owned())),
            },
        }
    }
}

fn expand(text: &str, environment: Environment<'_>) -> Result<Text, Vec<Fault>> {
    let mut expanded = Text::default();
    let mut faults = Vec::new();
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|found| at + found) {
        expanded.content.push_str(&text[at..dollar]);
        let (replacement, length) = replace(&text[dollar..], environment);
        at = dollar + length;
        let start = expanded.content.len();
        match replacement {
            Ok(Replacement { value, variable }) => {
                expanded.content.push_str(&value);
                expanded.whole = variable.filter(|_| dollar == 0 && at == text.len());
                if text[dollar..at] != value {
                    expanded.splices.push(Splice { written: dollar..at, result: start..expanded.content.len() });
                }
            }
            Err(reason) => faults.push(Fault { span: dollar..at, reason }),
        }
    }
    expanded.content.push_str(&text[at..]);
    if faults.is_empty() { Ok(expanded) } else { Err(faults) }
}

struct Replacement {
    value: String,
    variable: Option<String>,
}

/// What the text that begins with a dollar sign stands for, and how many bytes of it are used up.
fn replace(text: &str, environment: Environment<'_>) -> (Result<Replacement, Reason>, usize) {
    let keep = || Ok(Replacement { value: "$".to_owned(), variable: None });
    if text.starts_with("$$") {
        return (keep(), 2);
    }
    let Some((reference, length)) = reference(text) else {
        // An open brace is meant as an interpolation; a lone dollar sign is not.
        return if text.starts_with("${") {
            (Err(Reason::Malformed), text.find('}').map_or(text.len(), |end| end + 1))
        } else {
            (keep(), 1)
        };
    };
    let value = reference.resolve(environment);
    (value.map(|value| Replacement { value, variable: Some(reference.name.to_owned()) }), length)
}

fn reference(text: &str) -> Option<(Reference<'_>, usize)> {
    let Some(inner) = text.strip_prefix("${") else {
        let name = name(&text[1..], |byte| byte.is_ascii_alphanumeric() || byte == b'_')?;
        return Some((Reference { name, fallback: Fallback::Fail, empty: Empty::Counts }, 1 + name.len()));
    };
    // Orchestrators allow dots in names; between braces nothing else can be meant.
    let name = name(inner, |byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')?;
    let (fallback, empty, rest) = fallback(&inner[name.len()..])?;
    Some((Reference { name, fallback, empty }, text.len() - rest.len()))
}

/// What stands between the name and the closing brace, and the text behind the brace.
fn fallback(text: &str) -> Option<(Fallback<'_>, Empty, &str)> {
    if let Some(quoted) = text.strip_prefix(":\"") {
        let (default, rest) = quoted.split_once("\"}")?;
        return Some((Fallback::Use(default), Empty::IsUnset, rest));
    }
    let (inner, rest) = text.split_once('}')?;
    let (empty, inner) = inner.strip_prefix(':').map_or((Empty::Counts, inner), |inner| (Empty::IsUnset, inner));
    let fallback = match inner.as_bytes().first() {
        Some(b'-') => Fallback::Use(&inner[1..]),
        Some(b'?') => Fallback::FailWith(&inner[1..]),
        None if empty == Empty::Counts => Fallback::Fail,
        _ => return None,
    };
    Some((fallback, empty, rest))
}

fn name(text: &str, belongs: impl Fn(u8) -> bool) -> Option<&str> {
    let first = *text.as_bytes().first()?;
    let length = text.bytes().take_while(|byte| belongs(*byte)).count();
    (first.is_ascii_alphabetic() || first == b'_').then(|| &text[..length])
}

#[cfg(test)]
mod tests;
