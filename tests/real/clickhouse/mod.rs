//! Rows in ClickHouse: each once, whatever dies; what a table cannot take; what waits for a person.

mod examples;
mod tables;

use std::io::Write;
use std::process::{Command, Stdio};

use crate::agent::Home;
use crate::is_asked;
use crate::lines;
use crate::server::{Kind, Server, shared};

/// Lines that are sent in each way of packing.
const LINES: u64 = 20_000;
/// Lines before the server is killed, and all of them.
const FIRST: u64 = 60_000;
const ALL: u64 = 80_000;

/// Runs a statement; what it gives, or what the server says of it.
fn ask(server: &Server, password: &str, sql: &str) -> Result<String, String> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail-with-body", "--max-time", "60", "--data-binary", "@-"]);
    curl.args(["--header", &format!("X-ClickHouse-Key: {password}")]).arg(&server.store().address);
    let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command `curl` is installed");
    curl.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = curl.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// Runs a statement that must succeed.
fn must(server: &Server, sql: &str) -> String {
    ask(server, "", sql).unwrap_or_else(|why| panic!("{sql}: {why}"))
}

/// How many rows a table has; 0 where the server cannot say.
fn count(server: &Server, table: &str) -> u64 {
    ask(server, "", &format!("SELECT count() FROM {table}")).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Makes a table for numbered lines, with `more` columns; it remembers inserts.
fn create(server: &Server, table: &str, more: &str) {
    must(
        server,
        &format!(
            "CREATE TABLE {table} (timestamp DateTime64(3, 'UTC'), number UInt64, message String{more}) \
             ENGINE = MergeTree ORDER BY number SETTINGS non_replicated_deduplication_window = 10000"
        ),
    );
}

/// Fails unless `table` has each of the lines `0..lines` exactly once.
fn assert_has_each_once(server: &Server, table: &str, lines: u64) {
    let found = must(server, &format!("SELECT count(), uniqExact(number), min(number), max(number) FROM {table}"));
    assert_eq!(found, format!("{lines}\t{lines}\t0\t{}", lines - 1), "rows of `{table}`");
}

/// A configuration from the file of `home` to `server`, with `sink` as further settings.
fn config(home: &Home, server: &Server, sink: &str) -> String {
    format!(
        "data_dir = {:?}\n\n\
         [sources.app]\ntype = \"file\"\ninclude = [{:?}]\ndecoding.codec = \"json\"\n\n\
         [sinks.store]\ntype = \"clickhouse\"\ninputs = [\"app\"]\nendpoint = {:?}\nbatch.timeout_secs = 0.1\n\
         request.retry_initial_backoff_secs = 0.1\nrequest.retry_max_duration_secs = 1\n{sink}\n",
        home.as_ref().join("data"),
        home.input(),
        server.store().address,
    )
}

#[test]
fn clickhouse_takes_every_line_once_however_it_is_packed() {
    if !is_asked("clickhouse_takes_every_line_once_however_it_is_packed") {
        return;
    }
    for compression in ["none", "gzip", "zstd"] {
        let (server, home, table) = (shared(Kind::ClickHouse), Home::new(), format!("every_line_{compression}"));
        create(server, &table, "");
        let sink = format!("table = \"{table}\"\ncompression = \"{compression}\"\nbatch.max_bytes = 200000");
        let text = config(&home, server, &sink);
        for end in [LINES, LINES + 1000] {
            let begin = if end == LINES { 0 } else { LINES };
            lines::append(&home.input(), begin..end, lines::plain);
            let agent = home.launch(&text);
            agent.wait("all lines to arrive", || count(server, &table) >= end);
            agent.stop();
            assert_has_each_once(server, &table, end);
        }
        assert_eq!(
            must(
                server,
                &format!(
                    "SELECT count() FROM {table} WHERE message != concat('order ', toString(number), ' accepted, \"express\" \u{2603}')"
                )
            ),
            "0"
        );
        assert!(home.dead_letters().is_empty() && !home.log().contains("WARN"), "{}", home.log());
    }
}

#[test]
fn a_killed_clickhouse_loses_and_repeats_nothing() {
    if !is_asked("a_killed_clickhouse_loses_and_repeats_nothing") {
        return;
    }
    let (server, home) = (Server::start(Kind::ClickHouse, &[]), Home::new());
    create(&server, "killed", "");
    lines::append(&home.input(), 0..FIRST, lines::plain);

    // Small requests, so that it dies between some and in others.
    let agent = home.launch(&config(&home, &server, "table = \"killed\"\nbatch.max_bytes = 50000"));
    agent.wait("some lines to arrive", || count(&server, "killed") > 0);
    server.kill();
    agent.wait("the agent to notice", || home.log().contains("cannot reach ClickHouse"));
    lines::append(&home.input(), FIRST..ALL, lines::plain);
    server.run();
    agent.wait("all lines to arrive", || count(&server, "killed") >= ALL);
    agent.stop();

    assert_has_each_once(&server, "killed", ALL);
    assert!(home.dead_letters().is_empty());
}

/// What a disk buffer sends once it sends alike each time, so the engine knows it again.
#[test]
fn a_killed_agent_with_a_disk_buffer_repeats_no_row() {
    if !is_asked("a_killed_agent_with_a_disk_buffer_repeats_no_row") {
        return;
    }
    let (server, home, table) = (shared(Kind::ClickHouse), Home::new(), "agent_killed");
    create(server, table, "");
    let sink = "batch.max_bytes = 50000\nbuffer = { type = \"disk\", max_size = \"256MiB\" }";
    let text = format!("min_free = \"0%\"\n{}", config(&home, server, &format!("table = \"{table}\"\n{sink}")));
    for round in 0..8 {
        lines::append(&home.input(), round * 10_000..(round + 1) * 10_000, lines::plain);
        let agent = home.launch(&text);
        let before = count(server, table);
        agent.wait("some lines to arrive", || count(server, table) > before);
        // It is killed with requests under way.
        drop(agent);
    }
    let agent = home.launch(&text);
    agent.wait("all lines to arrive", || count(server, table) >= 80_000);
    agent.stop();
    assert_has_each_once(server, table, 80_000);
    assert!(home.dead_letters().is_empty());
}

/// The user's password is another: the agent waits, and goes on when it is told the right one.
#[test]
fn a_wrong_password_holds_everything_and_loses_nothing() {
    if !is_asked("a_wrong_password_holds_everything_and_loses_nothing") {
        return;
    }
    let (server, home) = (Server::start(Kind::ClickHouse, &["--password=right-secret"]), Home::new());
    let ask = |sql: &str| ask(&server, "right-secret", sql);
    ask("CREATE TABLE held (number UInt64) ENGINE = MergeTree ORDER BY number").unwrap();
    lines::append(&home.input(), 0..200, lines::plain);
    let sink = |password: &str| {
        let auth = format!("auth = {{ strategy = \"basic\", user = \"default\", password = \"{password}\" }}");
        config(&home, &server, &format!("table = \"held\"\n{auth}"))
    };

    let agent = home.launch(&sink("wrong-secret"));
    agent.wait("the agent to tell of it", || home.log().contains("516 (AUTHENTICATION_FAILED): check `auth`"));
    assert_eq!(ask("SELECT count() FROM held"), Ok("0".to_owned()));
    // It is killed: what it holds is read again.
    drop(agent);
    let agent = home.launch(&sink("right-secret"));
    agent.wait("all lines to arrive", || ask("SELECT uniqExact(number) FROM held") == Ok("200".to_owned()));
    agent.stop();
    assert_eq!(ask("SELECT count() FROM held"), Ok("200".to_owned()));
    assert!(home.dead_letters().is_empty());
    assert!(!home.log().contains("-secret"));
}

/// What the warning says mends it.
#[test]
fn a_table_without_a_window_is_warned_of_until_it_has_one() {
    if !is_asked("a_table_without_a_window_is_warned_of_until_it_has_one") {
        return;
    }
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    must(server, "CREATE TABLE forgetful (number UInt64) ENGINE = MergeTree ORDER BY number");
    let text = config(&home, server, "table = \"forgetful\"");
    lines::append(&home.input(), 0..10, lines::plain);
    let agent = home.launch(&text);
    agent.wait("the lines to arrive", || count(server, "forgetful") == 10);
    agent.stop();
    let log = home.log();
    let warning = log.lines().find(|line| line.contains("remembers no inserts")).expect("a warning");
    let (_, alter) = warning.split_once("ALTER TABLE").unwrap();
    let alter: Vec<&str> = alter.split_whitespace().take(6).collect();
    must(server, &format!("ALTER TABLE {}", alter.join(" ")));

    lines::append(&home.input(), 10..20, lines::plain);
    let agent = home.launch(&text);
    agent.wait("the lines to arrive", || count(server, "forgetful") == 20);
    agent.stop();
    assert_eq!(home.log().matches("remembers no inserts").count(), 1, "{}", home.log());
}

#[test]
fn inserts_that_the_server_gathers_arrive() {
    if !is_asked("inserts_that_the_server_gathers_arrive") {
        return;
    }
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    create(server, "gathered", "");
    lines::append(&home.input(), 0..200, lines::plain);
    let gather = "query_settings.async_insert_settings = { enabled = true, wait_for_processing_timeout = 30, max_query_number = 5 }";
    let agent = home.launch(&config(&home, server, &format!("table = \"gathered\"\nbatch.max_events = 20\n{gather}")));
    agent.wait("all lines to arrive", || count(server, "gathered") >= 200);
    agent.stop();
    assert_has_each_once(server, "gathered", 200);
}
