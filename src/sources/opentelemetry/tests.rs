use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::super::door::Answers;
use super::*;
use crate::component::meters::Families;
use crate::component::pause::Paused;
use crate::component::test_kit::{Catcher, Mood, context};
use crate::event::Form;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp").join(name)).unwrap()
}

/// A source at work, on ports that the kernel chose.
struct World {
    end: Catcher,
    intake: Arc<intake::Intake>,
    context: Context,
    families: Families,
    stop: Stop,
    running: tokio::task::JoinHandle<()>,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start(max_bytes: usize) -> Self {
        Self::with(max_bytes, None).await
    }

    async fn with(max_bytes: usize, auth: Option<&HttpAuth>) -> Self {
        let (folder, end, stop) = (tempfile::tempdir().unwrap(), Catcher::default(), Stop::default());
        let (families, context) = context(folder.path(), 8 << 20);
        let manner = Manner { max_bytes, waits_for_arrival: true };
        let intake = Arc::new(intake::Intake::new((context.clone(), Arc::new(end.clone())), manner, auth));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let door = Door { address: any, tls: None, keepalive: Keepalive::default() };
        let running = tokio::spawn(run(vec![door], intake.clone(), stop.clone()));
        let address = loop {
            if let Some(address) = intake.desk().bound().first() {
                break *address;
            }
            tokio::task::yield_now().await;
        };
        Self { end, intake, context, families, stop, running, address, _folder: folder }
    }

    async fn end(self) {
        self.stop.request(Instant::now() + Duration::from_mins(1));
        self.running.await.unwrap();
    }

    /// Sends bytes over a connection of their own and reads to its end.
    async fn raw(&self, bytes: Vec<u8>) -> String {
        let address = self.address;
        let read = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&bytes).unwrap();
            let mut answer = Vec::new();
            // An answer that comes before the body was read may be followed by a reset.
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    async fn post(&self, path: &str, headers: &str, body: &[u8]) -> String {
        let len = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len}\r\n{headers}\r\n");
        self.raw([head.as_bytes(), body].concat()).await
    }

    /// A unary call; the status, the details, the message.
    async fn call(&self, path: &str, encoding: &str, framed: Vec<u8>) -> (String, String, Bytes) {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut client, connection) = handshake.unwrap();
        tokio::spawn(connection);
        let request = Request::post(format!("http://a{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-encoding", encoding)
            .body(Full::new(Bytes::from(framed)));
        let response = client.send_request(request.unwrap()).await.unwrap();
        let mut known = response.headers().clone();
        let collected = response.into_body().collect().await.unwrap();
        known.extend(collected.trailers().cloned().unwrap_or_default());
        let text = |name: &str| known.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned());
        (text("grpc-status"), text("grpc-status-details-bin"), collected.to_bytes())
    }

    fn errors(&self, kind: &str) -> u64 {
        let families = self.families.registry().gather();
        let errors = families.iter().find(|family| family.name() == "levada_component_errors_total");
        let counted = errors.into_iter().flat_map(prometheus::proto::MetricFamily::get_metric).filter(|metric| {
            metric.get_label().iter().any(|label| label.name() == "error_type" && label.value() == kind)
        });
        counted.map(|metric| metric.get_counter().get_value() as u64).sum()
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn compressed(encoding: &str, plain: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(plain).unwrap();
            gzip.finish().unwrap()
        }
        "deflate" => {
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            zlib.write_all(plain).unwrap();
            zlib.finish().unwrap()
        }
        "zstd" => zstd::bulk::compress(plain, 1).unwrap(),
        "snappy" => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
        "x-snappy-framed" => {
            let mut frames = snap::write::FrameEncoder::new(Vec::new());
            frames.write_all(plain).unwrap();
            frames.into_inner().unwrap()
        }
        "lz4" => {
            let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
            frame.write_all(plain).unwrap();
            frame.finish().unwrap()
        }
        _ => plain.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_is_taken_in_each_encoding() {
    let world = World::start(1 << 20).await;
    let mut records = 0;
    for (signal, count, form) in [("traces", 3, Form::Span), ("logs", 4, Form::LogRecord), ("metrics", 0, Form::Point)]
    {
        let plain = fixture(&format!("{signal}.pb"));
        let encodings = ["identity", "gzip", "GZIP", "zstd", "deflate", "snappy", "x-snappy-framed", "lz4"];
        for encoding in encodings {
            let headers =
                format!("Content-Type: Application/X-Protobuf; charset=utf-8\r\nContent-Encoding: {encoding}\r\n");
            let body = compressed(&encoding.to_lowercase(), &plain);
            let answer = world.post(&format!("/v1/{signal}"), &headers, &body).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(
                answer.contains("content-type: application/x-protobuf") && answer.ends_with("\r\n\r\n"),
                "{answer}"
            );
        }
        let caught = world.end.caught();
        assert!(caught[records..].iter().all(|caught| caught.form == form));
        assert!(count == 0 || caught.len() - records == count * encodings.len());
        records = caught.len();
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_is_one_request() {
    let world = World::start(1 << 20).await;
    let body = fixture("traces.pb");
    let mut bytes = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{PROTOBUF}\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(100) {
        bytes.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    assert!(world.raw(bytes).await.starts_with("HTTP/1.1 200"));
    assert_eq!(world.end.caught().len(), 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_the_specification() {
    let world = World::start(2_000).await;
    let traces = fixture("traces.pb");
    let gzip = "Content-Encoding: gzip\r\nContent-Type: application/x-protobuf\r\n";
    let of_zeros = |encoding| compressed(encoding, &vec![0; 1 << 20]);
    let bomb = of_zeros("gzip");
    let cut = compressed("gzip", &traces);
    let cut = &cut[..cut.len() - 9];
    let mut zstd_cut = compressed("zstd", &traces);
    zstd_cut.pop();
    let mut deflate_cut = compressed("deflate", &traces);
    deflate_cut.pop();
    for (path, headers, body, status, says) in [
        ("/v1/spans", PROTOBUF, &traces[..], 404, "/v1/traces"),
        ("/v1/traces", "Content-Type: text/plain\r\n", &traces, 415, "application/x-protobuf"),
        ("/v1/traces", "", &traces, 415, "application/x-protobuf"),
        ("/v1/traces", &format!("{PROTOBUF}Content-Encoding: br\r\n"), &traces, 415, "accept-encoding: identity"),
        ("/v1/traces", PROTOBUF, b"hello", 400, "content-type: application/x-protobuf"),
        ("/v1/traces", PROTOBUF, b"", 200, "content-length: 0"),
        ("/v1/traces", PROTOBUF, &[0; 2_001], 413, "larger than 2000"),
        ("/v1/traces", "Content-Type: application/json\r\n", b"{}", 200, "application/json"),
        (
            "/v1/logs",
            "Content-Type: application/json\r\n",
            b"[]",
            400,
            "{\"code\":3,\"message\":\"invalid type: sequence",
        ),
        ("/v1/traces", gzip, &bomb, 413, "larger than 2000"),
        ("/v1/traces", gzip, cut, 400, "cannot be decompressed"),
        ("/v1/traces", &gzip.replace("gzip", "deflate"), &deflate_cut, 400, "cannot be decompressed"),
        ("/v1/traces", gzip, &traces, 400, "cannot be decompressed"),
        ("/v1/traces", &gzip.replace("gzip", "snappy"), &of_zeros("snappy"), 413, "larger than 2000"),
        ("/v1/traces", &gzip.replace("gzip", "snappy"), &of_zeros("x-snappy-framed"), 413, "larger than 2000"),
        ("/v1/traces", &gzip.replace("gzip", "lz4"), &of_zeros("lz4"), 413, "larger than 2000"),
        ("/v1/traces", &gzip.replace("gzip", "lz4"), &traces, 400, "cannot be decompressed"),
        ("/v1/traces", &gzip.replace("gzip", "snappy"), b"\x09", 400, "cannot be decompressed"),
        ("/v1/traces", &gzip.replace("gzip", "zstd"), &zstd_cut, 400, "cannot be decompressed"),
    ] {
        let answer = world.post(path, headers, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {headers}: {answer}");
        assert!(answer.contains(says), "{path} {headers}: {answer}");
    }
    let answer = world.raw(b"GET /v1/traces HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec()).await;
    assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: POST"), "{answer}");
    assert_eq!((world.errors("too_large"), world.errors("malformed"), world.end.caught().len()), (5, 8, 0));
    let slow = answer::Refusal::slow();
    assert_eq!((slow.http.as_u16(), slow.retry_after), (503, Some(1)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_span_is_told_of_and_the_others_are_taken() {
    let world = World::start(1 << 20).await;
    let mut traces = fixture("traces.pb");
    // The length of the first trace id: what follows of it is then a field that nobody knows, or none.
    let at = traces.windows(2).position(|window| window == [0x0a, 16]).unwrap();
    traces[at + 1] = 15;
    let answer = world.post("/v1/traces", PROTOBUF, &traces).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("1 spans were refused; the first: "), "{answer}");
    assert_eq!((world.end.caught().len(), world.errors("invalid_record")), (2, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_or_finds_no_room_is_to_come_again() {
    let world = World::start(1 << 20).await;
    let traces = fixture("traces.pb");
    world.end.fail_next(1);
    let answer = world.post("/v1/traces", PROTOBUF, &traces).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    world.context.pause.set(Some(Paused::default()));
    let answer = world.post("/v1/traces", PROTOBUF, &traces).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("paused"), "{answer}");
    world.context.pause.set(None);
    let all = world.context.budget.charge(8 << 20);
    let answer = world.post("/v1/traces", PROTOBUF, &traces).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("no room"), "{answer}");
    let (status, details, _) = world.call(EXPORT, "identity", framed(&traces)).await;
    let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(details).unwrap();
    assert!(status == "14" && String::from_utf8_lossy(&details).contains("google.rpc.RetryInfo"), "{details:?}");
    drop(all);
    assert!(world.post("/v1/traces", PROTOBUF, &traces).await.starts_with("HTTP/1.1 200"));
    assert_eq!((world.end.caught().len(), world.errors("delivery_failed"), world.errors("overloaded")), (3, 1, 2));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_as_grpc_has_it() {
    let world = World::start(2_000).await;
    let traces = fixture("traces.pb");
    let zip = |encoding: &str| {
        let mut framed = framed(&compressed(encoding, &traces));
        framed[0] = 1;
        framed
    };
    for encoding in ["gzip", "zstd", "identity"] {
        let message = if encoding == "identity" { framed(&traces) } else { zip(encoding) };
        assert_eq!(
            world.call(EXPORT, encoding, message).await,
            ("0".into(), String::new(), Bytes::from_static(&[0; 5]))
        );
    }
    assert_eq!(world.end.caught().len(), 9);
    let logs = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    assert_eq!(world.call(logs, "identity", framed(&fixture("logs.pb"))).await.0, "0");
    assert_eq!(world.end.caught().last().unwrap().form, Form::LogRecord);
    let long = framed(&[0; 3_000]);
    let twice = [framed(&traces), framed(&traces)].concat();
    for (path, encoding, message, status) in [
        ("/a.B/C", "identity", framed(&traces), "12"),
        (EXPORT, "br", framed(&traces), "12"),
        (EXPORT, "identity", framed(b"hello"), "3"),
        (EXPORT, "identity", zip("gzip"), "3"),
        (EXPORT, "identity", Vec::new(), "3"),
        (EXPORT, "identity", framed(&traces)[..100].to_vec(), "3"),
        (EXPORT, "identity", twice, "3"),
        (EXPORT, "identity", long, "8"),
    ] {
        let (found, details, message) = world.call(path, encoding, message).await;
        assert_eq!(found, status, "{path} {encoding}");
        assert!(message.is_empty());
        let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(details).unwrap();
        assert!(!String::from_utf8_lossy(&details).contains("RetryInfo"), "it is not to come again");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_hand_is_answered_after_the_stop() {
    let world = World::start(1 << 20).await;
    world.end.mood(Mood::Keeps);
    let (traces, address, end) = (fixture("traces.pb"), world.address, world.end.clone());
    let sender = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{PROTOBUF}\r\n", traces.len());
        stream.write_all(&[head.as_bytes(), &traces].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    });
    let waited = end.clone();
    tokio::task::spawn_blocking(move || waited.wait_for(3)).await.unwrap();
    world.stop.request(Instant::now() + Duration::from_mins(1));
    end.settle_kept(crate::event::Outcome::Delivered, |_| {});
    world.running.await.unwrap();
    assert!(sender.await.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(world.intake.desk().bound().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_who_it_is_is_not_let_in() {
    let auth = toml::from_str("strategy = 'bearer'\ntoken = 'open'").unwrap();
    let world = World::with(1 << 20, Some(&auth)).await;
    let traces = fixture("traces.pb");
    let answer = world.post("/v1/traces", PROTOBUF, &traces).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Bearer"), "{answer}");
    assert_eq!(world.call(EXPORT, "identity", framed(&traces)).await.0, "16");
    assert_eq!((world.end.caught().len(), world.errors("unauthorized")), (0, 2));
    let known = format!("{PROTOBUF}Authorization: Bearer open\r\n");
    assert!(world.post("/v1/traces", &known, &traces).await.starts_with("HTTP/1.1 200"));
    assert_eq!(world.end.caught().len(), 3);
    world.end().await;
}

#[test]
fn doors_are_both_unless_one_is_named() {
    let doors = |text: &str| {
        let settings: OpenTelemetrySettings = toml::from_str(text).unwrap();
        (settings.doors().len(), settings.check().len())
    };
    assert_eq!(doors(""), (2, 0));
    assert_eq!(doors("http = {}"), (1, 0));
    assert_eq!(doors("grpc.address = '0.0.0.0:4317'"), (1, 1));
    assert_eq!(doors("http.address = '127.0.0.1:1'\ngrpc.address = '127.0.0.1:1'"), (1, 0));
    assert_eq!(doors("max_request_bytes = '2GiB'"), (2, 1));
    let tls = "tls = { crt_file = 'a.crt', key_file = 'a.key' }";
    assert_eq!(
        doors(&format!("auth = {{ strategy = 'bearer', token = 'x' }}\ngrpc.address = '0.0.0.0:4317'\ngrpc.{tls}")),
        (1, 0)
    );
    let one = format!("http = {{ address = '127.0.0.1:1' }}\ngrpc = {{ address = '127.0.0.1:1', {tls} }}");
    assert_eq!(doors(&one), (1, 1), "one door, with TLS and without");
}
