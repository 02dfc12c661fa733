//! The sink as settings make it: what it writes, what it sends, whom it trusts.

use std::io::Read;

use super::*;
use crate::component::meters::{Families, Label};
use crate::component::test_kit::sink_context;
use crate::delivery::test_batch::{json, text};
use crate::delivery::test_peer::{Came, Peer};
use crate::delivery::test_tls;
use crate::event::Batch;

const STORED: &str = r#"{"errors":false,"items":[]}"#;

fn context() -> Context {
    sink_context("elasticsearch")
}

fn settings(text: &str) -> ElasticsearchSettings {
    toml::from_str(text).unwrap()
}

fn sink(text: &str) -> Elasticsearch {
    settings(text).sink(&context()).unwrap()
}

/// A sink for one endpoint that nothing is sent to.
fn offline(text: &str) -> Elasticsearch {
    sink(&format!("endpoints = [\"http://127.0.0.1:1\"]\n{text}"))
}

/// Actions and documents, or why a record was refused.
fn encoded(sink: &Elasticsearch, batch: &Batch) -> Vec<Result<String, &'static str>> {
    let mut encoder = sink.encoder();
    encoder.begin(&mut Vec::new());
    let one = |record| {
        let mut body = Vec::new();
        let done = encoder.encode(record, &mut body);
        done.map(|_| String::from_utf8(body).unwrap()).map_err(|refusal| refusal.code)
    };
    batch.iter().map(one).collect()
}

fn first(settings: &str, record: &str) -> String {
    encoded(&offline(settings), &json(&[record])).remove(0).unwrap()
}

fn payload(body: &'static [u8]) -> Payload {
    Payload { body: Bytes::from_static(body), records: 1, ..Payload::default() }
}

fn root(version: &str) -> impl Fn(&Came) -> (u16, String) + Send + Sync + 'static {
    let root = format!(r#"{{"version":{{"number":"{version}"}}}}"#);
    move |came| (200, if came.method == Method::GET { root.clone() } else { STORED.to_owned() })
}

#[test]
fn a_constant_index_stands_in_the_address_alone() {
    let sink = offline("bulk.index = \"logs\"");
    assert_eq!(sink.endpoints.pick().1.bulk.path(), "/logs/_bulk");
    let lines = encoded(&sink, &json(&[r#"{"a":1}"#, r#"{"a":2}"#]));
    let line = lines[1].as_ref().unwrap();
    assert!(line.starts_with(r#"{"create":{"_id":""#) && line.ends_with("\"}}\n{\"a\":2}\n"), "{line}");
    assert_ne!(lines[0].as_ref().unwrap().split('\n').next(), line.split('\n').next());
}

#[test]
fn records_choose_their_index_behind_its_beginning() {
    let sink = offline("bulk.index = \"logs-{{ service }}-%Y.%m.%d\"\nid = \"auto\"");
    let records = [r#"{"service":"Quest"}"#, r#"{"service":"a b"}"#, r#"{"service":"../x"}"#, r#"{"other":1}"#];
    let lines = encoded(&sink, &json(&records));
    assert_eq!(
        lines[0].as_deref(),
        Ok("{\"create\":{\"_index\":\"logs-quest-2026.11.20\"}}\n{\"service\":\"Quest\"}\n")
    );
    assert_eq!(lines[1..], [Err("index_name"), Err("template_value"), Err("template_field")]);
}

#[test]
fn a_refused_record_does_not_change_where_the_next_goes() {
    let sink = offline("bulk.index = \"logs-{{ s }}\"\nid = \"auto\"");
    let lines = encoded(&sink, &json(&[r#"{"s":"a"}"#, r#"{"s":"b*"}"#, r#"{"s":"a"}"#, r#"{"s":"c"}"#]));
    let of = |at: usize| lines[at].as_ref().unwrap().split('\n').next().unwrap().to_owned();
    assert_eq!([of(0), of(2)], [r#"{"create":{"_index":"logs-a"}}"#, r#"{"create":{"_index":"logs-a"}}"#]);
    assert_eq!(of(3), r#"{"create":{"_index":"logs-c"}}"#);
}

#[test]
fn ids_come_from_whom_the_settings_name() {
    let index = "bulk.index = \"a\"\nid_key = \"event.id\"";
    assert!(first(index, r#"{"event":{"id":"x\"y"}}"#).starts_with(r#"{"create":{"_id":"x\"y"}}"#));
    assert!(first(index, r#"{"event":{"id":17}}"#).starts_with(r#"{"create":{"_id":"17"}}"#));
    for without in [r#"{"event":{"id":""}}"#, r#"{"event":{"id":null}}"#, r#"{"event":1}"#] {
        let line = first(index, without);
        assert!(line.starts_with(r#"{"create":{"_id":""#) && line.contains("0\"}}\n"), "{line}");
    }
    let long = format!(r#"{{"event":{{"id":"{}"}}}}"#, "x".repeat(513));
    assert_eq!(encoded(&offline(index), &json(&[&long])), [Err("id_key")]);
    assert!(first("bulk = { index = \"a\", action = \"index\" }", "{}").starts_with(r#"{"index":{"_id":""#));
    assert_eq!(first("bulk.index = \"a\"\nid = \"auto\"", "{}"), "{\"create\":{}}\n{}\n");
}

#[test]
fn versions_come_from_the_record_and_must_be_numbers() {
    let index = "id_key = \"id\"\nbulk = { index = \"a\", action = \"index\", version = \"{{ v }}\", version_type = \"external_gte\" }";
    for record in [r#"{"id":"x","v":7}"#, r#"{"id":"x","v":"7"}"#] {
        let action = r#"{"index":{"_id":"x","version":7,"version_type":"external_gte"}}"#;
        assert_eq!(first(index, record), format!("{action}\n{record}\n"));
    }
    let bad = [r#"{"id":"x"}"#, r#"{"id":"x","v":"a"}"#, r#"{"id":"x","v":-1}"#, r#"{"id":"x","v":1.5}"#];
    assert_eq!(encoded(&offline(index), &json(&bad)), vec![Err("version"); 4]);
    let without_id = encoded(&offline(&format!("id = \"auto\"\n{index}")), &json(&[r#"{"v":7}"#]));
    assert_eq!(without_id, [Err("version")], "versions are compared between documents of one id");
}

#[test]
fn documents_hold_what_the_settings_leave_in_them() {
    let index = "bulk.index = \"a-{{ s }}\"\nid = \"auto\"\n";
    let only = format!("{index}encoding.only_fields = [\"m.a\"]");
    assert_eq!(
        first(&only, r#"{"s":"x","m":{"a":1,"b":2}}"#),
        "{\"create\":{\"_index\":\"a-x\"}}\n{\"m\":{\"a\":1}}\n"
    );
    let stream =
        "mode = \"data_stream\"\nid = \"auto\"\ndata_stream.sync_fields = false\nencoding.except_fields = [\"n\"]";
    let document = "{\"@timestamp\":\"2026-11-20T10:00:00.000Z\"}";
    assert_eq!(first(stream, r#"{"n":1}"#), format!("{{\"create\":{{}}}}\n{document}\n"));
}

#[test]
fn documents_of_data_streams_are_completed() {
    let stream = "mode = \"data_stream\"\nid = \"auto\"\ndata_stream.dataset = \"shop\"";
    let fields = r#""data_stream":{"type":"logs","dataset":"shop","namespace":"default"}"#;
    let time = r#""@timestamp":"2026-11-20T10:00:00.000Z""#;
    assert_eq!(first(stream, "{}"), format!("{{\"create\":{{}}}}\n{{{time},{fields}}}\n"));
    let own = r#"{"@timestamp":"2020-01-01","a":1}"#;
    let whole = format!("{{\"create\":{{}}}}\n{{\"@timestamp\":\"2020-01-01\",\"a\":1,{fields}}}\n");
    assert_eq!(first(stream, own), whole);
    let lines = encoded(&offline(stream), &text(&["hello"]));
    let end = format!("{time},{fields}}}\n");
    assert!(lines[0].as_ref().unwrap().ends_with(&end), "{lines:?}");
    let unsynced = format!("{stream}\ndata_stream.sync_fields = false");
    assert_eq!(first(&unsynced, own), format!("{{\"create\":{{}}}}\n{own}\n"));
}

#[test]
fn records_route_themselves_within_the_type() {
    let stream = "mode = \"data_stream\"\nid = \"auto\"\ndata_stream.dataset = \"{{ service }}\"";
    let routed = r#"{"@timestamp":1,"service":"a","data_stream":{"dataset":"Pay-ments","namespace":"prod"}}"#;
    let line = first(stream, routed);
    assert!(line.starts_with(r#"{"create":{"_index":"logs-pay_ments-prod"}}"#), "{line}");
    assert!(line.contains(r#""dataset":"pay_ments""#) && line.contains(r#""type":"logs""#), "{line}");
    assert!(!line.contains("Pay"), "{line}");
    let fixed = format!("{stream}\ndata_stream.auto_routing = false");
    let line = first(&fixed, routed);
    assert!(line.starts_with(r#"{"create":{"_index":"logs-a-default"}}"#), "{line}");
    assert!(line.contains(r#"{"dataset":"a","namespace":"default","type":"logs"}"#), "{line}");
    let elsewhere =
        [r#"{"service":"a","data_stream":{"type":"metrics"}}"#, r#"{"service":"a","data_stream":{"dataset":"../x"}}"#];
    let refused = encoded(&offline(stream), &json(&elsewhere));
    assert_eq!(refused, [Err("template_not_allowed"), Err("template_value")]);
    let listed = format!("{stream}\ndata_stream.allow = [\"logs-*\", \"metrics-*\"]");
    let lines =
        encoded(&offline(&listed), &json(&[elsewhere[0], r#"{"service":"a","data_stream":{"type":"traces"}}"#]));
    assert!(lines[0].as_ref().unwrap().contains("metrics-a-default"));
    assert_eq!(lines[1], Err("template_not_allowed"));
}

#[test]
fn faults_of_settings_are_told_at_their_place() {
    let cases = [
        ("bulk.index = \"{{ service }}\"", "bulk.index"),
        ("bulk.index = \"Logs\"", "bulk.index"),
        ("bulk.index = \"logs-%Y x\"", "bulk.index"),
        ("bulk.index = \"logs-{{ service\"", "bulk.index"),
        ("bulk = { index = \"{{ a }}\", allow = [\"a[\"] }", "bulk.allow[0]"),
        ("mode = \"data_stream\"\ndata_stream.dataset = \"a-b\"", "data_stream.dataset"),
        ("mode = \"data_stream\"\ndata_stream.type = \"{{ t }}\"", "data_stream.type"),
        ("query.filter_path = \"took\"", "query.filter_path"),
        ("request.headers.\"a b\" = \"c\"", "request.headers.a b"),
        ("id_key = \"a..b\"", "id_key"),
        ("auth = { strategy = \"bearer\", token = \"a\\nb\" }", "auth"),
        ("tls.crt_file = \"a.pem\"", "tls.crt_file"),
    ];
    for (text, setting) in cases {
        let problems = settings(&format!("endpoints = [\"http://e:9200\"]\n{text}")).check();
        assert_eq!(problems.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>(), [setting], "{text}");
    }
    assert_eq!(settings("endpoints = [\"http://a\", \"b:9200\"]").check()[0].setting, "endpoints[1]");
}

#[tokio::test]
async fn a_request_carries_what_the_settings_say() {
    let peer = Peer::new(root("8.17.0")).await;
    let sink = sink(&format!(
        "endpoints = [\"http://{}/base/\"]\nbulk.index = \"a\"\npipeline = \"p 1\"\nquery.timeout = \"1m\"\ncompression = \"gzip\"\n\
         request.headers.X-Tenant = \"t\"\nauth = {{ strategy = \"basic\", user = \"levada\", password = \"secret\" }}",
        peer.address
    ));
    let body = crate::codecs::Compression::Gzip.compress(b"{\"create\":{}}\n{}\n");
    assert_eq!(sink.send(Payload { body: body.into(), records: 1, ..Payload::default() }).await, Answer::Delivered);
    let came = peer.came();
    assert_eq!((came.len(), came[0].uri.path(), &came[0].method), (2, "/base/", &Method::GET));
    let bulk = &came[1];
    let query = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store&timeout=1m&pipeline=p%201";
    assert_eq!((bulk.uri.path(), bulk.uri.query()), ("/base/a/_bulk", Some(query)));
    let header = |name: &str| bulk.headers[name].to_str().unwrap();
    assert_eq!(header("authorization"), "Basic bGV2YWRhOnNlY3JldA==");
    assert_eq!(
        [header("content-type"), header("content-encoding"), header("x-tenant")],
        ["application/x-ndjson", "gzip", "t"]
    );
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&bulk.body[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "{\"create\":{}}\n{}\n");
}

#[tokio::test]
async fn the_server_is_asked_once_and_told_to_hide_documents() {
    let peer = Peer::new(root("9.1.2")).await;
    let sink = sink(&format!("endpoints = [\"http://{}\"]", peer.address));
    for _ in 0..3 {
        assert_eq!(sink.send(payload(b"x")).await, Answer::Delivered);
    }
    let came = peer.came();
    assert_eq!(came.iter().filter(|came| came.method == Method::GET).count(), 1);
    assert!(came[1].uri.query().unwrap().ends_with("&include_source_on_error=false"));
}

#[tokio::test]
async fn a_server_that_refuses_the_parameter_gets_the_request_without_it() {
    let refusal = r#"{"error":{"type":"illegal_argument_exception","reason":"unrecognized parameter: [include_source_on_error]"}}"#;
    let answers = root("9.0.0");
    let peer = Peer::new(move |came| match came.uri.query() {
        Some(query) if query.contains(answer::HIDE_SOURCE) => (400, refusal.to_owned()),
        _ => answers(came),
    })
    .await;
    let sink = sink(&format!("endpoints = [\"http://{}\"]", peer.address));
    assert!(matches!(sink.send(payload(b"x")).await, Answer::Retry { .. }));
    assert_eq!(sink.send(payload(b"x")).await, Answer::Delivered);
}

#[tokio::test]
async fn a_server_that_will_not_say_what_it_is_is_written_to() {
    let peer =
        Peer::new(|came| if came.method == Method::GET { (403, "{}".into()) } else { (200, STORED.into()) }).await;
    let sink = sink(&format!("endpoints = [\"http://{}\"]", peer.address));
    assert_eq!(sink.send(payload(b"x")).await, Answer::Delivered);
}

#[tokio::test]
async fn wrong_credentials_hold_and_the_secret_is_not_told() {
    let error =
        r#"{"error":{"type":"security_exception","reason":"unable to authenticate user [levada]"},"status":401}"#;
    let peer = Peer::new(move |_| (401, error.to_owned())).await;
    let auth = "auth = { strategy = \"basic\", user = \"levada\", password = \"hunter2\" }";
    let sink = sink(&format!("endpoints = [\"http://{}\"]\n{auth}", peer.address));
    let Answer::Hold { why } = sink.send(payload(b"x")).await else { panic!() };
    assert!(why.contains("`auth`") && !why.contains("hunter2"), "{why}");
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_passed_over() {
    let peer = Peer::new(root("8.19.0")).await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink = sink(&format!("endpoints = [\"http://{gone}\", \"http://{}\"]", peer.address));
    let Answer::Retry { why, .. } = sink.send(payload(b"x")).await else { panic!() };
    assert!(why.contains("refused"), "{why}");
    assert_eq!(sink.send(payload(b"x")).await, Answer::Delivered);
    assert_eq!(sink.send(payload(b"x")).await, Answer::Delivered);
}

#[tokio::test]
async fn zstd_is_not_sent_to_a_server_that_would_read_it_as_text() {
    let peer = Peer::new(root("8.19.0")).await;
    let sink = sink(&format!("endpoints = [\"http://{}\"]\ncompression = \"zstd\"", peer.address));
    assert!(matches!(sink.send(payload(b"x")).await, Answer::Hold { .. }));
    assert_eq!(peer.came().len(), 1, "only the question");
}

#[tokio::test]
async fn documents_in_the_failure_store_are_counted() {
    let used = r#"{"errors":false,"items":[{"create":{"status":201,"failure_store":"used"}}]}"#;
    let peer = Peer::new(move |_| (200, used.to_owned())).await;
    let families = Families::default();
    let meters = families.meters(&Label { id: "logs".into(), kind: "sink", type_name: "elasticsearch" });
    let context = Context { meters, ..context() };
    let sink = settings(&format!("endpoints = [\"http://{}\"]", peer.address)).sink(&context).unwrap();
    assert_eq!(sink.send(payload(b"x")).await, Answer::Delivered);
    let text = prometheus::TextEncoder::new().encode_to_string(&families.registry().gather()).unwrap();
    assert!(text.lines().any(|line| line.contains("\"failure_store\"") && line.ends_with(" 1")), "{text}");
}

#[tokio::test]
async fn tls_trusts_our_authority_and_shows_our_certificate() {
    let pki = test_tls::Pki::new();
    let peer = Peer::with_tls(pki.server(), root("8.19.0")).await;
    let at = format!("endpoints = [\"https://localhost:{}\"]", peer.address.port());
    let ca = format!("{at}\ntls.ca_file = \"{}\"", pki.file("ca.pem"));
    let both =
        format!("{ca}\ntls.crt_file = \"{}\"\ntls.key_file = \"{}\"", pki.file("client.pem"), pki.file("client.key"));
    assert_eq!(sink(&both).send(payload(b"x")).await, Answer::Delivered);
    for without in [&ca, &at] {
        assert!(matches!(sink(without).send(payload(b"x")).await, Answer::Retry { .. }), "{without}");
    }
    let unverified = both.replace("tls.ca_file", "tls.verify_certificate = false\n#");
    assert_eq!(sink(&unverified).send(payload(b"x")).await, Answer::Delivered);
    assert!(settings(&unverified).check().iter().all(|problem| problem.is_warning));
}
