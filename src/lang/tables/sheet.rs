//! What a table holds: rows of values under named columns, read from CSV.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::NaiveDate;
use vrl::compiler::TimeZone;
use vrl::compiler::conversion::Conversion;
use vrl::value::{KeyString, Value};

/// How the text of a table is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Does the first row name the columns? Else their names are their numbers, from 0.
    pub has_headers: bool,
    /// What stands between the fields of a row.
    pub delimiter: u8,
    /// The types of columns by name, as Vector writes them; others are strings.
    pub types: BTreeMap<String, String>,
}

impl Format {
    /// What is wrong with the types: the column, and why.
    pub fn faults(&self) -> Vec<(String, String)> {
        let fault = |(column, name): (&String, &String)| Some((column.clone(), Type::parse(name).err()?));
        self.types.iter().filter_map(fault).collect()
    }
}

/// The rows of a table.
#[derive(Debug)]
pub struct Sheet {
    pub(super) columns: Vec<KeyString>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Sheet {
    /// Reads CSV (RFC 4180, fields in quotes where they need it).
    ///
    /// # Errors
    ///
    /// The first fault, with its line: rows of different lengths, text that is not UTF-8, a field that is not of its
    /// column's type, a type for a column that is not there.
    pub fn read(text: &[u8], format: &Format) -> Result<Self, String> {
        // A byte order mark is not a part of the first name.
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(format.delimiter).from_reader(text);
        let mut rows = reader.records();
        let mut next = || rows.next().transpose().map_err(|error| error.to_string());
        let mut first = next()?;
        let columns: Vec<KeyString> = match &first {
            Some(names) if format.has_headers => names.iter().map(KeyString::from).collect(),
            Some(row) => (0..row.len()).map(|number| KeyString::from(number.to_string())).collect(),
            None => Vec::new(),
        };
        let types = types(&columns, format)?;
        if format.has_headers {
            first = next()?;
        }
        let mut values = Vec::new();
        while let Some(row) = first {
            let line = row.position().map_or(0, csv::Position::line);
            let read = |((field, of), column): ((&str, &Type), &KeyString)| {
                of.read(field).map_err(|error| format!("line {line}, column `{column}`: {error}"))
            };
            values.push(row.iter().zip(&types).zip(&columns).map(read).collect::<Result<_, _>>()?);
            first = next()?;
        }
        Ok(Self { columns, rows: values })
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No rows?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(KeyString::as_str)
    }

    /// The number of a column.
    pub(super) fn column(&self, name: &str) -> Result<usize, String> {
        let found = self.columns.iter().position(|column| column.as_str() == name);
        found.ok_or_else(|| {
            let names: Vec<String> = self.columns().map(|name| format!("`{name}`")).collect();
            format!("the table has no column `{name}`: its columns are {}", names.join(", "))
        })
    }
}

fn types(columns: &[KeyString], format: &Format) -> Result<Vec<Type>, String> {
    let unknown = format.types.keys().find(|name| columns.iter().all(|column| column.as_str() != name.as_str()));
    if let Some(name) = unknown {
        return Err(format!("`schema` names a column `{name}` that is not there"));
    }
    let of = |column: &KeyString| format.types.get(column.as_str()).map_or(Ok(Type::Text), |name| Type::parse(name));
    columns.iter().map(of).collect()
}

/// The type of a column.
#[derive(Debug)]
enum Type {
    Text,
    /// At midnight, UTC.
    Date(String),
    Other(Conversion),
}

impl Type {
    fn parse(name: &str) -> Result<Self, String> {
        let (kind, format) = name.split_once('|').map_or((name, None), |(kind, format)| (kind, Some(format)));
        match kind.trim() {
            "date" => Ok(Self::Date(format.map_or("%Y-%m-%d", str::trim).to_owned())),
            _ => Conversion::parse(name, TimeZone::default()).map(Self::Other).map_err(|_| {
                format!("`{name}` is no type: expected `string`, `integer`, `float`, `bool`, `date` or `timestamp`")
            }),
        }
    }

    fn read(&self, field: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(Value::Bytes(Bytes::copy_from_slice(field.as_bytes()))),
            Self::Date(format) => NaiveDate::parse_from_str(field, format)
                .ok()
                .and_then(|date| date.and_hms_opt(0, 0, 0))
                .map(|time| Value::Timestamp(time.and_utc()))
                .ok_or_else(|| format!("`{field}` is no date of the form `{format}`")),
            Self::Other(conversion) => {
                let read = conversion.convert(Bytes::copy_from_slice(field.as_bytes()));
                read.map_err(|error: vrl::compiler::conversion::Error| error.to_string())
            }
        }
    }
}
