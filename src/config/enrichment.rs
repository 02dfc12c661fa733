//! `[enrichment_tables.NAME]`: tables that programs look things up in. Names and meanings are Vector's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::row::Problem;
use crate::lang::Format;

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

#[cfg(test)]
mod tests;
