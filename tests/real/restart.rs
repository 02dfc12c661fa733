//! The server dies in the middle and comes back: nothing is lost, nothing is there twice.

use crate::agent::{Home, auth};
use crate::is_asked;
use crate::lines;
use crate::server::{Kind, Server};

const FIRST: u64 = 60_000;
const ALL: u64 = 80_000;

#[test]
fn a_killed_elasticsearch_loses_and_repeats_nothing() {
    if is_asked("a_killed_elasticsearch_loses_and_repeats_nothing") {
        killed(Kind::ElasticsearchBasic);
    }
}

#[test]
fn a_killed_opensearch_loses_and_repeats_nothing() {
    if is_asked("a_killed_opensearch_loses_and_repeats_nothing") {
        killed(Kind::OpenSearch);
    }
}

fn killed(kind: Kind) {
    let (server, home) = (Server::start(kind, &[]), Home::new());
    let store = server.store();
    lines::append(&home.input(), 0..FIRST, lines::plain);

    // Small requests, so that it dies between some and in others.
    let agent = home.start(&server, &format!("bulk.index = \"killed\"\nbatch.max_bytes = 20000\n{}", auth(&server)));
    agent.wait("some lines to arrive", || store.count("killed") > 0);
    server.kill();
    agent.wait("the agent to notice", || home.log().contains("cannot reach Elasticsearch"));
    lines::append(&home.input(), FIRST..ALL, lines::plain);
    server.run();
    agent.wait("all lines to arrive", || store.count("killed") >= ALL);
    agent.stop();

    store.assert_has_each_once("killed", ALL);
    assert!(home.dead_letters().is_empty());
}
