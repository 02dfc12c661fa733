//! OTLP records: what is read back is what a sink of OTLP would have sent, and what one of JSON would have written.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::{Nobody, round_trip};
use crate::buffer::disk::payload::{Layout, decode, encode};
use crate::codecs::otlp::{Signal, split};
use crate::event::otlp::Writer;
use crate::event::otlp::wire::{Fields, put_bytes, put_varint};
use crate::event::{Batch, Origin, Path, Receipt, Seen, Shared, SharedParts, StreamKey, View};

/// A request, and what is done to its records.
#[derive(Clone, Debug)]
struct Case {
    signal: Signal,
    /// By resource, by scope: what each record is made of.
    request: Vec<Vec<Vec<u8>>>,
    /// Which record, which change.
    changes: Vec<(usize, usize)>,
    origin: usize,
}

/// What is set or, without a value, removed. Some of it no field can have.
const CHANGES: [(&str, Option<&str>); 34] = [
    (".name", Some(r#""masked""#)),
    (".name", Some("5")),
    (".name", None),
    (".message", Some(r#"{"a":[1,2.0,"3"],"b":18446744073709551615}"#)),
    (".message", None),
    (".attributes.more", Some("1.50")),
    (".attributes.text", Some(r#""***""#)),
    (".attributes.map.inner", None),
    (".attributes", Some("{}")),
    (".attributes", Some("7")),
    (".attributes", None),
    (".trace_id", Some(r#""xyz""#)),
    (".trace_id", Some(r#""000102030405060708090a0b0c0d0e0f""#)),
    (".timestamp", Some(r#""2026-11-20T10:00:00.5Z""#)),
    (".timestamp", Some(r#""yesterday""#)),
    (".timestamp", None),
    (".duration", Some("17")),
    (".duration", None),
    (".end_time_unix_nano", None),
    (".observed_timestamp", None),
    (".value", Some("7.5")),
    (".value", Some("7")),
    (".unit", Some(r#""s""#)),
    (".is_monotonic", Some("true")),
    (".description", None),
    (".type", None),
    (".severity_number", Some("17")),
    (".kind", Some(r#""consumer""#)),
    (".resource.attributes.\"service.name\"", Some(r#""other""#)),
    (".resource.schema_url", Some(r#""https://a/b""#)),
    (".resource", None),
    (".scope.name", Some(r#""lib""#)),
    (".team", Some(r#"{"of":["steps"]}"#)),
    (".env", None),
];

fn origin(which: usize) -> Origin {
    let shared = match which {
        0 => vec![],
        1 => vec![Shared::string("env", "prod"), Shared::string("zone", "7")],
        _ => vec![Shared::string("env", "prod"), Shared::string("name", "of the origin")],
    };
    Origin::new(StreamKey(5)).with(&shared)
}

fn attribute(number: u32, key: &str, value: &[u8], out: &mut Vec<u8>) {
    let mut pair = Vec::new();
    put_bytes(1, key.as_bytes(), &mut pair);
    put_bytes(2, value, &mut pair);
    put_bytes(number, &pair, out);
}

/// An `AnyValue` that is a string.
fn text(text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    put_bytes(1, text.as_bytes(), &mut value);
    value
}

/// Attributes of each type; `salt` tells which.
fn attributes(number: u32, salt: u8, out: &mut Vec<u8>) {
    if salt & 1 != 0 {
        attribute(number, "text", &text("a secret"), out);
    }
    if salt & 2 != 0 {
        attribute(number, "raw", &[0x3a, 2, 0xff, 0], out);
        attribute(number, "whole", &[0x18, 7], out);
    }
    if salt & 4 != 0 {
        let (mut map, mut value) = (Vec::new(), Vec::new());
        attribute(1, "inner", &text("deep"), &mut map);
        put_bytes(6, &map, &mut value);
        attribute(number, "map", &value, out);
    }
}

/// A message that holds attributes, and fields that nobody knows.
fn shared(number: u32, salt: u8) -> Vec<u8> {
    let mut message = Vec::new();
    attributes(number, salt, &mut message);
    if salt & 8 != 0 {
        put_bytes(90, b"unknown", &mut message);
    }
    message
}

fn time(number: u32, nanos: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 1, out);
    out.extend_from_slice(&nanos.to_le_bytes());
}

fn record(signal: Signal, salt: u8) -> Vec<u8> {
    let mut record = Vec::new();
    let start = 1_700_000_000_000_000_000 + u64::from(salt);
    match signal {
        Signal::Traces => {
            put_bytes(1, &[1; 16], &mut record);
            put_bytes(2, &[2; 8], &mut record);
            put_bytes(5, b"GET /", &mut record);
            if salt & 16 == 0 {
                time(7, start, &mut record);
                time(8, start + 9, &mut record);
            }
            attributes(9, salt, &mut record);
        }
        Signal::Logs => {
            if salt & 16 == 0 {
                time(1, start, &mut record);
            }
            if salt & 32 == 0 {
                time(11, start + 5, &mut record);
            }
            put_bytes(5, &text("a line"), &mut record);
            attributes(6, salt, &mut record);
        }
        Signal::Metrics => {
            time(3, start, &mut record);
            time(6, 7, &mut record);
            attributes(7, salt, &mut record);
        }
    }
    if salt & 8 != 0 {
        put_bytes(99, b"a later field", &mut record);
    }
    record
}

/// What is in a scope.
fn scope(signal: Signal, number: u8, salts: &[u8]) -> Vec<u8> {
    let mut of_scope = Vec::new();
    put_bytes(1, &shared(3, number), &mut of_scope);
    for salt in salts {
        let bytes = record(signal, *salt);
        if signal == Signal::Metrics {
            let (mut data, mut metric) = (Vec::new(), Vec::new());
            put_bytes(1, &bytes, &mut data);
            put_varint(2 << 3, &mut data);
            data.push(2);
            put_bytes(1, b"requests", &mut metric);
            put_bytes(7, &data, &mut metric);
            put_bytes(2, &metric, &mut of_scope);
        } else {
            put_bytes(2, &bytes, &mut of_scope);
        }
    }
    of_scope
}

fn request(case: &Case) -> Vec<u8> {
    let mut whole = Vec::new();
    for (number, scopes) in case.request.iter().enumerate() {
        let mut of_resource = Vec::new();
        put_bytes(1, &shared(1, number as u8 * 3 + 1), &mut of_resource);
        for (number, salts) in scopes.iter().enumerate() {
            put_bytes(2, &scope(case.signal, number as u8 * 5 + 1, salts), &mut of_resource);
        }
        put_bytes(3, format!("https://schemas/{number}").as_bytes(), &mut of_resource);
        put_bytes(1, &of_resource, &mut whole);
    }
    whole
}

fn records(signal: Signal, request: &[u8], origin: Origin) -> Batch {
    let mut batch = Batch::new(request.to_vec().into(), Arc::new(origin), Receipt::new(Arc::new(Nobody), 0));
    let refused = split(signal, request, &mut batch, Seen { position: 40, time: 3 }).unwrap();
    assert_eq!(refused.records, 0, "{refused:?}");
    batch
}

fn change(batch: &mut Batch, (at, which): (usize, usize)) {
    let (path, value) = CHANGES[which % CHANGES.len()];
    let (index, path) = (at % batch.len(), Path::parse(path).unwrap());
    match value {
        Some(value) => batch.edit().set(index, &path, value.as_bytes()),
        None => _ = batch.edit().remove(index, &path),
    }
}

fn changed(case: &Case) -> Batch {
    let mut batch = records(case.signal, &request(case), origin(case.origin));
    if !batch.is_empty() {
        case.changes.iter().for_each(|wanted| change(&mut batch, *wanted));
    }
    batch
}

fn json(view: View<'_>) -> Value {
    let mut out = Vec::new();
    view.write_json(&mut out);
    serde_json::from_slice(&out).unwrap()
}

/// What a sink of OTLP would send: all messages, or what is wrong with them.
fn sent(view: View<'_>) -> Result<[Vec<u8>; 6], String> {
    let mut writer = Writer::default();
    let shown = writer.read(view).map_err(|wrong| wrong.to_string())?;
    let parts =
        [shown.resource, shown.resource_schema_url, shown.scope, shown.scope_schema_url, shown.metric, shown.record];
    Ok(parts.map(<[u8]>::to_vec))
}

/// All that a sink can learn of a record.
fn seen(view: View<'_>) -> impl PartialEq + std::fmt::Debug + use<> {
    (view.form(), view.identity(), view.time(), json(view), sent(view))
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn case() -> impl Strategy<Value = Case> {
    let salts = prop::collection::vec(any::<u8>(), 0..4);
    let request = prop::collection::vec(prop::collection::vec(salts, 1..3), 1..3);
    let changes = prop::collection::vec((any::<usize>(), 0..CHANGES.len()), 0..8);
    (0..3_usize, request, changes, 0..3_usize).prop_map(|(signal, request, changes, origin)| Case {
        signal: Signal::ALL[signal],
        request,
        changes,
        origin,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn what_is_read_back_is_what_a_sink_would_have_sent(case in case(), kept in any::<u16>()) {
        let batch = changed(&case).select(|at| kept >> (at % 16) & 1 == 1);
        let once = round_trip(&batch);
        prop_assert_eq!(once.len(), batch.len());
        for (one, other) in once.iter().zip(batch.iter()) {
            prop_assert_eq!(seen(one), seen(other));
        }
        let twice = round_trip(&once);
        for (one, other) in twice.iter().zip(batch.iter()) {
            prop_assert_eq!(seen(one), seen(other));
        }
        let (mut one, mut two) = (Vec::new(), Vec::new());
        encode(&once, &mut one);
        encode(&twice, &mut two);
        prop_assert_eq!(one, two);
    }

    #[test]
    fn damage_is_no_reason_to_panic(
        case in case(),
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let batch = changed(&case);
        let mut bytes = Vec::new();
        encode(&batch, &mut bytes);
        for (at, flip) in flips {
            let at = at % bytes.len();
            bytes[at] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(batch) = decode(Layout::Messages, &bytes.into()) {
            batch.iter().for_each(|view| drop(seen(view)));
        }
    }
}

#[test]
fn an_edit_of_a_record_that_was_read_back_counts() {
    let case = Case { signal: Signal::Traces, request: vec![vec![vec![1]]], changes: vec![(0, 1)], origin: 1 };
    let mut back = round_trip(&changed(&case));
    assert_eq!(json(back.get(0))["name"], 5, "it reads as it was set");
    back.edit().set(0, &Path::parse(".name").unwrap(), br#""again""#);
    assert!(holds(&sent(back.get(0)).unwrap()[5], b"again"));
}

#[test]
fn what_was_masked_or_removed_is_not_stored() {
    const PATHS: [&str; 3] = [".attributes.text", ".resource.attributes.text", ".scope.attributes.text"];
    for (signal, is_removed, is_wrong) in Signal::ALL.into_iter().flat_map(|signal| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(one, two)| (signal, one, two))
    }) {
        let case = Case { signal, request: vec![vec![vec![1, 3]], vec![vec![5]]], changes: vec![], origin: 1 };
        let mut batch = changed(&case);
        for index in 0..batch.len() {
            for path in PATHS.map(|path| Path::parse(path).unwrap()) {
                if is_removed {
                    batch.edit().remove(index, &path);
                } else {
                    batch.edit().set(index, &path, br#""***""#);
                }
            }
            if is_wrong {
                // Beside a value that no field can have.
                batch.edit().set(index, &Path::parse(".flags").unwrap(), b"\"no number\"");
            }
        }
        assert_eq!(sent(batch.get(0)).is_err(), is_wrong);
        let mut bytes = Vec::new();
        encode(&batch, &mut bytes);
        assert!(!holds(&bytes, b"a secret"), "{signal:?} {is_removed} {is_wrong}");
    }
}

/// Bytes of a resource that is large.
const LARGE: usize = 1 << 20;

/// Many records that share one large resource, each in a scope of its own.
fn large(signal: Signal, count: usize) -> Batch {
    let (mut whole, mut of_resource, mut resource) = (Vec::new(), Vec::new(), shared(1, 1));
    attribute(1, "large", &text(&"x".repeat(LARGE)), &mut resource);
    put_bytes(1, &resource, &mut of_resource);
    for number in 0..count {
        put_bytes(2, &scope(signal, 0, &[number as u8 & 6]), &mut of_resource);
    }
    put_bytes(1, &of_resource, &mut whole);
    assert_eq!(Fields::checked(&whole).count(), 1);
    records(signal, &whole, origin(1))
}

#[test]
fn a_large_resource_is_stored_once_however_many_records_share_it() {
    for (signal, is_masked) in Signal::ALL.into_iter().flat_map(|signal| [(signal, false), (signal, true)]) {
        let mut batch = large(signal, 200);
        let mut known = SharedParts::default();
        for index in (0..batch.len()).filter(|_| is_masked) {
            batch.edit().rewrite_with(index, &mut known, |key, value, out| {
                let text = String::from_utf8_lossy(value).replace("a secret", "***");
                out.extend_from_slice(text.as_bytes());
                key == b"resource"
            });
        }
        let mut bytes = Vec::new();
        encode(&batch, &mut bytes);
        assert!(bytes.len() < LARGE + 200 * 300, "{signal:?} {is_masked}: {}", bytes.len());
        assert_eq!(holds(&bytes, b"a secret"), !is_masked);
        let back = decode(Layout::Messages, &bytes.into()).unwrap();
        assert!(back.weight() < LARGE + 200 * 700, "{signal:?} {is_masked}: {}", back.weight());
        assert_eq!(seen(back.get(199)), seen(batch.get(199)));
    }
}
