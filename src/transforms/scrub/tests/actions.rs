//! Profiles, actions, keys, JSON inside of strings, lines; and what must hold for any line.

use super::*;

#[test]
fn keys_are_looked_at_and_stay_apart() {
    let step = scrub("");
    let line =
        format!(r#"{{"{MAIL}":1,"ok":{{"{MAIL}":{{"b":2}},"x\u0040example.org":[3],"n":4}},"b@example.org":5}}"#);
    let expected = r#"{"ok":{"[REDACTED]":{"b":2},"[REDACTED]_2":[3],"n":4},"[REDACTED]_3":1,"[REDACTED]_4":5}"#;
    let out = one(&step, &line);
    let written: Value = serde_json::from_str(&out).unwrap();
    let object = written.as_object().unwrap();
    assert_eq!(object.len(), 3, "{out}");
    assert!(!out.contains("example") && !out.contains("u0040"), "{out}");
    assert_eq!(pairs(&out).len(), pairs(expected).len());
    let mut values: Vec<&Value> = object.values().filter(|value| value.is_number()).collect();
    values.sort_by_key(|value| value.as_u64());
    assert_eq!(values, [1, 5]);
}

#[test]
fn json_inside_of_strings_is_looked_into() {
    let step = scrub("");
    let inner = r#"{\"user\":{\"pass\\u0077ord\":\"hunter2\",\"to\":\"ann@example.com\"},\"n\":4111111111111111,\"ok\":\"\\n\"}"#;
    let expected =
        r#"{\"user\":{\"pass\\u0077ord\":\"[REDACTED]\",\"to\":\"[REDACTED]\"},\"n\":\"[REDACTED]\",\"ok\":\"\\n\"}"#;
    let line = format!(r#"{{"payload":"{inner}","a":1}}"#);
    assert_eq!(one(&step, &line), format!(r#"{{"payload":"{expected}","a":1}}"#));
    let untouched = r#"{"payload":"{\"a\" : \"\/\"}"}"#;
    assert_eq!(one(&step, untouched), untouched);
    let raw = step.main(text(&[r#"{"password":"x","to":"ann@example.com"}"#])).remove(0);
    assert!(raw.starts_with(r#"{"message":"{\"password\":\"[REDACTED]\",\"to\":\"[REDACTED]\"}""#), "{raw}");
}

#[test]
fn json_that_lies_too_deep_is_covered_whole_and_counted() {
    let step = scrub("");
    let mut value = r#"{"to":"nobody"}"#.to_owned();
    for _ in 0..5 {
        value = format!(r#"{{"in":{}}}"#, Value::String(value));
    }
    let out = one(&step, &value);
    assert!(out.contains("[REDACTED]") && !out.contains("nobody"), "{out}");
    assert_eq!(step.meters.error_count("scrub_too_deep"), 1);
    assert_eq!(one(&step, &out), out);
}

#[test]
fn numbers_are_texts_where_a_detector_asks() {
    let step = scrub("profile = 'ru'");
    let line = r#"{"n":4111111111111111,"l":[4111111111111111,12],"client":{"innNumber":7707083893},"id":7707083893,"phone2":79161234567,"user":79161234567,"t":1763618400123}"#;
    let expected = r#"{"n":"[REDACTED]","l":["[REDACTED]",12],"client":{"innNumber":"[REDACTED]"},"id":7707083893,"phone2":"[REDACTED]","user":79161234567,"t":1763618400123}"#;
    assert_eq!(one(&step, line), expected);
    assert_eq!(one(&scrub("detectors = ['payment_card']"), r#"{"n":4111111111111111}"#), r#"{"n":"[REDACTED]"}"#);
}

#[test]
fn profiles_and_detectors_add_up() {
    let line = format!(r#"{{"a":"{MAIL} 203.0.113.7 ghp_0123456789abcdefghijABCDEFGHIJ012345","who":"x"}}"#);
    for (settings, kept, gone) in [
        ("profile = 'secrets'", vec!["ann.lee", "203.0"], vec!["ghp_"]),
        ("", vec!["203.0"], vec!["ann.lee", "ghp_"]),
        ("profile = 'strict'", vec![], vec!["ann.lee", "203.0", "ghp_"]),
        ("profile = 'secrets'\ndetectors = ['ipv4']", vec!["ann.lee"], vec!["203.0", "ghp_"]),
        ("detectors = ['ipv4']", vec!["ann.lee", "ghp_"], vec!["203.0"]),
        ("actions.email = 'keep'", vec!["ann.lee", "203.0"], vec!["ghp_"]),
    ] {
        let out = one(&scrub(settings), &line);
        assert!(
            kept.iter().all(|part| out.contains(part)) && !gone.iter().any(|part| out.contains(part)),
            "{settings}: {out}"
        );
    }
}

const KEY: &str = "keys = [{ id = 'k1', value = '0123456789abcdef0123456789abcdef' }]";

#[test]
fn each_detector_and_field_has_its_action() {
    let settings = format!(
        "profile = 'strict'\naction = 'mask'\nactions.email = 'hash'\nactions.phone = 'last4'\nactions.ipv4 = 'truncate_ip'\n\
         actions.iban = 'remove'\nactions.key_name = 'replace'\nfield_actions.order_id = 'hash'\nfield_actions.\"a.gone\" = 'remove'\n{KEY}"
    );
    let step = scrub(&settings);
    let line = r#"{"m":"ann@example.com +7 916 123-45-67 from 203.0.113.77 pays DE89370400440532013000.","pwd":"x","order_id":77,"a":{"gone":[1,2],"n":1}}"#;
    let out = one(&step, line);
    let token = "hmac:k1:rP_D8s6RSwPyUX9EstkKMA";
    let start = format!(r#"{{"m":"{token} ***4567 from 203.0.113.0 pays .","pwd":"[REDACTED]","order_id":"hmac:k1:"#);
    assert!(out.starts_with(&start), "{out}");
    assert!(out.ends_with(r#"","a":{"gone":null,"n":1}}"#), "{out}");
    assert_eq!(one(&step, &out), out, "tokens are left as they are");
    let named = scrub(&format!("field_actions.'user.mail' = 'hash'\n{KEY}"));
    let joined = one(&named, r#"{"user":{"mail":"ann@EXAMPLE.com","mail":"Ann","n":1}}"#);
    assert!(joined.contains(token) && !joined.contains("Ann"), "a field that is an address has its token: {joined}");
}

#[test]
fn fields_and_values_may_be_exempt() {
    let step = scrub("exempt_fields = ['a', 'b.c', 'd[0]']\nallow = ['Ann.Lee@example.com']");
    let other = "bob@example.com";
    let line = format!(
        r#"{{"a":"{other}","b":{{"c":["{other}"],"pin":1,"d":"{other}"}},"d":["{other}","{other}"],"e":"{MAIL}, {other}","email":"{MAIL}"}}"#
    );
    let expected = format!(
        r#"{{"a":"{other}","b":{{"c":["{other}"],"pin":"[REDACTED]","d":"[REDACTED]"}},"d":["{other}","[REDACTED]"],"e":"{MAIL}, [REDACTED]","email":"{MAIL}"}}"#
    );
    assert_eq!(one(&step, &line), expected);
    let raw = scrub("exempt_fields = ['message']").main(text(&[MAIL])).remove(0);
    assert!(raw.contains(MAIL), "{raw}");
    let raw = scrub("field_actions.message = 'mask'").main(text(&["plain"])).remove(0);
    assert!(raw.starts_with(r#"{"message":"***""#), "{raw}");
}

#[test]
fn what_a_detector_fails_on_is_masked_whole() {
    let families = crate::component::meters::Families::default();
    let meters =
        families.meters(&crate::component::meters::Label { id: "it".into(), kind: "transform", type_name: "scrub" });
    let settings: ScrubSettings = toml::from_str("").unwrap();
    let mut rules = settings.rules().unwrap();
    // A match without an action is a defect that makes the look at it fail.
    rules.cover.acts.clear();
    let mut scrubber = Scrubber::of(rules, meters.clone());
    let mut batch =
        batch_of(&[&format!(r#"{{"a":"{MAIL}"}}"#), r#"{"a":"fine"}"#, "text"], origin(&[("peer", "\"p\"")]));
    scrubber.batch(&mut batch);
    let out = crate::transforms::test_kit::lines(&batch);
    assert_eq!(out[0], r#"{"message":"[REDACTED]"}"#);
    assert_eq!(out[1], r#"{"a":"fine","peer":"p"}"#);
    assert_eq!(meters.error_count("scrub_failed"), 1);
    let mut line = b"> ".to_vec();
    assert!(scrubber.line(MAIL.as_bytes(), &mut line));
    assert_eq!(line, b"> [REDACTED]");
    batch.settle(crate::event::Outcome::Delivered);
}

#[test]
fn faults_of_actions_and_keys_name_the_setting() {
    let cases = [
        ("actions.emial = 'mask'", "actions.emial"),
        ("action = 'hash'", "keys"),
        ("keys = [{ id = 'k' }]\naction = 'hash'", "keys[0]"),
        ("keys = [{ id = 'k', value = 'short' }]\naction = 'hash'", "keys[0]"),
        ("keys = [{ id = 'a b', env = 'X' }]\naction = 'hash'", "keys[0]"),
        ("exempt_fields = ['.']", "exempt_fields[0]"),
        ("field_actions.'a b' = 'mask'", "field_actions.a b"),
    ];
    for (settings, setting) in cases {
        let found = problems::<ScrubSettings>(settings);
        assert_eq!(found.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>(), [setting], "{settings}");
    }
    assert!(problems::<ScrubSettings>("actions.emial = 'mask'")[0].help.as_ref().unwrap().contains("`email`"));
    assert!(problems::<ScrubSettings>(KEY)[0].is_warning);
    let settings: ScrubSettings = toml::from_str(&format!("action = 'hash'\n{KEY}")).unwrap();
    assert!(!format!("{settings:?}").contains("0123456789"), "a key cannot be printed");
    let missing: ScrubSettings = toml::from_str("action = 'hash'\nkeys = [{ file = '/nowhere/key' }]").unwrap();
    assert!(missing.rules().unwrap_err().contains("/nowhere/key"));
}

#[test]
fn lines_are_explained_without_their_values() {
    let families = crate::component::meters::Families::default();
    let meters =
        families.meters(&crate::component::meters::Label { id: "it".into(), kind: "transform", type_name: "scrub" });
    let mut scrubber = Scrubber::of_profile(Profile::Ru, meters);
    let mut explain = |line: &str| {
        let mut out = Vec::new();
        let found = scrubber.explain(line.as_bytes(), &mut out);
        let found = found.into_iter().map(|finding| format!("{} {}", finding.path, finding.rule));
        (String::from_utf8(out).unwrap(), found.collect::<Vec<_>>())
    };
    let line = format!(
        r#"{{"user":{{"tel":1,"l":["x",{{"to":"{MAIL}"}}]}},"in":"{{\"k\":[\"{MAIL}\"]}}","{MAIL}":{{"a":"{CARD}"}}}}"#
    );
    let (out, found) = explain(&line);
    assert!(!out.contains(MAIL) && !out.contains("4111"), "{out}");
    assert_eq!(
        found,
        [
            ".user.tel key_name",
            ".user.l[1].to email",
            ".in > .k[0] email",
            ".(key) email",
            ".[REDACTED].a payment_card"
        ]
    );
    let (out, found) = explain("ИНН 7707083893, key AKIAIOSFODNN7EXAMPLE");
    assert_eq!(out, "ИНН [REDACTED], key [REDACTED]");
    assert_eq!(found, [". cloud_key", ". inn"].map(str::to_owned).iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(explain("nothing, \u{1F980}").1, Vec::<String>::new());
}

#[test]
fn the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/scrub");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is part of the repository") {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        probe::probe(&data);
        // Cut anywhere, and with any byte changed.
        for at in 0..data.len() {
            probe::probe(&data[..at]);
            let mut other = data.clone();
            other[at] = other[at].wrapping_add(7 * (at as u8 % 5 + 1));
            probe::probe(&other);
        }
        files += 1;
    }
    assert!(files > 20, "{files} files in the corpus");
}

proptest! {
    #[test]
    fn any_pieces_hold(pieces in prop::collection::vec(prop::sample::select(&PROBED[..]), 0..9), is_json in any::<bool>()) {
        let text = pieces.concat();
        let line = if is_json { Value::Object([(text.clone(), Value::String(text.clone())), ("a".into(), Value::Array(vec![text.into()]))].into_iter().collect()).to_string() } else { text };
        probe::probe(line.as_bytes());
    }
}

/// What detectors begin and end with, secrets, and what stands between them.
const PROBED: [&str; 48] = [
    " ",
    " ",
    "word",
    "ann@example.com",
    "@b.co",
    "4111 1111 1111 1111",
    "4111",
    "Bearer ",
    "Basic ",
    "dXNlcjpwYXNz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
    "eyJ",
    "password=",
    "\"token\": \"",
    "\"",
    "'",
    "?sig=",
    "&",
    "x1=",
    "://",
    "u:p@",
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----",
    "+7 916 123-45-67",
    "89161234567",
    "8 (916) ",
    "123-45-6789",
    "112-233-445 95",
    "ИНН 7707083893",
    "паспорт 4508 № 123456",
    "DE89 3704 0044 0532 0130 00",
    "203.0.113.7",
    "2001:db8::1",
    "00:1a:2b:3c:4d:5e",
    ".",
    ":",
    "-",
    "7",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\u{e9}",
    "Cookie: ",
    "\n",
];
