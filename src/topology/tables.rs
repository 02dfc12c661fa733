//! The tables that programs look things up in: read when a plan names them, and again when their files change.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::build::BuildError;
use crate::component::fresh::{Fresh, Watch};
use crate::component::meters::Families;
use crate::config::{Component, EnrichmentTable, Globals, Plan};
use crate::lang::{Format, Sheet, Table, Tables};

/// Bytes of a table's file, at most.
const MOST_BYTES: u64 = 256 << 20;

/// All of them, by name.
#[derive(Default)]
pub(super) struct Shelf(BTreeMap<String, Kept>);

/// A table that is kept up to date.
#[derive(Clone)]
struct Kept {
    made_of: EnrichmentTable,
    table: Arc<Table>,
    _watch: Arc<Watch>,
}

impl Shelf {
    /// Those of `plan`: what it names as before is kept, all else is read. Programs hold a table as long as they run, so
    /// one whose settings changed is another, and so are the programs that use it.
    pub(super) fn build(&self, plan: &Plan, families: &Families) -> Result<Self, BuildError> {
        let globals: Globals = plan.globals.read().map_err(|fault| failed("", &fault.message))?;
        let keep = |(name, made_of): (String, EnrichmentTable)| {
            let known = self.0.get(&name).filter(|kept| kept.made_of == made_of).cloned();
            let kept = known.map_or_else(|| Kept::new(&name, made_of, families).map_err(|why| failed(&name, &why)), Ok);
            Ok((name, kept?))
        };
        globals.enrichment_tables.into_iter().map(keep).collect::<Result<_, _>>().map(Self)
    }

    /// As programs see them.
    pub(super) fn tables(&self) -> Tables {
        Tables::new(self.0.iter().map(|(name, kept)| (name.clone(), kept.table.clone())))
    }

    /// Are the tables these, so that programs need not be compiled anew?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Kept, &Kept)| Arc::ptr_eq(&one.table, &other.table);
        self.0.keys().eq(other.0.keys()) && self.0.values().zip(other.0.values()).all(same)
    }
}

/// May the component hold a table? Programs name what they call, but for those in files of their own.
pub(super) fn may_look_up(component: &Component) -> bool {
    let settings = &component.section.settings;
    let has = |setting: &str| settings.contains_key(setting);
    has("lookup") || has("file") || has("files") || settings.to_string().contains("enrichment_table_record")
}

fn failed(name: &str, why: &str) -> BuildError {
    BuildError { kind: "enrichment table", id: name.to_owned(), why: why.to_owned() }
}

impl Kept {
    fn new(name: &str, made_of: EnrichmentTable, families: &Families) -> Result<Self, String> {
        let (file, text) = open(made_of.path())?;
        let format = made_of.format();
        let table = Arc::new(Table::of(read(made_of.path(), &text, &format)?));
        let keeper = Keeper { name: name.to_owned(), file, format, families: families.clone(), is_behind: false };
        let (keeper, kept) = (Mutex::new(keeper), Arc::downgrade(&table));
        let watch = Watch::begin("enrichment-table", move || {
            if let Some(table) = kept.upgrade() {
                keeper.lock().unwrap_or_else(PoisonError::into_inner).look(&table);
            }
        });
        let watch = watch.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { made_of, table, _watch: Arc::new(watch) })
    }
}

fn open(path: &Path) -> Result<(Fresh, Vec<u8>), String> {
    Fresh::open(path, MOST_BYTES).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

fn read(path: &Path, text: &[u8], format: &Format) -> Result<Sheet, String> {
    Sheet::read(text, format).map_err(|why| format!("`{}` cannot be used: {why}", path.display()))
}

/// Looks at the file of a table.
struct Keeper {
    name: String,
    file: Fresh,
    format: Format,
    families: Families,
    /// Could the last change not be taken over?
    is_behind: bool,
}

impl Keeper {
    /// Puts what the file holds now into the table. Where that cannot be, the table stays as it is, and it is told once.
    fn look(&mut self, table: &Table) {
        let changed = self.file.changed().map_err(|error| error.to_string());
        let text = match changed {
            Ok(None) => return,
            Ok(Some(text)) => Ok(text),
            // Told when it begins: a file that is gone would be told each second.
            Err(_) if self.is_behind => return,
            Err(why) => Err(format!("cannot read `{}`: {why}", self.file.path().display())),
        };
        let done = text.and_then(|text| read(self.file.path(), &text, &self.format)).and_then(|sheet| {
            let rows = sheet.len();
            table.replace(sheet).map(|()| rows)
        });
        self.is_behind = done.is_err();
        self.families.table_reloaded(&self.name, done.is_ok());
        match done {
            Ok(rows) => tracing::info!(table = self.name, rows, "the enrichment table was read again"),
            Err(why) => tracing::warn!(table = self.name, "the enrichment table stays as it was: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Memory, Rules, Shelves, load_texts};

    fn plan(path: &Path) -> Plan {
        let text = format!(
            "[enrichment_tables.t]\ntype = 'file'\nfile.path = '{}'\nfile.encoding.type = 'csv'\n\
             [sources.app]\ntype = 'file'\ninclude = ['/x']\n[sinks.out]\ntype = 'blackhole'\ninputs = ['app']\n",
            path.display()
        );
        let memory = Memory { default_limit: 512 << 20 };
        let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &memory };
        load_texts([("levada.toml", text.as_str())], rules).plan.unwrap()
    }

    #[test]
    fn a_table_is_kept_read_again_and_left_alone_when_its_file_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let families = Families::default();
        let error = Shelf::default().build(&plan(&path), &families).err().unwrap();
        assert_eq!((error.kind, error.id.as_str()), ("enrichment table", "t"));
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        let first = Shelf::default().build(&plan(&path), &families).unwrap();
        let second = first.build(&plan(&path), &families).unwrap();
        assert!(first.is_same(&second) && !first.is_same(&Shelf::default()));
        let table = first.tables().get("t").unwrap().clone();
        table.index(&["a"], crate::lang::Case::Sensitive).unwrap();
        let (file, _) = open(&path).unwrap();
        let format = first.0["t"].made_of.format();
        let mut keeper = Keeper { name: "t".into(), file, format, families: families.clone(), is_behind: false };
        keeper.look(&table);
        std::fs::write(&path, "b,a,c\n1,2,3\n").unwrap();
        keeper.look(&table);
        assert_eq!(table.columns().unwrap(), ["b", "a", "c"]);
        for broken in ["b,c,d\n", "a,b\n1\n"] {
            std::fs::write(&path, broken).unwrap();
            keeper.look(&table);
            assert_eq!(table.columns().unwrap(), ["b", "a", "c"], "{broken}");
        }
        std::fs::remove_file(&path).unwrap();
        keeper.look(&table);
        assert_eq!(families.table_reloads("t"), (1, 2), "the missing file is not told again");
    }
}
