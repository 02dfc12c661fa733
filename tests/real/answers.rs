//! Answers per record: what is refused for good becomes a dead letter, what is turned away is sent again.

use serde_json::{Value, json};

use crate::agent::{Home, auth};
use crate::is_asked;
use crate::lines;
use crate::server::{Kind, Server, shared};

#[test]
fn a_mapping_conflict_becomes_a_dead_letter() {
    if !is_asked("a_mapping_conflict_becomes_a_dead_letter") {
        return;
    }
    mapping_conflict(Kind::ElasticsearchBasic, "document_parsing_exception");
    mapping_conflict(Kind::OpenSearch, "mapper_parsing_exception");
}

/// Every tenth line has text where the index has a number.
fn mapping_conflict(kind: Kind, code: &str) {
    let (server, home) = (shared(kind), Home::new());
    let store = server.store();
    store.put("/conflict", &json!({ "mappings": { "properties": { "code": { "type": "long" } } } }));
    let code_of = |number: u64| if number % 10 == 3 { ",\"code\":\"n/a\"" } else { ",\"code\":200" }.to_owned();
    lines::append(&home.input(), 0..500, code_of);

    let agent = home.start(server, &format!("bulk.index = \"conflict\"\n{}", auth(server)));
    agent.wait("both kinds", || store.count("conflict") == 450 && home.dead_letters().len() == 50);
    agent.stop();

    let letters = home.dead_letters();
    let numbers: Vec<u64> = letters.iter().map(|letter| document(letter)[lines::NUMBER].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..500).filter(|number| number % 10 == 3).collect::<Vec<_>>());
    for letter in &letters {
        assert_eq!((letter["component"].as_str(), letter["code"].as_str()), (Some("store"), Some(code)));
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains("failed to parse field [code] of type [long]"), "{reason}");
        assert_eq!(document(letter)["code"], json!("n/a"));
    }
    assert_eq!(store.count("conflict"), 450);
    assert!(!home.log().contains("n/a"), "what a record says is not for the log");
}

fn document(letter: &Value) -> Value {
    serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap()
}

/// One thread that writes, room for one more task, an index of ten parts: a request of twenty records finds room for
/// some and not for others.
#[test]
fn records_that_find_no_room_are_sent_again() {
    if !is_asked("records_that_find_no_room_are_sent_again") {
        return;
    }
    let server = Server::start(Kind::OpenSearch, &["thread_pool.write.size=1", "thread_pool.write.queue_size=1"]);
    let (store, home) = (server.store(), Home::new());
    store.put("/parts", &json!({ "settings": { "number_of_shards": 10, "number_of_replicas": 0 } }));
    lines::append(&home.input(), 0..400, lines::plain);

    let agent = home.start(&server, "bulk.index = \"parts\"\nbatch.max_events = 20\nrequest.concurrency = 4");
    agent.wait("all lines to arrive", || store.count("parts") >= 400);
    agent.stop();
    store.assert_has_each_once("parts", 400);
    assert!(home.dead_letters().is_empty());
    let rejected = &store.get("/_nodes/stats/thread_pool").body["nodes"];
    let turned_away =
        rejected.as_object().unwrap().values().next().unwrap()["thread_pool"]["write"]["rejected"].as_u64();
    assert!(turned_away > Some(0), "the server had room for all");
}

/// The disk watermark's block: the whole index says 429 until a person makes room.
#[test]
fn a_blocked_index_is_waited_out() {
    if !is_asked("a_blocked_index_is_waited_out") {
        return;
    }
    let (server, home) = (shared(Kind::ElasticsearchBasic), Home::new());
    let store = server.store();
    let block = |is_blocked: Value| {
        store.put("/blocked/_settings", &json!({ "index.blocks.read_only_allow_delete": is_blocked }));
    };
    store.put("/blocked", &json!({}));
    block(json!(true));
    lines::append(&home.input(), 0..300, lines::plain);

    let agent = home.start(server, &format!("bulk.index = \"blocked\"\n{}", auth(server)));
    agent.wait("the agent to tell of it", || home.log().contains("429 cluster_block_exception"));
    block(Value::Null);
    agent.wait("all lines to arrive", || store.count("blocked") >= 300);
    agent.stop();
    store.assert_has_each_once("blocked", 300);
    assert!(home.dead_letters().is_empty());
}
