//! The address of an insert: the statement, and the settings that the server obeys for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::target::Name;
use crate::delivery::address::escape;

/// Rows and bytes of a block on the server, as it has them by default. A request stays within one: the token of an
/// insert counts its blocks, so that a retry would be another insert where they are cut otherwise.
pub(super) const BLOCK_ROWS: usize = 1_048_449;
pub(super) const BLOCK_BYTES: usize = 268_402_944;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Format {
    /// Each member goes into the column of its name (`JSONEachRow`).
    #[serde(rename = "json_each_row")]
    #[default]
    EachRow,
    /// The whole record goes into the table's one column, of the type `JSON` (`JSONAsObject`).
    #[serde(rename = "json_as_object")]
    AsObject,
    /// The whole record goes into the table's one column, of the type `String` (`JSONAsString`).
    #[serde(rename = "json_as_string")]
    AsString,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::EachRow => "JSONEachRow",
            Self::AsObject => "JSONAsObject",
            Self::AsString => "JSONAsString",
        }
    }
}

/// Settings of inserts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QuerySettings {
    /// Let the server gather small inserts of many clients into one.
    pub(super) async_insert_settings: AsyncInsertSettings,
}

/// Inserts that the server gathers. Levada waits for the end of each; such an insert is stored at least once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AsyncInsertSettings {
    /// Gather inserts (`async_insert`). Off by default, also where the server's default is on.
    pub(super) enabled: bool,
    /// Seconds to wait for the end (`wait_for_async_insert_timeout`).
    wait_for_processing_timeout: Option<u64>,
    /// Drop an insert that equals an earlier one byte by byte (`async_insert_deduplicate`): also one of other records.
    deduplicate: Option<bool>,
    /// Bytes that the server gathers at most (`async_insert_max_data_size`).
    #[schemars(range(min = 1))]
    max_data_size: Option<u64>,
    /// Inserts that the server gathers at most (`async_insert_max_query_number`).
    #[schemars(range(min = 1))]
    max_query_number: Option<u64>,
}

impl AsyncInsertSettings {
    /// Is anything set that needs `enabled`?
    pub(super) fn is_idle(&self) -> bool {
        !self.enabled && *self != Self::default()
    }

    fn write(&self, query: &mut Query) {
        if !self.enabled {
            return query.add("async_insert", "0");
        }
        query.add("async_insert", "1");
        query.add("wait_for_async_insert", "1");
        query.add_if("wait_for_async_insert_timeout", self.wait_for_processing_timeout);
        query.add_if("async_insert_deduplicate", self.deduplicate.map(u64::from));
        query.add_if("async_insert_max_data_size", self.max_data_size);
        query.add_if("async_insert_max_query_number", self.max_query_number);
    }
}

/// What is the same in the address of every insert.
#[derive(Clone, Debug)]
pub(super) struct Insert {
    pub(super) format: Format,
    pub(super) skip_unknown_fields: Option<bool>,
    pub(super) best_effort: bool,
    pub(super) random_shard: bool,
    pub(super) gathered: AsyncInsertSettings,
}

impl Insert {
    /// Does the server know requests by their token? Not those that it gathers: of these it noted the token for
    /// partitions that the request did not have, and dropped later rows (ClickHouse #111031).
    pub(super) fn has_token(&self) -> bool {
        !self.gathered.enabled
    }

    /// The query of an insert into `name`; `fingerprint` and `identity` are the request's. Where a column takes what no other takes
    /// (`takes_all`) and a member is left over, the table has become another: unless told otherwise the server shall
    /// say so.
    pub(super) fn query(&self, name: &Name, takes_all: bool, (fingerprint, identity): (u32, u128)) -> String {
        let mut query = Query(String::new());
        query.add("query", &format!("INSERT INTO {} FORMAT {}", name.quoted(), self.format.name()));
        query.add("input_format_import_nested_json", "1");
        if self.best_effort {
            query.add("date_time_input_format", "best_effort");
        }
        let skip = self.skip_unknown_fields.or(takes_all.then_some(false));
        query.add_if("input_format_skip_unknown_fields", skip.map(u64::from));
        if self.random_shard {
            query.add("insert_distributed_one_random_shard", "1");
        }
        self.gathered.write(&mut query);
        if self.has_token() {
            query.add("insert_deduplicate", "1");
            query.add("insert_deduplication_token", &format!("levada-{fingerprint:08x}-{identity:032x}"));
            query.add("max_insert_block_size", &BLOCK_ROWS.to_string());
            query.add("min_insert_block_size_rows", &BLOCK_ROWS.to_string());
            query.add("min_insert_block_size_bytes", &BLOCK_BYTES.to_string());
        }
        query.0
    }
}

/// A query in the making.
struct Query(String);

impl Query {
    fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend([name, "=", &escape(value)]);
    }

    fn add_if(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.add(name, &value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn insert(gathered: AsyncInsertSettings) -> Insert {
        let (skip_unknown_fields, best_effort, random_shard) = (Some(true), true, true);
        let format = Format::EachRow;
        Insert { format, skip_unknown_fields, best_effort, random_shard, gathered }
    }

    fn name() -> Name {
        Name { database: "d b".into(), table: "t".into() }
    }

    #[test]
    fn an_insert_has_its_token_and_is_not_gathered() {
        let query = insert(AsyncInsertSettings::default()).query(&name(), false, (0xab, 0x17));
        assert_eq!(
            query,
            "query=INSERT%20INTO%20%60d%20b%60.%60t%60%20FORMAT%20JSONEachRow&input_format_import_nested_json=1\
             &date_time_input_format=best_effort&input_format_skip_unknown_fields=1&insert_distributed_one_random_shard=1\
             &async_insert=0&insert_deduplicate=1\
             &insert_deduplication_token=levada-000000ab-00000000000000000000000000000017\
             &max_insert_block_size=1048449&min_insert_block_size_rows=1048449&min_insert_block_size_bytes=268402944"
        );
    }

    #[test]
    fn a_member_that_is_left_over_is_told_of_where_a_column_takes_all() {
        let skips = |set: Option<bool>, takes_all: bool| {
            let insert = Insert { skip_unknown_fields: set, ..insert(AsyncInsertSettings::default()) };
            let query = insert.query(&name(), takes_all, (0, 0));
            let found = query.split('&').find_map(|pair| pair.strip_prefix("input_format_skip_unknown_fields="));
            found.map(str::to_owned)
        };
        assert_eq!((skips(None, false), skips(None, true)), (None, Some("0".to_owned())));
        assert_eq!((skips(Some(true), true), skips(Some(false), false)), (Some("1".to_owned()), Some("0".to_owned())));
    }

    #[test]
    fn a_gathered_insert_is_waited_for_and_has_no_token() {
        let text = "enabled = true\nwait_for_processing_timeout = 30\ndeduplicate = false\nmax_data_size = 7\nmax_query_number = 8";
        let query = insert(toml::from_str(text).unwrap()).query(&name(), false, (0xab, 0x17));
        assert!(
            query.ends_with(
                "&async_insert=1&wait_for_async_insert=1&wait_for_async_insert_timeout=30&async_insert_deduplicate=0\
             &async_insert_max_data_size=7&async_insert_max_query_number=8"
            ),
            "{query}"
        );
        assert!(!query.contains("token"), "{query}");
    }

    proptest! {
        #[test]
        fn the_token_tells_requests_and_settings_apart(one: (u32, u128), other: (u32, u128)) {
            let query = |identity| insert(AsyncInsertSettings::default()).query(&name(), false, identity);
            prop_assert_eq!(query(one), query(one));
            prop_assert_eq!(query(one) == query(other), one == other);
            prop_assert_ne!(query(one), query((one.0, one.1 ^ 1)));
            prop_assert_ne!(query(one), query((one.0 ^ 1, one.1)));
        }
    }
}
