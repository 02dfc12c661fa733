//! A toy catalogue, made as the real one is: settings types with schemas.

use crate::component::files::Files;
use crate::component::row::{About, Problem, Reach};
use crate::config::{
    Budget, Catalogue, Check, Component, ComponentType, Globals, Kind, Loaded, Memory, Outputs, Rules, Section,
    Shelves, load_texts, parse_size,
};
use crate::diagnostic::{Color, render_report};
use crate::lang::Tables;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

pub(in crate::config) const SOURCE: &str = "[sources.in]\ntype = 'file'\ninclude = ['/var/log/*.log']\n\n";
pub(in crate::config) const SINK: &str =
    "[sinks.out]\ntype = 'elasticsearch'\ninputs = ['in']\nendpoints = ['http://127.0.0.1:9200']\n";

macro_rules! text_type {
    ($name:ident, $schema:tt) => {
        #[derive(Deserialize)]
        #[serde(transparent)]
        pub(in crate::config) struct $name(#[allow(dead_code)] toml::Value);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text_type!(Size, { "type": ["integer", "string"], "format": "byte-size", "minimum": 0 });
text_type!(Span, { "type": "string", "format": "duration" });
text_type!(Rate, { "type": "number", "exclusiveMinimum": 0 });
text_type!(Filled, { "type": "array", "items": { "type": "string" }, "minItems": 1 });
text_type!(Id, { "anyOf": [{ "type": "string" }, { "type": "integer" }] });
text_type!(Name, { "type": "string", "minLength": 1 });

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ReadFrom {
    /// From the first byte.
    Beginning,
    /// Only what is new.
    End,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Compression {
    None,
    Gzip,
    Zstd,
}

macro_rules! settings {
    ($($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* })*) => {$(
        #[derive(Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct $name { $($(#[$meta])* $field: $type,)* }
    )*};
}

settings! {
    File {
        /// Patterns of the files to read.
        include: Filled,
        exclude: Option<Vec<String>>,
        read_from: Option<ReadFrom>,
        decoding: Option<Decoding>,
        max_line_bytes: Option<Size>,
    }
    Decoding { codec: Option<String>, }
    Otlp { http: BTreeMap<String, String>, grpc: BTreeMap<String, String>, }
    Remap {
        /// The program.
        source: String,
        drop_on_error: Option<bool>,
    }
    Route { route: BTreeMap<String, String>, }
    Enrich { fields: BTreeMap<String, String>, }
    Scrub { fields: Vec<String>, detectors: Vec<String>, replacement: Option<String>, }
    Blackhole {}
    Bulk {
        /// The index that records go to.
        index: Name,
    }
    Request { concurrency: Option<NonZeroU32>, timeout: Option<Span>, rate: Option<Rate>, }
    Buffer { max_size: Option<Size>, }
    Nested { depth: Option<u8>, nested: Option<Box<Nested>>, }
    Elasticsearch {
        endpoints: Filled,
        compression: Option<Compression>,
        bulk: Option<Bulk>,
        request: Option<Request>,
        buffer: Option<Buffer>,
        auth: Option<Auth>,
        fields: Option<BTreeMap<String, String>>,
        index: Option<String>,
        tags: Option<Vec<String>>,
        ports: Option<Vec<u16>>,
        tls: Option<bool>,
        id: Option<Id>,
        nested: Option<Nested>,
    }
    Aws { region: String, }
    Api { address: Option<String>, }
    Root { data_dir: Option<String>, memory_limit: Option<Size>, api: Option<Api>, }
    Case { name: String, }
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "strategy", rename_all = "snake_case", deny_unknown_fields)]
#[allow(dead_code)]
enum Auth {
    Basic { user: String, password: String },
    Bearer { token: String },
    Aws(Aws),
}

struct Row {
    kind: Kind,
    name: &'static str,
    schema: Json,
    outputs: Outputs,
    check: Check,
}

pub(in crate::config) struct Toys {
    rows: Vec<Row>,
    globals: Json,
}

fn main_output(_: &toml::Table) -> Vec<Option<String>> {
    vec![None]
}

fn remap_outputs(_: &toml::Table) -> Vec<Option<String>> {
    vec![None, Some("dropped".to_owned())]
}

fn otlp_outputs(_: &toml::Table) -> Vec<Option<String>> {
    ["logs", "metrics", "traces"].map(|port| Some(port.to_owned())).into()
}

fn no_outputs(_: &toml::Table) -> Vec<Option<String>> {
    Vec::new()
}

fn routes(settings: &toml::Table) -> Vec<Option<String>> {
    let named = settings["route"].as_table().expect("checked").keys().cloned();
    named.chain(["_unmatched".to_owned()]).map(Some).collect()
}

fn row<T: JsonSchema>(kind: Kind, name: &'static str, outputs: Outputs) -> Row {
    Row { kind, name, schema: schemars::schema_for!(T).to_value(), outputs, check: |_, _, _| Ok(Vec::new()) }
}

/// The word that this toy's compiler does not know.
#[expect(clippy::unnecessary_wraps, reason = "the type of a check")]
fn check_program(settings: &toml::Table, _: &Files, _: &Tables) -> Result<Vec<Problem>, String> {
    let program = settings["source"].as_str().expect("fits the schema");
    let found = program.find("broken");
    Ok(found.map(unknown_word).into_iter().collect())
}

fn unknown_word(at: usize) -> Problem {
    let fault = Problem::new("source", "there is no such function").about(About::Program);
    Problem { within: Some(at..at + 6), ..fault.help("try `parse_json`") }
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a check")]
fn check_addresses(settings: &toml::Table, _: &Files, _: &Tables) -> Result<Vec<Problem>, String> {
    let written = settings["endpoints"].as_array().expect("fits the schema").iter().filter_map(toml::Value::as_str);
    let of = |(at, text): (usize, &str)| {
        let problem = |message: &str| Problem::new(format!("endpoints[{at}]"), format!("`{text}` {message}"));
        match text.split_once("://") {
            None => Some(problem("is no address")),
            Some(("http", host)) if host.starts_with("public") => {
                Some(Problem { is_warning: true, ..problem("is sent in the clear") })
            }
            Some(_) => None,
        }
    };
    Ok(written.enumerate().filter_map(of).collect())
}

impl Default for Toys {
    fn default() -> Self {
        Self {
            rows: vec![
                row::<File>(Kind::Source, "file", main_output),
                row::<Otlp>(Kind::Source, "opentelemetry", otlp_outputs),
                Row { check: check_program, ..row::<Remap>(Kind::Transform, "remap", remap_outputs) },
                row::<Route>(Kind::Transform, "route", routes),
                row::<Enrich>(Kind::Transform, "enrich", main_output),
                row::<Scrub>(Kind::Transform, "scrub", main_output),
                row::<Blackhole>(Kind::Sink, "blackhole", no_outputs),
                Row { check: check_addresses, ..row::<Elasticsearch>(Kind::Sink, "elasticsearch", no_outputs) },
            ],
            globals: schemars::schema_for!(Root).to_value(),
        }
    }
}

impl Catalogue for Toys {
    fn find(&self, kind: Kind, type_name: &str) -> Option<ComponentType<'_>> {
        let row = self.rows.iter().find(|row| row.kind == kind && row.name == type_name)?;
        let Row { ref schema, outputs, check, .. } = *row;
        let (reach, claims) = (Reach::Pipeline, |_: &toml::Table| Vec::new());
        Some(ComponentType { example: "", schema, reach, claims, outputs, check })
    }

    fn names(&self, kind: Kind) -> Vec<&str> {
        self.rows.iter().filter(|row| row.kind == kind).map(|row| row.name).collect()
    }

    fn globals(&self) -> &Json {
        &self.globals
    }

    fn check_globals(&self, settings: &toml::Table) -> Vec<Problem> {
        Globals::check(settings)
    }

    fn tests(&self) -> &Json {
        super::super::Shelves.tests()
    }
}

fn bytes(value: Option<&toml::Value>) -> Option<u64> {
    parse_size(&value?.as_str().map_or_else(|| value.expect("is some").to_string(), str::to_owned))
}

impl Budget for Toys {
    fn memory_limit(&self, globals: &Section) -> u64 {
        bytes(globals.settings.get("memory_limit")).unwrap_or(512 << 20)
    }

    fn buffer_bytes(&self, sink: &Component) -> u64 {
        if sink.kind != Kind::Sink {
            return 0;
        }
        bytes(sink.section.settings.get("buffer").and_then(|buffer| buffer.get("max_size"))).unwrap_or(1 << 20)
    }
}

pub(in crate::config) fn environment(name: &str) -> Option<String> {
    let value = match name {
        "INT" => "8090",
        "BIG" => "99999999999",
        "FLOAT" => "0.5",
        "TRUE" => "true",
        "DURATION" => "5s",
        "SIZE" => "10MiB",
        "WORD" => "hunter2",
        "COMPRESSION" => "gzip",
        "LIST" => "a, b,c",
        "INTS" => "1,2",
        "INPUT" => "/tmp/in.log",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

pub(in crate::config) fn load_many(texts: &[(&str, &str)]) -> Loaded {
    let toys = Toys::default();
    load_texts(texts.iter().copied(), Rules { catalogue: &toys, environment: &environment, budget: &toys })
}

pub(in crate::config) fn load(text: &str) -> Loaded {
    load_many(&[("levada.toml", text)])
}

pub(in crate::config) fn shown(loaded: &Loaded) -> String {
    render_report(&loaded.report, &loaded.sources, Color::Never)
}

/// The faults that the program's own components have.
pub(in crate::config) fn own_faults(text: &str) -> String {
    let budget = Memory { default_limit: 1 << 30 };
    let rules = Rules { catalogue: &Shelves, environment: &environment, budget: &budget };
    shown(&load_texts([("levada.toml", text)], rules))
}

pub(in crate::config) fn faults(text: &str) -> String {
    shown(&load(text))
}
