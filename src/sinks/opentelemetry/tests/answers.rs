//! What answers mean.

use hyper::StatusCode;

use super::*;
use crate::codecs::otlp::{Code, Form, Refused, partial_success, status};
use crate::delivery::test_peer::Peer;
use crate::event::otlp::wire::put_bytes;

fn reply(status: u16, headers: &[(&'static str, &'static str)], body: Vec<u8>) -> http::Reply {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    http::Reply { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
}

fn class(answer: &Answer) -> &'static str {
    match answer {
        Answer::Delivered => "delivered",
        Answer::DeliveredInPart { .. } => "in part",
        Answer::Retry { after: None, .. } => "retry",
        Answer::Retry { .. } => "retry after",
        Answer::Hold { .. } => "hold",
        Answer::Split => "split",
        Answer::Rejected { .. } => "rejected",
        other => panic!("{other:?}"),
    }
}

#[test]
fn statuses_are_classed_as_the_specification_has_them() {
    for (code, expected) in [
        (200, "delivered"),
        (202, "delivered"),
        (301, "hold"),
        (400, "rejected"),
        (401, "hold"),
        (403, "hold"),
        (404, "hold"),
        (405, "hold"),
        (408, "retry"),
        (413, "split"),
        (415, "hold"),
        (422, "rejected"),
        (429, "retry"),
        (500, "rejected"),
        (501, "hold"),
        (502, "retry"),
        (503, "retry"),
        (504, "retry"),
        (505, "rejected"),
    ] {
        assert_eq!(class(&answer::http(&reply(code, &[], Vec::new()))), expected, "{code}");
    }
    let after = answer::http(&reply(503, &[("retry-after", "7")], b"busy".to_vec()));
    let why = "the server answers 503 Service Unavailable".to_owned();
    assert_eq!(after, Answer::Retry { why, after: Some(Duration::from_secs(7)) });
    let said = status(Form::Protobuf, (Code::InvalidArgument, "no span id"), None);
    let rejected = answer::http(&reply(400, &[("content-type", "application/x-protobuf")], said));
    let why = "the server answers 400 Bad Request: no span id".to_owned();
    assert_eq!(rejected, Answer::Rejected { code: "400".to_owned(), why });
}

#[test]
fn codes_are_classed_as_the_specification_has_them() {
    let said = |code, retry_delay| Said { code, message: "m".to_owned(), retry_delay };
    for (code, expected) in [
        (0, "delivered"),
        (1, "retry"),
        (2, "rejected"),
        (3, "rejected"),
        (4, "retry"),
        (5, "rejected"),
        (7, "hold"),
        (8, "hold"),
        (10, "retry"),
        (11, "retry"),
        (12, "hold"),
        (13, "rejected"),
        (14, "retry"),
        (15, "retry"),
        (16, "hold"),
        (99, "rejected"),
    ] {
        assert_eq!(class(&answer::grpc(&said(code, None), b"")), expected, "{code}");
    }
    for words in ["grpc: received message larger than max (5 vs. 4)", "gRPC message exceeds maximum size 4: 5"] {
        let said = Said { code: 8, message: words.to_owned(), retry_delay: None };
        assert_eq!(class(&answer::grpc(&said, b"")), "split", "{words}");
    }
    for code in [8, 14] {
        assert_eq!(class(&answer::grpc(&said(code, Some(Duration::from_secs(1))), b"")), "retry after", "{code}");
    }
    for (status, expected) in
        [(200, "hold"), (401, "hold"), (404, "hold"), (413, "split"), (429, "retry"), (502, "retry")]
    {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(class(&answer::no_grpc(status, None)), expected, "{status}");
    }
}

#[test]
fn a_partial_success_is_never_sent_again() {
    let refused =
        Refused { records: 2, told: Some("too old".to_owned()), why: Some(crate::event::otlp::wire::Fault::Varint) };
    let message = partial_success(Form::Protobuf, Signal::Traces, &refused);
    let why = "2 spans were refused; the first: too old".to_owned();
    assert_eq!(
        answer::http(&reply(200, &[], message.clone())),
        Answer::DeliveredInPart { refused: 2, why: why.clone() }
    );
    assert_eq!(answer::grpc(&Said::default(), &message), Answer::DeliveredInPart { refused: 2, why });
    let (mut partial, mut warning) = (Vec::new(), Vec::new());
    put_bytes(2, b"deprecated", &mut partial);
    put_bytes(1, &partial, &mut warning);
    assert_eq!(answer::http(&reply(200, &[], warning)), Answer::Delivered);
    assert_eq!(answer::http(&reply(200, &[], b"<html>".to_vec())), Answer::Delivered, "a status is an answer");
}

#[test]
fn addresses_are_those_of_signals() {
    let targets = |text: &str| settings(text).targets().unwrap().map(|uri| uri.map(|uri| uri.to_string()));
    let [traces, logs, metrics] =
        targets("protocol = 'http'\nendpoint = 'http://h:4318/base/'\nlogs_endpoint = 'https://l/x'");
    assert_eq!(traces.as_deref(), Some("http://h:4318/base/v1/traces"));
    assert_eq!((logs.as_deref(), metrics.as_deref()), (Some("https://l/x"), Some("http://h:4318/base/v1/metrics")));
    let [traces, logs, metrics] = targets("traces_endpoint = 'https://h:4317'");
    assert!(traces.unwrap().starts_with("https://h:4317/opentelemetry.proto.collector.trace.v1.TraceService/"));
    assert_eq!((logs, metrics), (None, None));
}

#[test]
fn faults_of_settings_are_told_at_their_place() {
    for (text, setting, is_warning) in [
        ("", "", false),
        ("endpoint = 'h:4317'", "endpoint", false),
        ("endpoint = 'http://h:4317/v1/traces'", "endpoint", false),
        ("endpoint = 'http://h:4317'\nlogs_endpoint = 'http://{{ h }}'", "logs_endpoint", false),
        ("endpoint = 'http://h:4318'", "endpoint", true),
        ("endpoint = 'http://h:4317'\nprotocol = 'http'", "endpoint", true),
        ("endpoints = ['http://a:1', 'http://a:1/']\nrouting_key = 'trace_id'", "endpoints[1]", false),
        ("endpoints = ['http://a:1', 'b']\nrouting_key = 'trace_id'", "endpoints[1]", false),
        ("endpoints = ['http://a:1']", "endpoints", false),
        ("endpoints = ['http://a:1']\nendpoint = 'http://b'\nrouting_key = 'trace_id'", "endpoint", false),
        ("endpoint = 'http://b'\nrouting_key = 'trace_id'", "routing_key", false),
        ("endpoint = 'http://h'\nrequest.headers.Host = 'x'", "request.headers.Host", false),
        ("endpoint = 'https://h'\ntls.key_file = 'k'", "tls.key_file", false),
    ] {
        let problems = settings(text).check();
        let found: Vec<_> = problems.iter().map(|problem| (problem.setting.as_str(), problem.is_warning)).collect();
        assert_eq!(found, [(setting, is_warning)], "{text}");
    }
}

#[tokio::test]
async fn a_request_over_http_carries_what_the_settings_say() {
    let peer = Peer::new(|_| (200, String::new())).await;
    let address = peer.address;
    let sink = sink(&format!(
        "protocol = 'http'\nendpoint = 'http://{address}'\nauth = {{ strategy = 'bearer', token = 't' }}\nrequest.headers.X-Scope-OrgID = 'a'"
    ));
    assert_eq!(sink.probe().unwrap().await.unwrap(), "it takes traces, it takes logs, it takes metrics");
    let body = Compression::Gzip.compress(&fixture("traces.pb"));
    let place = sink.encoder().place(records(Signal::Traces, &fixture("traces.pb")).get(0)).unwrap();
    let answer = sink.send(Payload { body: body.clone().into(), records: 3, place, ..Payload::default() }).await;
    assert_eq!(answer, Answer::Delivered);
    let came = peer.came().pop().unwrap();
    let header = |name: &str| came.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!((came.method.as_str(), came.uri.path()), ("POST", "/v1/traces"));
    assert_eq!((header("content-type"), header("content-encoding")), (Some("application/x-protobuf"), Some("gzip")));
    assert_eq!((header("authorization"), header("x-scope-orgid")), (Some("Bearer t"), Some("a")));
    assert_eq!(came.body, body);
}

#[test]
fn a_record_without_a_server_is_refused() {
    let sink = sink("traces_endpoint = 'http://h:4317'");
    let batch = records(Signal::Logs, &fixture("logs.pb"));
    assert_eq!(sink.encoder().place(batch.get(0)).unwrap_err().code, "no_endpoint");
}
