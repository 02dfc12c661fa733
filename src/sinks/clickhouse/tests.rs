//! The sink as settings make it, in front of a peer that answers as ClickHouse does.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Mutex;
use std::task::Waker;

use bytes::Bytes;
use hyper::Uri;

use super::*;
use crate::component::outlet::Inlet;
use crate::component::signal::Stop;
use crate::component::sink::{Answer, KnownBy, Payload, Place, Sink, Verdict};
use crate::component::test_kit::sink_context;
use crate::delivery::Bench;
use crate::delivery::test_batch::{json, json_watched, queue_bench, text};
use crate::delivery::test_peer::{Came, Peer};
use crate::event::{Batch, Outcome};

const WINDOW: &str = " SETTINGS non_replicated_deduplication_window = 100";

fn context() -> Context {
    sink_context("clickhouse")
}

fn settings(text: &str) -> ClickhouseSettings {
    toml::from_str(text).unwrap()
}

/// A sink for `endpoint`, its bodies not compressed.
fn sink_of(endpoint: &str, text: &str) -> Clickhouse {
    let text = format!("endpoint = \"{endpoint}\"\ncompression = \"none\"\n{text}");
    let settings = settings(&text);
    assert_eq!(settings.check(), [], "{text}");
    settings.sink(&context()).unwrap()
}

fn sink(peer: &Peer, text: &str) -> Clickhouse {
    sink_of(&format!("http://{}", peer.address), text)
}

/// What a server says of a table with these columns.
fn facts(settings: &str, columns: &[(&str, &str)]) -> String {
    let (names, types): (Vec<&str>, Vec<&str>) = columns.iter().copied().unzip();
    let facts = serde_json::json!({
        "version": "26.9.2.1", "engine": "MergeTree", "engine_full": format!("MergeTree ORDER BY a{settings}"),
        "own_window": "0", "replicated_window": "10000", "names": names, "types": types,
    });
    format!("{facts}\n")
}

fn is_question(came: &Came) -> bool {
    came.body.starts_with(b"SELECT version()")
}

/// A server that says `facts` of each table and of inserts what `answers` gives.
async fn server(facts: String, answers: impl Fn(&Came) -> (u16, String) + Send + Sync + 'static) -> Peer {
    Peer::new(move |came| if is_question(came) { (200, facts.clone()) } else { answers(came) }).await
}

fn exception(code: u16) -> (u16, String) {
    (500, format!("Code: {code}. DB::Exception: 'ann@example.com' is no number. (SOME_NAME) (version 26.9.2.1)\n"))
}

/// A parameter of a request, decoded as far as these tests need it.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.replace("%20", " ").replace("%60", "`"))
}

/// The bodies of `batch` as an encoder makes them, one for each place, in the order of their first record.
fn bodies(sink: &Clickhouse, batch: &Batch) -> (Vec<(Option<Place>, Payload)>, Vec<&'static str>) {
    let (mut encoder, mut made, mut refused) =
        (sink.encoder(), Vec::<(Option<Place>, Vec<u8>, usize)>::new(), Vec::new());
    for record in batch.iter() {
        let place = match encoder.place(record) {
            Ok(place) => place,
            Err(refusal) => {
                refused.push(refusal.code);
                continue;
            }
        };
        let is_it = |(one, ..): &(Option<Place>, Vec<u8>, usize)| one.as_ref().unwrap().is(place.as_ref().unwrap());
        let at = made.iter().position(is_it).unwrap_or_else(|| {
            made.push((place.clone(), Vec::new(), 0));
            encoder.begin(&mut made.last_mut().unwrap().1);
            made.len() - 1
        });
        encoder.encode(record, &mut made[at].1).unwrap();
        made[at].2 += 1;
    }
    let payload = |(place, body, records): (Option<Place>, Vec<u8>, usize)| {
        (place.clone(), Payload { body: body.into(), records, place, identity: 0x17, fingerprint: 0xab })
    };
    (made.into_iter().map(payload).collect(), refused)
}

fn payload(sink: &Clickhouse, lines: &[&str]) -> Payload {
    bodies(sink, &json(lines)).0.remove(0).1
}

fn rows(payload: &Payload) -> String {
    String::from_utf8(payload.body.to_vec()).unwrap()
}

#[test]
fn rows_are_records_as_they_came() {
    let sink = sink_of("http://127.0.0.1:1", "table = \"t\"");
    let lines = [r#"{"a" : 1.50,"b":"é"}"#, "{}"];
    assert_eq!(rows(&payload(&sink, &lines)), "{\"a\" : 1.50,\"b\":\"é\"}\n{}\n");
    let (made, _) = bodies(&sink, &text(&["a \"line\""]));
    assert!(rows(&made[0].1).starts_with("{\"message\":\"a \\\"line\\\"\""), "{made:?}");
    let only = sink_of("http://127.0.0.1:1", "table = \"t\"\nencoding.only_fields = [\"b.c\"]");
    assert_eq!(rows(&payload(&only, &[r#"{"a":1,"b":{"c":2,"d":3}}"#])), "{\"b\":{\"c\":2}}\n");
}

#[test]
fn records_choose_their_table_behind_its_beginning() {
    let sink = sink_of("http://127.0.0.1:1", "database = \"shop\"\ntable = \"logs_{{ s }}_%Y\"");
    let lines = [r#"{"s":"a"}"#, r#"{"s":"b"}"#, r#"{"s":"a","n":2}"#, r#"{"s":"../x"}"#, "{}"];
    let (made, refused) = bodies(&sink, &json(&lines));
    let names: Vec<_> = made
        .iter()
        .map(|(place, _)| place.as_ref().unwrap().get::<target::Spot>().unwrap().table.name.to_string())
        .collect();
    assert_eq!(names, ["shop.logs_a_2026", "shop.logs_b_2026"]);
    assert_eq!(rows(&made[0].1), "{\"s\":\"a\"}\n{\"s\":\"a\",\"n\":2}\n");
    assert_eq!(refused, ["template_value", "template_field"]);
}

#[test]
fn faults_of_settings_are_told_at_their_place() {
    let cases = [
        ("endpoint = \"http://{{ host }}\"\ntable = \"t\"", "endpoint"),
        ("endpoint = \"http://h:8123/?user=x\"\ntable = \"t\"", "endpoint"),
        ("endpoint = \"http://h\"\ntable = \"{{ t }}\"", "table"),
        ("endpoint = \"http://h\"\ntable = \"\"", "table"),
        ("endpoint = \"http://h\"\ntable = \"t\"\ndatabase = \"{{ d }}\"", "database"),
        ("endpoint = \"http://h\"\ntable = \"{{ t }}\"\nallow = [\"a[\"]", "allow[0]"),
        ("endpoint = \"http://h\"\ntable = \"t\"\nencoding.only_fields = [\"a..b\"]", "encoding.only_fields[0]"),
        ("endpoint = \"http://h\"\ntable = \"t\"\nbatch.max_events = 2000000", "batch.max_events"),
        ("endpoint = \"http://h\"\ntable = \"t\"\nbatch.max_bytes = 300000000", "batch.max_bytes"),
        ("endpoint = \"http://h\"\ntable = \"t\"\ntls.crt_file = \"a.pem\"", "tls.crt_file"),
        ("endpoint = \"http://h\"\ntable = \"t\"\nauth = { strategy = \"bearer\", token = \"a\\nb\" }", "auth"),
        ("endpoint = \"http://h\"\ntable = \"t\"\nrequest.headers.Host = \"x\"", "request.headers.Host"),
        (
            "endpoint = \"http://h\"\ntable = \"t\"\nformat = \"json_as_object\"\nunknown_fields_column = \"r\"",
            "unknown_fields_column",
        ),
        (
            "endpoint = \"http://h\"\ntable = \"t\"\nformat = \"json_as_object\"\nskip_unknown_fields = true",
            "skip_unknown_fields",
        ),
        (
            "endpoint = \"http://h\"\ntable = \"t\"\nquery_settings.async_insert_settings.max_data_size = 5",
            "query_settings.async_insert_settings",
        ),
    ];
    for (text, setting) in cases {
        let problems = settings(text).check();
        assert_eq!(problems.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>(), [setting], "{text}");
    }
}

#[tokio::test]
async fn a_request_carries_what_the_settings_say() {
    let peer = server(facts(WINDOW, &[]), |_| (200, String::new())).await;
    let text = format!(
        "endpoint = \"http://{}/base/\"\ndatabase = \"d\"\ntable = \"t\"\nrequest.headers.X-Tenant = \"t\"\n\
         auth = {{ strategy = \"basic\", user = \"levada\", password = \"secret\" }}",
        peer.address
    );
    let sink = settings(&text).sink(&context()).unwrap();
    let payload = payload(&sink, &["{\"a\":1}"]);
    let body = Compression::Gzip.compress(&payload.body);
    assert_eq!(sink.send(Payload { body: body.into(), ..payload }).await, Answer::Delivered);
    let came = peer.came();
    assert_eq!((came.len(), came[1].uri.path()), (2, "/base/"));
    assert_eq!(parameter(&came[1].uri, "query").unwrap(), "INSERT INTO `d`.`t` FORMAT JSONEachRow");
    let token = parameter(&came[1].uri, "insert_deduplication_token").unwrap();
    assert!(token.starts_with("levada-") && token.ends_with("-00000000000000000000000000000017"), "{token}");
    for request in &came {
        assert_eq!(request.headers["authorization"], "Basic bGV2YWRhOnNlY3JldA==");
        assert_eq!(request.headers["x-tenant"], "t");
    }
    assert_eq!(
        (came[0].headers.get("content-encoding"), &came[1].headers["content-encoding"]),
        (None, &"gzip".parse().unwrap())
    );
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&came[1].body[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "{\"a\":1}\n");
}

#[test]
fn the_token_parts_sinks_and_their_settings() {
    let print =
        |id: &str, text: &str| settings(&format!("endpoint = \"http://h\"\ntable = \"t\"\n{text}")).fingerprint(id);
    let all = [
        print("a", ""),
        print("b", ""),
        print("a", "encoding.except_fields = [\"x\"]"),
        print("a", "unknown_fields_column = \"rest\""),
        print("a", "format = \"json_as_string\""),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert_eq!(print("a", "batch.max_events = 5\nrequest.timeout_secs = 5"), all[0], "rows are the same");
}

#[tokio::test]
async fn a_table_that_remembers_nothing_is_warned_of_once() {
    let peer = server(facts("", &[]), |_| (200, String::new())).await;
    let sink = sink(&peer, "table = \"t\"");
    for _ in 0..3 {
        assert_eq!(sink.send(payload(&sink, &["{}"])).await, Answer::Delivered);
    }
    assert_eq!(peer.came().iter().filter(|came| is_question(came)).count(), 1);
    let told = sink.told.all();
    assert!(told.len() == 1 && told[0].contains("ALTER TABLE default.t MODIFY SETTING non_replicated"), "{told:?}");
    assert!(matches!(sink.identity(), KnownBy::Request { .. }));
}

#[tokio::test]
async fn gathered_inserts_have_no_identity() {
    let peer = server(facts("", &[]), |_| (200, String::new())).await;
    let sink = sink(&peer, "table = \"t\"\nquery_settings.async_insert_settings.enabled = true");
    assert_eq!(sink.send(payload(&sink, &["{}"])).await, Answer::Delivered);
    assert_eq!((sink.identity(), sink.told.all()), (KnownBy::Nothing, vec![]));
    let query = peer.came()[1].uri.query().unwrap().to_owned();
    assert!(query.contains("&async_insert=1&wait_for_async_insert=1") && !query.contains("token"), "{query}");
}

#[tokio::test]
async fn members_without_a_column_go_where_the_settings_say() {
    let columns = [("a", "UInt32"), ("rest", "Map(String, String)")];
    let peer = server(facts(WINDOW, &columns), |_| (200, String::new())).await;
    let sink = sink(&peer, "table = \"t\"\nunknown_fields_column = \"rest\"");
    let lines = [r#"{"a":1,"b":2}"#, r#"{"a":3}"#];
    let before = payload(&sink, &lines);
    assert_eq!(sink.send(before.clone()).await, Answer::Anew, "the columns were not known");
    let after = payload(&sink, &lines);
    assert_eq!(rows(&after), "{\"a\":1,\"rest\":{\"b\":\"2\"}}\n{\"a\":3}\n");
    assert_eq!(sink.send(after).await, Answer::Delivered);
    assert_eq!(sink.send(before).await, Answer::Anew);
}

#[tokio::test]
async fn columns_are_looked_at_again_when_the_server_finds_fault() {
    let now = Arc::new(Mutex::new(facts(WINDOW, &[("a", "UInt32"), ("b", "UInt32"), ("rest", "JSON")])));
    let told = now.clone();
    let peer = Peer::new(move |came| {
        if is_question(came) {
            return (200, told.lock().unwrap().clone());
        }
        let has_b = came.body.windows(4).any(|at| at == b"\"b\":");
        if has_b { exception(117) } else { (200, String::new()) }
    })
    .await;
    let sink = sink(&peer, "table = \"t\"\nunknown_fields_column = \"rest\"");
    let lines = [r#"{"a":1,"b":2}"#, r#"{"a":3}"#];
    assert_eq!(sink.send(payload(&sink, &lines)).await, Answer::Anew);
    let two = payload(&sink, &lines);
    assert_eq!(sink.send(two.clone()).await, Answer::Split, "the columns are as they were: a row is at fault");
    *now.lock().unwrap() = facts(WINDOW, &[("a", "UInt32"), ("rest", "JSON")]);
    assert_eq!(sink.send(two).await, Answer::Anew);
    assert_eq!(rows(&payload(&sink, &lines)), "{\"a\":1,\"rest\":{\"b\":2}}\n{\"a\":3}\n");
}

#[tokio::test]
async fn a_column_that_cannot_take_the_rest_is_told_of() {
    for (kind, word) in [("UInt8", "`UInt8`"), ("", "no such column")] {
        let columns = if kind.is_empty() { vec![("a", "UInt8")] } else { vec![("rest", kind)] };
        let peer = server(facts(WINDOW, &columns), |_| (200, String::new())).await;
        let sink = sink(&peer, "table = \"t\"\nunknown_fields_column = \"rest\"");
        assert_eq!(sink.send(payload(&sink, &["{\"b\":1}"])).await, Answer::Delivered, "as without the setting");
        assert!(sink.told.all()[0].contains(word), "{:?}", sink.told.all());
    }
}

#[tokio::test]
async fn who_may_not_ask_may_still_write() {
    let peer = Peer::new(|came| if is_question(came) { exception(497) } else { (200, String::new()) }).await;
    let sink = sink(&peer, "table = \"t\"\nunknown_fields_column = \"rest\"");
    assert_eq!(sink.send(payload(&sink, &["{}"])).await, Answer::Delivered);
    assert!(sink.told.all()[0].contains("does not tell"), "{:?}", sink.told.all());
}

#[tokio::test]
async fn answers_meet_their_class_and_no_row_meets_the_log() {
    let code = Arc::new(Mutex::new(0));
    let now = code.clone();
    let peer = server(facts(WINDOW, &[]), move |_| exception(*now.lock().unwrap())).await;
    let sink = sink(&peer, "table = \"t\"");
    for (number, several, one) in [
        (252, "Retry", "Retry"),
        (241, "Retry", "Retry"),
        (319, "Retry", "Retry"),
        (516, "Hold", "Hold"),
        (60, "Hold", "Hold"),
        (497, "Hold", "Hold"),
        (164, "Hold", "Hold"),
        (27, "Split", "Rejected"),
        (117, "Split", "Rejected"),
        (229, "Split", "Split"),
        (389, "AlreadyThere", "AlreadyThere"),
    ] {
        *code.lock().unwrap() = number;
        for (lines, class) in [(&["{}", "{}"][..], several), (&["{}"], one)] {
            let told = format!("{:?}", sink.send(payload(&sink, lines)).await);
            assert!(told.starts_with(class), "{number}: {told}");
            assert_eq!(told.contains("ann@example.com"), class == "Rejected", "only a dead letter quotes: {told}");
        }
    }
}

#[tokio::test]
async fn a_missing_table_holds_its_own_records_alone() {
    let peer = server(facts(WINDOW, &[]), |came| {
        let is_missing = parameter(&came.uri, "query").unwrap().contains("logs_b");
        if is_missing { exception(60) } else { (200, String::new()) }
    })
    .await;
    let sink = sink(&peer, "table = \"logs_{{ s }}\"");
    let (made, _) = bodies(&sink, &json(&[r#"{"s":"a"}"#, r#"{"s":"b"}"#, r#"{"s":"b"}"#]));
    assert_eq!(sink.send(made[0].1.clone()).await, Answer::Delivered);
    let Answer::Partial(verdicts) = sink.send(made[1].1.clone()).await else { panic!() };
    assert_eq!(verdicts.len(), 2);
    let Verdict::Hold { why } = &verdicts[0].1 else { panic!() };
    assert!(why.contains("`default.logs_{{ s }}`: create the table") && !why.contains("logs_b"), "{why}");
    let asked = || peer.came().iter().filter(|came| is_question(came)).count();
    assert_eq!(asked(), 2);
    assert!(matches!(sink.send(made[1].1.clone()).await, Answer::Partial(_)));
    assert_eq!(asked(), 3, "after a hold the table is looked at again");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_refuses_us_gets_no_rows() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink = sink_of(&format!("http://{gone}"), "table = \"t\"");
    let Answer::Retry { why, .. } = sink.send(payload(&sink, &["{}"])).await else { panic!() };
    assert!(why.starts_with("cannot reach ClickHouse"), "{why}");
    let peer = Peer::new(|_| exception(516)).await;
    let auth = "auth = { strategy = \"basic\", user = \"levada\", password = \"hunter2\" }";
    let sink = super::tests::sink(&peer, &format!("table = \"t\"\n{auth}"));
    let Answer::Hold { why } = sink.send(payload(&sink, &["{}"])).await else { panic!() };
    assert!(why.contains("check `auth`") && !why.contains("hunter2"), "{why}");
    assert!(peer.came().iter().all(is_question), "only asked");
    let peer = Peer::new(|_| (503, "busy".to_owned())).await;
    let sink = super::tests::sink(&peer, "table = \"t\"");
    assert!(matches!(sink.send(payload(&sink, &["{}"])).await, Answer::Retry { .. }));
}

#[tokio::test]
async fn a_probe_tells_the_version_the_engine_and_the_window() {
    let peer = server(facts("", &[]), |_| (200, String::new())).await;
    let told = sink(&peer, "table = \"t\"").probe().unwrap().await.unwrap();
    assert!(told.starts_with("ClickHouse 26.9.2.1, `default.t` is a MergeTree; ") && told.contains("ALTER"), "{told}");
    assert_eq!(sink(&peer, "table = \"t_{{ a }}\"").probe().unwrap().await, Ok("ClickHouse 26.9.2.1".to_owned()));
    let absent = facts("", &[]).replace("\"engine\":\"MergeTree\"", "\"engine\":\"\"");
    let peer = server(absent, |_| (200, String::new())).await;
    let told = sink(&peer, "table = \"t\"").probe().unwrap().await.unwrap_err();
    assert!(told.contains("has no table `default.t`"), "{told}");
    let peer = Peer::new(|_| exception(516)).await;
    assert!(sink(&peer, "table = \"t\"").probe().unwrap().await.unwrap_err().contains("check `auth`"));
    let peer = Peer::new(|_| (200, "Ok.\n".to_owned())).await;
    assert!(sink(&peer, "table = \"t\"").probe().unwrap().await.unwrap_err().contains("is it ClickHouse?"));
}

/// A table that knows tokens, loses every third answer, and takes no row with `"bad"` in it.
#[derive(Default)]
struct Store {
    tokens: HashSet<String>,
    rows: Vec<String>,
    requests: usize,
}

impl Store {
    fn insert(&mut self, came: &Came) -> (u16, String) {
        self.requests += 1;
        let body = String::from_utf8(came.body.to_vec()).unwrap();
        if body.contains("bad") {
            return exception(27);
        }
        if self.tokens.insert(parameter(&came.uri, "insert_deduplication_token").unwrap()) {
            self.rows.extend(body.lines().map(str::to_owned));
        }
        // What was stored is told only sometimes.
        if self.requests.is_multiple_of(3) { (503, String::new()) } else { (200, String::new()) }
    }
}

#[tokio::test]
async fn bad_rows_are_found_and_good_ones_stored_once_though_answers_are_lost() {
    let store = Arc::new(Mutex::new(Store::default()));
    let shared = store.clone();
    let peer = server(facts(WINDOW, &[]), move |came| shared.lock().unwrap().insert(came)).await;
    let text = format!(
        "endpoint = \"http://{}\"\ntable = \"t\"\ncompression = \"none\"\nbatch.max_events = 40\n\
         request = {{ retry_initial_backoff_secs = 0.001, retry_max_duration_secs = 0.001 }}",
        peer.address
    );
    let folder = tempfile::tempdir().unwrap();
    let bench: Bench = queue_bench(folder.path());
    let line = |number: usize| format!("{{\"n\":{number}{}}}", if number % 37 == 5 { ",\"bad\":1" } else { "" });
    let lines: Vec<String> = (0..100).map(line).collect();
    let (batch, told) = json_watched(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    bench.queue.offer(batch, Waker::noop()).unwrap();
    bench.queue.close();
    settings(&text).build(context()).unwrap().run(bench.clone(), Stop::default()).await;
    let resolution = told.recv().unwrap();
    assert_eq!((resolution.worst, resolution.delivered, resolution.dead_lettered), (Outcome::DeadLettered, 97, 3));
    let mut stored = store.lock().unwrap().rows.clone();
    let mut expected: Vec<String> = lines.iter().filter(|line| !line.contains("bad")).cloned().collect();
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected);
    let letters = std::fs::read_dir(folder.path().join("dead_letters")).unwrap();
    let letters: String = letters.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert_eq!(letters.lines().count(), 3);
    assert!(
        letters.lines().all(|letter| letter.contains("\"code\":\"27\"") && letter.contains("is no number")),
        "{letters}"
    );
}

#[tokio::test]
async fn tls_trusts_our_authority_and_shows_our_certificate() {
    let pki = crate::delivery::test_tls::Pki::new();
    let answer = facts(WINDOW, &[]);
    let peer =
        Peer::with_tls(pki.server(), move |came| (200, if is_question(came) { answer.clone() } else { String::new() }))
            .await;
    let endpoint = format!("https://localhost:{}", peer.address.port());
    let tls = format!(
        "table = \"t\"\ntls = {{ ca_file = \"{}\", crt_file = \"{}\", key_file = \"{}\" }}",
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key")
    );
    let sink = sink_of(&endpoint, &tls);
    assert_eq!(sink.send(payload(&sink, &["{}"])).await, Answer::Delivered);
    let sink = sink_of(&endpoint, "table = \"t\"");
    assert!(matches!(sink.send(Payload { body: Bytes::new(), ..payload(&sink, &["{}"]) }).await, Answer::Retry { .. }));
}
