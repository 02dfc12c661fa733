use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use super::super::door::Answers;
use super::*;
use crate::component::health::State;
use crate::component::meters::Meters;
use crate::component::test_kit::{Catcher, context};
use crate::component::tls::TlsSettings;
use crate::delivery::http::Client;
use crate::delivery::test_tls::Pki;

/// A source at work, on a port that the kernel chose.
struct World {
    end: Catcher,
    stop: Stop,
    running: tokio::task::JoinHandle<()>,
    address: SocketAddr,
    meters: Meters,
    folder: tempfile::TempDir,
}

impl World {
    async fn start(settings: &str) -> Self {
        let settings: HttpServerSettings = toml::from_str(&format!("address = '127.0.0.1:0'\n{settings}")).unwrap();
        assert_eq!(settings.check(), []);
        let (folder, end, stop) = (tempfile::tempdir().unwrap(), Catcher::default(), Stop::default());
        let (_, context) = context(folder.path(), 8 << 20);
        let meters = context.meters.clone();
        let tls = settings.tls.as_ref().and_then(|tls| tls.server(&context)).transpose().unwrap();
        let door = Door { address: settings.address, tls, keepalive: settings.keepalive };
        let manner = Manner { max_bytes: settings.max_request_bytes.0 as usize, waits_for_arrival: true };
        let rules = (settings.rules().unwrap(), settings.auth.as_ref());
        let intake = Arc::new(Intake::new((context, Arc::new(end.clone())), manner, rules));
        let running = tokio::spawn(run(vec![door], intake.clone(), stop.clone()));
        let address = loop {
            if let Some(address) = intake.desk().bound().first() {
                break *address;
            }
            tokio::task::yield_now().await;
        };
        Self { end, stop, running, address, meters, folder }
    }

    /// Sends a request over a connection of its own; the answer.
    async fn send(&self, first: &str, headers: &str, body: &[u8]) -> String {
        let head = format!(
            "{first} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let (address, bytes) = (self.address, [head.as_bytes(), body].concat());
        let exchange = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&bytes).unwrap();
            let mut answer = Vec::new();
            // An answer that comes before the body was read may be followed by a reset.
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::task::spawn_blocking(exchange).await.unwrap()
    }

    /// What came out, a line for each record.
    fn lines(&self) -> Vec<String> {
        self.end.caught().iter().map(|caught| String::from_utf8(caught.json.clone()).unwrap()).collect()
    }

    async fn end(self) {
        self.stop.request(Instant::now() + Duration::from_mins(1));
        self.running.await.unwrap();
        drop(self.folder);
    }
}

const JSON: &str = "path = '/logs/write'\ndecoding.codec = 'json'";

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_shows() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings: HttpServerSettings = toml::from_str(&format!("address = '{address}'")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_families, context) = context(folder.path(), 8 << 20);
    let (health, meters, stop) = (context.health.clone(), context.meters.clone(), Stop::default());
    let source = settings.build(context).unwrap();
    let running = tokio::spawn(source.run(Arc::new(Catcher::default()), stop.clone()));
    let why = loop {
        match health.state() {
            State::Degraded { why, .. } => break why,
            _ => tokio::task::yield_now().await,
        }
    };
    assert!(why.starts_with(&format!("cannot listen on {address}: ")), "{why}");
    assert_eq!(meters.error_count("bind"), 1);
    drop(taken);
    while health.state() != State::Running {
        tokio::task::yield_now().await;
    }
    stop.request(Instant::now() + Duration::from_mins(1));
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_an_array_and_lines_are_records() {
    let world = World::start(JSON).await;
    for (headers, body) in [
        ("", &b" {\"n\":1}\n"[..]),
        ("Content-Type: application/json; charset=utf-8\r\n", b"[{\"n\":2}, {\"n\":3}]"),
        ("Content-Type: Application/X-NDJSON\r\n", b"{\"n\":4}\r\n\n{\"n\":5}"),
        ("", b"[]"),
    ] {
        let answer = world.send("POST /logs/write?a=b", headers, body).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("content-length: 0"), "{answer}");
    }
    assert_eq!(world.lines(), [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#, r#"{"n":4}"#, r#"{"n":5}"#]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_whole_and_told_with_its_place() {
    let world = World::start(&format!("{JSON}\nmax_request_bytes = 50")).await;
    let lines = "Content-Type: application/x-ndjson\r\n";
    for (first, headers, body, status, says) in [
        ("POST /logs/write", "", "{\"n\":1", 400, "line 1, column 7: expected more"),
        ("POST /logs/write", "", "", 400, "line 1, column 1: "),
        ("POST /logs/write", "", "[{\"n\":1},\n 7]", 400, "line 2, column 2: expected an object"),
        ("POST /logs/write", "", "{\"n\":1}\n{\"n\":2}", 400, "line 2, column 1: "),
        ("POST /logs/write", lines, "{\"n\":1}\nhello", 400, "line 2, column 1: expected an object"),
        ("POST /logs/read", "", "{}", 404, "expected the path /logs/write"),
        ("POST /logs/write/", "", "{}", 404, "expected the path"),
        ("PUT /logs/write", "", "{}", 405, "allow: POST"),
        ("POST /logs/write", "Content-Encoding: br\r\n", "{}", 415, "accept-encoding: identity,gzip"),
        ("POST /logs/write", "Content-Encoding: gzip\r\n", "{}", 400, "cannot be decompressed"),
        ("POST /logs/write", "", &" ".repeat(51), 413, "larger than 50"),
    ] {
        let answer = world.send(first, headers, body.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{first} {body}: {answer}");
        assert!(answer.contains(says) && answer.contains(&format!("{{\"code\":{status},")), "{first} {body}: {answer}");
    }
    assert_eq!(world.lines(), Vec::<String>::new());
    world.end.fail_next(1);
    let answer = world.send("POST /logs/write", "", b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cost_their_sender_nothing_are_bounded() {
    let world = World::start("framing.method = 'newline_delimited'").await;
    let answer = world.send("POST /", "", &b"a\n".repeat((1 << 20) + 1)).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("line 1048577, column 1: more than 1048576"),
        "{answer}"
    );
    assert_eq!(world.lines().len(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_one_record_or_one_for_each_line() {
    for (framing, bodies) in [("", vec!["one\ntwo\n"]), ("framing.method = 'newline_delimited'", vec!["one", "two"])] {
        let world = World::start(&format!("response_code = 204\nstrict_path = false\n{framing}")).await;
        let answer = world.send("POST /any/where", "", b"one\ntwo\n").await;
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        assert!(world.send("POST /", "", b"").await.starts_with("HTTP/1.1 204"), "no record");
        let told = |line: &String| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            ["message", "path", "host"].map(|key| record[key].as_str().unwrap().to_owned())
        };
        let expected: Vec<_> = bodies.iter().map(|body| [body, "/any/where", "127.0.0.1"].map(str::to_owned)).collect();
        assert_eq!(world.lines().iter().map(told).collect::<Vec<_>>(), expected);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_parameters_become_members() {
    let captured = "headers = ['X-Tenant', 'x-b3-*', '*oriz*', 'Absent']\nquery_parameters = ['application', 'a[*']\npath_key = 'url'";
    let world = World::start(&format!("{JSON}\n{captured}")).await;
    let headers = "x-tenant: shop\r\nAuthorization: secret\r\nX-B3-TraceId: 7\r\nX-Other: no\r\ntraceparent: 00-1-2-01\r\nX-Correlation-Id: c7\r\n";
    let answer =
        world.send("POST /logs/write?application=a%20b&a%5B1%5D=%22&no=1", headers, br#"{"X-Tenant":"forged"}"#);
    assert!(answer.await.starts_with("HTTP/1.1 200"));
    let written = r#"{"url":"/logs/write","X-Tenant":"shop","x-b3-traceid":"7","application":"a b","a[1]":"\""}"#;
    assert_eq!(world.lines(), [written]);
    world.end().await;
}

#[test]
fn what_programs_read_of_each_request_is_metadata() {
    let request = Request::post("/").header("traceparent", "00-1-2-01").header("X-Correlation-Id", "c7");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let metadata = capture::metadata(&parts);
    let known: Vec<_> = metadata.iter().map(|member| (&*member.key, &*member.value)).collect();
    assert_eq!(known, [("traceparent", &b"\"00-1-2-01\""[..]), ("correlation_id", b"\"c7\"")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_known_senders_are_let_in() {
    let auth = "auth = { strategy = 'basic', username = 'a', password = 'b' }";
    let world = World::start(&format!("{JSON}\n{auth}")).await;
    let answer = world.send("POST /logs/write", "", b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Basic"), "{answer}");
    assert!(world.send("POST /logs/write", "Authorization: Basic YTpi\r\n", b"{}").await.starts_with("HTTP/1.1 200"));
    assert_eq!(world.lines(), ["{}"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tls_clients_show_their_certificates() {
    let pki = Pki::new();
    let file = |name: &str| pki.file(name);
    let tls = format!(
        "tls = {{ crt_file = '{}', key_file = '{}', ca_file = '{}' }}",
        file("server.pem"),
        file("server.key"),
        file("ca.pem")
    );
    let world = World::start(&format!("{JSON}\n{tls}")).await;
    let uri = format!("https://localhost:{}/logs/write", world.address.port());
    let send = |settings: TlsSettings| {
        let client = Client::new(settings.client(&Files::default()).unwrap());
        let request = Request::post(&uri).body(Full::new(Bytes::from_static(b"{}"))).unwrap();
        async move { client.send(request).await.map(|reply| reply.status.as_u16()) }
    };
    let stranger = TlsSettings { ca_file: Some(file("ca.pem").into()), ..TlsSettings::default() };
    assert!(send(stranger.clone()).await.is_err());
    let known = TlsSettings {
        crt_file: Some(file("client.pem").into()),
        key_file: Some(file("client.key").into()),
        ..stranger
    };
    assert_eq!(send(known).await, Ok(200));
    assert!(!world.send("POST /logs/write", "", b"{}").await.contains("HTTP/1.1"), "no plain text");
    assert_eq!(world.lines(), ["{}"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_to_new_connections_and_a_broken_one_is_not() {
    let (old, new) = (Pki::new(), Pki::new());
    let [own, ca] = ["server.pem", "ca.pem"].map(|name| old.file(name));
    let tls = format!("tls = {{ crt_file = '{own}', key_file = '{}', ca_file = '{ca}' }}", old.file("server.key"));
    let trusted = tempfile::tempdir().unwrap();
    let client = |pki: &Pki, name: &str| {
        let ca_file = trusted.path().join(name);
        std::fs::copy(pki.file("ca.pem"), &ca_file).unwrap();
        let [crt_file, key_file] = ["client.pem", "client.key"].map(|name| Some(pki.file(name).into()));
        let settings = TlsSettings { ca_file: Some(ca_file), crt_file, key_file, ..TlsSettings::default() };
        Client::new(settings.client(&Files::default()).unwrap())
    };
    let world = World::start(&format!("{JSON}\n{tls}")).await;
    let uri = format!("https://localhost:{}/logs/write", world.address.port());
    let send = async |client: &Client| {
        let request = Request::post(&uri).body(Full::new(Bytes::from_static(b"{}"))).unwrap();
        client.send(request).await.map(|reply| reply.status.as_u16())
    };
    let kept = client(&old, "old.pem");
    assert_eq!(send(&kept).await, Ok(200));
    std::fs::copy(new.file("server.pem"), &own).unwrap();
    assert_eq!(send(&client(&old, "old.pem")).await, Ok(200), "it does not fit its key yet");
    assert_eq!(world.meters.error_count("tls_renewal"), 1);
    std::fs::copy(new.file("server.key"), old.file("server.key")).unwrap();
    let untrusted = send(&client(&old, "old.pem")).await.unwrap_err();
    assert!(untrusted.contains("UnknownIssuer") || untrusted.contains("BadSignature"), "{untrusted}");
    std::fs::copy(new.file("ca.pem"), &ca).unwrap();
    assert_eq!(send(&client(&new, "new.pem")).await, Ok(200), "the authority of clients, too");
    assert_eq!(send(&kept).await, Ok(200), "its connection goes on");
    assert_eq!(world.meters.error_count("tls_renewal"), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_connection_is_ended_with_what_is_in_hand() {
    let world = World::start(&format!("{JSON}\nkeepalive.max_connection_age_secs = 0.05")).await;
    let address = world.address;
    let exchange = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"POST /logs/write HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    let answer = tokio::task::spawn_blocking(exchange).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(world.lines(), ["{}"]);
    world.end().await;
}

#[test]
fn settings_that_cannot_be_are_told_of() {
    let faults = |text: &str| {
        let settings: HttpServerSettings = toml::from_str(&format!("address = '127.0.0.1:1'\n{text}")).unwrap();
        settings.check().into_iter().map(|problem| problem.setting).collect::<Vec<_>>()
    };
    assert_eq!(faults("path = 'logs'"), ["path"]);
    assert_eq!(
        faults("headers = ['a', '']\npath_key = 'a.b'\nmax_request_bytes = '2GiB'"),
        ["path_key", "headers[1]", "max_request_bytes"]
    );
    assert_eq!(faults("tls = { crt_file = 'a', key_file = 'b', enabled = false }"), ["tls.enabled"]);
    let open: HttpServerSettings = toml::from_str("address = '0.0.0.0:1'").unwrap();
    assert!(open.check()[0].is_warning);
}
