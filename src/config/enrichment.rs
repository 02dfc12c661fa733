//! `[enrichment_tables.NAME]`: tables that programs look things up in. Names and meanings are Vector's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::fresh::Fresh;
use crate::component::row::Problem;
use crate::lang::{Format, Sheet};

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnrichmentTable {
    /// A file, which is read again when it changes.
    File {
        /// The file.
        file: TableFile,
        /// Types of columns by name: `string`, `integer`, `float`, `bool`, `date`, `timestamp`, or a date or timestamp
        /// with its format, as in `timestamp|%F %T`.
        #[serde(default)]
        schema: BTreeMap<String, String>,
    },
}

/// The file of a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    #[serde(default)]
    pub encoding: TableEncoding,
}

/// How a table is written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum TableEncoding {
    /// Rows of fields, separated by a character; in quotes where they need it.
    Csv {
        /// Does the first row name the columns? Else their names are their numbers, from 0.
        #[serde(default = "yes")]
        include_headers: bool,
        /// What stands between fields: one ASCII character.
        #[serde(default = "comma")]
        delimiter: char,
    },
}

impl Default for TableEncoding {
    fn default() -> Self {
        Self::Csv { include_headers: yes(), delimiter: comma() }
    }
}

const fn yes() -> bool {
    true
}

const fn comma() -> char {
    ','
}

impl EnrichmentTable {
    /// Bytes of its file, at most.
    pub const MOST_BYTES: u64 = 256 << 20;

    /// Where its file is.
    pub fn path(&self) -> &PathBuf {
        let Self::File { file, .. } = self;
        &file.path
    }

    /// How its file is to be read.
    pub fn format(&self) -> Format {
        let Self::File { file, schema } = self;
        let TableEncoding::Csv { include_headers, delimiter } = file.encoding;
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        Format { has_headers: include_headers, delimiter, types: schema.clone() }
    }

    /// Its file, and what that holds; an error tells of both.
    pub fn open(&self) -> Result<(Fresh, Vec<u8>), String> {
        let path = self.path();
        Fresh::open(path, Self::MOST_BYTES).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    }

    /// Its file where that cannot be read now.
    pub fn lost(&self) -> Fresh {
        Fresh::lost(self.path(), Self::MOST_BYTES)
    }

    /// The rows that such a file holds.
    pub fn read(&self, text: &[u8]) -> Result<Sheet, String> {
        let read = Sheet::read(text, &self.format());
        read.map_err(|why| format!("`{}` cannot be used: {why}", self.path().display()))
    }

    /// A warning, if the file of the table `name` cannot be used: it may be somewhere else only, or come later.
    fn check_file(&self, name: &str) -> Option<Problem> {
        let why = self.open().and_then(|(_, text)| self.read(&text)).err()?;
        let problem = Problem::new(format!("enrichment_tables.{name}.file.path"), why);
        let help = "the agent starts with such a table only where it has run with it before";
        Some(Problem { is_warning: true, ..problem.help(help) })
    }

    /// What the schema cannot tell of the table `name`.
    pub(super) fn check(&self, name: &str) -> Vec<Problem> {
        let setting = |rest: &str| format!("enrichment_tables.{name}.{rest}");
        let Self::File { file, .. } = self;
        let TableEncoding::Csv { delimiter, .. } = file.encoding;
        let odd = !delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r');
        let odd = odd.then(|| {
            let message = format!("{delimiter:?} cannot separate fields: expected one ASCII character, such as `;`");
            Problem::new(setting("file.encoding.delimiter"), message)
        });
        let types = self.format().faults().into_iter();
        let types = types.map(|(column, why)| Problem::new(setting(&format!("schema.{column}")), why));
        odd.into_iter().chain(types).collect()
    }
}

/// What is wrong with the files of all tables.
pub(super) fn check_files(globals: &toml::Table) -> Vec<Problem> {
    let tables = globals.get("enrichment_tables").and_then(toml::Value::as_table).into_iter().flatten();
    let table =
        |(name, table): (&String, &toml::Value)| table.clone().try_into::<EnrichmentTable>().ok()?.check_file(name);
    tables.filter_map(table).collect()
}

#[cfg(test)]
mod tests;
