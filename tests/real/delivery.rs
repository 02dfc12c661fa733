//! Every line arrives, once: through each door, packed or not, and not again after a restart of the agent.

use crate::agent::{Home, auth};
use crate::is_asked;
use crate::lines;
use crate::server::{Kind, shared};

const LINES: u64 = 20_000;

#[test]
fn elasticsearch_takes_every_line_once() {
    if is_asked("elasticsearch_takes_every_line_once") {
        every_line_once(Kind::ElasticsearchBasic, "none");
    }
}

#[test]
fn elasticsearch_behind_tls_takes_gzip() {
    if is_asked("elasticsearch_behind_tls_takes_gzip") {
        every_line_once(Kind::ElasticsearchTls, "gzip");
    }
}

#[test]
fn opensearch_takes_every_line_once() {
    if is_asked("opensearch_takes_every_line_once") {
        every_line_once(Kind::OpenSearch, "none");
    }
}

#[test]
fn opensearch_takes_gzip() {
    if is_asked("opensearch_takes_gzip") {
        every_line_once(Kind::OpenSearch, "gzip");
    }
}

/// Sends lines, stops the agent, starts it again over the same data folder and sends more.
fn every_line_once(kind: Kind, compression: &str) {
    let (server, home) = (shared(kind), Home::new());
    let (store, index) = (server.store(), format!("delivery-{compression}"));
    let sink = format!(
        "bulk.index = \"{index}\"\ncompression = \"{compression}\"\nbatch.max_bytes = 200000\n{}",
        auth(server)
    );

    lines::append(&home.input(), 0..LINES, lines::plain);
    let agent = home.start(server, &sink);
    agent.wait("all lines to arrive", || store.count(&index) >= LINES);
    agent.stop();
    store.assert_has_each_once(&index, LINES);

    lines::append(&home.input(), LINES..LINES + 1000, lines::plain);
    let agent = home.start(server, &sink);
    agent.wait("the new lines to arrive", || store.count(&index) >= LINES + 1000);
    agent.stop();
    store.assert_has_each_once(&index, LINES + 1000);
    assert!(home.dead_letters().is_empty());
}
