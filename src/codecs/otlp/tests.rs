use std::sync::Arc;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::event::otlp::wire::{Fault, put_bytes, put_varint};
use crate::event::{Batch, Form, Origin, Outcome, Path, Receipt, Resolution, Resolve, Seen, Shared, StreamKey, View};

struct Nobody;

impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

const SEEN: Seen = Seen { position: 7, time: 1_795_168_800_000_000_000 };

fn try_batch(signal: Signal, request: &[u8]) -> Result<(Batch, Refused), Fault> {
    let origin = Arc::new(Origin::new(StreamKey(1)));
    let mut batch = Batch::new(request.to_vec().into(), origin, Receipt::new(Arc::new(Nobody), 0));
    let refused = split(signal, request, &mut batch, SEEN);
    refused.map(|refused| (batch, refused))
}

fn batch(signal: Signal, request: &[u8]) -> (Batch, Refused) {
    try_batch(signal, request).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp").join(name)).unwrap()
}

fn json(view: View<'_>) -> String {
    let mut out = Vec::new();
    view.write_json(&mut out);
    crate::event::json::check(&out).unwrap_or_else(|fault| panic!("{fault:?}: {}", String::from_utf8_lossy(&out)));
    String::from_utf8(out).unwrap()
}

fn lines(batch: &Batch) -> String {
    batch.iter().map(json).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_client_sends_reads_as_documented() {
    for (signal, name) in [(Signal::Traces, "traces"), (Signal::Logs, "logs"), (Signal::Metrics, "metrics")] {
        let (batch, refused) = batch(signal, &fixture(&format!("{name}.pb")));
        assert_eq!(refused, Refused::default());
        assert_snapshot!(name, lines(&batch));
    }
}

#[test]
fn records_have_positions_and_tell_their_time() {
    let (spans, _) = batch(Signal::Traces, &fixture("traces.pb"));
    let seen: Vec<_> = spans.iter().map(|span| (span.form(), span.identity().position)).collect();
    assert_eq!(seen, [(Form::Span, 7), (Form::Span, 8), (Form::Span, 9)]);
    assert!(spans.iter().all(|span| !span.time().1 && span.time().0 >= 1_767_225_600_000_000_000));
    let (silent, _) = batch(Signal::Logs, &request(&[&[]]));
    assert_eq!(silent.get(0).time(), (SEEN.time, true));
    assert_eq!(json(silent.get(0)), "{}");
}

/// A request of one resource and one scope with these records.
fn request(records: &[&[u8]]) -> Vec<u8> {
    let (mut scope, mut resource, mut request) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        put_bytes(2, record, &mut scope);
    }
    put_bytes(2, &scope, &mut resource);
    put_bytes(1, &resource, &mut request);
    request
}

fn span(trace_id: &[u8], more: &[u8]) -> Vec<u8> {
    let mut span = Vec::new();
    put_bytes(1, trace_id, &mut span);
    put_bytes(2, &[2; 8], &mut span);
    span.extend_from_slice(more);
    span
}

/// An attribute whose value is a list in a list, so many times.
fn nested(levels: usize) -> Vec<u8> {
    let mut value = Vec::new();
    for _ in 0..levels {
        let mut list = Vec::new();
        put_bytes(1, &value, &mut list);
        value.clear();
        put_bytes(5, &list, &mut value);
    }
    let (mut pair, mut field) = (Vec::new(), Vec::new());
    put_bytes(2, &value, &mut pair);
    put_bytes(9, &pair, &mut field);
    field
}

#[test]
fn a_record_at_fault_is_refused_alone() {
    let fine = span(&[1; 16], b"");
    let mut wrong_type = Vec::new();
    put_varint(5 << 3, &mut wrong_type);
    wrong_type.push(1);
    for (bad, why) in [
        (span(&[1; 15], b""), "`trace_id` of a span has 15 bytes"),
        (span(&[0; 16], b""), "`trace_id` of a span is missing or all zeros"),
        (fine[18..].to_vec(), "`trace_id` of a span is missing or all zeros"),
        (fine[..18].to_vec(), "`span_id` of a span is missing or all zeros"),
        (span(&[1; 16], &wrong_type), "field 5 of a span has the wrong wire type"),
        (span(&[1; 16], &[0x2a, 9, b'x']), "a field is cut short"),
        (span(&[1; 16], &[0x30, 0x80]), "a field is cut short"),
        (span(&[1; 16], &[&[0x30][..], &[0xff; 11]].concat()), "a number is longer than 64 bits"),
        (
            span(&[1; 16], &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]),
            "a number is longer than 64 bits",
        ),
        (span(&[1; 16], &[0x03]), "a field has no valid number"),
        (span(&[1; 16], &[0x33]), "field 6 has an unknown wire type"),
        (span(&[1; 16], &nested(60)), "values are nested more than 100 deep"),
        (span(&[1; 16], &nested(5_000)), "values are nested more than 100 deep"),
    ] {
        let (batch, refused) = batch(Signal::Traces, &request(&[&fine, &bad, &fine]));
        assert_eq!((batch.len(), refused.records), (2, 1), "{why}");
        assert_eq!(refused.why.unwrap().to_string(), why);
        let answer = partial_success(answer::Form::Protobuf, Signal::Traces, &refused);
        let text = format!("1 spans were refused; the first: {why}");
        assert!(answer.windows(text.len()).any(|window| window == text.as_bytes()), "{why}");
    }
    let (whole, refused) = batch(Signal::Traces, &request(&[&span(&[1; 16], &nested(40))]));
    assert_eq!((whole.len(), refused), (1, Refused::default()));
    assert!(json(whole.get(0)).contains(&"[".repeat(40)));
}

#[test]
fn a_request_of_empty_records_is_refused() {
    let empty: &[u8] = &[];
    assert_eq!(batch(Signal::Logs, &request(&vec![empty; 4_096])).0.len(), 4_096);
    let bomb = request(&vec![empty; 6_000]);
    let most = 4_096 + bomb.len() / 16;
    assert!(matches!(try_batch(Signal::Logs, &bomb), Err(Fault::Many(told)) if told == most));
    // Empty scopes cost as much.
    let (mut resource, mut scopes) = (Vec::new(), Vec::new());
    for _ in 0..6_000 {
        put_bytes(2, &[], &mut resource);
    }
    put_bytes(1, &resource, &mut scopes);
    assert!(matches!(try_batch(Signal::Traces, &scopes), Err(Fault::Many(_))));
}

#[test]
fn a_metric_of_an_unknown_kind_is_refused() {
    let (mut gauge, mut later) = (Vec::new(), Vec::new());
    put_bytes(1, b"a", &mut later);
    put_bytes(13, b"", &mut later);
    put_bytes(5, &[0x0a, 0], &mut gauge);
    let (batch, refused) = batch(Signal::Metrics, &request(&[&later, &gauge, b"\x0a\x01n"]));
    assert_eq!((batch.len(), refused), (1, Refused { records: 1, why: Some(Fault::Data(13)), told: None }));
}

#[test]
fn a_packed_list_without_numbers_is_not_there() {
    // A histogram whose point has a count and empty bounds.
    let mut metric = Vec::new();
    put_bytes(9, &[0x0a, 4, 0x3a, 0, 0x50, 1], &mut metric);
    let (mut batch, _) = batch(Signal::Metrics, &request(&[&metric]));
    let path = |text: &str| Path::parse(text).unwrap();
    batch.edit().rename(0, &path(".explicit_bounds"), &path(".bounds"));
    assert_eq!(json(batch.get(0)), r#"{"type":"histogram","flags":1}"#);
}

#[test]
fn what_records_share_is_alive_with_them() {
    let (mut head, mut resource, mut scope, mut request) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // A field of a resource that nobody knows.
    put_bytes(15, &[b'r'; 2_000], &mut head);
    put_bytes(1, &head, &mut resource);
    put_bytes(2, b"\x1a\x01x", &mut scope);
    put_bytes(2, &scope, &mut resource);
    put_bytes(1, &resource, &mut request);
    let (batch, _) = batch(Signal::Logs, &request);
    assert!(batch.len() == 1 && !batch.is_sparse());
}

#[test]
fn what_many_scopes_share_is_copied_once() {
    let (mut head, mut resource, mut request) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(15, &[b'r'; 2_000], &mut head);
    put_bytes(1, &head, &mut resource);
    for _ in 0..100 {
        put_bytes(2, b"\x12\x02\x1a\x00", &mut resource);
    }
    put_bytes(1, &resource, &mut request);
    let (batch, _) = batch(Signal::Logs, &request);
    assert_eq!(batch.len(), 100);
    let (before, whole) = (lines(&batch), batch.weight());
    let compact = batch.compact();
    assert_eq!(lines(&compact), before);
    assert!(compact.weight() <= whole, "{} of {whole} bytes", compact.weight());
}

#[test]
fn what_cannot_be_read_is_no_request() {
    let traces = fixture("traces.pb");
    for bytes in [&traces[..traces.len() - 1], b"\x0a\xff", b"hello", b"\x08\x01", b"\x0a\x02\x10\x01"] {
        assert!(try_batch(Signal::Traces, bytes).is_err(), "{bytes:?}");
    }
    let (empty, refused) = batch(Signal::Traces, b"");
    assert!(empty.is_empty() && refused == Refused::default());
    assert_eq!(partial_success(answer::Form::Protobuf, Signal::Traces, &refused), b"");
    empty.close();
}

#[test]
fn what_is_shared_may_stand_behind_what_shares_it() {
    let (mut scope, mut resource, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(2, &span(&[1; 16], b""), &mut scope);
    put_bytes(3, b"of:scope", &mut scope);
    put_bytes(1, b"\x0a\x03lib", &mut scope);
    put_bytes(2, &scope, &mut resource);
    put_bytes(3, b"of:resource", &mut resource);
    put_bytes(1, b"\x10\x05", &mut resource);
    put_bytes(1, &resource, &mut bytes);
    let (spans, _) = batch(Signal::Traces, &bytes);
    let text = json(spans.get(0));
    assert!(text.ends_with(
        r#""resource":{"dropped_attributes_count":5,"schema_url":"of:resource"},"scope":{"name":"lib","schema_url":"of:scope"}}"#
    ), "{text}");
    put_bytes(1, b"", &mut scope);
    let mut twice = Vec::new();
    resource.clear();
    put_bytes(2, &scope, &mut resource);
    put_bytes(1, &resource, &mut twice);
    assert_eq!(try_batch(Signal::Traces, &twice).unwrap_err(), Fault::Twice("a scope"));
}

#[test]
fn members_are_read_and_changed_by_path() {
    let (mut spans, _) = batch(Signal::Traces, &fixture("traces.pb"));
    let get = |spans: &Batch, path: &str| {
        let value = spans.get(0).get(&Path::parse(path).unwrap())?;
        Some(String::from_utf8(value.into_owned()).unwrap())
    };
    let service = r#".resource.attributes."service.name""#;
    assert_eq!(get(&spans, service).as_deref(), Some("\"shop\""));
    assert_eq!(get(&spans, ".kind").as_deref(), Some("\"client\""));
    assert_eq!(get(&spans, ".dropped_links_count"), None);
    let before = json(spans.get(1));
    let mut records = spans.edit();
    records.set(0, &Path::parse(service).unwrap(), b"\"other\"");
    records.set(0, &Path::parse(".dropped_links_count").unwrap(), b"3");
    records.set(0, &Path::parse(".timestamp").unwrap(), b"\"2026-11-20T10:00:00Z\"");
    assert!(records.remove(0, &Path::parse(".events").unwrap()) || records.remove(0, &Path::parse(".links").unwrap()));
    assert!(records.rename(0, &Path::parse(".name").unwrap(), &Path::parse(".operation").unwrap()));
    assert_eq!(get(&spans, service).as_deref(), Some("\"other\""));
    assert_eq!(get(&spans, ".name"), None);
    assert_eq!(get(&spans, ".dropped_links_count").as_deref(), Some("3"));
    assert_eq!(spans.get(0).time(), (1_795_168_800_000_000_000, false));
    assert_eq!(json(spans.get(1)), before, "its neighbour has what it had");
    let shared = [Shared::string("name", "of the origin")];
    spans.map_origins(|origin| Arc::new(origin.derive(&shared)));
    assert!(json(spans.get(1)).contains(r#""name":"of the origin""#), "what is shared hides its own");
}

#[test]
fn what_is_copied_out_or_stored_reads_the_same() {
    for (signal, name) in [(Signal::Traces, "traces.pb"), (Signal::Metrics, "metrics_delta.pb")] {
        let (mut all, _) = batch(signal, &fixture(name));
        all.edit().set_member(1, b"env", |out| out.extend_from_slice(b"\"prod\""));
        let (before, times) = (lines(&all), all.iter().map(View::time).collect::<Vec<_>>());
        let compact = all.select(|_| true).compact();
        assert_eq!(lines(&compact), before);
        let back = probe::restored(&compact);
        assert_eq!(lines(&back), before);
        assert_eq!(back.iter().map(View::time).collect::<Vec<_>>(), times);
        all.settle(Outcome::Delivered);
    }
}

/// The records of a request in JSON, written.
fn of_json(signal: Signal, text: &str) -> String {
    let read = read_json(signal, text.as_bytes(), 1 << 20).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read.bad, None, "{text}");
    let (batch, refused) = batch(signal, &read.message);
    assert_eq!(refused, Refused::default(), "{text}");
    lines(&batch)
}

fn of_log(record: &str) -> String {
    of_json(Signal::Logs, &format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#))
}

#[test]
fn what_a_client_sends_as_json_is_read_in_full() {
    for (signal, name) in [(Signal::Traces, "traces"), (Signal::Logs, "logs"), (Signal::Metrics, "metrics")] {
        let text = String::from_utf8(fixture(&format!("{name}.json"))).unwrap();
        assert_snapshot!(format!("{name}_json"), of_json(signal, &text));
    }
}

#[test]
fn values_that_others_lose_are_kept() {
    for (record, written) in [
        (r#"{"body":{"intValue":7}}"#, r#"{"message":7}"#),
        (r#"{"body":{"intValue":"-7"}}"#, r#"{"message":-7}"#),
        (r#"{"body":{"intValue":9223372036854775807}}"#, r#"{"message":9223372036854775807}"#),
        (r#"{"body":{}}"#, "{}"),
        (r#"{"body":{"doubleValue":0}}"#, r#"{"message":0.0}"#),
        (r#"{"body":{"doubleValue":"NaN"}}"#, r#"{"message":"NaN"}"#),
        (r#"{"body":{"doubleValue":0.1234567890123456789}}"#, r#"{"message":0.12345678901234568}"#),
        (r#"{"body":{"boolValue":false}}"#, r#"{"message":false}"#),
        (r#"{"body":{"bytesValue":"AP8="}}"#, r#"{"message":"AP8="}"#),
        (r#"{"body":{"bytesValue":"_-8"}}"#, r#"{"message":"/+8="}"#),
        (
            r#"{"body":{"arrayValue":{"values":[{},{"stringValue":""},{"arrayValue":{}}]}}}"#,
            r#"{"message":[null,"",[]]}"#,
        ),
        (r#"{"body":{"kvlistValue":{"values":[{"key":"a\u00e9","value":{}}]}}}"#, r#"{"message":{"aé":null}}"#),
        (r#"{"severityNumber":"SEVERITY_NUMBER_ERROR2"}"#, r#"{"severity_number":18}"#),
        (r#"{"severityNumber":9.0,"flags":"3","body":null}"#, r#"{"severity_number":9,"flags":3}"#),
        (r#"{"severity_text":"x","unknown":{"deep":[1,{}]},"attributes":null}"#, "{}"),
        (r#"{"spanId":"00F067AA0BA902B7"}"#, r#"{"span_id":"00f067aa0ba902b7"}"#),
    ] {
        assert_eq!(of_log(record), written, "{record}");
    }
    assert_eq!(of_json(Signal::Traces, "{}"), "");
}

#[test]
fn a_span_in_json_has_names_and_ids() {
    let ids = r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7""#;
    let more =
        r#""kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"},"links":[{"spanId":"00f067aa0ba902b7"}]"#;
    let request = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},{more}}}]}}]}}]}}"#);
    let written = of_json(Signal::Traces, &request);
    assert!(written.starts_with(r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","#));
    let rest = r#""kind":"server","status":{"code":"error"},"links":[{"span_id":"00f067aa0ba902b7"}]}"#;
    assert!(written.ends_with(rest), "{written}");
    let bad = request.replacen("00f067aa0ba902b7", "not hexadecimal", 1);
    let (spans, refused) = batch(Signal::Traces, &read_json(Signal::Traces, bad.as_bytes(), 1 << 20).unwrap().message);
    assert_eq!((spans.len(), refused.records), (0, 1), "an id that is none is the fault of its record alone");
}

#[test]
fn what_no_field_can_have_is_told_with_its_place() {
    for (record, why) in [
        (r#"{"severityNumber":"LOUD"}"#, "`severity_number` cannot be `LOUD` at line 1 column "),
        (r#"{"flags":-1}"#, "`flags` cannot be `-1`"),
        (r#"{"flags":1.5}"#, "`flags` cannot be `1.5`"),
        (r#"{"body":{"doubleValue":"x"}}"#, "`double_value` cannot be `x`"),
        (r#"{"body":{"bytesValue":"*"}}"#, "`bytes_value` cannot be `*`"),
        (r#"{"severityText":{}}"#, "`severity_text` cannot be `an object`"),
        (r#"{"attributes":{}}"#, "expected a list for `attributes`"),
        (r#"{"body":[]}"#, "expected a value for `body`"),
    ] {
        let others = r#"{"severityNumber":9}"#;
        let request =
            format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{others},{record},{others}]}}]}}]}}"#);
        let read = read_json(Signal::Logs, request.as_bytes(), 1 << 20).unwrap();
        let (batch, refused) = batch(Signal::Logs, &read.message);
        assert!(read.bad.as_ref().unwrap().contains(why), "{record}: {:?}", read.bad);
        assert_eq!((batch.len(), refused.records, refused.why), (2, 1, Some(Fault::Unreadable)), "{record}");
    }
    for (request, why) in [
        (r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":"#, "EOF while parsing"),
        (r#"{"resourceLogs":[{"schemaUrl":7}]}"#, "`schema_url` cannot be `7`"),
    ] {
        let error = read_json(Signal::Logs, request.as_bytes(), 1 << 20).unwrap_err().to_string();
        assert!(error.contains(why), "{request}: {error}");
    }
    let long = format!(r#"{{"resourceLogs":[{{"resource":{{"droppedAttributesCount":"{}"}}}}]}}"#, "x".repeat(1_000));
    assert!(read_json(Signal::Logs, long.as_bytes(), 1 << 20).unwrap_err().to_string().len() < 150);
}

#[test]
fn numbers_of_a_list_are_packed_and_bounded() {
    let zeros = vec!["0"; 1_000].join(",");
    let request = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{zeros}]}}]}}}}]}}]}}]}}"#
    );
    let read = read_json(Signal::Metrics, request.as_bytes(), 8_100).unwrap();
    assert!((8_000..8_050).contains(&read.message.len()), "{}", read.message.len());
    let (batch, _) = batch(Signal::Metrics, &read.message);
    assert!(json(batch.get(0)).contains(&format!("\"bucket_counts\":[{zeros}]")));
    assert!(matches!(read_json(Signal::Metrics, request.as_bytes(), 8_000), Err(Unread::TooLarge)));
}

proptest! {
    /// Whatever one byte or the length of a request becomes.
    #[test]
    fn nothing_that_comes_is_a_panic(
        name in prop::sample::select(vec!["traces.pb", "logs.pb", "metrics.pb", "traces.json", "logs.json", "metrics.json"]),
        (at, byte, cut) in (any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>()),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let probe = if name.ends_with("json") { probe::probe_json } else { probe::probe };
        let mut bytes = fixture(name);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for request in [&bytes[..], &bytes[..cut.index(bytes.len())], &noise] {
            probe(request);
        }
    }
}
