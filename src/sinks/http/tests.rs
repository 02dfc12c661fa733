//! Bodies, headers, and what answers mean.

use std::io::Read;

use bytes::Bytes;

use super::*;
use crate::component::test_kit::sink_context;
use crate::delivery::test_batch::json;
use crate::delivery::test_peer::Peer;

fn settings(text: &str) -> HttpSettings {
    toml::from_str(text).unwrap()
}

/// The body and its content type.
fn body(text: &str) -> (String, &'static str) {
    let settings = settings(&format!("uri = \"http://h/x\"\n{text}"));
    let mut encoder = settings.sink(&sink_context("http")).unwrap().encoder();
    let mut body = Vec::new();
    encoder.begin(&mut body);
    let batch = json(&[r#"{"message":"a"}"#, r#"{"message":"b"}"#]);
    for record in batch.iter() {
        encoder.encode(record, &mut body).unwrap();
    }
    encoder.end(&mut body);
    (String::from_utf8(body).unwrap(), settings.shape().unwrap().content_type())
}

#[test]
fn bodies_are_framed_as_the_settings_say() {
    let (a, b) = (r#"{"message":"a"}"#, r#"{"message":"b"}"#);
    assert_eq!(body(""), (format!("[{a},{b}]"), "application/json"));
    let lines = "framing.method = \"newline_delimited\"";
    assert_eq!(body(lines), (format!("{a}\n{b}\n"), "application/x-ndjson"));
    let around = "payload_prefix = '{\"logs\":'\npayload_suffix = '}'";
    assert_eq!(body(around).0, format!("{{\"logs\":[{a},{b}]}}"));
    assert_eq!(body("encoding.codec = \"text\""), ("a\nb\n".to_owned(), "text/plain"));
    let bar = "encoding.codec = \"text\"\nframing = { method = \"character_delimited\", character_delimited.delimiter = \"|\" }";
    assert_eq!(body(bar).0, "a|b");
    assert_eq!(body("encoding.codec = \"text\"\nframing.method = \"bytes\"").0, "ab");
    assert_eq!(body("encoding.except_fields = [\"message\"]").0, "[{},{}]");
}

#[test]
fn faults_of_settings_are_told_at_their_place() {
    for (text, setting) in [
        ("uri = \"http://{{ host }}/\"", "uri"),
        ("uri = \"http://h/{{ path }}\"", "uri"),
        ("uri = \"http://h\"\nrequest.headers.Host = \"x\"", "request.headers.Host"),
        ("uri = \"http://h\"\nrequest.headers.X = \"{{ x }}\"", "request.headers.X"),
        ("uri = \"http://h\"\nencoding.only_fields = [\"a\", \"%b\"]", "encoding.only_fields[1]"),
        ("uri = \"http://h\"\ntls.key_file = \"k\"", "tls.key_file"),
        (
            "uri = \"http://h\"\nframing = { method = \"bytes\", character_delimited.delimiter = \"|\" }",
            "framing.character_delimited",
        ),
    ] {
        let problems = settings(text).check();
        assert_eq!(problems.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>(), [setting], "{text}");
    }
}

#[tokio::test]
async fn a_request_carries_what_the_settings_say() {
    let peer = Peer::new(|_| (204, String::new())).await;
    let text = "method = \"put\"\ncompression = \"zstd\"\nauth = { strategy = \"bearer\", token = \"t\" }\n\
                request.headers.Content-Type = \"application/vnd.own\"";
    let sink =
        settings(&format!("uri = \"http://{}/in?x=1\"\n{text}", peer.address)).sink(&sink_context("http")).unwrap();
    let body = Compression::Zstd.compress(b"[1]");
    assert_eq!(sink.send(Payload { body: body.into(), records: 1, ..Payload::default() }).await, Answer::Delivered);
    let came = peer.came().remove(0);
    assert_eq!((came.method.as_str(), came.uri.to_string().as_str()), ("PUT", "/in?x=1"));
    let header = |name: &str| came.headers[name].to_str().unwrap();
    let expected = ["Bearer t", "zstd", "application/vnd.own"];
    assert_eq!([header("authorization"), header("content-encoding"), header("content-type")], expected);
    let mut plain = String::new();
    zstd::Decoder::new(&came.body[..]).unwrap().read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "[1]");
}

#[tokio::test]
async fn answers_meet_their_class() {
    let peer = Peer::new(|came| (came.uri.path()[1..].parse().unwrap(), "{\"secret\":1}".to_owned())).await;
    for (status, class) in [
        (200, "Delivered"),
        (202, "Delivered"),
        (301, "Hold"),
        (400, "Rejected"),
        (401, "Hold"),
        (404, "Hold"),
        (408, "Retry"),
        (413, "Split"),
        (422, "Rejected"),
        (429, "Retry"),
        (500, "Retry"),
        (501, "Hold"),
        (503, "Retry"),
    ] {
        let sink =
            settings(&format!("uri = \"http://{}/{status}\"", peer.address)).sink(&sink_context("http")).unwrap();
        let answer = sink.send(Payload { body: Bytes::from_static(b"x"), records: 1, ..Payload::default() }).await;
        let text = format!("{answer:?}");
        assert!(text.starts_with(class), "{status}: {text}");
        assert!(class == "Rejected" || !text.contains("secret"), "only a dead letter quotes the answer: {text}");
    }
}
