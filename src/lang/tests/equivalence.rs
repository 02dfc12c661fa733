//! The lazy run against VRL's own target over the full tree.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::{TargetValueRef, TimeZone};
use vrl::value::{Secrets, Value};

use super::document::Document;
use crate::lang::{Outcome, Program, Runner, compile};

const PROGRAMS: &[&str] = &[
    "",
    ".a = 1",
    ".a = 1\n.b = \"x\"\n.a = 2",
    ".o.p.q = .a",
    ".o.l[2] = true",
    ".l[-1] = {\"x\": .s}",
    ".a[1].b[0] = 7",
    "del(.a)",
    ".n = del(.o)",
    ".n = del(.o.p)\ndel(.l[0])",
    "del(.o.p, compact: true)",
    "del(.o.p.q, compact: true)\n.gone = !exists(.o)",
    ".x = exists(.o.p)\n.y = exists(.zzz)",
    ".b = .a\n.a = .s\n.s = .b",
    ". = {\"only\": .a}",
    ". = {}",
    ". = merge(., {\"a\": {\"z\": 1}})",
    ". |= {\"new\": 1}",
    ".o = object(.o) ?? {}\n.o |= {\"z\": 1}\n.t = .",
    ". = map_values(., recursive: true) -> |v| { if is_string(v) { upcase(string!(v)) } else { v } }",
    ". = map_keys(.) -> |k| { k + \"_\" }",
    "for_each(.) -> |k, v| { if is_integer(v) { . = set!(., [k], 0) } }",
    "n = 0\nfor_each(object(.o) ?? {}) -> |_k, _v| { n = n + 1 }\n.n = n",
    "if .a == 1 { .b = 2 } else if is_string(.s) { del(.s) } else { abort \"neither\" }",
    ".s = 1\nabort",
    ".s = 1\nif exists(.l) { abort string!(.s2) }",
    ".before = 1\n.i = parse_int!(.s)",
    ".i, .err = parse_int(.s)",
    ".i = parse_int(.s) ?? 0",
    ".c = get!(., [\"o\", \"p\"])",
    ". = remove!(., [\"a\"])",
    ".a = 1\n.whole = encode_json(.)\n.b = 2\n.k = keys(.)",
    ".a.b = 1\nx = .\n.a.c = 2\n.x = x",
    "del(.a)\n.all = length(.)\n.a = null",
    ". = unnest!(.l)",
    ".l = push(array(.l) ?? [], .a)",
    ". = [., {\"b\": 1}, 3]",
    ". = .o",
    ". = \"text\"",
    "del(.)\n.a = 1",
    "return null\n.a = 1",
    ".a = 1\nif exists(.b) { return . }\n.c = 1",
    "assert!(is_string(.s), message: \"s must be text\")\n.ok = true",
    ". = []\n.[1] = .a\n.[0] = {\"k\": 1}",
    "x = .[0]\n.x = x\ndel(.[0])",
    ". = compact(.)\n.s = strip_whitespace(to_string(.s) ?? \"\")",
    ".o.p = .o\n.o.p.q = .o",
    "%m = .a\n.m = %m\n.t = %old.x\ndel(%old)",
    ". = parse_json!(.message)\n.x = .a\ndel(.b)",
    ". = object!(parse_json!(string!(.message)))\n.env = \"prod\"\n.message = upcase(string!(.message))",
    ". = object!(parse_json!(.message))\n. = merge(., {\"a\": 1})",
    "., err = parse_json(.message)\nif err != null { . = {\"raw\": err} } else { .a = 1 }",
    ". = parse_json(string!(.message)) ?? {\"bad\": .message}\n.n = length(.) ?? -1",
    ". = parse_json!(.message, max_depth: 1)\n.a = 1",
    ". = parse_json!(.message)",
    ".new = \"x\"\n.f = -1.50\n.z = null\n.r = r'a\\d'\n.o.q = .a\nif exists(.s) { return null }\n.late = true",
    ".a = \"x\"\n.b = .a",
    ".a = \"x\"\n.l2 = unnest(.l) ?? .a",
    ".a = 1\n.a = 2\n.i = parse_int!(.s)",
    "x = \"v\"\n.a = \"{{ x }}\"\n.b = 1",
    ". = object!(parse_json!(.message))\n.a = \"x\"\n.new = t'2026-01-01T00:00:00Z'\ndel(.b)",
    ". = object!(parse_json!(.message))\n.a = \"x\"\n.o.p = encode_json(.)",
    ". = object!(parse_json!(.message))\n.i = parse_int!(.s)",
    ". = object!(parse_json!(.message))\nif exists(.a) { abort \"has a\" }\ndel(.s)",
    ".message = parse_json!(.message)\n.n = .message.a",
];

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        (-3_i64..3).prop_map(|value| value.to_string()),
        Just("12345678901234567890".to_owned()),
        Just("-0.0".to_owned()),
        (-9.0..9.0_f64).prop_map(|value| format!("{value:.2}")),
        "[0-9]{1,3}|[a-z \\\\\"\u{e9}\n]{0,6}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\u0041\/\ud83d\ude00""#.to_owned()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            object(inner, 0..4),
        ]
    })
}

fn object(value: impl Strategy<Value = String>, size: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let key = proptest::sample::select(vec!["a", "b", "o", "p", "q", "l", "s", "message", "new", "\\u0061", ""]);
    let member = (key, value, proptest::sample::select(vec!["", " "]))
        .prop_map(|(key, value, space)| format!("\"{key}\"{space}:{space}{value}"));
    proptest::collection::vec(member, size).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn record() -> impl Strategy<Value = Document> {
    prop_oneof![
        4 => object(json(), 0..8).prop_map(|text| Document::json(&text)),
        3 => object(json(), 0..8).prop_map(|text| Document::text(&text)),
        1 => json().prop_map(|text| Document::text(&text)),
        1 => "[ -~]{0,12}".prop_map(|text| Document::text(&text)),
        2 => object(json(), 0..5).prop_map(|text| {
            let mut record = Document::json(&text);
            crate::lang::FieldsMut::set(&mut record, crate::lang::Side::Event, "message", serde_json::to_string(&text).unwrap().as_bytes());
            record
        }),
    ]
}

/// What VRL's own run gives: the documents, the metadata, and how it ended.
fn oracle(program: &vrl::compiler::Program, record: &Document) -> (Vec<serde_json::Value>, serde_json::Value, String) {
    let mut value: Value = serde_json::from_str(&record.render()).unwrap();
    let mut metadata = vrl::value!({old: {x: 1}});
    let before = value.clone();
    let mut secrets = Secrets::new();
    let mut target = TargetValueRef { value: &mut value, metadata: &mut metadata, secrets: &mut secrets };
    let outcome = Runtime::default().resolve(&mut target, program, &TimeZone::default());
    let wrap = |value: Value| if value.is_object() { value } else { vrl::value!({message: value}) };
    let json = |value: Value| -> serde_json::Value { serde_json::to_value(value).unwrap() };
    match outcome {
        Ok(_) => match value {
            Value::Array(items) => {
                (items.into_iter().map(|item| json(wrap(item))).collect(), json(metadata), "many".to_owned())
            }
            value => (vec![json(wrap(value))], json(metadata), "ok".to_owned()),
        },
        Err(Terminate::Abort(error)) => {
            (vec![json(before)], json(vrl::value!({old: {x: 1}})), format!("abort {error}"))
        }
        Err(Terminate::Error(error)) => (
            vec![json(before)],
            json(vrl::value!({old: {x: 1}})),
            format!("error {}", crate::lang::runner::message(&error)),
        ),
    }
}

fn lazy(
    program: &Program,
    runner: &mut Runner,
    record: &mut Document,
) -> (Vec<serde_json::Value>, serde_json::Value, String) {
    let before = record.clone();
    let outcome = runner.run(program, record);
    let read = |text: &str| -> serde_json::Value {
        // Numbers beyond 64 bits read as floats, as in VRL.
        serde_json::to_value(serde_json::from_str::<Value>(text).unwrap()).unwrap()
    };
    let metadata = record
        .metadata
        .iter()
        .filter(|(key, _)| key != "line")
        .map(|(key, raw)| (key.clone(), read(raw)))
        .collect::<serde_json::Map<_, _>>();
    let one = vec![read(&record.render())];
    let (documents, end) = match outcome {
        Outcome::Changed => (one, "ok".to_owned()),
        Outcome::Unchanged => {
            assert_eq!(before.render(), record.render());
            (one, "ok".to_owned())
        }
        Outcome::Many => {
            (runner.parts().map(|part| read(std::str::from_utf8(part).unwrap())).collect(), "many".to_owned())
        }
        Outcome::Aborted(text) | Outcome::Failed(text) if before.render() != record.render() => {
            panic!("`{text}` left a changed record")
        }
        Outcome::Aborted(text) => (one, format!("abort {text}")),
        Outcome::Failed(text) => (one, format!("error {text}")),
    };
    (documents, metadata.into(), end)
}

#[test]
fn every_program_does_what_vrl_does() {
    for source in PROGRAMS {
        // A runner counts its cases over all its runs, so each program needs its own.
        let mut test =
            TestRunner::new(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() });
        let program =
            compile(source, TimeZone::default()).unwrap_or_else(|faults| panic!("{source}\n{}", faults[0].rendered));
        let theirs = vrl::compiler::compile(source, &vrl::stdlib::all()).unwrap().program;
        let runner = std::cell::RefCell::new(Runner::new());
        test.run(&record(), |mut record| {
            record.metadata = vec![("old".to_owned(), "{\"x\":1}".to_owned())];
            let expected = oracle(&theirs, &record);
            let got = lazy(&program, &mut runner.borrow_mut(), &mut record);
            prop_assert_eq!(got, expected, "{}", source);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{source}\n{failure}"));
    }
}
