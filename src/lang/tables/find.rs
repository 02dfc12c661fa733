//! Finding rows: by an index over the columns that must be equal, then by all conditions.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use vrl::value::{ObjectMap, Value};

use super::sheet::Sheet;
use super::{Content, Table};

/// Does the case of letters matter?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// It does.
    Sensitive,
    /// It does not.
    Insensitive,
}

/// What a row must meet.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition<'a> {
    /// The column holds this value.
    Equals {
        /// Its name.
        column: &'a str,
        /// The value.
        value: Value,
    },
    /// The column holds a time from `from` on and up to `to`, both included.
    Between {
        /// Its name.
        column: &'a str,
        /// The first time.
        from: Option<DateTime<Utc>>,
        /// The last time.
        to: Option<DateTime<Utc>>,
    },
}

/// An index that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) columns: Vec<String>,
    pub(super) case: Case,
}

/// Rows by the values of some columns.
#[derive(Debug)]
pub(super) struct Index {
    columns: Vec<usize>,
    rows: HashMap<Vec<u8>, Vec<u32>>,
}

impl Index {
    pub(super) fn new(sheet: &Sheet, wanted: &Wanted) -> Result<Self, String> {
        let columns: Vec<usize> = wanted.columns.iter().map(|name| sheet.column(name)).collect::<Result<_, _>>()?;
        let mut rows: HashMap<Vec<u8>, Vec<u32>> = HashMap::new();
        if !columns.is_empty() {
            for (number, row) in sheet.rows.iter().enumerate() {
                let key = key(columns.iter().map(|column| &row[*column]), wanted.case);
                rows.entry(key).or_default().push(number as u32);
            }
        }
        Ok(Self { columns, rows })
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// The number of the index over the columns that must be equal.
    pub(crate) index: usize,
    pub(crate) conditions: &'a [Condition<'a>],
    /// A value in the table that stands for any.
    pub(crate) wildcard: Option<&'a Value>,
    pub(crate) case: Case,
}

impl Table {
    /// Shows `visit` the rows that meet the conditions, in order, until it has seen enough (false).
    ///
    /// # Errors
    ///
    /// The table holds nothing, or lacks a column.
    pub(crate) fn search(&self, search: Search<'_>, mut visit: impl FnMut(Row<'_>) -> bool) -> Result<(), String> {
        let content = self.content.load();
        let content: &Content = content.as_ref().ok_or("the table was not loaded")?;
        let index = content.indexes.get(search.index).ok_or("the table has no such index")?;
        let sheet = &*content.sheet;
        let met = |number: u32| -> Result<Option<Row<'_>>, String> {
            let row = Row { sheet, values: &sheet.rows[number as usize] };
            for condition in search.conditions {
                if !row.meets(condition, &search)? {
                    return Ok(None);
                }
            }
            Ok(Some(row))
        };
        // A wildcard may stand in any column: no index knows.
        let rows: Box<dyn Iterator<Item = u32>> = if index.columns.is_empty() || search.wildcard.is_some() {
            Box::new(0..sheet.rows.len() as u32)
        } else {
            let wanted = key(index.columns.iter().filter_map(|column| search.value(sheet, *column)), search.case);
            Box::new(index.rows.get(&wanted).into_iter().flatten().copied())
        };
        for number in rows {
            if met(number)?.is_some_and(|row| !visit(row)) {
                break;
            }
        }
        Ok(())
    }
}

impl Search<'_> {
    fn value(&self, sheet: &Sheet, number: usize) -> Option<&Value> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Equals { column, value } => (sheet.columns[number].as_str() == *column).then_some(value),
            Condition::Between { .. } => None,
        })
    }
}

/// A row that was found.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    sheet: &'a Sheet,
    values: &'a [Value],
}

impl Row<'_> {
    /// The value of a column.
    pub(crate) fn get(&self, column: &str) -> Option<&Value> {
        Some(&self.values[self.sheet.column(column).ok()?])
    }

    /// The columns that `select` names, or all.
    pub(crate) fn object(&self, select: Option<&[String]>) -> ObjectMap {
        let is_wanted = |name: &str| select.is_none_or(|select| select.iter().any(|wanted| wanted == name));
        let members = self.sheet.columns.iter().zip(self.values).filter(|(name, _)| is_wanted(name.as_str()));
        members.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn meets(&self, condition: &Condition<'_>, search: &Search<'_>) -> Result<bool, String> {
        match condition {
            Condition::Equals { column, value } => {
                let own = &self.values[self.sheet.column(column)?];
                let is = |other: &Value| is_equal(own, other, search.case);
                Ok(is(value) || search.wildcard.is_some_and(is))
            }
            Condition::Between { column, from, to } => Ok(match &self.values[self.sheet.column(column)?] {
                Value::Timestamp(time) => from.is_none_or(|from| from <= *time) && to.is_none_or(|to| *time <= to),
                _ => false,
            }),
        }
    }
}

fn is_equal(one: &Value, other: &Value, case: Case) -> bool {
    match (one, other, case) {
        (Value::Bytes(_), Value::Bytes(_), Case::Insensitive) => text(one, case) == text(other, case),
        _ => one == other,
    }
}

/// Values one behind the other, so that no two lists of values are written alike.
fn key<'v>(values: impl Iterator<Item = &'v Value>, case: Case) -> Vec<u8> {
    let mut key = Vec::new();
    for value in values {
        let text = text(value, case);
        key.push(u8::from(value.is_bytes()));
        key.extend_from_slice(&(text.len() as u64).to_le_bytes());
        key.extend_from_slice(&text);
    }
    key
}

fn text(value: &Value, case: Case) -> Vec<u8> {
    match (value, case) {
        (Value::Bytes(bytes), Case::Sensitive) => bytes.to_vec(),
        (Value::Bytes(bytes), Case::Insensitive) => String::from_utf8_lossy(bytes).to_lowercase().into_bytes(),
        _ => value.to_string().into_bytes(),
    }
}
