//! Tables that programs look things up in: what they hold, and the functions that find it.
//!
//! A [`Table`] has a name for as long as the process runs; what it holds is a [`Sheet`], replaced as a whole when its
//! file changes. What is looked up is known when a program is compiled: an index is made then, and made again for each
//! new sheet.

mod find;
mod functions;
mod sheet;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use self::find::{Index, Wanted};
use super::functions::{Admits, Voice};

pub(crate) use self::find::Search;
pub use self::find::{Case, Condition};
pub(super) use self::functions::functions;
pub use self::sheet::{Format, Sheet};

/// The tables that there are, by name; a clone leads to the same ones. With them goes what else programs reach beyond
/// the record: files, if someone says which, and whoever hears what they say.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    by_name: Arc<BTreeMap<String, Arc<Table>>>,
    /// Why there are none, where a program could not have any.
    withheld: Option<&'static str>,
    files: Option<Arc<dyn Admits>>,
    voice: Option<Arc<dyn Voice>>,
}

impl Tables {
    /// These tables.
    pub fn new(tables: impl IntoIterator<Item = (String, Arc<Table>)>) -> Self {
        Self { by_name: Arc::new(tables.into_iter().collect()), ..Self::default() }
    }

    /// No tables, and `why` there can be none.
    pub fn withheld(why: &'static str) -> Self {
        Self { withheld: Some(why), ..Self::default() }
    }

    /// What to tell whoever names the table `name`, which is not there.
    pub fn instead_of(&self, name: &str) -> String {
        let names: Vec<_> = self.names().map(|name| format!("`{name}`")).collect();
        match (self.withheld, names.as_slice()) {
            (Some(why), _) => why.to_owned(),
            (None, []) => format!("declare it: `[enrichment_tables.{name}]` with `type = \"file\"`"),
            (None, names) => format!("the tables are {}", names.join(", ")),
        }
    }

    /// Programs that use these may read the files that `files` admits.
    #[must_use]
    pub fn reading(self, files: Arc<dyn Admits>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// What programs that use these say, `voice` hears.
    #[must_use]
    pub fn heard_by(self, voice: Arc<dyn Voice>) -> Self {
        Self { voice: Some(voice), ..self }
    }

    /// Who says which files may be read.
    pub(super) fn files(&self) -> Option<Arc<dyn Admits>> {
        self.files.clone()
    }

    /// Who hears what programs say.
    pub(super) fn voice(&self) -> Option<Arc<dyn Voice>> {
        self.voice.clone()
    }

    /// Tables of these names of which nothing more is known: enough to tell whether a program compiles.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        Self::new(names.into_iter().map(|name| (name, Arc::default())))
    }

    /// The table of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Table>> {
        self.by_name.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// A table: nothing until its sheet is [put in](Self::replace).
#[derive(Debug, Default)]
pub struct Table {
    content: ArcSwapOption<Content>,
    /// Counts the sheets.
    version: AtomicU64,
    /// What is looked up, by the number of the index. Held while a sheet or an index is added.
    wanted: Mutex<Vec<Wanted>>,
}

#[derive(Debug)]
struct Content {
    sheet: Arc<Sheet>,
    indexes: Vec<Arc<Index>>,
}

impl Table {
    /// A table that holds `sheet`.
    pub fn of(sheet: Sheet) -> Self {
        let table = Self::default();
        let content = Content { sheet: Arc::new(sheet), indexes: Vec::new() };
        table.content.store(Some(Arc::new(content)));
        table
    }

    /// The names of its columns; None if it holds nothing yet.
    pub fn columns(&self) -> Option<Vec<String>> {
        let content = self.content.load_full()?;
        Some(content.sheet.columns().map(str::to_owned).collect())
    }

    /// Puts another sheet in.
    ///
    /// # Errors
    ///
    /// It lacks a column that programs look up; then the table is as it was.
    pub fn replace(&self, sheet: Sheet) -> Result<(), String> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let indexes = wanted.iter().map(|wanted| Index::new(&sheet, wanted).map(Arc::new));
        let content = Content { indexes: indexes.collect::<Result<_, _>>()?, sheet: Arc::new(sheet) };
        self.content.store(Some(Arc::new(content)));
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Another number after each new sheet.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The number of the index over these columns, made if there is none.
    ///
    /// # Errors
    ///
    /// The table has no such column.
    pub fn index(&self, columns: &[&str], case: Case) -> Result<usize, String> {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Wanted { columns: columns.iter().map(|column| (*column).to_owned()).collect(), case };
        if let Some(known) = wanted.iter().position(|known| *known == new) {
            return Ok(known);
        }
        if let Some(content) = self.content.load_full() {
            let index = Arc::new(Index::new(&content.sheet, &new)?);
            let indexes = content.indexes.iter().cloned().chain([index]).collect();
            self.content.store(Some(Arc::new(Content { sheet: content.sheet.clone(), indexes })));
        }
        wanted.push(new);
        Ok(wanted.len() - 1)
    }
}
