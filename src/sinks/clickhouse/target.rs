//! The table of each record, and what is known of the tables that are written.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::columns::CatchAll;
use crate::component::row::Problem;
use crate::component::sink::Refusal;
use crate::delivery::confined::{Allow, Confined, Live, MAX_LIVE, refusal};
use crate::event::View;

/// Bytes of a name: it becomes a name of a folder on the server.
const MAX_NAME: usize = 255;
/// How long what a server said of a table is believed: columns that are added get their members within it.
const BELIEVED: Duration = Duration::from_mins(5);
/// Between the two names of a key: no name holds it.
const BETWEEN: char = '\0';

/// A table's two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) database: String,
    pub(super) table: String,
}

impl Name {
    /// As ClickHouse reads them.
    pub(super) fn quoted(&self) -> String {
        let quote = |name: &str| format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"));
        format!("{}.{}", quote(&self.database), quote(&self.table))
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// What the settings say of tables.
pub(super) struct Target {
    database: Confined,
    table: Confined,
    allow: Allow,
    live: Live,
    /// As the settings write it: what records choose does not go to the log.
    pub(super) written: Name,
    tables: Mutex<HashMap<Box<str>, Arc<Table>>>,
}

/// A table that is written, and what the server said of it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: Name,
    /// When the server said what it is.
    told: Mutex<Option<Instant>>,
    /// One question at a time.
    pub(super) asking: tokio::sync::Mutex<()>,
    catch_all: ArcSwapOption<CatchAll>,
}

/// Where a body goes: a table as it was known when the body was begun.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) table: Arc<Table>,
    pub(super) catch_all: Option<Arc<CatchAll>>,
}

impl Target {
    pub(super) fn new(database: &str, table: &str, globs: &[String]) -> Result<Self, Problem> {
        let allow = Allow::parse("allow", globs)?;
        let written = Name { database: database.to_owned(), table: table.to_owned() };
        let database = template("database", database, &allow)?;
        let table = template("table", table, &allow)?;
        Ok(Self { database, table, allow, live: Live::default(), written, tables: Mutex::default() })
    }

    /// The table, if all records go to one.
    pub(super) fn constant(&self) -> Option<Name> {
        let (database, table) = (self.database.constant()?, self.table.constant()?);
        Some(Name { database: database.to_owned(), table: table.to_owned() })
    }

    /// Do all records go to one table?
    pub(super) fn is_constant(&self) -> bool {
        self.database.constant().is_some() && self.table.constant().is_some()
    }

    /// Writes a key of the table of `record`: equal for equal tables.
    pub(super) fn key(&self, record: View<'_>, key: &mut String) -> Result<(), Refusal> {
        key.clear();
        self.database.render(record, key)?;
        key.push(BETWEEN);
        self.table.render(record, key)
    }

    /// Counts a key as used, or refuses it when there are too many.
    pub(super) fn admit(&self, key: &str) -> Result<(), Refusal> {
        if self.is_constant() { Ok(()) } else { self.live.admit(key) }
    }

    /// The table of a key.
    pub(super) fn open(&self, key: &str) -> Result<Arc<Table>, Refusal> {
        let (database, table) = key.split_once(BETWEEN).unwrap_or(("", key));
        let name = Name { database: database.to_owned(), table: table.to_owned() };
        if database.len().max(table.len()) > MAX_NAME || table.is_empty() {
            return Err(refusal(
                "table_name",
                format!("a name has 1 to {MAX_NAME} bytes: this one has another length"),
            ));
        }
        self.allow.check(&name.to_string())?;
        self.admit(key)?;
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(key) {
            return Ok(table.clone());
        }
        if tables.len() >= MAX_LIVE {
            tables.retain(|_, table| Arc::strong_count(table) > 1);
        }
        let table = Arc::new(Table::new(name));
        tables.insert(key.into(), table.clone());
        Ok(table)
    }
}

/// Parses a template whose literal texts fit into a name.
fn template(setting: &str, source: &str, allow: &Allow) -> Result<Confined, Problem> {
    let template = Confined::parse(setting, source)?.require_prefix(setting, allow)?;
    if source.is_empty() {
        return Err(Problem::new(setting, "is empty: expected a name"));
    }
    if source.chars().any(char::is_control) {
        return Err(Problem::new(setting, "holds a control character: no name does"));
    }
    Ok(template)
}

impl Table {
    fn new(name: Name) -> Self {
        Self { name, told: Mutex::default(), asking: tokio::sync::Mutex::default(), catch_all: ArcSwapOption::empty() }
    }

    /// Did the server say lately what it is?
    pub(super) fn is_known(&self) -> bool {
        self.is_known_at(Instant::now())
    }

    fn is_known_at(&self, now: Instant) -> bool {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.is_some_and(|told| now.duration_since(told) < BELIEVED)
    }

    /// Takes note of what the server said.
    pub(super) fn learn(&self, catch_all: Option<CatchAll>) {
        // Equal knowledge stays the same: bodies that were made with it need not be made anew.
        if self.catch_all.load().as_deref() != catch_all.as_ref() {
            self.catch_all.store(catch_all.map(Arc::new));
        }
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// The server is asked again before the next insert.
    pub(super) fn doubt(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Spot {
    pub(super) fn of(table: Arc<Table>) -> Self {
        Self { catch_all: table.catch_all.load_full(), table }
    }

    /// Has the table become another since the body was begun?
    pub(super) fn is_stale(&self) -> bool {
        let now = self.table.catch_all.load();
        match (&self.catch_all, &*now) {
            (Some(then), Some(now)) => !Arc::ptr_eq(then, now),
            (then, now) => then.is_some() != now.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::test_batch::json;

    fn opened(target: &Target, record: &str) -> Result<String, &'static str> {
        let mut key = String::new();
        let table = target.key(json(&[record]).get(0), &mut key).and_then(|()| target.open(&key));
        table.map(|table| table.name.quoted()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn names_are_quoted_and_confined() {
        let target = Target::new("analytics", "fact_`{{ a }}", &[]).unwrap();
        assert_eq!(opened(&target, r#"{"a":"x y"}"#), Ok("`analytics`.`fact_\\`x y`".to_owned()));
        assert_eq!(opened(&target, r#"{"a":"a\\b"}"#), Err("template_value"));
        assert_eq!(opened(&target, "{}"), Err("template_field"));
        let long = Target::new("d", &"x".repeat(MAX_NAME + 1), &[]).unwrap();
        assert_eq!(opened(&long, "{}"), Err("table_name"));
        let listed = Target::new("{{ db }}", "logs", &["team_*.logs".to_owned()]).unwrap();
        assert_eq!(opened(&listed, r#"{"db":"team_a"}"#), Ok("`team_a`.`logs`".to_owned()));
        assert_eq!(opened(&listed, r#"{"db":"system"}"#), Err("template_not_allowed"));
        for (database, table) in [("{{ a }}", "t"), ("d", "{{ a }}"), ("", "t"), ("d", "a\nb"), ("d", "{{ a")] {
            assert!(Target::new(database, table, &[]).is_err(), "{database}.{table}");
        }
    }

    #[test]
    fn a_table_is_one_however_often_it_is_named() {
        let target = Target::new("d", "t_{{ a }}", &[]).unwrap();
        let (one, again) = (target.open("d\0t_1").unwrap(), target.open("d\0t_1").unwrap());
        assert!(Arc::ptr_eq(&one, &again));
        for number in 2..=MAX_LIVE {
            target.open(&format!("d\0t_{number}")).unwrap();
        }
        assert_eq!(target.open("d\0t_more").unwrap_err().code, "template_limit");
        drop(again);
        target.tables.lock().unwrap().insert("aged".into(), Arc::new(Table::new(one.name.clone())));
        target.open("d\0t_2").unwrap();
        assert!(Arc::ptr_eq(&one, &target.open("d\0t_1").unwrap()), "what is in use is kept");
    }

    #[test]
    fn a_body_is_stale_when_the_table_became_another() {
        let table = Arc::new(Table::new(Name { database: "d".into(), table: "t".into() }));
        let columns = |names: &[&str]| {
            let columns: Vec<_> = names.iter().map(|name| ((*name).to_owned(), "String".to_owned())).collect();
            CatchAll::new("rest", &columns).ok()
        };
        let before = Spot::of(table.clone());
        table.learn(None);
        assert!(table.is_known() && !before.is_stale(), "it is known now to have no such column");
        assert!(!table.is_known_at(Instant::now() + BELIEVED), "for some time");
        table.learn(columns(&["rest"]));
        let with = Spot::of(table.clone());
        assert!(before.is_stale() && !with.is_stale());
        table.learn(columns(&["rest"]));
        assert!(!with.is_stale());
        table.learn(columns(&["rest", "more"]));
        assert!(with.is_stale());
    }
}
