//! Records of OpenTelemetry: bytes are looked at decoded, and what records share once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::*;
use crate::codecs::otlp::{Signal, read_json, split};
use crate::event::{Batch, Origin, Seen, StreamKey};
use crate::transforms::test_kit::receipt;

/// A request of log records with these bodies, in OTLP/JSON, from a resource with this attribute.
fn request(attribute: &str, bodies: &[String]) -> Batch {
    let records: Vec<String> = bodies.iter().map(|body| format!(r#"{{"body":{body}}}"#)).collect();
    let text = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"owner","value":{attribute}}}]}},"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#,
        records.join(",")
    );
    let block = Bytes::from(read_json(Signal::Logs, text.as_bytes(), 1 << 20).unwrap().message);
    let mut batch = Batch::new(block.clone(), Origin::new(StreamKey(9)).into(), receipt());
    let seen = Seen { position: 0, time: 1_795_168_800_000_000_000 };
    assert_eq!(split(Signal::Logs, &block, &mut batch, seen).unwrap().records, 0);
    batch
}

fn bytes(text: &[u8]) -> String {
    format!(r#"{{"bytesValue":"{}"}}"#, STANDARD.encode(text))
}

fn string(text: &str) -> String {
    format!(r#"{{"stringValue":"{text}"}}"#)
}

fn seen(settings: &str, batch: Batch) -> Vec<Value> {
    scrub(settings).main(batch).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn bytes_that_are_a_text_are_looked_at_decoded() {
    let bodies = [
        bytes(format!("from {MAIL}").as_bytes()),
        bytes(format!("{{\"to\":[\"{MAIL}\"]}}").as_bytes()),
        bytes(b"nothing to be found"),
        bytes(&[0xFF, 0xFE, b'@', 1]),
        format!(r#"{{"arrayValue":{{"values":[{},{}]}}}}"#, bytes(MAIL.as_bytes()), string("plain")),
        format!(r#"{{"kvlistValue":{{"values":[{{"key":"a","value":{}}}]}}}}"#, bytes(CARD.as_bytes())),
    ];
    for settings in ["", "fields = ['.']"] {
        let records = seen(settings, request(&string("team-7"), &bodies));
        let expected = [
            Value::from("[REDACTED]"),
            "[REDACTED]".into(),
            STANDARD.encode("nothing to be found").into(),
            STANDARD.encode([0xFF, 0xFE, b'@', 1]).into(),
            serde_json::json!(["[REDACTED]", "plain"]),
            serde_json::json!({"a": "[REDACTED]"}),
        ];
        let messages: Vec<&Value> = records.iter().map(|record| &record["message"]).collect();
        assert_eq!(messages, expected.iter().collect::<Vec<_>>(), "{settings}");
    }
    let shared = seen("", request(&bytes(MAIL.as_bytes()), &[string("plain")]));
    assert_eq!(shared[0]["resource"]["attributes"]["owner"], "[REDACTED]");
    // Without bytes in it, a record's text that only looks like base64 is a text.
    let plain = STANDARD.encode(MAIL);
    assert_eq!(seen("", request(&string("team-7"), &[string(&plain)]))[0]["message"], plain);
}

#[test]
fn a_resource_is_looked_at_once_for_all_its_records() {
    let step = scrub("");
    let bodies = ["one", "two", "three"].map(string);
    for (owner, covered) in [(MAIL, "[REDACTED]"), ("team-7", "team-7")] {
        let lines = step.main(request(&string(owner), &bodies));
        assert_eq!(lines.len(), 3);
        for (line, body) in lines.iter().zip(["one", "two", "three"]) {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["resource"]["attributes"]["owner"], covered, "{line}");
            assert_eq!(record["message"], body);
        }
    }
    let families = step.families.registry().gather();
    let scrubbed = families.iter().find(|family| family.name() == "levada_scrubbed_values_total").unwrap();
    let counted: f64 = scrubbed.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
    assert_eq!(counted as u64, 1);
}
