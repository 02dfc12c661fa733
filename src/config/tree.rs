//! A parsed file as an owned tree in which every key and value knows its place.
//!
//! The parser's own tree borrows the text and orders keys by name; here entries stand as they were written, so that faults come in
//! reading order and files can be merged.

use crate::component::mask::STARS;
use crate::diagnostic::{Code, Diagnostic, FileId, Place, Report};
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

/// A value and where it stands. A table stands at its header, or at its key if it has none.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where the value is written.
    pub(super) place: Place,
    /// The value.
    pub(super) value: Value,
}

/// What a file can hold.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A string.
    Text(Text),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date, a time or both.
    Datetime(Datetime),
    /// A list, or an array of tables.
    Array(Vec<Node>),
    /// A table in any of its notations.
    Table(Table),
    /// A value whose fault is already reported; later phases pass over it.
    Faulty,
}

/// A string with what interpolation did to it.
#[derive(Clone, Default)]
pub(super) struct Text {
    /// The string as the settings see it.
    pub(super) content: String,
    /// The variable, if the string is one single interpolation: it then takes the type of its setting.
    pub(super) whole: Option<String>,
    /// What was replaced, in order.
    pub(super) splices: Vec<Splice>,
    /// Is a part of the content not known, since the secret in it was not asked for?
    pub(super) is_stand_in: bool,
}

impl Text {
    /// Is a secret part of it?
    pub(super) fn has_secret(&self) -> bool {
        self.splices.iter().any(|splice| splice.secret.is_some())
    }
}

/// What came from outside may be a secret.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.splices.is_empty() { self.content.fmt(f) } else { f.write_str(STARS) }
    }
}

/// A replaced stretch of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    /// The stretch in the string as parsed.
    pub(super) written: Range<usize>,
    /// The stretch in the string after interpolation.
    pub(super) result: Range<usize>,
    /// The reference as it is written, if it is a secret of a backend.
    pub(super) secret: Option<String>,
    /// Is it the default of a variable, which stands in the file?
    pub(super) is_default: bool,
}

/// Keys and values in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// The entries; no key stands twice.
    pub(super) entries: Vec<Entry>,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key is written first.
    pub(super) key_place: Place,
    /// The value.
    pub(super) node: Node,
}

impl Table {
    /// The entry of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }
}

impl Node {
    /// The value in a person's words, with its article.
    pub(super) const fn describe(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
            Value::Faulty => "a faulty value",
        }
    }

    /// The value of a setting such as `bulk.index` or `fields[0]`, or the closest one around it that is written, and
    /// what is left of the path then. A key may have dots in it: the longest that fits counts.
    pub(super) fn follow<'p>(&self, path: &'p str) -> (&Self, &'p str) {
        let path = path.strip_prefix('.').unwrap_or(path);
        let next = match &self.value {
            Value::Table(table) => {
                table.entries.iter().filter_map(|entry| Some((&entry.node, after(&entry.key, path)?)))
            }
            Value::Array(items) => return index(items, path).map_or((self, path), |(item, rest)| item.follow(rest)),
            _ => return (self, path),
        };
        let longest = next.min_by_key(|(_, rest)| rest.len());
        longest.map_or((self, path), |(node, rest)| node.follow(rest))
    }

    /// The value without places; None if a part of it is faulty.
    pub(super) fn to_toml(&self) -> Option<toml::Value> {
        Some(match &self.value {
            Value::Text(text) => toml::Value::String(text.content.clone()),
            Value::Integer(number) => toml::Value::Integer(*number),
            Value::Float(number) => toml::Value::Float(*number),
            Value::Boolean(truth) => toml::Value::Boolean(*truth),
            Value::Datetime(time) => toml::Value::Datetime(*time),
            Value::Array(items) => toml::Value::Array(items.iter().map(Self::to_toml).collect::<Option<_>>()?),
            Value::Table(table) => toml::Value::Table(
                table
                    .entries
                    .iter()
                    .map(|entry| Some((entry.key.clone(), entry.node.to_toml()?)))
                    .collect::<Option<_>>()?,
            ),
            Value::Faulty => return None,
        })
    }

    /// Does `is_it` hold for any string in the value?
    pub(super) fn any_text(&self, is_it: fn(&Text) -> bool) -> bool {
        let mut found = false;
        self.for_each_text(&mut |text| found |= is_it(text));
        found
    }

    /// Calls `visit` for every string in the value.
    pub(super) fn for_each_text(&self, visit: &mut dyn FnMut(&Text)) {
        match &self.value {
            Value::Text(text) => visit(text),
            Value::Array(items) => items.iter().for_each(|item| item.for_each_text(visit)),
            Value::Table(table) => table.entries.iter().for_each(|entry| entry.node.for_each_text(visit)),
            _ => {}
        }
    }
}

/// What follows `key` in a path that begins with it.
fn after<'p>(key: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(key).filter(|_| !key.is_empty())?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// The item that a path such as `[0].name` begins with, and the rest of the path.
fn index<'n, 'p>(items: &'n [Node], path: &'p str) -> Option<(&'n Node, &'p str)> {
    let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((items.get(number.parse::<usize>().ok()?)?, rest))
}

/// Makes the tree of one file. The depth of the recursion is bounded by the parser's limit on nesting.
pub(super) fn plant(file: FileId, root: &Spanned<DeTable<'_>>, report: &mut Report) -> Node {
    let mut planter = Planter { file, report };
    Node { place: planter.place(root.span()), value: Value::Table(planter.table(root.get_ref())) }
}

struct Planter<'a> {
    file: FileId,
    report: &'a mut Report,
}

impl Planter<'_> {
    const fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file, span }
    }

    fn table(&mut self, table: &DeTable<'_>) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_place: self.place(key.span()),
                node: self.node(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_place.span.start);
        Table { entries }
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(Text { content: text.to_string(), ..Text::default() }),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                self.number(parsed.map(Value::Integer).ok(), number, &place)
            }
            DeValue::Float(number) => self.number(number.as_str().parse().map(Value::Float).ok(), number, &place),
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Datetime(time) => Value::Datetime(*time),
            DeValue::Array(items) => Value::Array(items.iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { place, value }
    }

    fn number(&mut self, parsed: Option<Value>, written: &impl fmt::Display, place: &Place) -> Value {
        parsed.unwrap_or_else(|| {
            let fault = Diagnostic::new(Code::OutOfRange, format!("the number `{written}` does not fit in 64 bits"));
            self.report.push(fault.at(place, "expected at most 9223372036854775807"));
            Value::Faulty
        })
    }
}
