//! `opentelemetry`: spans, log records and metrics by OTLP, over gRPC or HTTP: to Jaeger, Tempo, a Collector, another agent.
//!
//! Guarantee: at least once. A request whose outcome is unknown is sent again as it was, byte for byte: Jaeger knows spans
//! again that are equal with all that they stand in, on most of its stores; others store what comes twice twice. Records that
//! a server says it left out (`partial_success`) are never sent again, as the specification has it, and are counted as
//! `refused_unnamed`: which ones they are is not told.
//!
//! Limits: the servers of `endpoints` are named one by one; a name that stands for several addresses is one server. What holds records in a request is written anew: fields of `ResourceSpans` and
//! `ScopeSpans` that nobody knows do not stay; those of resources, scopes, metrics and records do.

mod answer;
mod encoder;
mod members;
mod request;
mod target;
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
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::sink::{Answer, Encoder, Payload, Probing, Sending, Sink, Verdict};
use crate::component::tls::TlsSettings;
use crate::delivery::settings::{Acknowledgements, BatchSettings, BufferSettings, RequestSettings};
use crate::delivery::{Delivery, DeliveryPlan, Drain, address, grpc, http};

use encoder::RequestEncoder;
use members::{Members, Route};
use target::{Targets, method, server};

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
    /// Servers of which each has the records that `routing_key` sends to it, in place of `endpoint`. Agents that spell them
    /// alike, in whatever order, send the same trace to the same one.
    #[serde(default)]
    endpoints: Vec<String>,
    /// By what the servers of `endpoints` are chosen.
    routing_key: Option<RoutingKey>,
    /// Seconds for which one of `endpoints` must fail before its records go to others.
    #[serde(default = "default_patience")]
    #[schemars(range(min = 0.01, max = 3_600.0))]
    routing_patience_secs: f64,
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

/// By what one of several servers is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RoutingKey {
    /// The trace: its spans and log records meet at one server. What has no trace goes by its service.
    TraceId,
}

const fn default_patience() -> f64 {
    10.0
}

const fn default_compression() -> Compression {
    Compression::Gzip
}

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
        self.endpoint.as_ref().map(|base| self.address(signal, "endpoint", base))
    }

    /// Where a signal goes at a server that takes all of them.
    fn address(&self, signal: Signal, setting: &str, base: &str) -> Result<Uri, Problem> {
        match self.protocol {
            Protocol::Grpc => server(setting, base, method(signal)),
            Protocol::Http => {
                address::address(setting, &format!("{}/v1/{}", base.trim_end_matches('/'), signal.name()))
            }
        }
    }

    /// All servers.
    fn members(&self) -> Result<Vec<(String, Targets)>, Problem> {
        if self.endpoints.is_empty() {
            return Ok(vec![(String::new(), self.targets()?)]);
        }
        let member = |(at, endpoint): (usize, &String)| {
            let [traces, logs, metrics] =
                Signal::ALL.map(|signal| self.address(signal, &format!("endpoints[{at}]"), endpoint));
            Ok((endpoint.clone(), [Some(traces?), Some(logs?), Some(metrics?)]))
        };
        self.endpoints.iter().enumerate().map(member).collect()
    }

    /// Faults of `endpoints` and what goes with them.
    fn member_problems(&self) -> Vec<Problem> {
        let named = [
            ("endpoint", &self.endpoint),
            ("traces_endpoint", &self.traces_endpoint),
            ("logs_endpoint", &self.logs_endpoint),
            ("metrics_endpoint", &self.metrics_endpoint),
        ];
        let both = named.iter().filter(|(_, set)| set.is_some());
        let both = both.map(|(name, _)| Problem::new(*name, "is set beside `endpoints`: expected one of them"));
        let faulty = self.endpoints.iter().enumerate().filter_map(|(at, endpoint)| {
            let first =
                self.endpoints.iter().position(|other| other.trim_end_matches('/') == endpoint.trim_end_matches('/'));
            let twice = || Problem::new(format!("endpoints[{at}]"), format!("`{endpoint}` is there twice"));
            let fault = self.address(Signal::Traces, &format!("endpoints[{at}]"), endpoint).err();
            fault.or_else(|| (first != Some(at)).then(twice))
        });
        let mut problems: Vec<Problem> = both.chain(faulty).collect();
        if self.routing_key.is_none() {
            let problem = Problem::new("endpoints", "is set without `routing_key`: which server has which records?");
            problems.push(problem.help("set `routing_key = \"trace_id\"`, or `endpoint` for one server"));
        }
        problems
    }

    fn targets(&self) -> Result<Targets, Problem> {
        let [traces, logs, metrics] = Signal::ALL.map(|signal| self.target(signal).transpose());
        Ok([traces?, logs?, metrics?])
    }

    fn target_problems(&self) -> Vec<Problem> {
        if !self.endpoints.is_empty() {
            return self.member_problems();
        }
        let mut problems: Vec<Problem> = Vec::new();
        if self.routing_key.is_some() {
            let problem = Problem::new("routing_key", "is set without `endpoints`: there is nothing to choose");
            problems.push(problem);
        }
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

    fn sink(&self, context: &Context) -> Result<OpenTelemetry, Problem> {
        let tls = self.tls.renewed(&context.files, Some(&context.meters)).map_err(|why| Problem::new("tls", why))?;
        let wire = match self.protocol {
            Protocol::Grpc => Wire::Grpc(grpc::Client::new(tls)),
            Protocol::Http => Wire::Http(Box::new(http::Client::new(tls))),
        };
        Ok(OpenTelemetry {
            wire,
            members: Arc::new(Members::new(
                self.members()?,
                Duration::from_secs_f64(self.routing_patience_secs),
                context.meters.clone(),
            )),
            headers: address::headers(&self.request.headers, self.auth.as_ref())?,
            encoding: self.compression.content_encoding(),
            timeout: self.request.timeout(),
        })
    }
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
    const REACH: Reach = Reach::Pipeline;

    fn check(&self) -> Vec<Problem> {
        let mut problems = self.target_problems();
        problems.extend(address::header_problems(&self.request.headers, self.auth.as_ref()));
        problems.extend(self.tls.check("tls"));
        problems
    }

    fn idle(&self) -> Vec<Problem> {
        self.buffer.idle().into_iter().chain(self.idle_tls()).collect()
    }

    fn files(&self) -> Vec<Named> {
        self.tls.files("tls")
    }

    fn check_files(&self, files: &Files, _: &crate::lang::Tables) -> Vec<Problem> {
        self.tls.check_files("tls", files)
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let sink = self.sink(&context)?;
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
    members: Arc<Members>,
    headers: HeaderMap,
    /// How messages are compressed, if they are.
    encoding: Option<&'static str>,
    timeout: Duration,
}

impl OpenTelemetry {
    /// Sends one message of a signal; tells too whether the answer is of this signal alone.
    async fn export(&self, uri: &Uri, message: Message) -> (Answer, bool) {
        let sent = match &self.wire {
            Wire::Grpc(client) => self.call(client, uri, message).await,
            Wire::Http(client) => {
                let sent = client.send_within(self.post(uri, message), MAX_ANSWER).await;
                sent.map(|reply| (answer::http(&reply), answer::is_of_signal_http(reply.status.as_u16())))
            }
        };
        let unreached = |why| Answer::Retry { why: format!("cannot reach the server: {why}"), after: None };
        sent.unwrap_or_else(|why: String| (unreached(why), false))
    }

    async fn call(&self, client: &grpc::Client, uri: &Uri, message: Message) -> Result<(Answer, bool), String> {
        let Message { bytes: message, encoding } = message;
        let call = grpc::Call { uri, headers: &self.headers, encoding, message, timeout: self.timeout };
        let reply = client.call(call).await?;
        Ok(match reply.end {
            Some(end) => {
                let details = end.details.as_deref().and_then(read_status);
                let retry_delay = details.and_then(|details| details.retry_delay);
                let said = Said { code: end.code, message: end.message, retry_delay };
                (answer::grpc(&said, &reply.message), answer::is_of_signal_grpc(said.code))
            }
            None => (answer::no_grpc(reply.status, http::retry_after(&reply.headers)), false),
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
        let mut answers: Vec<String> = Vec::new();
        for (signal, uri) in self.members.targets().flat_map(|targets| Signal::ALL.iter().zip(targets)) {
            let (Some(uri), name) = (uri, signal.name()) else { continue };
            if let Answer::Retry { why, .. } | Answer::Hold { why } | Answer::Rejected { why, .. } =
                self.export(uri, Message::default()).await.0
            {
                let host = uri.authority().map_or("", |authority| authority.as_str());
                return Err(format!("{host}, {name}: {why}"));
            }
            answers.push(format!("it takes {name}"));
        }
        answers.dedup();
        Ok(answers.join(", "))
    }

    async fn deliver(&self, payload: Payload) -> Answer {
        let route = payload.place.as_ref().and_then(|place| place.get::<Route>());
        let to = route
            .and_then(|route| Some((route, self.members.targets_of(route.member)[route.signal as usize].as_ref()?)));
        // The encoder makes no request that goes nowhere.
        let Some((route, uri)) = to else {
            return Answer::Rejected { code: "no_endpoint".to_owned(), why: "it has no server".to_owned() };
        };
        if self.members.is_passed_over(route.member) {
            return Answer::Anew;
        }
        let message = Message { bytes: payload.body, encoding: self.encoding };
        let (answer, is_of_signal) = self.export(uri, message).await;
        match self.members.told(route.member, answer) {
            Answer::Hold { why } if is_of_signal && self.members.holds_alone(route) => {
                let hold = |record| (record, Verdict::Hold { why: why.clone() });
                Answer::Partial((0..payload.records).map(hold).collect())
            }
            answer => {
                if matches!(answer, Answer::Delivered | Answer::DeliveredInPart { .. }) {
                    self.members.has_taken(route);
                }
                answer
            }
        }
    }
}

impl Sink for OpenTelemetry {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(RequestEncoder::new(self.members.clone()))
    }

    fn send(&self, payload: Payload) -> Sending<'_> {
        Box::pin(self.deliver(payload))
    }

    fn probe(&self) -> Option<Probing<'_>> {
        Some(Box::pin(self.ask_all()))
    }
}
