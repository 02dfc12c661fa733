//! The examples that write to ClickHouse, into the tables of `deploy/clickhouse`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use levada::sources::demo_logs::Flows;

use super::{count, must};
use crate::agent::Home;
use crate::is_asked;
use crate::server::{Kind, Server, shared};

/// Makes the tables of a file below `deploy/clickhouse`, twice: it may be run again.
fn deploy(server: &Server, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/clickhouse").join(name);
    let text = fs::read_to_string(file).unwrap();
    for _ in 0..2 {
        text.split(";\n").filter(|sql| !sql.trim().is_empty()).for_each(|sql| drop(must(server, sql)));
    }
}

/// An example with its variables set for `home` and `server`.
fn example(home: &Home, server: &Server, name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut text = fs::read_to_string(file).unwrap();
    for (variable, value) in [
        ("LEVADA_DATA_DIR", home.as_ref().join("data").display().to_string()),
        ("LEVADA_INCLUDE", home.input().display().to_string()),
        ("CLICKHOUSE_URL", server.store().address),
    ] {
        let start = text.find(&format!("${{{variable}:-")).unwrap();
        let end = start + text[start..].find('}').unwrap();
        text.replace_range(start..=end, &value);
    }
    text
}

#[test]
fn g4_logs_stand_in_clickhouse_with_all_their_fields() {
    if !is_asked("g4_logs_stand_in_clickhouse_with_all_their_fields") {
        return;
    }
    const LINES: usize = 6_000;
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    deploy(server, "go2asia_logs.sql");
    let (mut flows, mut text) = (Flows::new(10), String::new());
    // Of this day: the table keeps thirty days.
    let now = must(server, "SELECT toUnixTimestamp64Nano(now64(9))").parse::<i64>().unwrap();
    for number in 0..LINES as i64 {
        flows.write_next(now - number * 1_000_000, &mut text);
        text.push('\n');
    }
    fs::write(home.input(), &text).unwrap();

    let agent = home.launch(&example(&home, server, "g4-logs-to-clickhouse.toml"));
    agent.wait("all lines to arrive", || count(server, "go2asia.logs") >= LINES as u64);
    agent.stop();
    assert!(home.dead_letters().is_empty() && !home.log().contains("WARN"), "{}", home.log());
    let of = |condition: &str| {
        must(server, &format!("SELECT count() FROM go2asia.logs WHERE {condition}")).parse::<usize>().unwrap()
    };
    assert_eq!((of("1"), of("region != 'ap-southeast-1' OR env != 'production'")), (LINES, 0));
    assert!(of("service = 'unnamed' AND level = 'unknown'") > 0);
    let rewards = text.lines().filter(|line| line.contains("\"event\":\"points_credited\"")).count();
    assert!(rewards > 0);
    assert_eq!(of("event = 'points_credited'"), rewards);
    assert_eq!(of("event = 'http_request' AND rest['http'] LIKE '{\"method\":%'"), of("event = 'http_request'"));
    let chain = "SELECT uniqExact(event) FROM go2asia.logs WHERE correlation_id = (SELECT correlation_id FROM \
                 go2asia.logs WHERE event = 'nft_awarded' LIMIT 1)";
    assert!(must(server, chain).parse::<u32>().unwrap() >= 4, "one correlation id finds the whole flow");
    assert_eq!(of("positionCaseInsensitive(concat(message, toString(rest)), 'anna.petrova') > 0"), 0);
}

#[test]
fn a4_sessions_stand_in_the_fact_table_and_its_views() {
    if !is_asked("a4_sessions_stand_in_the_fact_table_and_its_views") {
        return;
    }
    let (server, home) = (shared(Kind::ClickHouse), Home::new());
    deploy(server, "fact_game_sessions.sql");
    let mut text = String::new();
    for number in 0..200 {
        let kind = if number % 4 == 0 { "started" } else { "ended" };
        let country = if number == 101 { "PRT" } else { "pt" };
        writeln!(
            text,
            "{{\"id\":\"0b7f5b6e-6f0e-4f3a-9b39-{number:012}\",\"type\":\"com.platform.library.session.{kind}.v1\",\
             \"source\":\"/library\",\"time\":\"2026-11-20T11:30:00.500Z\",\"correlationId\":\"c-{number}\",\"data\":{{\
             \"sessionId\":\"s-{number}\",\"userId\":\"user-{}\",\"gameId\":\"g-1\",\"platform\":\"Linux\",\"country\":\
             \"{country}\",\"clientIp\":\"2001:db8::{number}\",\"startedAt\":\"2026-11-20T10:00:00Z\",\"revenue\":4.99,\
             \"isFirstSession\":true}}}}",
            number % 10,
        )
        .unwrap();
    }
    fs::write(home.input(), text).unwrap();

    let agent = home.launch(&example(&home, server, "a4-fact-game-sessions.toml"));
    agent.wait("all rows and the bad one", || {
        count(server, "analytics_db.fact_game_sessions") == 149 && home.dead_letters().len() == 1
    });
    agent.stop();
    let letter = &home.dead_letters()[0];
    assert_eq!((&letter["component"], &letter["code"]), (&"clickhouse".into(), &"131".into()), "{letter}");
    let row = "SELECT platform, country, client_ip, toString(started_at), toString(ended_at), duration_seconds, \
               is_first_session, revenue FROM analytics_db.fact_game_sessions WHERE session_id = 's-1'";
    let expected = "linux\tPT\t2001:db8::1\t2026-11-20 10:00:00.000\t2026-11-20 11:30:00.500\t5400\ttrue\t4.99";
    assert_eq!(must(server, row), expected);
    let day = "SELECT day, uniqMerge(users), sum(play_seconds), sum(revenue) FROM analytics_db.game_days GROUP BY day";
    assert_eq!(must(server, day), format!("2026-11-20\t10\t{}\t{}", 149 * 5400, "743.51"));
}
