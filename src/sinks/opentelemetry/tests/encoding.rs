//! Requests: nothing is lost, what nobody touched stays byte for byte, what was changed reads as it was changed to.

use proptest::prelude::*;

use super::*;
use crate::event::otlp::Writer;
use crate::event::otlp::wire::{put_bytes, put_varint};
use crate::event::{Path, Shared};

const FIXTURES: [(Signal, &str); 4] = [
    (Signal::Traces, "traces.pb"),
    (Signal::Logs, "logs.pb"),
    (Signal::Metrics, "metrics.pb"),
    (Signal::Metrics, "metrics_delta.pb"),
];

/// What a record shares, and the record.
type Row = [Vec<u8>; 6];

/// All records with what they share, byte for byte.
fn rows(batch: &Batch) -> Vec<Row> {
    let mut writer = Writer::default();
    let row = |view| {
        let shown = writer.read(view).unwrap();
        let parts = [
            shown.resource,
            shown.resource_schema_url,
            shown.scope,
            shown.scope_schema_url,
            shown.metric,
            shown.record,
        ];
        parts.map(<[u8]>::to_vec)
    };
    batch.iter().map(row).collect()
}

/// The same in the order in which what is shared was first seen.
fn grouped(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    let first = rows.clone();
    let place = |row: &Row, parts: usize| first.iter().position(|known| known[..parts] == row[..parts]);
    rows.sort_by_key(|row| [2, 4, 5].map(|parts| place(row, parts)));
    rows
}

#[test]
fn what_clients_send_leaves_as_it_came() {
    for (signal, name) in FIXTURES {
        let before = fixture(name);
        let batch = records(signal, &before);
        let request = request(&batch);
        assert_eq!(rows(&records(signal, &request)), rows(&batch), "{name}");
        assert!(request.len() <= before.len(), "{name}");
        assert_eq!(super::request(&records(signal, &request)), request, "{name}: it is what it would become again");
    }
}

#[test]
fn records_of_one_resource_and_scope_stand_together() {
    let traces = fixture("traces.pb");
    let (one, other) = (records(Signal::Traces, &traces), records(Signal::Traces, &traces));
    let both = encoded(one.iter().chain(other.iter())).remove(0).1;
    assert_eq!(records(Signal::Traces, &both).len(), one.len() * 2);
    let count = |request: &[u8]| crate::event::otlp::wire::Fields::checked(request).count();
    assert_eq!(count(&both), count(&request(&one)), "resources");
    let all = [Signal::Traces, Signal::Logs, Signal::Metrics]
        .map(|signal| records(signal, &fixture(&format!("{}.pb", signal.name()))));
    let mixed = encoded(all.iter().flat_map(Batch::iter));
    assert_eq!(mixed.iter().map(|(signal, _)| *signal).collect::<Vec<_>>(), Signal::ALL);
}

/// Sets what stands at a path in each record; gives what they read as then, and what their request does.
fn edited(signal: Signal, name: &str, path: &str, value: &str) -> (Vec<String>, Vec<String>) {
    let mut batch = records(signal, &fixture(name));
    let path = Path::parse(path).unwrap();
    let mut editor = batch.edit();
    (0..editor.len()).for_each(|at| editor.set(at, &path, value.as_bytes()));
    let sent = records(signal, &request(&batch));
    (batch.iter().map(json).collect(), sent.iter().map(json).collect())
}

#[test]
fn what_is_set_is_sent() {
    for (path, value) in [
        (".name", r#""a \"b\" \u00e9""#),
        (".kind", r#""consumer""#),
        (".kind", "9"),
        (".status", r#"{"code":"error","message":"x"}"#),
        (".status.message", r#""y""#),
        (".trace_id", r#""000102030405060708090A0b0c0d0e0f""#),
        (".trace_state", r#""ot=th:8""#),
        (".flags", "257"),
        (".events", r#"[{"time_unix_nano":5,"name":"e","attributes":{"a":1.5,"b":[true,null,{"c":-1}]}}]"#),
        (".links[0].attributes.more", "7"),
        (r#".attributes."new.key""#, r#"{"deep":[{"x":"y"}],"none":null}"#),
        (r#".attributes."http.route""#, r#""/masked""#),
        (r#".resource.attributes."service.name""#, r#""other""#),
        (".resource.schema_url", r#""https://a/b""#),
        (".scope.name", r#""lib""#),
        (".scope.version", "null"),
    ] {
        let (mut expected, mut found) = edited(Signal::Traces, "traces.pb", path, value);
        // Ids are written in lower case, and a default is not there.
        for text in expected.iter_mut().chain(&mut found) {
            *text =
                text.replace("090A0b", "090a0b").replace(r#","attributes":{}"#, "").replace(r#""attributes":{},"#, "");
            *text = text.replace(r#","version":null"#, "");
        }
        sort(&mut expected, &mut found);
        assert_eq!(found, expected, "{path} = {value}");
    }
    for (path, value) in [
        (".message", r#"{"a":[1,2.0,"3"],"b":{}}"#),
        (".message", "18446744073709551615"),
        (".severity_number", "17"),
        (".severity_text", r#""ERROR""#),
        (".attributes.x", "9223372036854775807"),
        (".event_name", r#""e""#),
    ] {
        let (mut expected, mut found) = edited(Signal::Logs, "logs.pb", path, value);
        for text in &mut expected {
            *text = text.replace(":18446744073709551615", r#":"18446744073709551615""#);
        }
        sort(&mut expected, &mut found);
        assert_eq!(found, expected, "{path} = {value}");
    }
    for (path, value) in
        [(".name", r#""n""#), (".unit", r#""s""#), (".attributes.x", "true"), (".description", r#""d""#)]
    {
        let (mut expected, mut found) = edited(Signal::Metrics, "metrics.pb", path, value);
        sort(&mut expected, &mut found);
        assert_eq!(found, expected, "{path} = {value}");
    }
}

/// Members may stand elsewhere, and records whose shared messages became equal come together.
fn sort(one: &mut [String], other: &mut [String]) {
    for text in one.iter_mut().chain(other.iter_mut()) {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        *text = value.to_string();
    }
    one.sort();
    other.sort();
}

#[test]
fn values_that_nobody_changed_keep_their_type() {
    // An attribute of bytes beside one that changes, below a key of its own too.
    let bytes = |key: &str| {
        let (mut pair, mut value) = (Vec::new(), Vec::new());
        put_bytes(1, key.as_bytes(), &mut pair);
        put_bytes(7, &[0xff, 0], &mut value);
        put_bytes(2, &value, &mut pair);
        pair
    };
    let (mut map, mut value, mut nested) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(1, &bytes("inner"), &mut map);
    put_bytes(6, &map, &mut value);
    put_bytes(1, b"map", &mut nested);
    put_bytes(2, &value, &mut nested);
    let mut span = Vec::new();
    put_bytes(1, &[1; 16], &mut span);
    put_bytes(2, &[2; 8], &mut span);
    put_bytes(9, &bytes("raw"), &mut span);
    put_bytes(9, &nested, &mut span);
    put_bytes(99, b"a later field", &mut span);
    let (mut scope, mut resource, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(2, &span, &mut scope);
    put_bytes(2, &scope, &mut resource);
    put_bytes(1, &resource, &mut whole);
    let mut batch = records(Signal::Traces, &whole);
    let mut editor = batch.edit();
    for path in [".attributes.more", ".attributes.map.more"] {
        editor.set(0, &Path::parse(path).unwrap(), b"1");
    }
    let sent = request(&batch);
    let holds = |part: &[u8]| sent.windows(part.len()).any(|window| window == part);
    assert!(holds(&bytes("raw")) && holds(&bytes("inner")) && holds(b"a later field"));
    assert!(json(records(Signal::Traces, &sent).get(0)).contains(r#""map":{"inner":"/wA=","more":1}"#));
}

#[test]
fn what_is_new_becomes_attributes() {
    let mut batch = records(Signal::Traces, &fixture("traces.pb"));
    let mut editor = batch.edit();
    editor.set(0, &Path::parse(".team").unwrap(), br#""a""#);
    assert!(editor.remove(0, &Path::parse(".events").unwrap()) || editor.remove(0, &Path::parse(".links").unwrap()));
    let shared = [Shared::string("env", "prod"), Shared { key: "zone".into(), value: b"7".as_slice().into() }];
    batch.map_origins(|origin| Arc::new(origin.derive(&shared)));
    let sent = records(Signal::Traces, &request(&batch));
    for (at, view) in sent.iter().enumerate() {
        let get = |path: &str| {
            view.get(&Path::parse(path).unwrap()).map(|value| String::from_utf8(value.into_owned()).unwrap())
        };
        assert_eq!(get(".resource.attributes.env").as_deref(), Some(r#""prod""#));
        assert_eq!(get(".resource.attributes.zone").as_deref(), Some("7"));
        assert!(get(r#".resource.attributes."service.name""#).is_some());
        assert_eq!(get(".attributes.team").is_some(), at == 0);
    }
}

#[test]
fn a_value_that_a_field_cannot_have_is_refused() {
    let sink = sink("endpoint = 'http://h:4317'");
    for (path, value, field) in [
        (".trace_id", r#""xyz""#, "trace_id"),
        (".attributes", "7", "attributes"),
        (".kind", r#""loud""#, "kind"),
        (".start_time_unix_nano", "-1", "start_time_unix_nano"),
        (".timestamp", r#""yesterday""#, "start_time_unix_nano"),
        (".duration", r#""long""#, "duration"),
        (".events", "{}", "events"),
        (".resource", r#"{"attributes":[]}"#, "attributes"),
    ] {
        let mut batch = records(Signal::Traces, &fixture("traces.pb"));
        batch.edit().set(0, &Path::parse(path).unwrap(), value.as_bytes());
        let (mut encoder, mut body) = (sink.encoder(), Vec::new());
        encoder.begin(&mut body);
        let refusal = encoder.encode(batch.get(0), &mut body).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.why.contains(&format!("`{field}`"))),
            ("invalid_value", true),
            "{path}: {refusal}"
        );
    }
}

#[test]
fn a_span_may_be_given_another_time() {
    for (path, value) in
        [(".timestamp", r#""2026-11-20T10:00:00.5Z""#), (".start_time_unix_nano", "1795168800500000000")]
    {
        let (_, found) = edited(Signal::Traces, "traces.pb", path, value);
        let begins = r#"{"timestamp":"2026-11-20T10:00:00.500Z","#;
        assert!(found.iter().all(|text| text.starts_with(begins)), "{found:?}");
    }
    let (_, found) = edited(Signal::Traces, "traces.pb", ".duration", "5");
    assert!(found.iter().all(|text| text.contains(r#""duration":5,"#)), "{found:?}");
}

#[test]
fn a_point_may_be_given_another_value() {
    for value in ["7", "7.5", "-1"] {
        let (expected, found) = edited(Signal::Metrics, "metrics.pb", ".value", value);
        let of_number = |texts: &[String]| {
            texts.iter().filter(|text| text.contains(r#""type":"sum""#) || text.contains(r#""type":"gauge""#)).count()
        };
        let set = found.iter().filter(|text| text.contains(&format!(r#""value":{value}"#))).count();
        assert_eq!((set, of_number(&expected)), (of_number(&found), set), "{value}");
    }
}

/// What a line or an object reads as, sent as a log record.
fn sent_log(batch: &Batch) -> String {
    json(records(Signal::Logs, &request(batch)).get(0))
}

#[test]
fn json_becomes_a_log_record_by_the_names_of_its_members() {
    let ids = r#""trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7""#;
    for (line, expected) in [
        (
            format!(r#"{{"level":"Warn","message":"slow","ms":12,{ids},"trace_flags":"01"}}"#),
            format!(r#""message":"slow","severity_text":"Warn","severity_number":13,{ids},"attributes":{{"ms":12}},"#),
        ),
        (
            r#"{"msg":{"a":1.5},"severity":50,"message2":null}"#.to_owned(),
            r#""message":{"a":1.5},"severity_text":"50","severity_number":17,"attributes":{"message2":null},"#
                .to_owned(),
        ),
        (
            r#"{"trace_id":"no id","span_id":7,"level":"loud","k\u0065y":[]}"#.to_owned(),
            r#""severity_text":"loud","attributes":{"trace_id":"no id","span_id":7,"key":[]},"#.to_owned(),
        ),
        (
            r#"{"message":"m","msg":"n","level":"INFO","severity":"x"}"#.to_owned(),
            r#""message":"m","severity_text":"INFO","severity_number":9,"attributes":{"msg":"n","severity":"x"},"#
                .to_owned(),
        ),
    ] {
        let found = sent_log(&crate::delivery::test_batch::json(&[&line]));
        let observed = r#"{"timestamp":"2026-11-20T10:00:00Z","#;
        assert!(found.starts_with(&format!("{observed}{expected}\"observed_timestamp\":")), "{line}: {found}");
    }
}

#[test]
fn a_line_becomes_a_log_record_that_was_read_when_it_was() {
    let found = sent_log(&crate::delivery::test_batch::text(&["hello \"you\""]));
    let time = "2026-11-20T10:00:00Z";
    assert_eq!(found, format!(r#"{{"timestamp":"{time}","message":"hello \"you\"","observed_timestamp":"{time}"}}"#));
}

#[test]
fn services_and_what_origins_bring_are_of_the_resource() {
    let mut batch = crate::delivery::test_batch::json(&[r#"{"message":"m","service":"shop","env":"forged"}"#]);
    batch.map_origins(|origin| Arc::new(origin.derive(&[Shared::string("env", "prod")])));
    let found = sent_log(&batch);
    assert!(found.contains(r#""resource":{"attributes":{"service.name":"shop","env":"prod"}}"#), "{found}");
    assert!(!found.contains("forged"));
}

#[test]
fn what_a_log_record_reads_as_becomes_that_record() {
    let before = records(Signal::Logs, &fixture("logs.pb"));
    for view in before.iter() {
        let text = json(view);
        let found = sent_log(&crate::delivery::test_batch::json(&[&text]));
        let strip = |text: &str| {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            // The test's own records tell no time.
            let object = value.as_object_mut().unwrap();
            object.retain(|key, _| !key.ends_with("timestamp"));
            if let Some(attributes) = object.get_mut("attributes").and_then(serde_json::Value::as_object_mut) {
                attributes.remove("timestamp");
            }
            object.retain(|_, value| *value != serde_json::json!({}));
            value
        };
        assert_eq!(strip(&found), strip(&text));
    }
}

/// A message of fields that nobody knows, and of some that are known.
fn message(salt: u64) -> Vec<u8> {
    let mut message = Vec::new();
    if salt > 0 {
        put_varint(200 << 3, &mut message);
        put_varint(salt, &mut message);
    }
    message
}

/// A request of one resource, with as many scopes as there are numbers, each of which has a span.
fn scopes(resource: &[u8], numbers: impl Iterator<Item = u64>) -> Vec<u8> {
    let (mut of_resource, mut whole) = (Vec::new(), Vec::new());
    put_bytes(1, resource, &mut of_resource);
    for number in numbers {
        let (mut span, mut scope) = (Vec::new(), Vec::new());
        put_bytes(1, &[1; 16], &mut span);
        put_bytes(2, &(number + 1).to_be_bytes(), &mut span);
        put_bytes(1, &message(number), &mut scope);
        put_bytes(2, &span, &mut scope);
        put_bytes(2, &scope, &mut of_resource);
    }
    put_bytes(1, &of_resource, &mut whole);
    whole
}

/// Attributes of so many bytes.
fn large(len: usize, byte: u8) -> Vec<u8> {
    let (mut pair, mut resource) = (Vec::new(), Vec::new());
    put_bytes(1, &vec![byte; len], &mut pair);
    put_bytes(1, &pair, &mut resource);
    resource
}

#[test]
fn a_resource_counts_once_in_a_request_however_its_records_come() {
    const LARGE: usize = 100_000;
    let sink = sink("endpoint = 'http://h:4317'");
    let shared = Arc::new(Origin::new(StreamKey(2)).with(&[Shared::string("env", "prod")]));
    for is_enriched in [false, true] {
        let mut batches = [b'a', b'b', b'c'].map(|byte| records(Signal::Traces, &scopes(&large(LARGE, byte), 0..200)));
        for batch in batches.iter_mut().filter(|_| is_enriched) {
            batch.map_origins(|_| shared.clone());
        }
        let (mut encoder, mut body, mut expected) = (sink.encoder(), Vec::new(), Vec::new());
        encoder.begin(&mut body);
        for at in 0..200 {
            for batch in &batches {
                encoder.encode(batch.get(at), &mut body).unwrap();
                expected.extend(rows(&batch.select(|other| other == at)));
            }
        }
        assert!(body.len() < 3 * LARGE + 600 * 100, "{}", body.len());
        encoder.end(&mut body);
        assert!(body.len() < 3 * LARGE + 600 * 50, "{}", body.len());
        assert_eq!(rows(&records(Signal::Traces, &body)), grouped(&expected));
    }
}

#[test]
fn what_records_share_is_known_again_only_where_it_is_the_same() {
    let one = records(Signal::Traces, &scopes(&large(9, b'a'), 0..2));
    let mut other = one.clone();
    other.map_origins(|origin| Arc::new(origin.derive(&[Shared::string("env", "prod")])));
    let mut hidden = other.clone();
    hidden.edit().remove(0, &Path::parse(".env").unwrap());
    let mut changed = other.clone();
    changed.edit().set(0, &Path::parse(".resource.attributes.a").unwrap(), b"1");
    let mut writer = Writer::default();
    let mut read = |batch: &Batch, at: usize| writer.read(batch.get(at)).unwrap().shares;
    let first = read(&one, 0);
    assert_eq!(read(&one, 0), first);
    let mut seen = vec![first];
    for (batch, at) in [(&one, 1), (&other, 1), (&other, 0), (&hidden, 0), (&other, 0), (&changed, 0), (&one, 0)] {
        let next = read(batch, at);
        assert!(!seen.contains(&next), "{seen:?}: {next}");
        seen.push(next);
    }
    let expected = [&one, &other, &hidden, &changed].map(rows);
    let mut writer = Writer::default();
    for _ in 0..2 {
        for (batch, expected) in [&one, &other, &hidden, &changed].into_iter().zip(&expected) {
            let shown = writer.read(batch.get(0)).unwrap();
            assert_eq!((shown.resource, shown.record), (&*expected[0][0], &*expected[0][5]));
        }
    }
}

proptest! {
    /// Records of random resources, scopes and metrics, in any order.
    #[test]
    fn nothing_is_lost_or_moved_below_another(
        which in 0..3_usize,
        shape in prop::collection::vec((0..3_u64, 0..3_u64, 0..3_u64, 1..300_usize), 0..40),
    ) {
        let signal = Signal::ALL[which];
        let mut whole = Vec::new();
        for (number, (resource, scope, metric, len)) in shape.iter().enumerate() {
            let mut record = Vec::new();
            if signal == Signal::Traces {
                put_bytes(1, &[1; 16], &mut record);
                put_bytes(2, &[2; 8], &mut record);
            }
            put_bytes(100, &vec![number as u8; *len], &mut record);
            let mut inner = Vec::new();
            if signal == Signal::Metrics {
                let (mut data, mut of_metric) = (Vec::new(), message(*metric));
                put_bytes(1, &record, &mut data);
                put_varint(2 << 3, &mut data);
                put_varint(*metric, &mut data);
                put_bytes(7, &data, &mut of_metric);
                put_bytes(3, b"s", &mut of_metric);
                put_bytes(2, &of_metric, &mut inner);
            } else {
                put_bytes(2, &record, &mut inner);
            }
            put_bytes(1, &message(*scope), &mut inner);
            let mut outer = Vec::new();
            put_bytes(1, &message(*resource), &mut outer);
            put_bytes(2, &inner, &mut outer);
            put_bytes(3, format!("url{resource}").as_bytes(), &mut outer);
            put_bytes(1, &outer, &mut whole);
        }
        let before = records(signal, &whole);
        if !shape.is_empty() {
            let after = records(signal, &request(&before));
            prop_assert_eq!(rows(&after), grouped(&rows(&before)));
        }
    }
}
