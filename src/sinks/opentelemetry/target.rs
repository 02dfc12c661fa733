//! Addresses of signals.

use hyper::Uri;

use crate::codecs::otlp::Signal;
use crate::component::row::Problem;
use crate::delivery::address;

use super::{OpenTelemetrySettings, Protocol};

/// The path of a signal's method.
pub(super) const fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    }
}

/// The address of each signal, in their order.
pub(super) type Targets = [Option<Uri>; Signal::ALL.len()];

/// The address of a method of the server at `text`.
pub(super) fn server(setting: &str, text: &str, method: &str) -> Result<Uri, Problem> {
    let base = address::address(setting, text)?;
    if base.path() != "/" || base.query().is_some() {
        let problem = Problem::new(setting, "holds a path: a gRPC server has none, expected `http://host:port`");
        return Err(problem.help("where the path is one of OTLP/HTTP, set `protocol = \"http\"`"));
    }
    address::address(setting, &format!("{}{method}", text.trim_end_matches('/')))
}

impl OpenTelemetrySettings {
    /// A port that by convention is the other protocol's.
    pub(super) fn port_problem(&self) -> Option<Problem> {
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
}

impl OpenTelemetrySettings {
    /// Settings of TLS that have no effect.
    pub(super) fn idle_tls(&self) -> Option<Problem> {
        let own = [&self.endpoint, &self.traces_endpoint, &self.logs_endpoint, &self.metrics_endpoint];
        self.tls.idle("tls", own.into_iter().flatten().chain(&self.endpoints).map(String::as_str))
    }
}
