//! Members whose values a row of a table holds.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::claims::Claims;
use crate::component::meters::Meters;
use crate::component::row::{Context, Problem};
use crate::event::{Batch, Path};
use crate::lang::{Case, RowCondition, Search, Table, Tables, read_value, write_value};
use crate::transforms::notice::Notice;

/// A row of a table that gives members.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupSettings {
    /// The name of a table in `[enrichment_tables]`.
    table: String,
    /// Path to the value that is looked up.
    key: String,
    /// The column that holds it.
    column: String,
    /// The columns that become members; by default all but `column`.
    select: Option<Vec<String>>,
    /// Does the case of letters matter?
    #[serde(default = "yes")]
    case_sensitive: bool,
}

const fn yes() -> bool {
    true
}

impl LookupSettings {
    pub(super) fn check(&self, tables: &Tables) -> Vec<Problem> {
        let known = tables.get(&self.table).is_some();
        let unknown = (!known).then(|| {
            let help = tables.instead_of(&self.table);
            Problem::new("lookup.table", format!("there is no table `{}`", self.table)).help(help)
        });
        unknown.into_iter().chain(self.key().err()).collect()
    }

    fn key(&self) -> Result<Path, Problem> {
        Path::parse(&self.key).map_err(|bad| Problem::new("lookup.key", bad.to_string()))
    }

    pub(super) fn build(self, context: &Context) -> Result<Lookup, String> {
        let key = self.key().map_err(|problem| problem.message)?;
        let table = context.tables.get(&self.table).cloned();
        let table = table.ok_or_else(|| format!("there is no enrichment table `{}`", self.table))?;
        let case = if self.case_sensitive { Case::Sensitive } else { Case::Insensitive };
        let of_table = |why: String| format!("enrichment table `{}`: {why}", self.table);
        let index = table.index(&[&self.column], case).map_err(of_table)?;
        let columns = table.columns().unwrap_or_default();
        let select =
            self.select.unwrap_or_else(|| columns.iter().filter(|column| **column != self.column).cloned().collect());
        if let Some(missing) = select.iter().find(|name| !columns.contains(*name)) {
            return Err(of_table(format!("it has no column `{missing}`")));
        }
        let notice = Notice::new(&context.id, "no_row", "records have no row, or not one, in the table");
        Ok(Lookup { table, key, column: self.column, index, case, select, notice })
    }
}

/// Looks rows up.
pub(super) struct Lookup {
    table: Arc<Table>,
    key: Path,
    column: String,
    index: usize,
    case: Case,
    select: Vec<String>,
    notice: Notice,
}

/// Keys that a lane remembers, at most.
const KNOWN_KEYS: usize = 4_096;
/// Bytes of a key that is remembered, at most.
const KEY_BYTES: usize = 256;

/// What a lane has found: the JSON text of each column by the JSON text of the key; none for one without a row.
#[derive(Default)]
pub(super) struct Memo {
    version: u64,
    found: HashMap<Box<[u8]>, Option<Row>>,
    key: Vec<u8>,
}

type Row = Arc<[Vec<u8>]>;

impl Lookup {
    /// Sets the members of each record; those of one without a row are removed: they could be forged.
    pub(super) fn apply(
        &self,
        batch: &mut Batch,
        (keep_existing, claims): (bool, Claims),
        (memo, meters): (&mut Memo, &Meters),
    ) {
        let version = self.table.version();
        if memo.version != version || memo.found.len() >= KNOWN_KEYS {
            (memo.version, memo.found) = (version, HashMap::new());
        }
        let mut missing = 0;
        let mut records = batch.edit();
        for index in 0..records.len() {
            memo.key.clear();
            if let Some(key) = records.get(index).get(&self.key) {
                memo.key.extend_from_slice(&key);
            }
            let row = self.row(memo);
            missing += usize::from(row.is_none());
            for (at, key) in self.select.iter().enumerate() {
                let name = key.as_bytes();
                if keep_existing && records.get(index).member(name).is_some() {
                    continue;
                }
                let value = row.as_ref().and_then(|row| row.get(at)).filter(|value| !value.is_empty());
                claims.keep(&mut records, index, (key, value.map(Vec::as_slice)));
                match value {
                    Some(value) => records.set_member(index, name, |out| out.extend_from_slice(value)),
                    None => _ = records.remove_member(index, name),
                }
            }
        }
        self.notice.count(meters, missing);
    }

    /// The row of the memo's key: looked up once, then known.
    fn row(&self, memo: &mut Memo) -> Option<Row> {
        if memo.key.is_empty() {
            return None;
        }
        if let Some(known) = memo.found.get(memo.key.as_slice()) {
            return known.clone();
        }
        let row = self.find(&memo.key);
        if memo.key.len() <= KEY_BYTES {
            memo.found.insert(memo.key.as_slice().into(), row.clone());
        }
        row
    }

    /// The one row that holds the key.
    fn find(&self, key: &[u8]) -> Option<Row> {
        let conditions = [RowCondition::Equals { column: &self.column, value: read_value(key)? }];
        let search = Search { index: self.index, conditions: &conditions, wildcard: None, case: self.case };
        let mut found = Vec::new();
        let searched = self.table.search(search, |row| {
            let text = |name: &String| {
                let mut text = Vec::new();
                if let Some(value) = row.get(name) {
                    write_value(value, &mut text);
                }
                text
            };
            found.push(self.select.iter().map(text).collect::<Row>());
            found.len() < 2
        });
        searched.ok()?;
        found.pop().filter(|_| found.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::meters::Families;
    use crate::component::row::Settings;
    use crate::component::test_kit::context;
    use crate::component::transform::Ports;
    use crate::event::Outcome;
    use crate::lang::{Format, Sheet};
    use crate::transforms::enrich::EnrichSettings;
    use crate::transforms::test_kit::{batch, lines, settings};

    fn tables() -> Tables {
        let types = [("tier".to_owned(), "integer".to_owned())].into();
        let format = Format { has_headers: true, delimiter: b',', types };
        let text = "name,team,tier\nbilling,red,1\nsearch,blue,2\ntwice,a,1\ntwice,b,2\n";
        let sheet = Sheet::read(text.as_bytes(), &format).unwrap();
        Tables::new([("owners".to_owned(), Arc::new(Table::of(sheet)))])
    }

    fn run(toml: &str, records: &[&str]) -> (Vec<String>, u64) {
        let (_families, context): (Families, _) = context(std::path::Path::new("unused"), 1 << 20);
        let context = Context { tables: tables(), ..context };
        let meters = context.meters.clone();
        let settings: EnrichSettings = settings(toml);
        assert_eq!(settings.check_with(&tables()), []);
        let mut batch = batch(records);
        settings.build(context).unwrap().apply(&mut batch, &mut Ports::default());
        let out = lines(&batch);
        batch.settle(Outcome::Delivered);
        (out, meters.error_count("no_row"))
    }

    const LOOKUP: &str = "lookup.table = 'owners'\nlookup.key = '.s'\nlookup.column = 'name'\n";

    #[test]
    fn a_row_gives_members_and_none_leaves_none() {
        let records = [r#"{"s":"billing"}"#, r#"{"s":"none","team":"forged"}"#, r#"{"team":"x"}"#, r#"{"s":"twice"}"#];
        let (out, missing) = run(LOOKUP, &records);
        let expected = [r#"{"s":"billing","team":"red","tier":1}"#, r#"{"s":"none"}"#, "{}", r#"{"s":"twice"}"#];
        assert_eq!((out, missing), (expected.map(str::to_owned).to_vec(), 3));
        let more = "lookup.select = ['team']\nlookup.case_sensitive = false\nkeep_existing = true\n";
        let again = [r#"{"s":"billing"}"#, r#"{"s":"search"}"#, r#"{"s":"billing"}"#];
        let teams: Vec<String> = run(&format!("{LOOKUP}lookup.select = ['team']"), &again).0;
        assert!(teams[0] == teams[2] && teams[1].contains("blue"), "{teams:?}");
        let (out, _) = run(&format!("{LOOKUP}{more}"), &[r#"{"s":"SEARCH"}"#, r#"{"s":"search","team":"own"}"#]);
        assert_eq!(out, [r#"{"s":"SEARCH","team":"blue"}"#, r#"{"s":"search","team":"own"}"#]);
    }

    #[test]
    fn faults_are_told_where_they_are_known() {
        let found = |toml: &str| -> Vec<String> {
            settings::<EnrichSettings>(toml).check_with(&tables()).into_iter().map(|problem| problem.setting).collect()
        };
        assert_eq!(
            found("lookup.table = 'x'\nlookup.key = 'a b'\nlookup.column = 'c'"),
            ["lookup.table", "lookup.key"]
        );
        assert_eq!(found(""), [""]);
        let (_, context) = context(std::path::Path::new("unused"), 1 << 20);
        let build = |toml: &str| {
            let context = Context { tables: tables(), ..context.clone() };
            settings::<EnrichSettings>(toml).build(context).err().unwrap()
        };
        assert!(build("lookup.table = 'owners'\nlookup.key = 's'\nlookup.column = 'c'").contains("no column `c`"));
        assert!(build(&format!("{LOOKUP}lookup.select = ['d']")).contains("no column `d`"));
    }
}
