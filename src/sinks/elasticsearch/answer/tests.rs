//! Answers of real servers and of things that are none: what is made of each.

use bytes::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{HeaderMap, StatusCode};
use std::time::Duration;

use super::*;

fn reply(status: u16, body: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap();
    Reply { status, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) }
}

/// The answer to a bulk request whose only failed item is the second of two.
fn second(status: u16, kind: &str, reason: &str) -> Option<Verdict> {
    let body = format!(
        r#"{{"errors":true,"items":[{{"create":{{"status":201}}}},{{"create":{{"status":{status},"error":{{"type":"{kind}","reason":"{reason}"}}}}}}]}}"#
    );
    match read(&reply(200, &body), 2) {
        Answer::Partial(mut verdicts) => {
            assert!(verdicts.iter().all(|(at, _)| *at == 1), "{verdicts:?}");
            verdicts.pop().map(|(_, verdict)| verdict)
        }
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn all_stored_is_seen_without_reading_on() {
    let item = r#"{"create":{"status":201}}"#;
    for head in [
        // Elasticsearch 7 to 9 and OpenSearch with `filter_path`; without it 7 and OpenSearch, then 9.
        r#"{"errors":false,"#,
        r#"{"took":30,"errors":false,"#,
        r#"{"errors":false,"took":0,"#,
        r#"{"took":5,"ingest_took":2,"errors":false,"#,
        r#"{ "took" : 1, "errors" : false, "#,
    ] {
        let body = format!("{head}\"items\":[{item},{item}]}}\n");
        assert_eq!(read(&reply(200, &body), 2), Answer::Delivered, "{body}");
        let too_few = format!("{head}\"items\":[]}}");
        assert!(matches!(read(&reply(200, &too_few), 2), Answer::Retry { .. }), "{too_few}");
    }
}

#[test]
fn items_meet_their_class() {
    let hold = |status, kind| matches!(second(status, kind, "r"), Some(Verdict::Hold { .. }));
    let retry = |status, kind| matches!(second(status, kind, "r"), Some(Verdict::Retry { .. }));
    assert_eq!(second(409, "version_conflict_engine_exception", "[1]: exists"), Some(Verdict::AlreadyThere));
    assert!(retry(429, "es_rejected_execution_exception"));
    assert!(retry(429, "rejected_execution_exception"), "OpenSearch");
    assert!(retry(429, "circuit_breaking_exception"));
    assert!(retry(429, "cluster_block_exception"), "flood stage");
    assert!(retry(503, "unavailable_shards_exception"));
    assert!(retry(500, "exception"));
    assert!(hold(403, "cluster_block_exception"), "`index.blocks.write`");
    assert!(hold(403, "security_exception"), "a key restricted to other indices");
    assert!(hold(404, "index_not_found_exception"));
    for kind in ["mapper_parsing_exception", "document_parsing_exception", "strict_dynamic_mapping_exception"] {
        let rejected = Verdict::Rejected { code: kind.to_owned(), why: "failed to parse".to_owned() };
        assert_eq!(second(400, kind, "failed to parse"), Some(rejected));
    }
    let other = Verdict::Rejected { code: "resource_already_exists_exception".to_owned(), why: "r".to_owned() };
    assert_eq!(second(409, "resource_already_exists_exception", "r"), Some(other));
    let missing = second(400, "illegal_argument_exception", "pipeline with id [p] does not exist");
    assert!(matches!(missing, Some(Verdict::Hold { .. })), "a fault of the settings, not of the document");
}

#[test]
fn mixed_items_keep_their_places() {
    let body = r#"{"took":7,"errors":true,"items":[
        {"create":{"_index":"a","_id":"1","_version":1,"result":"created","status":201}},
        {"create":{"_index":"a","_id":"2","status":409,"error":{"type":"version_conflict_engine_exception","reason":"x","index_uuid":"u","shard":"0","index":"a"}}},
        {"index":{"_index":"a","_type":"_doc","_id":"3","status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [n] \u00e9","caused_by":{"type":"t","reason":"deeper"}}}},
        {"create":{"status":201}},
        {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}]}"#;
    let Answer::Partial(verdicts) = read(&reply(200, body), 5) else { panic!() };
    assert_eq!(verdicts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 2, 4]);
    let why = "failed to parse field [n] é".to_owned();
    assert_eq!(verdicts[1].1, Verdict::Rejected { code: "mapper_parsing_exception".to_owned(), why });
}

#[test]
fn an_answer_that_cannot_be_read_leaves_the_outcome_unknown() {
    let short = r#"{"errors":true,"items":[{"create":{"status":400,"error":{"type":"x","reason":"y"}}}]}"#;
    for (body, records) in [
        ("", 1),
        ("<html>502</html>", 1),
        ("{}", 1),
        (r#"{"errors":false,"items":[{"create":{"stat"#, 2),
        (r#"{"errors":true,"items":[{"create":{"status":201}}"#, 1),
        (r#"{"items":[{"x":{"errors":false}}]}"#, 1),
        (short, 2),
    ] {
        assert!(matches!(read(&reply(200, body), records), Answer::Retry { after: None, .. }), "{body}");
    }
    assert!(matches!(read(&reply(204, ""), 1), Answer::Retry { .. }), "a 2xx is not by itself a success");
}

#[test]
fn whole_requests_meet_their_class() {
    let hold = |status, body: &str| match read(&reply(status, body), 5) {
        Answer::Hold { why } => why,
        answer => panic!("{status}: {answer:?}"),
    };
    let denied = hold(401, r#"{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}"#);
    assert!(denied.contains("`auth`") && denied.contains("unable to authenticate"), "{denied}");
    hold(401, "Unauthorized");
    hold(403, "");
    hold(404, r#"{"error":{"type":"index_not_found_exception","reason":"no such index [a]"},"status":404}"#);
    hold(406, r#"{"error":"Content-Type header [text/plain] is not supported","status":406}"#);
    let query = hold(
        400,
        r#"{"error":{"type":"illegal_argument_exception","reason":"request [/_bulk] contains unrecognized parameter: [x]"}}"#,
    );
    assert!(query.contains("`query`"), "{query}");
    assert_eq!(read(&reply(413, ""), 5), Answer::Split);
    assert_eq!(read(&reply(400, r#"{"error":{"type":"x_content_parse_exception"}}"#), 5), Answer::Split);
    assert!(matches!(read(&reply(400, "{}"), 1), Answer::Rejected { .. }));
    assert!(matches!(read(&reply(503, ""), 5), Answer::Retry { after: None, .. }));
    let mut busy = reply(429, r#"{"error":{"type":"es_rejected_execution_exception","reason":"limit"}}"#);
    busy.headers.insert(RETRY_AFTER, "7".parse().unwrap());
    assert!(matches!(read(&busy, 5), Answer::Retry { after: Some(after), .. } if after == Duration::from_secs(7)));
}

#[test]
fn documents_in_a_failure_store_are_counted() {
    let body = r#"{"errors":false,"items":[{"create":{"status":201,"failure_store":"used"}},{"create":{"status":201}},{"create":{"status":201,"failure_store":"not_enabled"}},{"create":{"failure_store":"used","status":201}}]}"#;
    let reply = reply(200, body);
    assert_eq!(read(&reply, 4), Answer::Delivered);
    assert_eq!(kept_as_failures(&reply), 2);
}

#[test]
fn a_server_that_does_not_know_the_parameter_says_so() {
    let body = r#"{"error":{"type":"illegal_argument_exception","reason":"request [/_bulk] contains unrecognized parameter: [include_source_on_error]"},"status":400}"#;
    assert!(refuses_hiding(&reply(400, body)));
    assert!(!refuses_hiding(&reply(400, "{}")));
}
