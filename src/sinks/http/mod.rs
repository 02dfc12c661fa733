//! `http`: records in the body of a request, to any receiver that takes JSON or lines.
//!
//! Guarantee: at least once. A request whose outcome is unknown (time-out, broken connection, 408, 425, 429, 5xx) is sent
//! again as it was, `Retry-After` is obeyed; 2xx counts as delivered; 413 is sent in halves; 401, 403, 404, 405, 407, 501
//! and redirections hold the sink until a person acts; other answers make dead letters.
//!
//! Limits: one address for each sink, without fields of records (write several sinks behind a `route`).

mod body;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Request, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codecs::{Compression, Encoding};
use crate::component::auth::Auth;
use crate::component::files::{Files, Named};
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::sink::{Answer, Encoder, Payload, Probing, Sending, Sink};
use crate::component::tls::TlsSettings;
use crate::delivery::address;
use crate::delivery::http::Client;
use crate::delivery::settings::{Acknowledgements, BatchSettings, BufferSettings, RequestSettings};
use crate::delivery::{Delivery, DeliveryPlan, Drain};

use body::{BodyEncoder, Framing, Shape};

/// Encoded bytes of a request.
const MAX_BYTES: usize = 1 << 20;

/// Sends records over HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSettings {
    /// Where to send: `http://host:port/path` or `https://...`.
    uri: String,
    /// Method of the requests.
    #[serde(default)]
    method: Method,
    /// How a record is encoded.
    #[serde(default)]
    encoding: Encoding,
    /// How records stand beside each other; without it `json` gives one array and `text` gives lines.
    framing: Option<Framing>,
    /// Text before the records of a request.
    #[serde(default)]
    payload_prefix: String,
    /// Text behind the records of a request.
    #[serde(default)]
    payload_suffix: String,
    /// Credentials.
    auth: Option<Auth>,
    /// TLS for `https`.
    #[serde(default)]
    tls: TlsSettings,
    /// Compression of requests.
    #[serde(default)]
    compression: Compression,
    /// When a request is closed and sent; `max_bytes` is 1 MiB by default.
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

/// A method that carries a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

impl Method {
    const fn as_hyper(self) -> hyper::Method {
        match self {
            Self::Post => hyper::Method::POST,
            Self::Put => hyper::Method::PUT,
            Self::Patch => hyper::Method::PATCH,
        }
    }
}

impl HttpSettings {
    fn shape(&self) -> Result<Shape, Problem> {
        let shape = Shape::new(self.encoding.writer()?, self.framing.as_ref())?;
        Ok(shape.within(&self.payload_prefix, &self.payload_suffix))
    }

    fn headers(&self) -> Result<HeaderMap, Problem> {
        let mut headers = address::headers(&self.request.headers, self.auth.as_ref())?;
        if let Some(encoding) = self.compression.content_encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        // The receiver's own name for the format wins.
        let format = HeaderValue::from_static(self.shape()?.content_type());
        headers.entry(CONTENT_TYPE).or_insert(format);
        Ok(headers)
    }

    fn sink(&self, context: &Context) -> Result<Http, Problem> {
        let tls = self.tls.renewed(&context.files, Some(&context.meters)).map_err(|why| Problem::new("tls", why))?;
        Ok(Http {
            client: Client::new(tls),
            uri: address::address("uri", &self.uri)?,
            method: self.method.as_hyper(),
            headers: self.headers()?,
            shape: Arc::new(self.shape()?),
        })
    }
}

impl Settings for HttpSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "http";
    const EXAMPLE: &'static str = r#"[sinks.receiver]
type = "http"
inputs = ["app"]
uri = "https://receiver.example/ingest"
method = "post"
encoding.codec = "json"
framing.method = "newline_delimited"
compression = "gzip"
auth = { strategy = "bearer", token = "${RECEIVER_TOKEN}" }
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = address::address("uri", &self.uri).err().into_iter().collect();
        problems.extend(self.shape().err());
        problems.extend(address::header_problems(&self.request.headers, self.auth.as_ref()));
        problems.extend(self.tls.check("tls"));
        problems
    }

    fn idle(&self) -> Vec<Problem> {
        let mut idle = self.buffer.idle();
        idle.extend(self.tls.idle("tls", [self.uri.as_str()]));
        idle
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

struct Http {
    client: Client,
    uri: Uri,
    method: hyper::Method,
    headers: HeaderMap,
    shape: Arc<Shape>,
}

impl Sink for Http {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(BodyEncoder::new(self.shape.clone()))
    }

    fn send(&self, payload: Payload) -> Sending<'_> {
        Box::pin(async move {
            let mut request = Request::new(Full::new(payload.body));
            *request.method_mut() = self.method.clone();
            *request.uri_mut() = self.uri.clone();
            *request.headers_mut() = self.headers.clone();
            match self.client.send(request).await {
                Ok(reply) => reply.class(),
                Err(why) => Answer::Retry { why: format!("cannot reach the destination: {why}"), after: None },
            }
        })
    }

    /// OPTIONS changes nothing at the destination (RFC 9110, clause 9.3.7).
    fn probe(&self) -> Option<Probing<'_>> {
        Some(Box::pin(async move {
            let mut request = Request::new(Full::new(Bytes::new()));
            *request.method_mut() = hyper::Method::OPTIONS;
            *request.uri_mut() = self.uri.clone();
            *request.headers_mut() = self.headers.clone();
            self.client.send(request).await.and_then(|reply| reply.probed())
        }))
    }
}
