//! The tables that programs look things up in: read when a plan names them, and again when their files change.
//!
//! What a table held when the components that use it could last be built is kept in the state folder. It serves at a
//! start that finds the file broken, gone, or without a column that is looked up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::build::BuildError;
use crate::component::fresh::{Fresh, Watch};
use crate::component::keepsake::Keepsake;
use crate::component::meters::Families;
use crate::config::{Component, EnrichmentTable, Globals, Plan};
use crate::lang::{Sheet, Table, Tables};

/// All of them, by name.
#[derive(Default)]
pub(super) struct Shelf {
    tables: BTreeMap<String, Kept>,
    /// Where keepsakes are; empty where there are none.
    folder: PathBuf,
}

/// A table that is kept up to date.
#[derive(Clone)]
struct Kept {
    made_of: EnrichmentTable,
    table: Arc<Table>,
    keepsake: Keepsake,
    /// What was read from its file, and is not kept yet.
    read: Option<Arc<[u8]>>,
    _watch: Arc<Watch>,
}

impl Shelf {
    /// Those of `plan`: what it names as before is kept, all else is read. Programs hold a table as long as they run, so
    /// one whose settings changed is another, and so are the programs that use it. `data_dir` may be empty.
    pub(super) fn build(&self, plan: &Plan, families: &Families, data_dir: &Path) -> Result<Self, BuildError> {
        let globals: Globals = plan.globals.read().map_err(|fault| failed("", &fault.message))?;
        let folder = data_dir.join("enrichment_tables");
        let folder = if data_dir.as_os_str().is_empty() { PathBuf::new() } else { folder };
        let keep = |(name, made_of): (String, EnrichmentTable)| {
            let known = self.tables.get(&name).filter(|kept| kept.made_of == made_of).cloned();
            let new = || Kept::new(&name, made_of, families, &folder).map_err(|why| failed(&name, &why));
            let kept = known.map_or_else(new, Ok);
            Ok((name, kept?))
        };
        let tables = globals.enrichment_tables.into_iter().map(keep).collect::<Result<_, _>>()?;
        Ok(Self { tables, folder })
    }

    /// The same with what is kept, where that is something else than what was just read; none if that is nowhere so.
    pub(super) fn as_kept(&self, families: &Families) -> Option<Self> {
        let mut tables = self.tables.clone();
        let mut is_other = false;
        for (name, table) in &mut tables {
            if let Some(older) = table.older(name, families) {
                (*table, is_other) = (older, true);
            }
        }
        is_other.then(|| Self { tables, folder: self.folder.clone() })
    }

    /// Counts those that are not as `read` has them: their files could not be used.
    pub(super) fn count_behind(&self, read: &Self, families: &Families) {
        let is_other = |name: &String, table: &Kept| !Arc::ptr_eq(&table.table, &read.tables[name].table);
        let behind = self.tables.iter().filter(|(name, table)| is_other(name, table));
        behind.for_each(|(name, _)| families.table_reloaded(name, false));
    }

    /// From now on they are in use: what was read is kept, and what no table has any more is not.
    pub(super) fn keep(&mut self) {
        for table in self.tables.values_mut() {
            if let Some(text) = table.read.take() {
                table.keepsake.keep(&text);
            }
        }
        Keepsake::tidy(&self.folder, &self.tables.values().map(|table| &table.keepsake).collect::<Vec<_>>());
    }

    /// As programs see them.
    pub(super) fn tables(&self) -> Tables {
        Tables::new(self.tables.iter().map(|(name, kept)| (name.clone(), kept.table.clone())))
    }

    /// Are the tables these, so that programs need not be compiled anew?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Kept, &Kept)| Arc::ptr_eq(&one.table, &other.table);
        let (one, other) = (&self.tables, &other.tables);
        one.keys().eq(other.keys()) && one.values().zip(other.values()).all(same)
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
    fn new(name: &str, made_of: EnrichmentTable, families: &Families, folder: &Path) -> Result<Self, String> {
        let keepsake = Keepsake::new(folder, made_of.path());
        let (file, read) = match made_of.open() {
            Ok((file, text)) => (file, made_of.read(&text).map(|sheet| (sheet, text))),
            Err(why) => (made_of.lost(), Err(why)),
        };
        match read {
            Ok((sheet, text)) => {
                let new = Self::of(name, made_of, families, (sheet, file, keepsake, false))?;
                Ok(Self { read: Some(text.into()), ..new })
            }
            Err(why) => {
                let sheet = kept(&made_of, &keepsake).ok_or_else(|| why.clone())?;
                families.table_reloaded(name, false);
                tracing::warn!(table = name, "the enrichment table is what it was when the agent ran last: {why}");
                Self::of(name, made_of, families, (sheet, file, keepsake, true))
            }
        }
    }

    /// One that holds what is kept, if that is something else than what was just read.
    fn older(&self, name: &str, families: &Families) -> Option<Self> {
        let is_other = |text: &Vec<u8>| self.read.as_deref().is_some_and(|read| read != text.as_slice());
        let text = self.keepsake.read(EnrichmentTable::MOST_BYTES).filter(is_other)?;
        let sheet = self.made_of.read(&text).ok()?;
        // What it holds now is not tried again before it changes.
        let file = self.made_of.open().map_or_else(|_| self.made_of.lost(), |(file, _)| file);
        Self::of(name, self.made_of.clone(), families, (sheet, file, self.keepsake.clone(), true)).ok()
    }

    fn of(
        name: &str,
        made_of: EnrichmentTable,
        families: &Families,
        (sheet, file, keepsake, is_behind): (Sheet, Fresh, Keepsake, bool),
    ) -> Result<Self, String> {
        let table = Arc::new(Table::of(sheet));
        let (name, own, families) = (name.to_owned(), made_of.clone(), families.clone());
        let keeper = Keeper { name, file, made_of: own, families, keepsake: keepsake.clone(), is_behind };
        let (keeper, held) = (Mutex::new(keeper), Arc::downgrade(&table));
        let watch = Watch::begin("enrichment-table", move || {
            if let Some(table) = held.upgrade() {
                keeper.lock().unwrap_or_else(PoisonError::into_inner).look(&table);
            }
        });
        let watch = watch.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { made_of, table, keepsake, read: None, _watch: Arc::new(watch) })
    }
}

/// What is kept of a table, if that can be used.
fn kept(made_of: &EnrichmentTable, keepsake: &Keepsake) -> Option<Sheet> {
    made_of.read(&keepsake.read(EnrichmentTable::MOST_BYTES)?).ok()
}

/// Looks at the file of a table.
struct Keeper {
    name: String,
    file: Fresh,
    made_of: EnrichmentTable,
    families: Families,
    keepsake: Keepsake,
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
        let done = text.and_then(|text| {
            let sheet = self.made_of.read(&text)?;
            let rows = sheet.len();
            table.replace(sheet)?;
            self.keepsake.keep(&text);
            Ok(rows)
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

    /// What the tables of a start hold: columns and rows of `t`.
    fn columns(shelf: &Shelf) -> Vec<String> {
        shelf.tables().get("t").unwrap().columns().unwrap()
    }

    #[test]
    fn a_table_is_kept_read_again_and_left_alone_when_its_file_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let (path, nowhere) = (folder.path().join("t.csv"), Path::new(""));
        let families = Families::default();
        let error = Shelf::default().build(&plan(&path), &families, nowhere).err().unwrap();
        assert_eq!((error.kind, error.id.as_str()), ("enrichment table", "t"));
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        let first = Shelf::default().build(&plan(&path), &families, nowhere).unwrap();
        let second = first.build(&plan(&path), &families, nowhere).unwrap();
        assert!(first.is_same(&second) && !first.is_same(&Shelf::default()));
        let table = first.tables().get("t").unwrap().clone();
        table.index(&["a"], crate::lang::Case::Sensitive).unwrap();
        let made_of = first.tables["t"].made_of.clone();
        let (file, _) = made_of.open().unwrap();
        let keepsake = Keepsake::new(&folder.path().join("kept"), &path);
        let (families, name) = (families.clone(), "t".to_owned());
        let mut keeper =
            Keeper { name, file, made_of, families: families.clone(), keepsake: keepsake.clone(), is_behind: false };
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
        assert_eq!(keepsake.read(99).as_deref(), Some(&b"b,a,c\n1,2,3\n"[..]), "what could be used last");
    }

    #[test]
    fn a_start_with_a_broken_table_has_what_it_held_last() {
        let folder = tempfile::tempdir().unwrap();
        let (path, data_dir) = (folder.path().join("t.csv"), folder.path().join("state"));
        let families = Families::default();
        let start = || Shelf::default().build(&plan(&path), &families, &data_dir);
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        drop(start().unwrap());
        std::fs::write(&path, "a,b\n1\n").unwrap();
        assert!(start().is_err(), "what was never in use is not kept");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        start().unwrap().keep();
        std::fs::write(&path, "a,b\n1\n").unwrap();
        assert_eq!(columns(&start().unwrap()), ["a", "b"]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(columns(&start().unwrap()), ["a", "b"]);
        assert_eq!(families.table_reloads("t"), (0, 2));
        // It can be read, and may be of no use: then what was in use last is there.
        std::fs::write(&path, "c\n1\n").unwrap();
        let new = start().unwrap();
        assert_eq!(
            (columns(&new), columns(&new.as_kept(&families).unwrap())),
            (vec!["c".to_owned()], vec!["a".to_owned(), "b".to_owned()])
        );
        start().unwrap().keep();
        assert!(start().unwrap().as_kept(&families).is_none(), "it is what is kept");
    }
}
