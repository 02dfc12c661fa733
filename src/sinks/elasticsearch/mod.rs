//! `elasticsearch`: documents to Elasticsearch 7 to 9 and OpenSearch 2 and 3, by the bulk interface.
//!
//! ```toml
//! [sinks.logs]
//! type = "elasticsearch"
//! inputs = ["app"]
//! endpoints = ["https://elasticsearch:9200"]
//! auth = { strategy = "basic", user = "levada", password = "${ELASTICSEARCH_PASSWORD}" }
//! bulk.index = "logs-{{ service }}"
//! ```
//!
//! Guarantee: each record once per index. A document is written with `create` and an `_id` made of the record's
//! identity, so a retry or a re-read finds it already there (409 = stored). In a data stream that holds until its
//! next rollover, since ids are unique per backing index. With `id = "auto"` the server makes the ids: at least once.
//!
//! Answers are read per item: refused documents become dead letters with the server's reason, 429 and 5xx are sent
//! again, an index we may not write to is held without stopping others.

mod answer;
mod encoder;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Uri};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::codecs::Compression;
use crate::component::auth::Auth;
use crate::component::row::{Context, Problem, Settings};
use crate::component::sink::{Answer, Encoder, Payload, Sending, Sink};
use crate::component::tls::TlsSettings;
use crate::delivery::http::Client;
use crate::delivery::settings::{BatchSettings, BufferSettings, RequestSettings};
use crate::delivery::{Delivery, DeliveryPlan, Drain};
use crate::event::hash32;

use encoder::BulkEncoder;
use target::{BulkSettings, DataStreamSettings, Mode, Target};

/// Encoded bytes of a request: in the range Elastic advises (5 to 15 MB), at its small end for the memory it takes.
const MAX_BYTES: usize = 4 << 20;

/// Writes documents to Elasticsearch or OpenSearch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ElasticsearchSettings {
    /// Base addresses, tried in turn.
    #[schemars(length(min = 1))]
    endpoints: Vec<String>,
    /// Plain indices, or data streams.
    #[serde(default)]
    mode: Mode,
    /// Settings of `mode = "bulk"`.
    #[serde(default)]
    bulk: BulkSettings,
    /// Settings of `mode = "data_stream"`.
    #[serde(default)]
    data_stream: DataStreamSettings,
    /// Who makes the `_id` of a document.
    #[serde(default)]
    id: IdSource,
    /// Ingest pipeline to run on the server.
    pipeline: Option<String>,
    /// Parameters added to each request's query.
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// Credentials.
    auth: Option<Auth>,
    /// TLS for `https` endpoints.
    #[serde(default)]
    tls: TlsSettings,
    /// Compression of requests. Elasticsearch takes `gzip`; `zstd` only some builds of OpenSearch.
    #[serde(default)]
    compression: Compression,
    /// When a request is closed and sent; `max_bytes` is 4 MiB by default.
    #[serde(default)]
    batch: BatchSettings,
    /// How requests are sent.
    #[serde(default)]
    request: RequestSettings,
    /// What stands before the sink.
    #[serde(default)]
    buffer: BufferSettings,
}

/// Who makes the `_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum IdSource {
    /// Levada, from the record's identity: each record once.
    #[default]
    Deterministic,
    /// The server: a little faster there, at least once.
    Auto,
}

impl ElasticsearchSettings {
    fn target(&self) -> Result<Target, Problem> {
        Target::new(self.mode, &self.bulk, &self.data_stream)
    }

    /// The addresses that bulk requests go to.
    fn addresses(&self, target: &Target) -> Result<Vec<Uri>, Problem> {
        let mut query = format!("filter_path={}", answer::FILTER_PATH);
        let more = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in more.chain(self.pipeline.as_deref().map(|pipeline| ("pipeline", pipeline))) {
            query.push_str(&format!("&{}={}", escape(name), escape(value)));
        }
        let path = target.constant().map_or_else(|| "/_bulk".to_owned(), |index| format!("/{}/_bulk", escape(index)));
        let address = |(at, endpoint): (usize, &String)| {
            let uri: Result<Uri, _> = format!("{}{path}?{query}", endpoint.trim_end_matches('/')).parse();
            uri.ok()
                .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
                .ok_or_else(|| {
                    Problem::new(
                        format!("endpoints[{at}]"),
                        format!("`{endpoint}` is no address: expected `http://host:9200` or `https://...`"),
                    )
                })
        };
        self.endpoints.iter().enumerate().map(address).collect()
    }
}

/// Escapes text for a part of an URI (RFC 3986, clause 2.1).
fn escape(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Settings for ElasticsearchSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "elasticsearch";

    fn check(&self) -> Vec<Problem> {
        let auth = self.auth.as_ref().and_then(|auth| auth.header().err()).map(|why| Problem::new("auth", why));
        match self.target() {
            Ok(target) => self.addresses(&target).err().into_iter().chain(auth).collect(),
            Err(problem) => std::iter::once(problem).chain(auth).collect(),
        }
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let target = self.target().map_err(|problem| problem.message)?;
        let addresses = self.addresses(&target).map_err(|problem| problem.message)?;
        let plan = DeliveryPlan {
            compression: self.compression,
            request: self.request.clone(),
            buffer: self.buffer.clone(),
            ..DeliveryPlan::new(&self.batch, MAX_BYTES)
        };
        let sink = Elasticsearch {
            client: Client::new(self.tls.client()?),
            addresses,
            next: AtomicUsize::new(0),
            authorization: self.auth.as_ref().map(Auth::header).transpose()?,
            compression: self.compression,
            target: Arc::new(target),
            salt: hash32(context.id.as_bytes()),
            with_id: self.id == IdSource::Deterministic,
        };
        Ok(Box::new(Delivery { sink: Arc::new(sink), plan }))
    }
}

struct Elasticsearch {
    client: Client,
    addresses: Vec<Uri>,
    next: AtomicUsize,
    authorization: Option<HeaderValue>,
    compression: Compression,
    target: Arc<Target>,
    salt: u32,
    with_id: bool,
}

impl Elasticsearch {
    fn request(&self, payload: Payload) -> Request<Full<bytes::Bytes>> {
        let turn = self.next.load(Ordering::Relaxed) % self.addresses.len();
        let mut request = Request::new(Full::new(payload.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.addresses[turn].clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if let Some(encoding) = self.compression.content_encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }
}

impl Sink for Elasticsearch {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(BulkEncoder::new(self.target.clone(), self.salt, self.with_id))
    }

    fn send(&self, payload: Payload) -> Sending<'_> {
        Box::pin(async move {
            let records = payload.records;
            match self.client.send(self.request(payload)).await {
                Ok(reply) => answer::read(&reply, records),
                Err(why) => {
                    // The next attempt goes to the next address.
                    self.next.fetch_add(1, Ordering::Relaxed);
                    Answer::Retry { why: format!("cannot reach Elasticsearch: {why}"), after: None }
                }
            }
        })
    }
}
