//! `opentelemetry`: spans, log records and metrics by OTLP, over gRPC or HTTP: to Jaeger, Tempo, a Collector, another agent.
//!
//! Guarantee: at least once. A request whose outcome is unknown is sent again as it was, byte for byte: Jaeger knows spans
//! again that are equal with all that they stand in, on most of its stores; others store what comes twice twice. Records that
//! a server says it left out (`partial_success`) are never sent again, as the specification has it, and are counted as
//! `refused_unnamed`: which ones they are is not told.
//!
//! Limits: one server for each signal. What holds records in a request is written anew: fields of `ResourceSpans` and
//! `ScopeSpans` that nobody knows do not stay; those of resources, scopes, metrics and records do.

mod answer;
mod encoder;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codecs::Compression;
use crate::codecs::otlp::{Said, Signal, read_status};
use crate::component::auth::Auth;
use crate::component::files::{Files, Named};
use crate::component::row::{Context, Problem, Settings};
use crate::component::sink::{Answer, Encoder, Payload, Place, Probing, Sending, Sink};
use crate::component::tls::TlsSettings;
use crate::delivery::settings::{Acknowledgements, BatchSettings, BufferSettings, RequestSettings};
use crate::delivery::{Delivery, DeliveryPlan, Drain, address, grpc, http};

use encoder::RequestEncoder;

/// Encoded bytes of a request: servers in Go take 4 MiB by gRPC unless they are told otherwise.
const MAX_BYTES: usize = 3 << 20;
/// Bytes of an answer over HTTP that are read: what the specification bounds answers to.
const MAX_ANSWER: usize = 4 << 20;

/// Sends spans, log records and metrics by OTLP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenTelemetrySettings {
    /// What is spoken.
    #[serde(default)]
    protocol: Protocol,
    /// The server, for all signals: `http://host:4317` for gRPC, `http://host:4318` for HTTP, to which `/v1/traces`,
    /// `/v1/logs` and `/v1/metrics` are added. `https` turns TLS on.
    endpoint: Option<String>,
    /// The server for spans, in place of `endpoint`; over HTTP with its whole path.
    traces_endpoint: Option<String>,
    /// The server for log records, in place of `endpoint`; over HTTP with its whole path.
    logs_endpoint: Option<String>,
    /// The server for metrics, in place of `endpoint`; over HTTP with its whole path.
    metrics_endpoint: Option<String>,
    /// Credentials.
    auth: Option<Auth>,
    /// TLS for `https`.
    #[serde(default)]
    tls: TlsSettings,
    /// Compression of requests. Every server takes `gzip`; `zstd` costs a third of it, where the server takes it.
    #[serde(default = "default_compression")]
    compression: Compression,
    /// When a request is closed and sent; `max_bytes` is 3 MiB by default.
    #[serde(default)]
    batch: BatchSettings,
    /// How requests are sent.
    #[serde(default)]
    request: RequestSettings,
    /// Who waits for the sink.
    #[serde(default)]
    acknowledgements: Acknowledgements,
    /// What stands before the sink.
    #[serde(default)]
    buffer: BufferSettings,
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    /// gRPC, over several connections of HTTP/2.
    #[default]
    Grpc,
    /// Protocol buffers over HTTP/1.1.
    Http,
}

const fn default_compression() -> Compression {
    Compression::Gzip
}

/// The path of a signal's method.
const fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    }
}

/// The address of each signal, in their order.
type Targets = [Option<Uri>; Signal::ALL.len()];

impl OpenTelemetrySettings {
    /// Where a signal goes, with the setting that says so; none if it goes nowhere.
    fn target(&self, signal: Signal) -> Option<Result<Uri, Problem>> {
        let (setting, own) = match signal {
            Signal::Traces => ("traces_endpoint", &self.traces_endpoint),
            Signal::Logs => ("logs_endpoint", &self.logs_endpoint),
            Signal::Metrics => ("metrics_endpoint", &self.metrics_endpoint),
        };
        if let Some(own) = own {
            return Some(match self.protocol {
                Protocol::Http => address::address(setting, own),
                Protocol::Grpc => server(setting, own, method(signal)),
            });
        }
        let base = self.endpoint.as_ref()?;
        Some(match self.protocol {
            Protocol::Grpc => server("endpoint", base, method(signal)),
            Protocol::Http => {
                address::address("endpoint", &format!("{}/v1/{}", base.trim_end_matches('/'), signal.name()))
            }
        })
    }

    fn targets(&self) -> Result<Targets, Problem> {
        let [traces, logs, metrics] = Signal::ALL.map(|signal| self.target(signal).transpose());
        Ok([traces?, logs?, metrics?])
    }

    fn target_problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for problem in Signal::ALL.into_iter().filter_map(|signal| self.target(signal)?.err()) {
            if !problems.iter().any(|known| known.setting == problem.setting) {
                problems.push(problem);
            }
        }
        if Signal::ALL.iter().all(|signal| self.target(*signal).is_none()) {
            let problem = Problem::new("", "no server is named");
            problems.push(problem.help("set `endpoint`, such as \"http://jaeger:4317\""));
        }
        problems.extend(self.port_problem());
        problems
    }

    /// A port that by convention is the other protocol's.
    fn port_problem(&self) -> Option<Problem> {
        let (port, meant, other) = match self.protocol {
            Protocol::Grpc => (4318, "gRPC", "http"),
            Protocol::Http => (4317, "HTTP", "grpc"),
        };
        let uri: Uri = self.endpoint.as_ref()?.parse().ok()?;
        (uri.port_u16() == Some(port)).then(|| {
            let message = format!("{port} is seldom the port of OTLP over {meant}");
            let problem = Problem::new("endpoint", message);
            let help = format!("if it is not, set `protocol = \"{other}\"`");
            Problem { is_warning: true, ..problem.help(help) }
        })
    }

    fn sink(&self, files: &Files) -> Result<OpenTelemetry, Problem> {
        let tls = self.tls.client(files).map_err(|why| Problem::new("tls", why))?;
        let wire = match self.protocol {
            Protocol::Grpc => Wire::Grpc(grpc::Client::new(&tls)),
            Protocol::Http => Wire::Http(Box::new(http::Client::new(tls))),
        };
        Ok(OpenTelemetry {
            wire,
            targets: self.targets()?,
            headers: address::headers(&self.request.headers, self.auth.as_ref())?,
            encoding: self.compression.content_encoding(),
            timeout: self.request.timeout(),
            places: Signal::ALL.map(Place::new),
        })
    }
}

/// The address of a method of the server at `text`.
fn server(setting: &str, text: &str, method: &str) -> Result<Uri, Problem> {
    let base = address::address(setting, text)?;
    if base.path() != "/" || base.query().is_some() {
        let problem = Problem::new(setting, "holds a path: a gRPC server has none, expected `http://host:port`");
        return Err(problem.help("where the path is one of OTLP/HTTP, set `protocol = \"http\"`"));
    }
    address::address(setting, &format!("{}{method}", text.trim_end_matches('/')))
}

impl Settings for OpenTelemetrySettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "opentelemetry";
    const EXAMPLE: &'static str = r#"[sinks.jaeger]
type = "opentelemetry"
inputs = ["spans"]
protocol = "grpc"
endpoint = "http://jaeger:4317"
"#;

    fn check(&self) -> Vec<Problem> {
        let mut problems = self.target_problems();
        problems.extend(address::header_problems(&self.request.headers, self.auth.as_ref()));
        problems.extend(self.tls.check("tls"));
        problems.extend(self.buffer.is_disk().then(|| {
            let message =
                "a disk buffer keeps OTLP records as what they read as: spans and points would not come out as such";
            let help = "`memory`; where a source can wait, `acknowledgements.enabled = true` there loses nothing";
            Problem::new("buffer.type", message).help(help)
        }));
        problems
    }

    fn files(&self) -> Vec<Named> {
        self.tls.files("tls")
    }

    fn check_files(&self, files: &Files, _: &crate::lang::Tables) -> Vec<Problem> {
        self.tls.check_files("tls", files)
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let sink = self.sink(&context.files)?;
        let plan = DeliveryPlan {
            compression: self.compression,
            request: self.request,
            is_required: self.acknowledgements.enabled,
            buffer: self.buffer,
            ..DeliveryPlan::new(&self.batch, MAX_BYTES)
        };
        Ok(Box::new(Delivery { sink: Arc::new(sink), plan }))
    }
}

/// What requests go over.
enum Wire {
    Grpc(grpc::Client),
    Http(Box<http::Client>),
}

/// What is sent, and how it is compressed, if it is.
#[derive(Default)]
struct Message {
    bytes: Bytes,
    encoding: Option<&'static str>,
}

struct OpenTelemetry {
    wire: Wire,
    targets: Targets,
    headers: HeaderMap,
    /// How messages are compressed, if they are.
    encoding: Option<&'static str>,
    timeout: Duration,
    /// Of requests of each signal.
    places: [Place; Signal::ALL.len()],
}

impl OpenTelemetry {
    /// Sends one message of a signal.
    async fn export(&self, uri: &Uri, message: Message) -> Answer {
        let sent = match &self.wire {
            Wire::Grpc(client) => self.call(client, uri, message).await,
            Wire::Http(client) => {
                let sent = client.send_within(self.post(uri, message), MAX_ANSWER).await;
                sent.map(|reply| answer::http(&reply))
            }
        };
        sent.unwrap_or_else(|why| Answer::Retry { why: format!("cannot reach the server: {why}"), after: None })
    }

    async fn call(&self, client: &grpc::Client, uri: &Uri, message: Message) -> Result<Answer, String> {
        let Message { bytes: message, encoding } = message;
        let call = grpc::Call { uri, headers: &self.headers, encoding, message, timeout: self.timeout };
        let reply = client.call(call).await?;
        Ok(match reply.end {
            Some(end) => {
                let details = end.details.as_deref().and_then(read_status);
                let retry_delay = details.and_then(|details| details.retry_delay);
                answer::grpc(&Said { code: end.code, message: end.message, retry_delay }, &reply.message)
            }
            None => answer::no_grpc(reply.status, http::retry_after(&reply.headers)),
        })
    }

    fn post(&self, uri: &Uri, Message { bytes, encoding }: Message) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(bytes));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::PROTOBUF));
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        *request.headers_mut() = headers;
        request
    }

    /// Sends each server a request without records, which it is to take.
    async fn ask_all(&self) -> Result<String, String> {
        let mut answers = Vec::new();
        for (signal, uri) in Signal::ALL.iter().zip(&self.targets) {
            let Some(uri) = uri else { continue };
            let name = signal.name();
            match self.export(uri, Message::default()).await {
                Answer::Retry { why, .. } | Answer::Hold { why } | Answer::Rejected { why, .. } => {
                    return Err(format!("{name}: {why}"));
                }
                _ => answers.push(format!("it takes {name}")),
            }
        }
        Ok(answers.join(", "))
    }
}

impl Sink for OpenTelemetry {
    fn encoder(&self) -> Box<dyn Encoder> {
        let known = [0, 1, 2].map(|at| self.targets[at].is_some().then(|| self.places[at].clone()));
        Box::new(RequestEncoder::new(known))
    }

    fn send(&self, payload: Payload) -> Sending<'_> {
        Box::pin(async move {
            let signal = payload.place.as_ref().and_then(|place| place.get::<Signal>().copied());
            let uri = signal.and_then(|signal| self.targets[signal as usize].as_ref());
            match uri {
                Some(uri) => self.export(uri, Message { bytes: payload.body, encoding: self.encoding }).await,
                // The encoder makes no such request.
                None => Answer::Rejected { code: "no_endpoint".to_owned(), why: "it has no server".to_owned() },
            }
        })
    }

    fn probe(&self) -> Option<Probing<'_>> {
        Some(Box::pin(self.ask_all()))
    }
}
