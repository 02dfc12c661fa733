//! What depends on the table: rows and members that it cannot take, partitions, tables that are not there yet.

use serde_json::{Value, json};

use super::{assert_has_each_once, config, count, create, must};
use crate::agent::Home;
use crate::is_asked;
use crate::lines;
use crate::server::{Kind, shared};

/// Every tenth line has text where the table has a number.
#[test]
fn a_bad_row_becomes_a_dead_letter_and_good_ones_arrive() {
    if !is_asked("a_bad_row_becomes_a_dead_letter_and_good_ones_arrive") {
        return;
    }
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    create(server, "conflict", ", amount Decimal64(2)");
    let amount = |number: u64| if number % 10 == 3 { ",\"amount\":\"n/a\"" } else { ",\"amount\":1.25" }.to_owned();
    lines::append(&home.input(), 0..500, amount);

    let agent = home.launch(&config(&home, server, "table = \"conflict\""));
    agent.wait("both kinds", || count(server, "conflict") == 450 && home.dead_letters().len() == 50);
    agent.stop();

    let mut numbers = Vec::new();
    for letter in home.dead_letters() {
        assert_eq!((letter["component"].as_str(), letter["code"].as_str()), (Some("store"), Some("27")), "{letter}");
        assert!(letter["reason"].as_str().unwrap().contains("while reading the value of key amount"), "{letter}");
        let row: Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
        assert_eq!(row["amount"], json!("n/a"));
        numbers.push(row[lines::NUMBER].as_u64().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).filter(|number| number % 10 == 3).collect::<Vec<_>>());
    assert_eq!(must(server, "SELECT count(), uniqExact(number), sum(amount) FROM conflict"), "450\t450\t562.5");
    assert!(!home.log().contains("n/a"), "what a record says is not for the log");
}

#[test]
fn members_without_a_column_go_into_the_one_that_takes_all() {
    if !is_asked("members_without_a_column_go_into_the_one_that_takes_all") {
        return;
    }
    let more = |_| ",\"team\":\"a\\\"b\",\"extra\":{\"n\":[1,2.50]}".to_owned();
    for (kind, team, extra) in [
        ("Map(LowCardinality(String), String)", "rest['team']", "rest['extra']"),
        ("JSON", "rest.team::String", "toJSONString(rest.extra.n)"),
        ("String", "JSONExtractString(rest, 'team')", "JSONExtractRaw(rest, 'extra')"),
    ] {
        let (server, home) = (shared(Kind::ClickHouse), Home::new());
        let table = format!("rest_{}", kind.split('(').next().unwrap().to_lowercase());
        create(server, &table, &format!(", rest {kind}"));
        lines::append(&home.input(), 0..500, more);
        let sink = format!("table = \"{table}\"\nunknown_fields_column = \"rest\"");
        let agent = home.launch(&config(&home, server, &sink));
        agent.wait("the lines to arrive", || count(server, &table) >= 500);
        // A column goes while the agent writes: the server says so, and what it took goes to the others.
        must(server, &format!("ALTER TABLE {table} DROP COLUMN message"));
        lines::append(&home.input(), 500..1000, more);
        agent.wait("the others to arrive", || count(server, &table) >= 1000);
        agent.stop();

        assert_has_each_once(server, &table, 1000);
        let odd = must(server, &format!("SELECT count() FROM {table} WHERE {team} != 'a\"b'"));
        assert_eq!(odd, "0", "{kind}");
        let extra = must(server, &format!("SELECT DISTINCT {extra} FROM {table} FORMAT TSVRaw"));
        assert!(extra.contains("[1,2.5"), "{kind}: {extra}");
        let moved = must(server, &format!("SELECT countIf(position(toString(rest), 'accepted') > 0) FROM {table}"));
        assert_eq!(moved, "500", "{kind}");
        assert!(home.dead_letters().is_empty(), "{kind}: {}", home.log());
    }
}

#[test]
fn a_row_with_an_unknown_member_is_refused_where_that_is_asked_for() {
    if !is_asked("a_row_with_an_unknown_member_is_refused_where_that_is_asked_for") {
        return;
    }
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    create(server, "strict", "");
    let more = |number: u64| if number == 7 { ",\"other\":1" } else { "" }.to_owned();
    lines::append(&home.input(), 0..100, more);
    let agent = home.launch(&config(&home, server, "table = \"strict\"\nskip_unknown_fields = false"));
    agent.wait("both kinds", || count(server, "strict") == 99 && home.dead_letters().len() == 1);
    agent.stop();
    assert_eq!(home.dead_letters()[0]["code"], "117");
}

/// One table is made later: its lines wait, others pass them.
#[test]
fn a_missing_table_holds_its_lines_until_it_is_there() {
    if !is_asked("a_missing_table_holds_its_lines_until_it_is_there") {
        return;
    }
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    create(server, "door_open", "");
    let door = |number: u64| format!(",\"door\":\"{}\"", if number % 2 == 0 { "open" } else { "shut" });
    lines::append(&home.input(), 0..1000, door);

    let agent = home.launch(&config(&home, server, "table = \"door_{{ door }}\"\nbatch.max_events = 100"));
    agent.wait("the agent to tell of it", || {
        home.log().contains("60 (UNKNOWN_TABLE): `default.door_{{ door }}`: create the table")
    });
    agent.wait("the open half to arrive", || count(server, "door_open") == 500);
    // More for the open table passes those that wait.
    lines::append(&home.input(), 1000..1001, door);
    agent.wait("the line behind them to arrive", || count(server, "door_open") == 501);
    create(server, "door_shut", "");
    agent.wait("the other half to arrive", || count(server, "door_shut") == 500);
    agent.stop();
    let twice =
        "SELECT count() - uniqExact(number) FROM (SELECT number FROM door_open UNION ALL SELECT number FROM door_shut)";
    assert_eq!(must(server, twice), "0");
    assert!(home.dead_letters().is_empty(), "what may pass later is no dead letter");
    assert!(!home.log().contains("door_shut"), "what a record chooses is not for the log");
}

/// More partitions in a request than ClickHouse takes in one insert.
#[test]
fn a_request_over_many_partitions_is_sent_in_halves() {
    if !is_asked("a_request_over_many_partitions_is_sent_in_halves") {
        return;
    }
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    must(
        server,
        "CREATE TABLE shards (number UInt64) ENGINE = MergeTree PARTITION BY number ORDER BY number \
         SETTINGS non_replicated_deduplication_window = 10000",
    );
    lines::append(&home.input(), 0..400, lines::plain);
    let agent = home.launch(&config(&home, server, "table = \"shards\""));
    agent.wait("all lines to arrive", || count(server, "shards") >= 400);
    agent.stop();
    assert_has_each_once(server, "shards", 400);
    assert!(home.dead_letters().is_empty());
}
