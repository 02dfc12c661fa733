//! The sink `opentelemetry` against a peer that refuses, stalls, cuts, takes a part; and against another agent.

pub(crate) mod collector;
pub(crate) mod kept;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::agent::{Agent, Site, source};
use crate::wait;
use collector::{Act, Came, Collector};

/// Each protocol, with what it calls the faults.
struct Tongue {
    protocol: &'static str,
    busy: Act,
    too_large: Act,
    unknown_caller: Act,
    malformed: Act,
    unknown_method: Act,
}

/// A status 14 whose details have a `RetryInfo` of a millisecond.
const COME_AGAIN: &str = "CA4aMgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIGCgQQwIQ9";

fn tongues() -> [Tongue; 2] {
    [
        Tongue {
            protocol: "grpc",
            busy: Act::Grpc(14, "busy", Some(COME_AGAIN)),
            too_large: Act::Grpc(8, "larger%20than%20max", None),
            unknown_caller: Act::Grpc(16, "who", None),
            malformed: Act::Grpc(3, "no", None),
            unknown_method: Act::Grpc(12, "unknown service", None),
        },
        Tongue {
            protocol: "http",
            busy: Act::Http(503, &[("retry-after", "0")]),
            too_large: Act::Http(413, &[]),
            unknown_caller: Act::Http(401, &[]),
            malformed: Act::Http(400, &[]),
            unknown_method: Act::Http(404, &[]),
        },
    ]
}

fn sink(protocol: &str, input: &str, url: &str, more: &str) -> String {
    format!(
        "[sinks.out]\ntype = 'opentelemetry'\ninputs = ['{input}']\nprotocol = '{protocol}'\nendpoint = '{url}'\n\
         batch.timeout_secs = 0.02\nrequest.retry_initial_backoff_secs = 0.01\nrequest.retry_max_duration_secs = 0.1\n\
         {more}\n"
    )
}

/// An agent that sends the log lines of a site to a peer.
fn start(site: &Site, protocol: &str, peer: &Collector, more: &str) -> Agent {
    site.start(&(source(site, "app", "*.log") + &sink(protocol, "app", &peer.url(), more)))
}

/// The messages of the requests that came.
fn messages(peer: &Collector) -> Vec<Vec<u8>> {
    peer.look(|world| world.came.iter().map(|came| came.message.clone()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_arrive_by_each_protocol_in_each_compression() {
    for Tongue { protocol, .. } in tongues() {
        for compression in ["gzip", "zstd", "none"] {
            let (site, peer) = (Site::new(), Collector::start().await);
            site.write("a.log", 0..500);
            let more = format!("compression = '{compression}'\nbatch.max_events = 40\nrequest.headers.X-Tenant = 'a'");
            let agent = start(&site, protocol, &peer, &more);
            assert_eq!(peer.wait_for_all(500).await, 1, "each once");
            let is_it = |came: &Came| {
                let is_path = came.path.ends_with(if protocol == "grpc" { ".LogsService/Export" } else { "/v1/logs" });
                is_path
                    && came.is_grpc == (protocol == "grpc")
                    && came.headers["x-tenant"] == "a"
                    && came.numbers().len() <= 40
            };
            assert!(peer.look(|world| world.came.iter().all(is_it)), "{protocol} {compression}");
            agent.wait_for_health("out").await;
            wait::until("the count", || agent.figure("levada_component_sent_events_total", "out", None) == 500).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_gets_the_same_request_again() {
    for Tongue { protocol, busy, .. } in tongues() {
        let (site, peer) = (Site::new(), Collector::start().await);
        peer.script(move |number, _| if number < 2 { busy.clone() } else { Act::Take });
        site.write("a.log", 0..10);
        let _agent = start(&site, protocol, &peer, "request.concurrency = 'none'");
        assert_eq!(peer.wait_for_all(10).await, 1);
        let bodies = peer.look(|world| world.came.iter().map(|came| came.body.clone()).collect::<Vec<_>>());
        assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2], "byte for byte");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_answer_is_sent_again() {
    for Tongue { protocol, .. } in tongues() {
        for act in [Act::TakeAndCut, Act::Stall] {
            let (site, peer) = (Site::new(), Collector::start().await);
            let first = act.clone();
            peer.script(move |number, _| if number == 0 { first.clone() } else { Act::Take });
            site.write("a.log", 0..10);
            let _agent = start(&site, protocol, &peer, "request.timeout_secs = 0.5");
            peer.wait_for_all(10).await;
            peer.wait("another attempt", |world| world.came.len() >= 2).await;
            let sent = messages(&peer);
            assert_eq!(sent[0], sent[1], "{protocol} {act:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_sent_in_halves() {
    for Tongue { protocol, too_large, .. } in tongues() {
        let (site, peer) = (Site::new(), Collector::start().await);
        peer.script(move |_, came| {
            let is_bad = came.numbers().contains(&13);
            if came.numbers().len() > 8 || is_bad { too_large.clone() } else { Act::Take }
        });
        site.write("a.log", 0..50);
        let agent = start(&site, protocol, &peer, "");
        peer.wait("the others", |world| world.taken.len() == 49).await;
        let letters = agent.wait_for_letters(1).await;
        assert_eq!((letters.len(), letters[0].number, letters[0].code.as_str()), (1, Some(13), "too_large"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_success_is_counted_and_not_sent_again() {
    for Tongue { protocol, .. } in tongues() {
        let (site, peer) = (Site::new(), Collector::start().await);
        // `partial_success` of three records, with a word.
        let said = [&[0x0a, 9, 8, 3, 0x12, 5][..], b"stale"].concat();
        peer.script(move |_, _| Act::TakeAndSay(said.clone()));
        site.write("a.log", 0..10);
        let agent = start(&site, protocol, &peer, "");
        wait::until("the count", || agent.discarded("out", "refused_unnamed") == 3).await;
        assert_eq!(agent.figure("levada_component_sent_events_total", "out", None), 7);
        agent.wait_for_health("out").await;
        peer.heal();
        agent.stop(Duration::from_secs(20)).await;
        let agent = start(&site, protocol, &peer, "");
        site.write("a.log", 10..11);
        assert_eq!(peer.wait_for_all(11).await, 1, "neither again in this life nor in the next");
        assert_eq!(agent.letters(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_a_person_holds_the_sink() {
    for Tongue { protocol, unknown_caller, unknown_method, .. } in tongues() {
        for (act, word) in [(unknown_caller, "credentials"), (unknown_method, "it takes no such signal")] {
            let (site, peer) = (Site::new(), Collector::start().await);
            peer.script(move |_, _| act.clone());
            site.write("a.log", 0..10);
            let agent = start(&site, protocol, &peer, "");
            let why = agent.wait_for_trouble("out").await;
            assert!(why.contains(word), "{why}");
            assert_eq!(agent.letters(), []);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_a_server_does_not_take_holds_no_other() {
    for Tongue { protocol, unknown_method, .. } in tongues() {
        let (site, peer, port) = (Site::new(), Collector::start().await, free_port());
        let is_of_traces = |came: &Came| came.path.to_lowercase().contains("trace");
        peer.script(move |_, came| if is_of_traces(came) { unknown_method.clone() } else { Act::Take });
        let door = format!("[sources.otlp]\ntype = 'opentelemetry'\nhttp.address = '127.0.0.1:{port}'\n");
        let out = sink(protocol, "otlp.*", &peer.url(), "request.concurrency = 'none'");
        let out = out.replace("['otlp.*']", "['otlp.traces', 'otlp.logs', 'otlp.metrics']");
        let agent = site.start(&(door + &out));
        for round in 1..4 {
            kept::post_all(port).await;
            let others = |world: &collector::World| world.came.iter().filter(|came| !is_of_traces(came)).count();
            peer.wait("the others", |world| others(world) >= 2 * round).await;
        }
        let why = agent.wait_for_trouble("out").await;
        assert!(why.contains("it takes no such signal"), "{why}");
        assert_eq!(agent.letters(), []);
        let taken = kept::Taken::at(&peer, Act::Stall);
        taken.open();
        wait::until("the spans", || taken.len() == 9).await;
        agent.wait_for_health("out").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_good_becomes_dead_letters() {
    for Tongue { protocol, malformed, .. } in tongues() {
        let (site, peer) = (Site::new(), Collector::start().await);
        peer.script(move |_, _| malformed.clone());
        site.write("a.log", 0..10);
        let agent = start(&site, protocol, &peer, "");
        let letters = agent.wait_for_letters(10).await;
        let code = if protocol == "grpc" { "invalid_argument" } else { "400" };
        assert!(letters.iter().all(|letter| letter.code == code), "{letters:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_goes_away_costs_nothing() {
    let (site, peer) = (Site::new(), Collector::start().await);
    site.write("a.log", 0..10);
    let agent = start(&site, "grpc", &peer, "");
    peer.wait_for_all(10).await;
    for round in 1..6 {
        peer.go_away();
        site.write("a.log", round * 10..round * 10 + 10);
        peer.wait_for_all(round * 10 + 10).await;
    }
    agent.wait_for_health("out").await;
    assert!(peer.look(|world| world.connections) > 1);
}

/// The trace of record `number`: five records have one.
fn trace(number: u64) -> u64 {
    number / 5
}

/// Appends records `numbers` with their traces to a log.
fn write_traces(site: &Site, numbers: std::ops::Range<u64>) {
    let line = |number: u64| {
        let id = u128::from(trace(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        format!("{{\"n\":{number},\"trace_id\":\"{id:032x}\"}}\n")
    };
    site.append("a.log", &numbers.map(line).collect::<String>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_meets_at_one_server_and_moves_where_that_fails() {
    for Tongue { protocol, busy, .. } in tongues() {
        let (site, peers) =
            (Site::new(), [Collector::start().await, Collector::start().await, Collector::start().await]);
        let urls: Vec<String> = peers.iter().map(|peer| format!("'{}'", peer.url())).collect();
        let more = format!("endpoints = [{}]\nrouting_key = 'trace_id'\nrouting_patience_secs = 0.05", urls.join(", "));
        let config =
            source(&site, "app", "*.log") + &sink(protocol, "app", "gone", &more).replace("endpoint = 'gone'\n", "");
        write_traces(&site, 0..500);
        let agent = site.start(&config);
        let taken = || -> Vec<Vec<u64>> {
            peers.iter().map(|peer| peer.look(|world| world.taken.keys().copied().collect())).collect()
        };
        // Which server has a trace; each has one.
        let homes = |taken: &[Vec<u64>]| {
            let mut homes = std::collections::BTreeMap::new();
            for (home, numbers) in taken.iter().enumerate() {
                for number in numbers {
                    assert_eq!(*homes.entry(trace(*number)).or_insert(home), home, "a trace at two servers");
                }
            }
            homes
        };
        wait::until("all records", || taken().iter().map(Vec::len).sum::<usize>() == 500).await;
        let before = homes(&taken());
        assert!(
            taken().iter().all(|numbers| numbers.len() > 50),
            "{:?}",
            taken().iter().map(Vec::len).collect::<Vec<_>>()
        );
        peers[0].script(move |_, _| busy.clone());
        let known: Vec<usize> = taken().iter().map(Vec::len).collect();
        write_traces(&site, 0..500);
        let again = |at: usize| peers[at].look(|world| world.taken.values().sum::<usize>());
        wait::until("the others to have them", || again(1) + again(2) == known[1] + known[2] + 500).await;
        let moved = taken();
        assert_eq!(moved[0].len(), known[0]);
        let after = homes(&[Vec::new(), moved[1].clone(), moved[2].clone()]);
        assert!(before.iter().all(|(trace, home)| *home == 0 || after[trace] == *home), "only its own move");
        assert!(agent.figure("levada_component_errors_total", "out", Some(("error_type", "endpoint_away"))) > 0);
    }
}

/// A port that nothing listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Posts a request by OTLP/HTTP; gives the status line.
pub(crate) fn post(port: u16, path: &str, body: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Nothing listens where the records are to go: they wait in the queue, and whoever sent them does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_is_answered_when_its_records_are_queued() {
    let (site, entry) = (Site::new(), free_port());
    let door = format!("[sources.otlp]\ntype = 'opentelemetry'\nhttp.address = '127.0.0.1:{entry}'\n");
    let gone = format!("http://127.0.0.1:{}", free_port());
    let _agent = site.start(&(door + &sink("http", "otlp.*", &gone, "").replace("otlp.*", "otlp.traces")));
    let body = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp/traces.pb")).unwrap();
    let mut status = String::new();
    wait::until("an answer", || {
        status = post(entry, "/v1/traces", &body).unwrap_or_default();
        !status.is_empty()
    })
    .await;
    assert_eq!(status, "HTTP/1.1 200 OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_two_agents_reads_as_it_did() {
    for Tongue { protocol, .. } in tongues() {
        let (front, back) = (Site::new(), Site::new());
        let (entry, between) = (free_port(), free_port());
        let door = |port: u16| format!("[sources.otlp]\ntype = 'opentelemetry'\nhttp.address = '127.0.0.1:{port}'\n");
        let file = |site: &Site| {
            let (dir, inputs) = (site.logs(), "['otlp.traces', 'otlp.logs', 'otlp.metrics']");
            format!(
                "[sinks.here]\ntype = 'file'\ninputs = {inputs}\npath = '{}/seen.json'\nencoding.codec = 'json'\n",
                dir.display()
            )
        };
        let onward = sink(protocol, "otlp.*", &format!("http://127.0.0.1:{between}"), "");
        let onward = onward.replace("['otlp.*']", "['otlp.traces', 'otlp.logs', 'otlp.metrics']");
        let _back = back.start(&(door(between) + &file(&back)));
        let agent = front.start(&(door(entry) + &file(&front) + &onward));
        for signal in ["traces", "logs", "metrics"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp");
            let body = std::fs::read(folder.join(format!("{signal}.pb"))).unwrap();
            wait::until("an answer", || {
                post(entry, &format!("/v1/{signal}"), &body).is_ok_and(|status| status.starts_with("HTTP/1.1 200"))
            })
            .await;
        }
        let seen = |site: &Site| {
            let text = std::fs::read_to_string(site.log("seen.json")).unwrap_or_default();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        wait::until("all records", || {
            let sent = agent.figure("levada_component_sent_events_total", "out", None) as usize;
            sent > 0 && sent == seen(&front).len() && seen(&back).len() == sent
        })
        .await;
        assert_eq!(seen(&back), seen(&front), "{protocol}");
    }
}
