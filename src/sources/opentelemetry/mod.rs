//! The `opentelemetry` source: receives spans, log records and metrics by OTLP over HTTP and gRPC.
//!
//! Outputs: `ID.traces`, `ID.logs`, `ID.metrics`. A record of `ID.metrics` is one data point. What nothing reads is taken
//! and counted as `unrouted`.
//!
//! **Delivery.** A request is answered when every sink that is to have its records has them queued: on the disk where its
//! buffer is there. With `acknowledgements.enabled` it is answered when they have arrived. Until then the sender keeps
//! them. **Order.** Kept within a request. **Limits.** A request larger than `max_request_bytes`, counted while it is
//! decompressed, is refused with 413 or `RESOURCE_EXHAUSTED`. Where there is no memory or no room in the queues, a request
//! is refused before its body is read: 503 with `Retry-After`, `UNAVAILABLE` with `RetryInfo`. A record that is at fault is
//! refused alone, by `partial_success`.

use std::net::SocketAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::codecs::otlp::Signal;
use crate::component::outlet::Outlet;
use crate::component::row::{About, Context, Problem, Settings};
use crate::component::signal::Stop;
use crate::component::size::ByteSize;
use crate::component::source::{Running, Source};

mod answer;
mod body;
mod desk;
mod grpc;
mod http;
mod listen;
mod opening;
#[cfg(test)]
mod tests;

/// What the specification of OTLP recommends.
const MAX_REQUEST_BYTES: u64 = 64 << 20;
/// Positions in a request have 32 bits.
const LARGEST_REQUEST: u64 = 1 << 30;

/// Receives spans, log records and metrics by OTLP over HTTP and gRPC.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenTelemetrySettings {
    /// Where OTLP/HTTP is received. Without this and `grpc` both doors are open on this machine, at their usual ports.
    #[serde(default)]
    http: Option<HttpSettings>,
    /// Where OTLP/gRPC is received. Both doors may have the same address.
    #[serde(default)]
    grpc: Option<GrpcSettings>,
    /// Largest request in bytes, after it was decompressed.
    #[serde(default = "max_request_bytes")]
    max_request_bytes: ByteSize,
    /// When senders are answered.
    #[serde(default)]
    acknowledgements: Acknowledgements,
}

/// The door for HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HttpSettings {
    /// Address and port to listen on.
    #[serde(default = "http_address")]
    #[schemars(with = "String")]
    address: SocketAddr,
}

/// The door for gRPC.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GrpcSettings {
    /// Address and port to listen on.
    #[serde(default = "grpc_address")]
    #[schemars(with = "String")]
    address: SocketAddr,
}

/// When senders are answered.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Acknowledgements {
    /// When their records have arrived where the sinks send them, not when they are queued.
    enabled: bool,
}

const fn max_request_bytes() -> ByteSize {
    ByteSize(MAX_REQUEST_BYTES)
}

fn http_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4318))
}

fn grpc_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4317))
}

impl OpenTelemetrySettings {
    /// The addresses with the settings they stand in; where both doors have the same one it is there once.
    fn doors(&self) -> Vec<(&'static str, SocketAddr)> {
        if self.http.is_none() && self.grpc.is_none() {
            return vec![("http.address", http_address()), ("grpc.address", grpc_address())];
        }
        let http = self.http.iter().map(|http| ("http.address", http.address));
        let mut doors: Vec<_> = http.chain(self.grpc.iter().map(|grpc| ("grpc.address", grpc.address))).collect();
        doors.dedup_by_key(|(_, address)| *address);
        doors
    }
}

impl Settings for OpenTelemetrySettings {
    type Built = Box<dyn Source>;
    const NAME: &'static str = "opentelemetry";
    const EXAMPLE: &'static str = r#"[sources.otlp]
type = "opentelemetry"
http.address = "127.0.0.1:4318"
grpc.address = "127.0.0.1:4317"
"#;

    fn outputs(&self) -> Vec<Option<String>> {
        Signal::ALL.map(|signal| Some(signal.name().to_owned())).to_vec()
    }

    fn check(&self) -> Vec<Problem> {
        let open = |(setting, address): (&'static str, SocketAddr)| {
            let message = "anyone who can reach this machine can send records here";
            let problem = Problem::new(setting, message).about(About::Door);
            let help = "`127.0.0.1` keeps it to this machine; in a pod, a network policy tells who may send";
            (!address.ip().is_loopback()).then(|| Problem { is_warning: true, ..problem.help(help) })
        };
        let size = (self.max_request_bytes.0 > LARGEST_REQUEST)
            .then(|| Problem::new("max_request_bytes", "expected at most 1GiB"));
        self.doors().into_iter().filter_map(open).chain(size).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        Ok(Box::new(OpenTelemetry { settings: self, context }))
    }
}

struct OpenTelemetry {
    settings: OpenTelemetrySettings,
    context: Context,
}

impl Source for OpenTelemetry {
    fn run(self: Box<Self>, outlet: Arc<dyn Outlet>, stop: Stop) -> Running {
        let manner = desk::Manner {
            max_bytes: self.settings.max_request_bytes.0 as usize,
            waits_for_arrival: self.settings.acknowledgements.enabled,
        };
        let addresses = self.settings.doors().into_iter().map(|(_, address)| address).collect();
        let desk = Arc::new(desk::Desk::new(self.context, outlet, manner));
        Box::pin(listen::run(addresses, desk, stop))
    }
}
