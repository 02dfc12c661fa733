//! The `http_server` source: receives events by HTTP, as JSON or as text.
//!
//! **Delivery.** A request is answered when every sink that is to have its records has them queued: on the disk where its
//! buffer is there. With `acknowledgements.enabled` it is answered when they have arrived. Until then the sender keeps
//! them. A request is taken as a whole or not at all. **Order.** Kept within a request. **Limits.** A request larger than
//! `max_request_bytes`, counted while it is decompressed, is refused with 413. Where there is no memory or no room in the
//! queues, it is refused before its body is read: 503 with `Retry-After`.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::door::{Acknowledgements, Door, HttpAuth, Keepalive, Manner, exposed, run};
use super::line;
use crate::codecs::Codec;
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
mod capture;
mod decode;
mod intake;
#[cfg(test)]
mod tests;

use capture::Names;
use decode::Decoder;
use intake::{Intake, Rules};

/// Requests are held in memory as a whole.
const MAX_REQUEST_BYTES: u64 = 64 << 20;
/// Positions in a request have 32 bits.
const LARGEST_REQUEST: u64 = 1 << 30;

/// Receives events by HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpServerSettings {
    /// Address and port to listen on.
    #[schemars(with = "String")]
    address: SocketAddr,
    /// Path that requests are sent to.
    #[serde(default = "path")]
    path: String,
    /// Is a request to another path refused? If not, those that begin with `path` are taken too.
    #[serde(default = "strict_path")]
    strict_path: bool,
    /// Method of the requests.
    #[serde(default)]
    method: HttpMethod,
    /// Headers that become members of the records, by the names written here; `*` stands for any characters.
    #[serde(default)]
    headers: Vec<String>,
    /// Parameters of the query that become members of the records, by the names written here; `*` stands for any characters.
    #[serde(default)]
    query_parameters: Vec<String>,
    /// Member that gets the path of the request: `path` if the codec is `bytes`, none if it is `json`. Empty for none.
    #[serde(default)]
    path_key: Option<String>,
    /// Member that gets the address of the sender: `host` if the codec is `bytes`, none if it is `json`. Empty for none.
    #[serde(default)]
    host_key: Option<String>,
    /// How bodies are cut into records.
    #[serde(default)]
    framing: Framing,
    /// How records are decoded.
    #[serde(default)]
    decoding: Decoding,
    /// Status of the answer to a request that was taken.
    #[serde(default = "response_code")]
    #[schemars(range(min = 200, max = 299))]
    response_code: u16,
    /// Largest request in bytes, after it was decompressed.
    #[serde(default = "max_request_bytes")]
    max_request_bytes: ByteSize,
    /// Credentials that senders must show.
    #[serde(default)]
    auth: Option<HttpAuth>,
    /// TLS of the door.
    #[serde(default)]
    tls: Option<TlsServerSettings>,
    /// How long connections are kept.
    #[serde(default)]
    keepalive: Keepalive,
    /// When senders are answered.
    #[serde(default)]
    acknowledgements: Acknowledgements,
}

/// The method of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum HttpMethod {
    /// The method for this.
    #[default]
    Post,
    /// As some clients do.
    Put,
    /// As some clients do.
    Patch,
}

impl HttpMethod {
    const fn method(self) -> Method {
        match self {
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
        }
    }
}

/// How bodies are cut into records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Framing {
    /// Where one record ends and the next begins; if it is not set, the content type tells.
    method: Option<Cut>,
}

/// Where one record ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Cut {
    /// A body is one record, or with the codec `json` the records of one array.
    Bytes,
    /// A line is a record. The default where the content type says so (`application/x-ndjson` and its other names).
    NewlineDelimited,
}

/// How records are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Decoding {
    /// The codec. With `json`, a body that has anything but objects in it is refused.
    codec: Codec,
}

fn path() -> String {
    "/".to_owned()
}

const fn strict_path() -> bool {
    true
}

const fn response_code() -> u16 {
    200
}

const fn max_request_bytes() -> ByteSize {
    ByteSize(MAX_REQUEST_BYTES)
}

impl Settings for HttpServerSettings {
    type Built = Box<dyn Source>;
    const NAME: &'static str = "http_server";
    const EXAMPLE: &'static str = r#"[sources.events]
type = "http_server"
address = "127.0.0.1:8080"
path = "/logs/write"
decoding.codec = "json"
"#;
    const REACH: Reach = Reach::Machine("it listens on a port of this machine");

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::new("address", Claimed::Port(Transport::Tcp, self.address))]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = exposed("address", self.address, self.auth.is_some()).into_iter().collect();
        if !self.path.starts_with('/') || self.path.contains(['?', '#', ' ']) {
            problems
                .push(Problem::new("path", format!("expected a path such as `/logs/write`, found `{}`", self.path)));
        }
        problems.extend(line::check_key("path_key", self.path_key.as_deref()));
        problems.extend(line::check_key("host_key", self.host_key.as_deref()));
        problems.extend(Names::check("headers", &self.headers));
        problems.extend(Names::check("query_parameters", &self.query_parameters));
        problems.extend(self.tls.iter().flat_map(|tls| tls.check("tls")));
        if self.max_request_bytes.0 > LARGEST_REQUEST {
            problems.push(Problem::new("max_request_bytes", "expected at most 1GiB"));
        }
        problems
    }

    fn files(&self) -> Vec<Named> {
        self.tls.iter().flat_map(|tls| tls.files("tls")).collect()
    }

    fn check_files(&self, files: &Files, _: &Tables) -> Vec<Problem> {
        self.tls.iter().flat_map(|tls| tls.check_files("tls", files)).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let tls = self.tls.as_ref().and_then(|tls| tls.server(&context)).transpose()?;
        let door = Door { address: self.address, tls, keepalive: self.keepalive };
        let manner =
            Manner { max_bytes: self.max_request_bytes.0 as usize, waits_for_arrival: self.acknowledgements.enabled };
        Ok(Box::new(HttpServer { door, manner, rules: self.rules()?, auth: self.auth, context }))
    }
}

impl HttpServerSettings {
    fn rules(&self) -> Result<Rules, String> {
        let is_plain = self.decoding.codec == Codec::Bytes;
        let key = |written: &Option<String>, default: &'static str| {
            line::key(written.as_deref(), is_plain.then_some(default)).map(Box::from)
        };
        Ok(Rules {
            method: self.method.method(),
            path: self.path.clone(),
            is_strict: self.strict_path,
            code: StatusCode::from_u16(self.response_code).map_err(|error| error.to_string())?,
            names: Names::new(&self.headers, &self.query_parameters),
            path_key: key(&self.path_key, "path"),
            host_key: key(&self.host_key, "host"),
            decoder: Decoder { codec: self.decoding.codec, cut: self.framing.method },
        })
    }
}

struct HttpServer {
    door: Door,
    manner: Manner,
    rules: Rules,
    auth: Option<HttpAuth>,
    context: Context,
}

impl Source for HttpServer {
    fn run(self: Box<Self>, outlet: Arc<dyn Outlet>, stop: Stop) -> Running {
        let rules = (self.rules, self.auth.as_ref());
        Box::pin(run(vec![self.door], Arc::new(Intake::new((self.context, outlet), self.manner, rules)), stop))
    }
}
