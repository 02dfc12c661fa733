//! Puts environment variables and secrets into strings.
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
//! `SECRET[backend.key]` is what the backend holds.
//!
//! As in a POSIX shell the colon makes "empty" count as "unset". A `$` before anything else stays, as programs and patterns use it.

use super::literal;
use super::secret::{self, Found, Missing, Secrets};
use super::tree::{Node, Splice, Text, Value};
use crate::diagnostic::{Code, Diagnostic, Report, Sources};
use std::ops::Range;

/// Where variables come from: the process's environment, or a table in a test.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What references stand for.
#[derive(Clone, Copy)]
pub(super) struct Outside<'a> {
    pub(super) environment: Environment<'a>,
    pub(super) secrets: &'a Secrets,
}

/// Interpolates every string of a tree. A string with a fault becomes [`Value::Faulty`].
pub(super) fn interpolate(node: &mut Node, outside: Outside<'_>, sources: &Sources, report: &mut Report) {
    match &mut node.value {
        Value::Text(text) => {
            let faults = match expand(&text.content, outside) {
                Ok(expanded) => {
                    *text = expanded;
                    return;
                }
                Err(faults) => faults,
            };
            for fault in faults.iter().filter(|fault| fault.reason != Reason::Secret(Missing::Told)) {
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
                interpolate(item, outside, sources, report);
            }
        }
        Value::Table(table) => {
            for entry in &mut table.entries {
                interpolate(&mut entry.node, outside, sources, report);
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
    MalformedSecret,
    Secret(Missing),
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
            Reason::MalformedSecret => Diagnostic::new(Code::BadInterpolation, "a secret that cannot be read")
                .help("write `SECRET[backend.key]`, by itself and not as the default of a variable"),
            Reason::Secret(Missing::Backend(known)) if known.is_empty() => {
                Diagnostic::new(Code::UnknownSecret, "there is no secret backend")
                    .help("declare one: `[secret.NAME]` with `type`: `file`, `directory`, `exec` or `vault`")
            }
            Reason::Secret(Missing::Backend(known)) => {
                let list: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                Diagnostic::new(Code::UnknownSecret, "there is no such secret backend")
                    .help(format!("the backends are {}", list.join(", ")))
            }
            Reason::Secret(_) => Diagnostic::new(Code::NoSecret, "a secret cannot be had from its backend"),
        }
    }

    fn label(&self) -> String {
        match &self.reason {
            Reason::Unset(_) => "no value and no default".to_owned(),
            Reason::Required(_, message) if message.is_empty() => "a value is required".to_owned(),
            Reason::Required(_, message) => message.clone(),
            Reason::Malformed => "expected a name and `}`".to_owned(),
            Reason::MalformedSecret => "expected a backend, a dot, a key and `]`".to_owned(),
            Reason::Secret(Missing::Backend(_)) => "no `[secret.NAME]` has this name".to_owned(),
            Reason::Secret(Missing::Key(why)) => why.clone(),
            Reason::Secret(Missing::Told) => String::new(),
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
    fn resolve(&self, environment: Environment<'_>) -> Result<(String, From), Reason> {
        match environment(self.name) {
            Some(value) if !value.is_empty() || self.empty == Empty::Counts => Ok((value, From::Variable)),
            _ => match self.fallback {
                Fallback::Use(default) => Ok((default.to_owned(), From::Default)),
                Fallback::FailWith(message) => Err(Reason::Required(self.name.to_owned(), message.to_owned())),
                Fallback::Fail => Err(Reason::Unset(self.name.to_owned())),
            },
        }
    }
}

fn expand(text: &str, outside: Outside<'_>) -> Result<Text, Vec<Fault>> {
    let mut expanded = Text::default();
    let mut faults = Vec::new();
    let mut at = 0;
    while let Some(opening) = opening(&text[at..]).map(|found| at + found) {
        expanded.content.push_str(&text[at..opening]);
        let (replacement, length) = match &text[opening..] {
            variable if variable.starts_with('$') => replace(variable, outside.environment),
            secret => reveal(secret, outside.secrets),
        };
        at = opening + length;
        let start = expanded.content.len();
        match replacement {
            Ok(Replacement { value, name, from }) => {
                expanded.content.push_str(&value);
                expanded.whole = name.filter(|_| opening == 0 && at == text.len());
                expanded.is_stand_in |= from == From::StandIn;
                let is_secret = matches!(from, From::Secret | From::StandIn);
                let secret = is_secret.then(|| text[opening..at].to_owned());
                if is_secret || text[opening..at] != value {
                    let (result, is_default) = (start..expanded.content.len(), from == From::Default);
                    expanded.splices.push(Splice { written: opening..at, result, secret, is_default });
                }
            }
            Err(reason) => faults.push(Fault { span: opening..at, reason }),
        }
    }
    expanded.content.push_str(&text[at..]);
    if faults.is_empty() { Ok(expanded) } else { Err(faults) }
}

/// Where the next variable or secret begins.
fn opening(text: &str) -> Option<usize> {
    let variable = text.find('$');
    let secret = text[..variable.unwrap_or(text.len())].find(secret::OPENING);
    secret.or(variable)
}

struct Replacement {
    value: String,
    /// The variable, or the reference as it is written.
    name: Option<String>,
    from: From,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Variable,
    Default,
    Secret,
    StandIn,
}

/// What the reference to a secret that the text begins with stands for. A stand-in is the reference itself: it fits into
/// texts and programs as the value will.
fn reveal(text: &str, secrets: &Secrets) -> (Result<Replacement, Reason>, usize) {
    let Some((reference, length)) = secret::reference(text) else {
        return (Err(Reason::MalformedSecret), text.find(']').map_or(text.len(), |end| end + 1));
    };
    let written = text[..length].to_owned();
    let found = secrets.get(&reference).map(|found| match found {
        Found::Value(value) => Replacement { value, name: Some(written), from: From::Secret },
        Found::StandIn => Replacement { value: written.clone(), name: Some(written), from: From::StandIn },
    });
    (found.map_err(Reason::Secret), length)
}

/// What the text that begins with a dollar sign stands for, and how many bytes of it are used up.
fn replace(text: &str, environment: Environment<'_>) -> (Result<Replacement, Reason>, usize) {
    let keep = || Ok(Replacement { value: "$".to_owned(), name: None, from: From::Variable });
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
    let name = Some(reference.name.to_owned());
    let value = match reference.fallback {
        Fallback::Use(default) if default.contains(secret::OPENING) => Err(Reason::MalformedSecret),
        _ => reference.resolve(environment),
    };
    (value.map(|(value, from)| Replacement { value, name, from }), length)
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
