//! Records against a model.

mod model;

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use self::model::{Act, Below, Model, Spot, fields};
use super::{Batch, Editor, Origin, Receipt, Resolution, Resolve, Seen, Shared, StreamKey, View, json};

struct Nobody;
impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

/// Keys, each as it may be spelled in JSON.
const KEYS: [(&str, &[&str]); 6] = [
    ("a", &["a", "a", "\\u0061"]),
    ("env", &["env", "env", "en\\u0076", "\\u0065nv"]),
    ("x/\"y", &["x/\\\"y", "x\\/\\\"y"]),
    ("\u{e9}", &["\u{e9}", "\\u00e9"]),
    ("message", &["message"]),
    ("timestamp", &["timestamp", "timestam\\u0070"]),
];

/// Values whose text says more than their meaning.
const VALUES: [&str; 13] = [
    "1",
    "12345678901234567890",
    "-1.0e+05",
    "null",
    "false",
    "\"\"",
    "\"a\\/b\\u00e9 \u{e9}\"",
    "[]",
    "{}",
    "[1, \"two\" ,{\"a\":[null]}]",
    "{\"a\" : {\"env\":[1,2, 3]},\"b\":0.10}",
    "{\"env\":{\"\\u0061\":{\"a\":\"deep\"}}}",
    "[[[0]],\"\\ud83d\\ude00\"]",
];

type Members = Vec<(String, String)>;

fn member() -> impl Strategy<Value = (String, String)> {
    let key = prop::sample::select(&KEYS[..]).prop_flat_map(|(_, spelled)| prop::sample::select(spelled));
    (key, prop::sample::select(&VALUES[..])).prop_map(|(key, value)| (key.to_owned(), value.to_owned()))
}

fn members() -> impl Strategy<Value = Members> {
    prop::collection::vec(member(), 0..7)
}

/// Members of an origin have one occurrence of each key, spelled plainly.
fn shared() -> impl Strategy<Value = Members> {
    let keys = prop::sample::subsequence(vec!["a", "env", "message", "only", "timestamp"], 0..4);
    let values = prop::collection::vec(prop::sample::select(&VALUES[..]), 4);
    (keys, values).prop_map(|(keys, values)| {
        keys.into_iter().zip(values).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    })
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "env", "x/\"y", "\u{e9}", "message", "timestamp", "only", "new"])
}

fn spot() -> impl Strategy<Value = Spot> {
    let below = prop_oneof![
        prop::sample::select(vec!["a", "b", "env", "new"]).prop_map(Below::Field),
        (-3_isize..4).prop_map(Below::Index),
    ];
    let below = prop_oneof![2 => Just(vec![]), 3 => prop::collection::vec(below, 1..4)];
    (key(), below).prop_map(|(key, below)| Spot { key, below })
}

fn act() -> impl Strategy<Value = Act> {
    let value = prop::sample::select(&VALUES[..]);
    prop_oneof![
        4 => (spot(), value).prop_map(|(spot, value)| Act::Set(spot, value.to_owned())),
        3 => spot().prop_map(Act::Remove),
        2 => (spot(), spot()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => prop::sample::select(vec!["a", "env", "message", "only"]).prop_map(Act::Unhide),
        1 => members().prop_map(|members| Act::Replace(object(&members))),
    ]
}

/// An object of these members, with space in places.
fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(spelled).collect();
    format!("{{ {} }}", members.join(" ,"))
}

fn spelled((key, value): &(String, String)) -> String {
    format!("\"{key}\" : {value}")
}

fn parse_object(text: &str) -> Members {
    let mut index = Vec::new();
    json::index(text.as_bytes(), &mut index).unwrap();
    let part = |from: u32, to: u32| text[from as usize..to as usize].to_owned();
    index.iter().map(|found| (part(found.key, found.key_end), part(found.value, found.value_end))).collect()
}

const SEEN: Seen = Seen { position: 3, time: 1_795_168_800_000_000_000 };

fn batch(line: &str, shared: &[(String, String)]) -> Batch {
    let member = |(key, value): &(String, String)| Shared { key: key.as_str().into(), value: value.as_bytes().into() };
    let origin = Origin::new(StreamKey(1)).with(&shared.iter().map(member).collect::<Vec<_>>());
    Batch::new(Bytes::from(line.to_owned()), Arc::new(origin), Receipt::new(Arc::new(Nobody), 0))
}

fn apply(records: &mut Editor<'_>, model: &mut Model, act: &Act) {
    match act {
        Act::Set(spot, value) => {
            records.set(0, &spot.path(), value.as_bytes());
            model.set(spot, serde_json::from_str(value).unwrap());
        }
        Act::Remove(spot) => assert_eq!(records.remove(0, &spot.path()), model.remove(spot), "{spot:?}"),
        Act::Rename(from, to) => {
            assert_eq!(records.rename(0, &from.path(), &to.path()), model.rename(from, to), "{from:?} {to:?}");
        }
        Act::Unhide(key) if model.origin.iter().any(|field| field.key == *key) => {
            assert_eq!(records.unhide(0, key.as_bytes()), !model.hidden);
            model.edited.retain(|edited| edited != key);
        }
        Act::Unhide(_) => {}
        Act::Replace(text) => {
            assert!(records.replace(0, text.as_bytes()));
            model.replace(&parse_object(text));
        }
    }
}

/// The record reads and writes as the model does.
fn compare(record: View<'_>, model: &Model, spots: &[Spot]) {
    let mut written = Vec::new();
    record.write_json(&mut written);
    let text = std::str::from_utf8(&written).unwrap();
    assert_eq!(json::check(&written), Ok(()), "{text}");
    let mut found: Vec<(String, Value)> = fields(&parse_object(text)).into_iter().map(|f| (f.key, f.value)).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = model.members();
    assert_eq!(found, expected, "{text}");

    for (key, value) in &expected {
        let member = record.member(key.as_bytes()).expect("a member that is written can be read");
        assert_eq!(&serde_json::from_slice::<Value>(&member).unwrap(), value);
    }
    for spot in spots {
        let value = record.get(&spot.path()).map(|value| serde_json::from_slice::<Value>(&value).unwrap());
        assert_eq!(value, model.get(spot), "{spot:?} in {text}");
    }
}

/// Members that no change was about stand in the text as they came, in their order.
fn compare_bytes(record: View<'_>, model: &Model, came: &[(String, String)]) {
    let mut written = Vec::new();
    record.write_json(&mut written);
    let text = String::from_utf8(written).unwrap();
    let mut from = 0;
    for (at, (key, raw)) in came.iter().enumerate() {
        let key_text: String = serde_json::from_str(&format!("\"{key}\"")).unwrap();
        let is_last = fields(&came[at + 1..]).iter().all(|later| later.key != key_text);
        let field = model.member(&key_text).filter(|_| is_last && !model.shows_origin(&key_text));
        if field.is_some_and(|field| field.raw.is_some()) {
            let member = spelled(&(key.clone(), raw.clone()));
            let found = text[from..].find(&member);
            assert!(found.is_some(), "`{member}` is not in its place in {text}");
            from += found.unwrap() + member.len();
        }
    }
}

proptest! {
    #[test]
    fn objects_change_as_the_model_does(
        own in members(),
        shared in shared(),
        acts in prop::collection::vec(act(), 0..12),
        spots in prop::collection::vec(spot(), 4),
    ) {
        let line = object(&own);
        let mut batch = batch(&line, &shared);
        batch.fill().json(0, line.len(), SEEN).unwrap();
        let (before, first) = (batch.clone(), Model::new(&own, &shared));
        let (mut model, mut came) = (first.clone(), own.clone());
        compare(batch.get(0), &model, &spots);
        for act in &acts {
            apply(&mut batch.edit(), &mut model, act);
            if let Act::Replace(text) = act {
                came = parse_object(text);
            }
            compare(batch.get(0), &model, &spots);
        }
        compare_bytes(batch.get(0), &model, &came);
        compare(before.get(0), &first, &spots);
        compare_bytes(before.get(0), &first, &own);
        prop_assert_eq!(before.get(0).identity(), batch.get(0).identity());
    }

    #[test]
    fn raw_lines_change_as_the_model_does(
        line in "[ -~\\n\\té😀]{0,20}",
        shared in shared(),
        acts in prop::collection::vec(act(), 0..12),
        spots in prop::collection::vec(spot(), 4),
    ) {
        let mut batch = batch(&line, &shared);
        batch.fill().text(0, line.len(), SEEN);
        let virtual_members =
            [("message", serde_json::to_string(&line).unwrap()), ("timestamp", "\"2026-11-20T10:00:00Z\"".to_owned())];
        let own = virtual_members.map(|(key, value)| (key.to_owned(), value));
        let mut model = Model::new(&own, &shared);
        compare(batch.get(0), &model, &spots);
        for act in &acts {
            apply(&mut batch.edit(), &mut model, act);
            compare(batch.get(0), &model, &spots);
        }
    }
}

#[test]
fn a_raw_line_that_is_an_object_becomes_it_over_the_same_bytes() {
    let line = r#"{"a" : 1.0, "a":2,"env":"own"}"#;
    let mut batch = batch(line, &[("env".to_owned(), "\"shared\"".to_owned())]);
    batch.fill().text(0, line.len(), SEEN);
    assert!(batch.edit().parse_message(0));
    let mut written = Vec::new();
    batch.get(0).write_json(&mut written);
    assert_eq!(written, br#"{"a":2,"env":"own"}"#);
    assert!(!batch.edit().parse_message(0), "it is no raw line any more");
}
