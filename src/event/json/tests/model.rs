//! The room against `serde_json`, on random texts and on random damage to them.

use super::super::*;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

const KEYS: &[&str] = &[
    "a",
    "b",
    "",
    "key",
    r"\u0061",
    r"\u006Bey",
    r"k\n",
    "\u{e9}",
    r"\ud83d\ude00",
    "a key of more than sixteen bytes",
    r"b\\",
];

/// The content of a string in pieces: raw, and what it stands for.
const PIECES: &[(&str, &str)] = &[
    ("x", "x"),
    ("sixteen or more of them", "sixteen or more of them"),
    ("\u{e9}", "\u{e9}"),
    ("\u{1f600}", "\u{1f600}"),
    (r#"\""#, "\""),
    (r"\\", "\\"),
    (r"\/", "/"),
    (r"\b", "\u{8}"),
    (r"\f", "\u{c}"),
    (r"\n", "\n"),
    (r"\r", "\r"),
    (r"\t", "\t"),
    (r"\u0000", "\0"),
    (r"\u00e9", "\u{e9}"),
    (r"\u20AC", "\u{20ac}"),
    (r"\ud83d\uDe00", "\u{1f600}"),
];

fn pieces() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    proptest::collection::vec(select(PIECES), 0..8)
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        select(vec![
            "0",
            "-0",
            "1.0",
            "0.5",
            "12345678901234567",
            "1e5",
            "1E-5",
            "1234567890.12345",
            "1234567890.123456"
        ])
        .prop_map(String::from),
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 2 => Just(" "), 1 => select(vec!["\n", "\t\r ", "                    "])]
}

/// A value, with space before and behind it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => pieces().prop_map(|pieces| format!("\"{}\"", pieces.iter().map(|piece| piece.0).collect::<String>())),
        2 => number(),
        1 => select(vec!["true", "false", "null", "{}", "[ ]"]).prop_map(String::from),
    ];
    let padded = |value: BoxedStrategy<String>| {
        (space(), value, space()).prop_map(|(before, value, behind)| format!("{before}{value}{behind}"))
    };
    let tree = padded(leaf.boxed()).prop_recursive(5, 40, 6, move |inner| {
        let member = (space(), select(KEYS), space(), inner.clone())
            .prop_map(|(before, key, behind, value)| format!("{before}\"{key}\"{behind}:{value}"));
        let object = proptest::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")));
        let array = proptest::collection::vec(inner, 0..5).prop_map(|elements| format!("[{}]", elements.join(",")));
        padded(prop_oneof![2 => object, 1 => array].boxed())
    });
    prop_oneof![1 => tree.clone(), 4 => tree.prop_filter("an object", |text| text.trim_start().starts_with('{'))]
}

/// Damage at a place (modulo the length): what is cut out, what is put in.
fn damage() -> impl Strategy<Value = Vec<(usize, usize, Vec<u8>)>> {
    const HOSTILE: &[&[u8]] = &[
        b"",
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\\u",
        b"\\ud800",
        b"\\udc00",
        b"\0",
        b"\x1f",
        b"\n",
        b" ",
        b"0",
        b"-",
        b".",
        b"e",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"1e5",
    ];
    let new = prop_oneof![4 => select(HOSTILE).prop_map(<[u8]>::to_vec), 1 => any::<u8>().prop_map(|byte| vec![byte])];
    proptest::collection::vec((any::<usize>(), prop_oneof![3 => 0_usize..2, 1 => Just(1000)], new), 1..4)
}

fn damaged(text: &str, damage: Vec<(usize, usize, Vec<u8>)>) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    for (place, cut, new) in damage {
        let at = place % (text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, new);
    }
    text
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    At(isize),
}

fn path() -> impl Strategy<Value = Vec<Step>> {
    let key = select(vec!["a", "b", "", "key", "k\n", "\u{e9}", "\u{1f600}", "b\\", "other"])
        .prop_map(|key| Step::Key(key.into()));
    proptest::collection::vec(prop_oneof![3 => key, 2 => (-6_isize..6).prop_map(Step::At)], 0..5)
}

fn segments(path: &[Step]) -> Vec<Segment<'_>> {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => Segment::Field(key.as_bytes()),
            Step::At(index) => Segment::Index(*index),
        })
        .collect()
}

fn place(len: usize, index: isize) -> Option<usize> {
    if index < 0 { len.checked_sub(index.unsigned_abs()) } else { Some(index.unsigned_abs()) }
}

fn model_get<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match (value, step) {
        (Value::Object(map), Step::Key(key)) => map.get(key),
        (Value::Array(array), Step::At(index)) => array.get(place(array.len(), *index)?),
        _ => None,
    })
}

fn model_set(value: &mut Value, path: &[Step], new: Value) {
    let Some((step, rest)) = path.split_first() else {
        *value = new;
        return;
    };
    match step {
        Step::Key(key) => {
            if !value.is_object() {
                *value = Value::Object(serde_json::Map::new());
            }
            model_set(value.as_object_mut().unwrap().entry(key).or_insert(Value::Null), rest, new);
        }
        Step::At(index) => {
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            let array = value.as_array_mut().unwrap();
            let at = place(array.len(), *index).unwrap_or_else(|| {
                let missing = index.unsigned_abs() - array.len();
                array.splice(0..0, vec![Value::Null; missing]);
                0
            });
            if array.len() <= at {
                array.resize(at + 1, Value::Null);
            }
            model_set(&mut array[at], rest, new);
        }
    }
}

fn model_remove(value: &mut Value, path: &[Step]) -> bool {
    let Some((step, rest)) = path.split_first() else {
        *value = match value {
            Value::Object(_) => Value::Object(serde_json::Map::new()),
            Value::Array(_) => Value::Array(Vec::new()),
            _ => Value::Null,
        };
        return true;
    };
    match (value, step) {
        (Value::Object(map), Step::Key(key)) if rest.is_empty() => map.remove(key).is_some(),
        (Value::Object(map), Step::Key(key)) => map.get_mut(key).is_some_and(|inner| model_remove(inner, rest)),
        (Value::Array(array), Step::At(index)) => {
            let Some(at) = place(array.len(), *index).filter(|at| *at < array.len()) else {
                return false;
            };
            if rest.is_empty() {
                array.remove(at);
                return true;
            }
            model_remove(&mut array[at], rest)
        }
        _ => false,
    }
}

fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(text)))
}

fn decode(raw: &[u8]) -> String {
    let mut out = Vec::new();
    unescape(raw, &mut out);
    String::from_utf8(out).unwrap()
}

#[derive(Default)]
struct Log {
    strings: Vec<String>,
    keys: Vec<String>,
    places: Vec<usize>,
}

impl Visitor for Log {
    fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
        parse(&text[value]);
        self.places.push(key.start);
        self.keys.push(decode(&text[key]));
        Walk::Into
    }
    fn string(&mut self, text: &[u8], content: Range<usize>) {
        self.places.push(content.start);
        self.strings.push(decode(&text[content]));
    }
}

/// All strings and keys of a value, in no order.
fn model_walk(value: &Value, log: &mut Log) {
    match value {
        Value::String(text) => log.strings.push(text.clone()),
        Value::Array(array) => array.iter().for_each(|value| model_walk(value, log)),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            log.keys.push(key.clone());
            model_walk(value, log);
        }),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000)))]

    #[test]
    fn accepts_what_serde_json_accepts(text in json(), damage in damage()) {
        prop_assert_eq!(check(text.as_bytes()), Ok(()));
        let text = damaged(&text, damage);
        probe::probe(&text);
        match serde_json::from_slice::<Value>(&text) {
            Ok(_) => prop_assert_eq!(check(&text), Ok(())),
            Err(fault) if fault.to_string().contains("number out of range") => {}
            Err(fault) => prop_assert!(check(&text).is_err(), "{}: {}", fault, String::from_utf8_lossy(&text)),
        }
    }

    #[test]
    fn numbers_are_those_of_serde_json(text in "[-+]{0,2}[0-9]{0,20}[.]{0,1}[0-9]{0,18}[eE]{0,2}[+-]{0,1}[0-9]{0,2}", behind in "[ ,x]{0,1}") {
        let text = format!("[{text}{behind}]");
        prop_assert_eq!(check(text.as_bytes()).is_ok(), serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn members_are_those_of_serde_json(text in json()) {
        let mut members = Vec::new();
        let Ok(shape) = index(text.as_bytes(), &mut members) else {
            prop_assert!(!text.trim_start().starts_with('{'), "an object was refused");
            return Ok(());
        };
        let mut last = BTreeMap::new();
        let mut escaped = false;
        for member in &members {
            let raw = &text[member.key as usize..member.key_end as usize];
            escaped |= raw.contains('\\');
            last.insert(decode(raw.as_bytes()), parse(&text.as_bytes()[member.value as usize..member.value_end as usize]));
        }
        let model: BTreeMap<_, _> = parse(text.as_bytes()).as_object().unwrap().clone().into_iter().collect();
        prop_assert_eq!(shape.odd, escaped || last.len() < members.len());
        prop_assert_eq!(last, model);
    }

    #[test]
    fn seeks_what_serde_json_holds(text in json(), path in path()) {
        let found = seek(text.as_bytes(), &segments(&path)).map(|range| parse(&text.as_bytes()[range]));
        let model = parse(text.as_bytes());
        prop_assert_eq!(found.as_ref(), model_get(&model, &path));
    }

    #[test]
    fn sets_like_a_tree(text in json(), path in path(), new in json()) {
        let mut out = Vec::new();
        splice_set(text.as_bytes(), &segments(&path), new.as_bytes(), &mut out);
        let mut model = parse(text.as_bytes());
        model_set(&mut model, &path, parse(new.as_bytes()));
        prop_assert_eq!(check(&out), Ok(()));
        prop_assert_eq!(parse(&out), model);
    }

    #[test]
    fn removes_like_a_tree(text in json(), path in path()) {
        let mut out = Vec::new();
        let mut model = parse(text.as_bytes());
        let in_model = model_remove(&mut model, &path);
        if splice_remove(text.as_bytes(), &segments(&path), &mut out) {
            prop_assert_eq!(check(&out), Ok(()));
            prop_assert_eq!(parse(&out), model);
        } else {
            prop_assert!(!in_model);
            prop_assert!(out.is_empty());
        }
    }

    #[test]
    fn walks_past_everything(text in json()) {
        let (mut log, mut model) = (Log::default(), Log::default());
        walk(text.as_bytes(), &mut log);
        model_walk(&parse(text.as_bytes()), &mut model);
        prop_assert!(log.places.is_sorted(), "in document order");
        for (found, expected) in [(&mut log.strings, &mut model.strings), (&mut log.keys, &mut model.keys)] {
            found.sort();
            expected.sort();
        }
        if log.keys == model.keys {
            prop_assert_eq!(log.strings, model.strings);
        } else {
            prop_assert!(log.keys.len() > model.keys.len(), "only keys that occur twice are missing from the tree");
            prop_assert!(model.strings.iter().all(|text| log.strings.contains(text)));
        }
    }

    #[test]
    fn text_survives_escape_and_unescape(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut escaped = Vec::new();
        prop_assert_eq!(escape(text.as_bytes(), &mut escaped), 0);
        prop_assert_eq!(decode(&escaped), text.clone());
        prop_assert!(key_eq(&escaped, text.as_bytes()));
        let quoted = [b"\"", &escaped[..], b"\""].concat();
        prop_assert_eq!(parse(&quoted), Value::String(text));

        escaped.clear();
        let replaced = escape(&bytes, &mut escaped);
        let lossy = String::from_utf8_lossy(&bytes);
        let before = bytes.utf8_chunks().map(|chunk| chunk.valid().matches('\u{fffd}').count()).sum::<usize>();
        prop_assert_eq!(replaced, lossy.matches('\u{fffd}').count() - before);
        prop_assert_eq!(decode(&escaped), lossy);
    }

    #[test]
    fn decoded_ranges_lead_back(pieces in pieces(), start in 0_usize..80, len in 0_usize..80) {
        let (mut raw, mut text, mut origin) = (String::new(), String::new(), Vec::new());
        for (written, meant) in pieces {
            // A byte comes from the same byte, or from all of an escape.
            (0..meant.len()).for_each(|offset| origin.push(if written == meant { raw.len() + offset..raw.len() + offset + 1 } else { raw.len()..raw.len() + written.len() }));
            raw.push_str(written);
            text.push_str(meant);
        }
        let mut decoded = Decoded::default();
        decoded.decode(br"something\nelse \u0041 before");
        decoded.decode(raw.as_bytes());
        prop_assert_eq!(&decoded.text, text.as_bytes());
        prop_assert_eq!(decode(raw.as_bytes()), text.clone());
        let start = start.min(text.len());
        let end = (start + len).min(text.len());
        let first = origin.get(start).map_or(raw.len(), |range| range.start);
        let expected = if start == end { first..first } else { first..origin[end - 1].end };
        prop_assert_eq!(decoded.raw_range(start..end), expected);
    }
}
