//! Members whose values a row of a table holds.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

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
            let names: Vec<String> = tables.names().map(|name| format!("`{name}`")).collect();
            let help = match names.as_slice() {
                [] => format!("declare it: `[enrichment_tables.{}]` with `type = \"file\"`", self.table),
                names => format!("the tables are {}", names.join(", ")),
            };
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

impl Lookup {
    /// Sets the members of each record; those of one without a row are removed: they could be forged.
    pub(super) fn apply(&self, batch: &mut Batch, keep_existing: bool, meters: &Meters) {
        let mut missing = 0;
        let mut records = batch.edit();
        let mut found: Vec<Option<Vec<u8>>> = Vec::new();
        for index in 0..records.len() {
            let key = records.get(index).get(&self.key).map(std::borrow::Cow::into_owned);
            let has_row = key.is_some_and(|key| self.find(&key, &mut found));
            missing += usize::from(!has_row);
            for (at, name) in self.select.iter().enumerate() {
                let name = name.as_bytes();
                if keep_existing && records.get(index).member(name).is_some() {
                    continue;
                }
                match found.get(at).filter(|_| has_row).and_then(Option::as_ref) {
                    Some(value) => records.set_member(index, name, |out| out.extend_from_slice(value)),
                    None => _ = records.remove_member(index, name),
                }
            }
        }
        self.notice.count(meters, missing);
    }

    /// The JSON text of each column, of the one row that holds the key.
    fn find(&self, key: &[u8], found: &mut Vec<Option<Vec<u8>>>) -> bool {
        let Some(value) = read_value(key) else { return false };
        let conditions = [RowCondition::Equals { column: &self.column, value }];
        let search = Search { index: self.index, conditions: &conditions, wildcard: None, case: self.case };
        let mut rows = 0;
        let searched = self.table.search(search, |row| {
            rows += 1;
            found.clear();
            found.extend(self.select.iter().map(|name| {
                let value = row.get(name)?;
                let mut text = Vec::new();
                write_value(value, &mut text);
                Some(text)
            }));
            rows < 2
        });
        searched.is_ok() && rows == 1
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
