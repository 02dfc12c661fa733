//! The step as a whole: what leaves it holds nothing that a detector finds, and is otherwise what came.

mod actions;
mod otlp;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::transforms::enrich::EnrichSettings;
use crate::transforms::remap::RemapSettings;
use crate::transforms::test_kit::{Step, batch, batch_of, origin, pairs, problems, step, text};

fn scrub(settings: &str) -> Step {
    step::<ScrubSettings>(settings)
}

fn one(step: &Step, line: &str) -> String {
    step.main(batch(&[line])).remove(0)
}

const MAIL: &str = "ann.lee@example.com";
const CARD: &str = "4111 1111 1111 1111";
const TOKEN: &str = "Bearer abcdefghijklmnopqrstuvwxyz0123456789";

#[test]
fn every_detector_sees_through_every_escape() {
    let step = scrub("");
    let mail = r"ann.lee\u0040example.com";
    let card = r"4111\u00201111 1111\u0020\u0031111";
    let token = r"Bearer\u0020abcdefghijklmnopqrstuvwxyz0123456789";
    let whole = [MAIL, CARD, mail, card].map(|secret| (secret, "[REDACTED]"));
    let tokens = [(TOKEN, "Bearer [REDACTED]"), (token, r"Bearer\u0020[REDACTED]")];
    for (secret, covered) in whole.into_iter().chain(tokens) {
        for escape in [r"\n", r"\t", r"\/", r"\u0009", r" \ud83d\ude00 ", r"\\", r#"\""#] {
            // A slash may be part of a token.
            let behind = if escape == r"\/" { r" \/" } else { escape };
            let line = format!(r#"{{"m":"x {escape}{secret}{behind} y","n":1}}"#);
            let expected = format!(r#"{{"m":"x {escape}{covered}{behind} y","n":1}}"#);
            assert_eq!(one(&step, &line), expected, "{line}");
        }
    }
}

#[test]
fn raw_lines_are_looked_at_as_they_are() {
    let line = format!("a \"b\" \\n {MAIL}\tand {CARD}");
    let out = scrub("").main(text(&[line.as_str()])).remove(0);
    let message: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(message["message"], "a \"b\" \\n [REDACTED]\tand [REDACTED]");
    let named = scrub("key_names = ['message']").main(text(&["anything"])).remove(0);
    assert!(named.starts_with(r#"{"message":"[REDACTED]","#), "{named}");
}

#[test]
fn escapes_in_text_are_seen_through() {
    let step = scrub("profile = 'strict'");
    for hidden in [
        r#"INFO body={"mail":"ann\u0040example.com"}"#,
        "GET /users/ann%40example.com/orders 200",
        r"written by ann\x40example.com",
        "charged 4111%201111%201111%201111 now",
        "q=%7B%22password%22%3A%22hunter2%22%7D&page=2",
        r"url postgres:\/\/app:s3cretX@db\/x",
        "&quot;password&quot;:&quot;hunter2&quot;",
    ] {
        let out = step.main(text(&[hidden])).remove(0);
        let message: Value = serde_json::from_str(&out).unwrap();
        assert!(message["message"].as_str().unwrap().contains("[REDACTED]"), "{out}");
        let quoted = serde_json::json!({ "m": hidden, "k": { "ann%40example.com": 1 } }).to_string();
        let out = one(&step, &quoted);
        assert_eq!(out.matches("[REDACTED]").count(), 2, "{out}");
        assert!(!out.contains("example.com"), "{out}");
    }
    let plain = r"100%20 of C:\users\x41 are 50% done, %d %s %zz \u00 \u043f";
    assert!(step.main(text(&[plain])).remove(0).contains("of C:"));
    assert!(!step.main(text(&[plain])).remove(0).contains("REDACTED"));
}

#[test]
fn names_of_which_the_end_tells_cover_what_may_be_a_secret() {
    let line = r#"{"old_password":"x","new_password":"y","github_token":"t","my_api_key":{"v":1},"pwd2":"z","has_token":true,"tests_pass":12,"card":{"n":1},"токен":"q"}"#;
    let expected = r#"{"old_password":"[REDACTED]","new_password":"[REDACTED]","github_token":"[REDACTED]","my_api_key":"[REDACTED]","pwd2":"[REDACTED]","has_token":true,"tests_pass":12,"card":"[REDACTED]","токен":"[REDACTED]"}"#;
    assert_eq!(one(&scrub(""), line), expected);
    let nested = format!(r#"{{"a":{line}}}"#);
    assert_eq!(one(&scrub(""), &nested), format!(r#"{{"a":{expected}}}"#));
    assert_eq!(
        one(&scrub("key_names = ['x']"), r#"{"old_password":"v","x":"v"}"#),
        r#"{"old_password":"v","x":"[REDACTED]"}"#
    );
    let text = scrub("").main(self::text(&["connect with password2=abcdef and GITHUB_TOKEN=abc123xyz"])).remove(0);
    assert_eq!(text.matches("[REDACTED]").count(), 2, "{text}");
}

#[test]
fn nested_values_and_names_at_any_depth() {
    let line = format!(
        r#"{{"a" : [1, {{"b":["{MAIL}" ,"ok"]}}],"user":{{"passw\u006frd" : {{"x":[1]}},"pin":null}},"Api-Key":12}}"#
    );
    let expected = r#"{"a" : [1, {"b":["[REDACTED]" ,"ok"]}],"user":{"passw\u006frd" : "[REDACTED]","pin":null},"Api-Key":"[REDACTED]"}"#;
    assert_eq!(one(&scrub(""), &line), expected);
}

#[test]
fn shadowed_duplicates_do_not_come_back() {
    let line = format!(r#"{{"m":"{MAIL}","\u006d":"{CARD}","m":"last {MAIL}","n":{{"a":"{MAIL}","a":1}}}}"#);
    assert_eq!(one(&scrub(""), &line), r#"{"m":"last [REDACTED]","n":{"a":"[REDACTED]","a":1}}"#);
    let program = step::<RemapSettings>("source = 'del(.n)'");
    let (scrubbed, _) = scrub("").apply(batch(&[&line]));
    assert_eq!(program.main(scrubbed), [r#"{"m":"last [REDACTED]"}"#]);
}

#[test]
fn what_a_source_adds_is_scrubbed_and_stays_the_sources() {
    let shared = || origin(&[("peer", &format!("\"{MAIL}\"")), ("token", "\"t\""), ("pod", "\"p\"")]);
    let line = format!(r#"{{"pod":"forged {MAIL}","p\u0065er":"{CARD}"}}"#);
    let out = scrub("").main(batch_of(&[&line], shared())).remove(0);
    assert_eq!(out, r#"{"peer":"[REDACTED]","token":"[REDACTED]","pod":"p"}"#);
    let restricted = scrub("fields = ['pod', 'peer']").main(batch_of(&[&line], shared())).remove(0);
    assert_eq!(pairs(&restricted)[0], ("peer".to_owned(), "\"[REDACTED]\"".to_owned()));
    assert!(restricted.contains(r#""pod":"p""#) && !restricted.contains("forged"), "{restricted}");
}

#[test]
fn a_step_before_does_not_hide_anything() {
    let enrich = step::<EnrichSettings>(&format!("fields.who = '{MAIL}'\nfields.copy = '{{{{ m }}}}'"));
    let program = step::<RemapSettings>("source = '.new = {\"a\": [.m]}'");
    let (enriched, _) = enrich.apply(batch(&[&format!(r#"{{"m":"{CARD}"}}"#)]));
    let (changed, _) = program.apply(enriched);
    let mut found = pairs(&scrub("").main(changed).remove(0));
    found.sort();
    let redacted = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = [
        redacted("copy", "\"[REDACTED]\""),
        redacted("m", "\"[REDACTED]\""),
        redacted("new", r#"{"a":["[REDACTED]"]}"#),
        redacted("who", "\"[REDACTED]\""),
    ];
    assert_eq!(found, expected);
}

#[test]
fn fields_restrict_the_look_to_these_paths() {
    let line = format!(
        r#"{{"a":"{MAIL}","b":{{"c":"{MAIL}","c":["{MAIL}"],"d":"{MAIL}","token":5}},"l":["{MAIL}","{MAIL}"],"pin":7}}"#
    );
    let cases = [
        ("a", line.replacen(MAIL, "[REDACTED]", 1)),
        ("pin", line.replace(":7", r#":"[REDACTED]""#)),
        ("b.token", line.replace(":5", r#":"[REDACTED]""#)),
        ("b.c", line.replacen(&format!(r#""c":"{MAIL}","c":["{MAIL}"]"#), r#""c":"[REDACTED]","c":["[REDACTED]"]"#, 1)),
        ("l[-1]", line.replace(&format!(r#","{MAIL}"],"pin"#), r#","[REDACTED]"],"pin"#)),
        ("l.a", line.clone()),
        ("missing.path", line.clone()),
    ];
    for (path, expected) in cases {
        assert_eq!(one(&scrub(&format!("fields = ['{path}']")), &line), expected, "{path}");
    }
    assert_eq!(one(&scrub("fields = ['.']"), &line), one(&scrub(""), &line));
    let raw = scrub("fields = ['.message']").main(text(&[MAIL])).remove(0);
    assert!(raw.starts_with(r#"{"message":"[REDACTED]""#), "{raw}");
    let raw = scrub("fields = ['.']").main(text(&[MAIL])).remove(0);
    assert!(raw.starts_with(r#"{"message":"[REDACTED]""#), "{raw}");
}

#[test]
fn a_replacement_is_escaped_where_it_must_be() {
    let step = scrub("replacement = \"<\\\"\\\\\\n\\u0001é>\"");
    let replaced = r#"<\"\\\n\u0001é>"#;
    let line = format!(r#"{{"a":"{MAIL}","b":"\t{MAIL}","token":1}}"#);
    let expected = format!(r#"{{"a":"{replaced}","b":"\t{replaced}","token":"{replaced}"}}"#);
    assert_eq!(one(&step, &line), expected);
    let out = step.main(text(&[MAIL])).remove(0);
    assert!(out.starts_with(&format!(r#"{{"message":"{replaced}""#)), "{out}");
}

#[test]
fn masks_keep_what_tells_nothing() {
    let line = format!(r#"{{"a":"{MAIL}","b":"{CARD}","c":"{TOKEN}","pin":1}}"#);
    let out = one(&scrub("action = 'mask'"), &line);
    let record: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(record["a"], "***@example.com");
    assert_eq!(record["b"], "**** **** **** 1111");
    assert_eq!(record["pin"], "***");
    assert!(!out.contains("abcdefgh"), "{out}");
    assert_eq!(one(&scrub("action = 'mask'"), &out), out, "a second time changes nothing");
}

#[test]
fn patterns_of_ones_own_and_only_the_detectors_that_are_named() {
    let step = scrub("detectors = []\nkey_names = []\npatterns = ['ORD-[0-9]+']");
    let line = format!(r#"{{"a":"{MAIL} ORD-12\u00333","token":1}}"#);
    assert_eq!(one(&step, &line), format!(r#"{{"a":"{MAIL} [REDACTED]","token":1}}"#));
}

#[test]
fn each_value_is_counted_by_what_found_it() {
    let step = scrub("");
    let line = format!(r#"{{"a":"{MAIL} {MAIL}","b":["\n{CARD}"],"token":1,"n":{{"pin":2}}}}"#);
    step.main(batch(&[&line, &line]));
    step.main(text(&[MAIL]));
    let families = step.families.registry().gather();
    let scrubbed = families.iter().find(|family| family.name() == "levada_scrubbed_values_total").unwrap();
    let mut counts: Vec<(String, u64)> = scrubbed
        .get_metric()
        .iter()
        .map(|metric| {
            let label = metric.get_label().iter().find(|label| label.name() == "detector").unwrap();
            (label.value().to_owned(), metric.get_counter().get_value() as u64)
        })
        .collect();
    counts.sort();
    let expected = [("email", 5), ("key_name", 4), ("payment_card", 2)];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[test]
fn faults_name_the_setting() {
    let found = problems::<ScrubSettings>("fields = ['a', 'b c', '%x']\npatterns = ['(']\nkey_names = ['_']");
    let settings: Vec<_> = found.iter().map(|problem| problem.setting.as_str()).collect();
    assert_eq!(settings, ["fields[1]", "fields[2]", "patterns[0]", "key_names[0]"]);
}

/// Pieces of text, as they stand in JSON: secrets whole and broken by escapes, and what only looks like one.
const PIECES: [&str; 18] = [
    " ",
    "word",
    "ann.lee@example.com",
    r"ann.lee\u0040example.com",
    r"a\/b@example.org",
    "4111 1111 1111 1111",
    r"4111-1111-1111-111\u0031",
    "4111 1111 1111 1112",
    "Bearer abcdefghijklmnopqrstuvwxyz0123456789",
    r"\n",
    r"\t",
    r"\/",
    r#"\""#,
    r"\\",
    r"\ud83d\ude00",
    "\u{e9}",
    "@",
    "example.com",
];

fn string() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![4 => string(), 1 => prop::sample::select(vec!["1.0e5", "null", "12345678901234567890"]).prop_map(str::to_owned)];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,")));
        prop_oneof![list, prop::collection::vec((key(), inner), 0..4).prop_map(|members| object(&unique(members)))]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "\\u0061", "c", "pin", "p\\u0069n"]).prop_map(str::to_owned)
}

/// Inside of values no key comes twice: what is shadowed there is covered where it stands, which the model cannot see.
fn unique(members: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut seen = std::collections::HashSet::new();
    members.into_iter().filter(|(key, _)| seen.insert(pairs(&format!("{{\"{key}\":1}}")).remove(0).0)).collect()
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The plain way: every string decoded, scanned, put together again.
fn model(value: &mut Value, scanner: &Scanner) {
    match value {
        // Covering one match can uncover another.
        Value::String(text) => {
            while let Some(out) = model_text(text, scanner) {
                *text = out;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| model(item, scanner)),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if key == "pin" && !value.is_null() {
                    *value = "[REDACTED]".into();
                } else {
                    model(value, scanner);
                }
            }
        }
        _ => {}
    }
}

fn model_text(text: &str, scanner: &Scanner) -> Option<String> {
    let (mut found, mut out, mut from) = (Found::default(), String::new(), 0);
    for found in scanner.scan(text.as_bytes(), &mut found) {
        out.push_str(&text[from..found.span.start]);
        out.push_str("[REDACTED]");
        from = found.span.end;
    }
    out.push_str(&text[from..]);
    (from > 0).then_some(out)
}

/// Nothing is left.
fn assert_clean(value: &Value) {
    match value {
        Value::String(text) => {
            let scanner = scrub_scanner();
            assert_eq!(scanner.scan(text.as_bytes(), &mut Found::default()), [], "{text}");
        }
        Value::Array(items) => items.iter().for_each(assert_clean),
        Value::Object(map) => map.values().for_each(assert_clean),
        _ => {}
    }
}

proptest! {
    #[test]
    fn nothing_is_left_and_nothing_else_changes(members in prop::collection::vec((key(), value()), 0..5)) {
        let line = object(&members);
        let scanner = scrub_scanner();
        let out = one(&scrub(""), &line);
        let mut expected: Value = serde_json::from_str(&line).unwrap();
        let before = expected.clone();
        model(&mut expected, &scanner);
        let written: Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(&written, &expected);
        assert_clean(&written);
        let twice = pairs(&line).len() > before.as_object().unwrap().len();
        if expected == before && !twice {
            prop_assert_eq!(out, line);
        } else {
            // Members without a match keep their bytes.
            let kept = pairs(&out);
            for (key, raw) in pairs(&line) {
                if before[&key] == expected[&key] && serde_json::from_str::<Value>(&raw).unwrap() == before[&key] && !twice {
                    prop_assert!(kept.contains(&(key, raw)));
                }
            }
        }
    }

    #[test]
    fn raw_lines_are_clean_too(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..8)) {
        let line = pieces.concat();
        let scanner = scrub_scanner();
        let mut expected = Value::String(line.clone());
        model(&mut expected, &scanner);
        let out = scrub("").main(text(&[line.as_str()])).remove(0);
        let written: Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(&written["message"], &expected);
        assert_clean(&written);
    }
}

fn scrub_scanner() -> Scanner {
    Scanner::new(Profile::Default.detectors().iter().map(|kind| Detector::Known(*kind)).collect())
}
