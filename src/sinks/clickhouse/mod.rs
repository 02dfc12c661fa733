//! `clickhouse`: rows to tables of ClickHouse, by its HTTP interface.
//!
//! Guarantee: each insert once per table, as long as the table remembers inserts; over an end of the process with
//! `buffer.type = "disk"`, else as long as it lives. Each request
//! carries an `insert_deduplication_token`, a pure function of the identities of its records and of these settings: a
//! retry is the same insert. Replicated tables remember the last 10,000 inserts of an hour (1,000 of a week before
//! 25.10), other tables of the `MergeTree` family none, unless `non_replicated_deduplication_window` is set: the sink
//! looks before its first insert and warns, with the `ALTER TABLE` that mends it. Inserts of other writers take room in
//! that memory too. A disk buffer notes what goes together before it is sent, so that it is the same insert after a kill.
//! Without one, records that were not acknowledged are read again and cut into other requests: those of them that had
//! been stored are stored again. With `async_insert_settings.enabled` rows are stored
//! at least once, without a token.
//!
//! One request goes to one table. Within it ClickHouse makes a part for each *partition* of the table that the rows
//! fall into: more than 100 (`max_partitions_per_insert_block`) are refused, and the request is then sent in halves;
//! fewer are slow too. So partition tables by month or by day of the record's time, and put what parts teams or
//! services into `ORDER BY`, or into the names of tables: `table = "logs_{{ team }}"`.
//!
//! The code of an exception decides, not the status: too many parts, memory and other loads are waited out; unknown
//! tables, credentials and rights hold what they concern until a person acts; a request with rows that a table cannot
//! take is halved until these stand alone, and they become dead letters with the server's reason. Members without a
//! column are skipped by the server, unless `skip_unknown_fields` is off, or go into `unknown_fields_column`: columns
//! are read before the first insert, and again when the server finds fault with them.
//!
//! Limits: a request has at most 1,048,449 rows and 256 MB, one block of the server's. A number that is too large for
//! its column is stored as the server stores it, which may be wrapped around. Where a request's outcome stayed unknown
//! and the table was altered before its retry, so that rows are refused now, rows of it may be stored twice.

mod answer;
mod columns;
mod encoder;
mod insert;
mod question;
mod server;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hyper::Uri;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::codecs::{Compression, ShapeSettings};
use crate::component::auth::Auth;
use crate::component::files::{Files, Named};
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::tls::TlsSettings;
use crate::delivery::confined::Allow;
use crate::delivery::settings::{Acknowledgements, BatchSettings, BufferSettings, RequestSettings};
use crate::delivery::{Delivery, DeliveryPlan, Drain, address};
use crate::event::hash32;
use crate::lang::Tables;

use encoder::Form;
use insert::{BLOCK_BYTES, BLOCK_ROWS, Format, Insert, QuerySettings};
use server::Clickhouse;
use target::Target;

/// Encoded bytes of a request: ClickHouse wants few and large inserts, about one a second for each table.
const MAX_BYTES: usize = 10_000_000;

/// Writes rows to tables of ClickHouse.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClickhouseSettings {
    /// Base address of the HTTP interface: `http://host:8123` or `https://host:8443`.
    endpoint: String,
    /// The database; text with `{{ field }}` and date specifiers.
    #[serde(default = "default_database")]
    database: String,
    /// The table; text with `{{ field }}` and date specifiers, such as `logs_{{ team }}`.
    table: String,
    /// Globs of the tables (`DATABASE.TABLE`) that records may choose; needed if a name begins with a field.
    #[serde(default)]
    allow: Vec<String>,
    /// How rows are written.
    #[serde(default)]
    format: Format,
    /// Let the server skip members that no column takes; `false` refuses such rows. As the server's own setting says
    /// if not set: it skips them.
    skip_unknown_fields: Option<bool>,
    /// Column for the members that no other column takes: `JSON`, `Map(String, String)` or `String`. Where the table has
    /// none of this name, `skip_unknown_fields` says what becomes of them.
    unknown_fields_column: Option<String>,
    /// Read times in many forms, RFC 3339 among them, rather than as the server's own setting says.
    #[serde(default = "default_best_effort")]
    date_time_best_effort: bool,
    /// Into a `Distributed` table: all rows of a request to one shard, chosen at random.
    #[serde(default)]
    insert_random_shard: bool,
    /// Settings of inserts.
    #[serde(default)]
    query_settings: QuerySettings,
    /// What of a record is written.
    #[serde(default)]
    encoding: ShapeSettings,
    /// Credentials.
    auth: Option<Auth>,
    /// TLS for an `https` endpoint.
    #[serde(default)]
    tls: TlsSettings,
    /// Compression of requests.
    #[serde(default = "default_compression")]
    compression: Compression,
    /// When a request is closed and sent; `max_bytes` is 10 MB by default.
    #[serde(default)]
    batch: BatchSettings,
    /// How requests are sent.
    #[serde(default)]
    request: RequestSettings,
    /// Who waits for the sink.
    #[serde(default)]
    acknowledgements: Acknowledgements,
    /// What stands before the sink.
    #[serde(default)]
    buffer: BufferSettings,
}

fn default_database() -> String {
    "default".to_owned()
}

const fn default_best_effort() -> bool {
    true
}

const fn default_compression() -> Compression {
    Compression::Gzip
}

impl ClickhouseSettings {
    fn target(&self) -> Result<Target, Problem> {
        Target::new(&self.database, &self.table, &self.allow)
    }

    /// The endpoint, without a slash at its end.
    fn base(&self) -> Result<String, Problem> {
        let uri: Uri = address::address("endpoint", &self.endpoint)?;
        if uri.query().is_some() {
            let problem = Problem::new("endpoint", "holds a query: expected `http://host:port` or `https://...`");
            return Err(
                problem.help("settings of inserts have settings of this sink; others belong to the user's profile")
            );
        }
        Ok(self.endpoint.trim_end_matches('/').to_owned())
    }

    /// What stands in the way of one block for each request.
    fn batch_problems(&self) -> impl Iterator<Item = Problem> {
        let over = |setting: &str, value: Option<usize>, most: usize| {
            let message = format!("is more than the {most} that one block of the server holds: an insert must be one");
            value.filter(|value| *value > most).map(|_| Problem::new(setting, message))
        };
        let rows = over("batch.max_events", self.batch.max_events, BLOCK_ROWS);
        rows.into_iter().chain(over("batch.max_bytes", self.batch.max_bytes, BLOCK_BYTES))
    }

    /// Settings that do not go together.
    fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let gathered = &self.query_settings.async_insert_settings;
        if gathered.is_idle() {
            let message = "is set without `enabled = true`: inserts are not gathered";
            problems.push(Problem::new("query_settings.async_insert_settings", message));
        }
        if self.unknown_fields_column.is_some() && self.format != Format::EachRow {
            let message = "is set, but `format` puts the whole record into one column: expected `json_each_row`";
            problems.push(Problem::new("unknown_fields_column", message));
        }
        if self.unknown_fields_column.is_none() && self.format != Format::EachRow && self.skip_unknown_fields.is_some()
        {
            let message = "has no meaning with this `format`: the whole record goes into one column";
            problems.push(Problem { is_warning: true, ..Problem::new("skip_unknown_fields", message) });
        }
        problems
    }

    /// A hash of all that makes the rows of the same records other rows.
    fn fingerprint(&self, id: &str) -> u32 {
        let Self { format, encoding, unknown_fields_column, .. } = self;
        hash32(format!("{id}\n{format:?}\n{encoding:?}\n{unknown_fields_column:?}").as_bytes())
    }

    fn insert(&self) -> Insert {
        Insert {
            format: self.format,
            skip_unknown_fields: self.skip_unknown_fields,
            best_effort: self.date_time_best_effort,
            random_shard: self.insert_random_shard,
            gathered: self.query_settings.async_insert_settings.clone(),
        }
    }

    fn sink(&self, context: &Context) -> Result<Clickhouse, Problem> {
        let tls = self.tls.renewed(&context.files, Some(&context.meters)).map_err(|why| Problem::new("tls", why))?;
        Ok(Clickhouse {
            client: server::client(tls),
            id: context.id.clone(),
            base: self.base()?,
            headers: address::headers(&self.request.headers, self.auth.as_ref())?,
            content_encoding: self.compression.content_encoding(),
            insert: self.insert(),
            fingerprint: self.fingerprint(&context.id),
            rest: self.unknown_fields_column.clone(),
            form: Arc::new(Form { target: self.target()?, shape: self.encoding.shape()? }),
            told: server::Told::default(),
        })
    }
}

impl Settings for ClickhouseSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "clickhouse";
    const EXAMPLE: &'static str = r#"[sinks.warehouse]
type = "clickhouse"
inputs = ["app"]
endpoint = "https://clickhouse:8443"
database = "logs"
table = "app"
auth = { strategy = "basic", user = "levada", password = "${CLICKHOUSE_PASSWORD}" }
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check(&self) -> Vec<Problem> {
        let mut problems = Allow::problems("allow", &self.allow);
        problems.extend(self.target().err().filter(|problem| !problem.setting.starts_with("allow")));
        problems.extend(self.base().err());
        problems.extend(address::header_problems(&self.request.headers, self.auth.as_ref()));
        problems.extend(self.encoding.shape().err().map(Problem::from));
        problems.extend(self.batch_problems());
        problems.extend(self.contradictions());
        problems.extend(self.tls.check("tls"));
        problems
    }

    fn idle(&self) -> Vec<Problem> {
        let mut idle = self.buffer.idle();
        idle.extend(self.tls.idle("tls", [self.endpoint.as_str()]));
        idle
    }

    fn files(&self) -> Vec<Named> {
        self.tls.files("tls")
    }

    fn check_files(&self, files: &Files, _: &Tables) -> Vec<Problem> {
        self.tls.check_files("tls", files)
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let sink = self.sink(&context)?;
        let plan = DeliveryPlan::new(&self.batch, MAX_BYTES);
        let plan = DeliveryPlan {
            max_events: plan.max_events.min(BLOCK_ROWS),
            compression: self.compression,
            request: self.request,
            is_required: self.acknowledgements.enabled,
            buffer: self.buffer,
            ..plan
        };
        Ok(Box::new(Delivery { sink: Arc::new(sink), plan }))
    }
}
