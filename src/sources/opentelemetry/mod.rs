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

use super::door::{Acknowledgements, Door, HttpAuth, Keepalive, Manner, exposed, run};
use crate::codecs::otlp::Signal;
use crate::component::claim::{Claim, Claimed, Transport};
use crate::component::files::{Files, Named};
use crate::component::outlet::Outlet;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::signal::Stop;
use crate::component::size::ByteSize;
use crate::component::source::{Running, Source};
use crate::component::tls_server::TlsServerSettings;
use crate::lang::Tables;

mod answer;
mod grpc;
mod http;
mod intake;
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
    /// Credentials that senders must show, at both doors.
    #[serde(default)]
    auth: Option<HttpAuth>,
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
    /// TLS of this door.
    #[serde(default)]
    tls: Option<TlsServerSettings>,
    /// How long connections are kept.
    #[serde(default)]
    keepalive: Keepalive,
}

/// The door for gRPC.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GrpcSettings {
    /// Address and port to listen on.
    #[serde(default = "grpc_address")]
    #[schemars(with = "String")]
    address: SocketAddr,
    /// TLS of this door.
    #[serde(default)]
    tls: Option<TlsServerSettings>,
    /// How long connections are kept.
    #[serde(default)]
    keepalive: Keepalive,
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

impl Default for HttpSettings {
    fn default() -> Self {
        Self { address: http_address(), tls: None, keepalive: Keepalive::default() }
    }
}

impl Default for GrpcSettings {
    fn default() -> Self {
        Self { address: grpc_address(), tls: None, keepalive: Keepalive::default() }
    }
}

/// A door as its settings have it.
#[derive(Clone, PartialEq)]
struct Opened {
    /// The table its settings stand in.
    table: &'static str,
    address: SocketAddr,
    tls: Option<TlsServerSettings>,
    keepalive: Keepalive,
}

impl OpenTelemetrySettings {
    /// Both doors, or the one there is.
    fn all(&self) -> Vec<Opened> {
        let has_none = self.http.is_none() && self.grpc.is_none();
        let http = self.http.clone().or_else(|| has_none.then(HttpSettings::default));
        let grpc = self.grpc.clone().or_else(|| has_none.then(GrpcSettings::default));
        let http =
            http.map(|HttpSettings { address, tls, keepalive }| Opened { table: "http", address, tls, keepalive });
        let grpc =
            grpc.map(|GrpcSettings { address, tls, keepalive }| Opened { table: "grpc", address, tls, keepalive });
        http.into_iter().chain(grpc).collect()
    }

    /// Those that are opened: two of the same address are one.
    fn doors(&self) -> Vec<Opened> {
        let mut doors = self.all();
        doors.dedup_by_key(|door| door.address);
        doors
    }

    /// The fault of two doors that are one and differ.
    fn disagree(&self) -> Option<Problem> {
        let [http, grpc] = &self.all()[..] else { return None };
        let is_one = http.address == grpc.address;
        let differs = http.tls != grpc.tls || http.keepalive != grpc.keepalive;
        let message = "both doors have this address, and differ in `tls` or `keepalive`: one door has one of each";
        (is_one && differs).then(|| Problem::new("grpc.address", message))
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
    const REACH: Reach = Reach::Machine("it listens on ports of this machine");

    fn outputs(&self) -> Vec<Option<String>> {
        Signal::ALL.map(|signal| Some(signal.name().to_owned())).to_vec()
    }

    fn claims(&self) -> Vec<Claim> {
        let claim =
            |door: &Opened| Claim::new(format!("{}.address", door.table), Claimed::Port(Transport::Tcp, door.address));
        self.doors().iter().map(claim).collect()
    }

    fn check(&self) -> Vec<Problem> {
        let open = |door: &Opened| exposed(&format!("{}.address", door.table), door.address, self.auth.is_some());
        let tls = |door: &Opened| door.tls.as_ref().map(|tls| tls.check(&format!("{}.tls", door.table)));
        let size = (self.max_request_bytes.0 > LARGEST_REQUEST)
            .then(|| Problem::new("max_request_bytes", "expected at most 1GiB"));
        let mut problems: Vec<Problem> = self.doors().iter().filter_map(open).collect();
        problems.extend(self.doors().iter().filter_map(tls).flatten());
        problems.extend(self.disagree().into_iter().chain(size));
        problems
    }

    fn files(&self) -> Vec<Named> {
        let of = |door: Opened| Some(door.tls?.files(&format!("{}.tls", door.table)));
        self.doors().into_iter().filter_map(of).flatten().collect()
    }

    fn check_files(&self, files: &Files, _: &Tables) -> Vec<Problem> {
        let of = |door: Opened| Some(door.tls?.check_files(&format!("{}.tls", door.table), files));
        self.doors().into_iter().filter_map(of).flatten().collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let door = |Opened { address, tls, keepalive, .. }: Opened| {
            let tls = tls.as_ref().and_then(|tls| tls.server(&context)).transpose()?;
            Ok(Door { address, tls, keepalive })
        };
        let doors = self.doors().into_iter().map(door).collect::<Result<_, String>>()?;
        let manner =
            Manner { max_bytes: self.max_request_bytes.0 as usize, waits_for_arrival: self.acknowledgements.enabled };
        Ok(Box::new(OpenTelemetry { doors, manner, auth: self.auth, context }))
    }
}

struct OpenTelemetry {
    doors: Vec<Door>,
    manner: Manner,
    auth: Option<HttpAuth>,
    context: Context,
}

impl Source for OpenTelemetry {
    fn run(self: Box<Self>, outlet: Arc<dyn Outlet>, stop: Stop) -> Running {
        let intake = intake::Intake::new((self.context, outlet), self.manner, self.auth.as_ref());
        Box::pin(run(self.doors, Arc::new(intake), stop))
    }
}
