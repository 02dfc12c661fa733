//! What the server is asked of a table before the first insert, after a hold and when its columns seem to have changed.

use serde::Deserialize;

use super::target::Name;

/// Inserts that a table remembers, as the `ALTER` in a warning sets it: what replicated tables have since 25.9.
const WINDOW: u32 = 10_000;

/// What a server says of a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Facts {
    /// Version of the server.
    pub(super) version: String,
    /// Name of the table's engine; empty if there is no table.
    pub(super) engine: String,
    /// Its parameters and settings.
    engine_full: String,
    /// The server's defaults of the settings that say how many inserts a table remembers.
    own_window: String,
    replicated_window: String,
    /// Columns that an insert may write.
    names: Vec<String>,
    types: Vec<String>,
}

/// The question.
pub(super) fn sql(name: &Name) -> String {
    let (database, table) = (literal(&name.database), literal(&name.table));
    let of_table = |what: &str| {
        format!("(SELECT any({what}) FROM system.tables WHERE database = {database} AND name = {table}) AS {what}")
    };
    let default = |what: &str, setting: &str, alias: &str| {
        format!("(SELECT any(value) FROM system.{what}merge_tree_settings WHERE name = '{setting}') AS {alias}")
    };
    let columns = |what: &str, alias: &str| {
        format!(
            "(SELECT groupArray({what}) FROM (SELECT {what} FROM system.columns WHERE database = {database} AND \
             table = {table} AND default_kind IN ('', 'DEFAULT') ORDER BY position)) AS {alias}"
        )
    };
    format!(
        "SELECT version() AS version, {}, {}, {}, {}, {}, {} FORMAT JSONEachRow",
        of_table("engine"),
        of_table("engine_full"),
        default("", "non_replicated_deduplication_window", "own_window"),
        default("replicated_", "replicated_deduplication_window", "replicated_window"),
        columns("name", "names"),
        columns("type", "types"),
    )
}

/// A string as ClickHouse reads it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

impl Facts {
    /// Reads the answer; none if it is no such answer.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Is there a table?
    pub(super) fn exists(&self) -> bool {
        !self.engine.is_empty()
    }

    /// Names and types of the columns that an insert may write.
    pub(super) fn columns(&self) -> Vec<(String, String)> {
        self.names.iter().cloned().zip(self.types.iter().cloned()).collect()
    }

    /// Why the table, called `name`, would store twice what is sent twice; what to do about it.
    pub(super) fn repeats(&self, name: &str) -> Option<String> {
        let is_replicated = self.engine.starts_with("Replicated") || self.engine.starts_with("Shared");
        if self.engine.ends_with("MergeTree") {
            let (setting, default) = if is_replicated {
                ("replicated_deduplication_window", &self.replicated_window)
            } else {
                ("non_replicated_deduplication_window", &self.own_window)
            };
            return (self.setting(setting).unwrap_or(default) == "0").then(|| {
                format!(
                    "`{name}` ({}) remembers no inserts, so one that is sent again is stored again: \
                     ALTER TABLE {name} MODIFY SETTING {setting} = {WINDOW}",
                    self.engine
                )
            });
        }
        let why = match self.engine.as_str() {
            "" => return None,
            "Distributed" => {
                "an insert that is sent again is recognised only if it meets the same shard: write to the \
                              tables behind it, or shard by something that the rows hold"
            }
            _ => {
                "it remembers no inserts, so one that is sent again is stored again: only tables of the MergeTree \
                  family can"
            }
        };
        Some(format!("`{name}` is of the engine `{}`: {why}", self.engine))
    }

    /// A setting in the table's definition.
    fn setting(&self, name: &str) -> Option<&str> {
        let (_, settings) = self.engine_full.rsplit_once(" SETTINGS ")?;
        let mut pairs = settings.split(", ").filter_map(|pair| pair.split_once(" = "));
        pairs.find(|(setting, _)| *setting == name).map(|(_, value)| value.trim_matches('\''))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(engine: &str, settings: &str) -> Facts {
        Facts {
            version: "26.9.2.1".into(),
            engine: engine.into(),
            engine_full: format!("{engine} ORDER BY a{settings}"),
            own_window: "0".into(),
            replicated_window: "10000".into(),
            names: vec!["a".into()],
            types: vec!["UInt8".into()],
        }
    }

    #[test]
    fn a_table_without_a_window_is_told_of_with_what_mends_it() {
        let why = facts("MergeTree", " SETTINGS index_granularity = 8192").repeats("d.t").unwrap();
        assert!(why.ends_with("ALTER TABLE d.t MODIFY SETTING non_replicated_deduplication_window = 10000"), "{why}");
        let with = " SETTINGS non_replicated_deduplication_window = 100, index_granularity = 8192";
        assert_eq!(facts("ReplacingMergeTree", with).repeats("d.t"), None);
        assert_eq!(facts("ReplicatedMergeTree", "").repeats("d.t"), None);
        assert_eq!(facts("SharedMergeTree", "").repeats("d.t"), None);
        let off = " SETTINGS replicated_deduplication_window = 0, non_replicated_deduplication_window = 5";
        assert!(facts("ReplicatedSummingMergeTree", off).repeats("d.t").unwrap().contains("remembers no inserts"));
        let by_server = Facts { own_window: "100".into(), ..facts("MergeTree", "") };
        assert_eq!(by_server.repeats("d.t"), None, "the server's own setting counts where the table has none");
        assert!(facts("Distributed", "").repeats("d.t").unwrap().contains("shard"));
        assert!(facts("Null", "").repeats("d.t").unwrap().contains("MergeTree family"));
        assert_eq!(facts("", "").repeats("d.t"), None, "there is none");
    }

    #[test]
    fn answers_are_read_and_others_are_none() {
        let body = br#"{"version":"26.9.2.1","engine":"","engine_full":"","own_window":"0","replicated_window":"","names":[],"types":[]}"#;
        let facts = Facts::read(body).unwrap();
        assert!(!facts.exists() && facts.columns().is_empty());
        assert_eq!((Facts::read(b""), Facts::read(b"Ok.\n")), (None, None));
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        let name = Name { database: "d'; DROP TABLE x --".into(), table: "a\\".into() };
        let sql = sql(&name);
        assert!(sql.contains(r"'d\'; DROP TABLE x --'") && sql.contains(r"'a\\'"), "{sql}");
    }
}
