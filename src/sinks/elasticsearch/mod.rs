//! `elasticsearch`: documents to Elasticsearch 7 to 9 and OpenSearch 2 and 3, by the bulk interface.
//!
//! Guarantee: each record once per index. A document is written with `create` and an `_id` made of the record's
//! identity, so a retry or a re-read finds it already there (409 = stored). An index named by a date keeps that as long
//! as the record tells its own time: the time of reading differs in a re-read. In a data stream it holds until its next
//! rollover, since ids are unique per backing index. With `id = "auto"` the server makes the ids: at least once. With
//! `bulk.action = "index"` a re-sent document overwrites what was changed in it meanwhile. With `id_key` the first
//! record of an id is kept and later ones count as stored; with `bulk.version` besides, the one with the highest version
//! is kept, in whatever order they arrive.
//!
//! Answers are read per item: refused documents become dead letters with the server's reason, 429 and 5xx are sent
//! again, an index we may not write to is held without stopping others. Documents that the server put into a failure
//! store count as stored, and as errors of the kind `failure_store`. Where the server can, it is told not to repeat
//! documents in its error messages (8.18 and later): `GET /` is asked once for that.
//!
//! Limits: records choose an index only behind a literal beginning or within `allow`, 1,000 of them in an hour; names
//! are made lower case. One document is one line: a record whose own text has line breaks is not sent well.

mod answer;
mod encoder;
mod name;
mod server;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod timestamp;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codecs::{Compression, ShapeSettings};
use crate::component::auth::Auth;
use crate::component::files::{Files, Named};
use crate::component::meters::Meters;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::sink::{Answer, Encoder, KnownBy, Payload, Probing, Sending, Sink};
use crate::component::tls::TlsSettings;
use crate::delivery::address::{self, Endpoints, escape};
use crate::delivery::confined::Allow;
use crate::delivery::http::{Client, Reply};
use crate::delivery::settings::{Acknowledgements, BatchSettings, BufferSettings, RequestSettings};
use crate::delivery::{Delivery, DeliveryPlan, Drain};
use crate::event::{Path, hash32};
use crate::lang::Tables;

use encoder::{BulkEncoder, Form};
use server::{Build, Server};
use stream::DataStreamSettings;
use target::{Action, BulkSettings, Mode, Target};
use version::Version;

/// Encoded bytes of a request. Elastic advises 5 to 15 MB for a client that sends one at a time; here several are under
/// way at once, and what is in flight is what loads the server, and our memory.
const MAX_BYTES: usize = 1 << 20;

/// Writes documents to Elasticsearch or OpenSearch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ElasticsearchSettings {
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
    /// Member whose text or number becomes the `_id` where a record has it; it stays in the document.
    id_key: Option<String>,
    /// Ingest pipeline to run on the server.
    pipeline: Option<String>,
    /// What of a document is written.
    #[serde(default)]
    encoding: ShapeSettings,
    /// Parameters added to each request's query.
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// Credentials.
    auth: Option<Auth>,
    /// TLS for `https` endpoints.
    #[serde(default)]
    tls: TlsSettings,
    /// Compression of requests. Elasticsearch takes `gzip` and no `zstd`; some builds of OpenSearch take it.
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

/// Who makes the `_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum IdSource {
    /// Levada, from the record's identity: each record once.
    #[default]
    Deterministic,
    /// The server: a little faster there, at least once.
    Auto,
}

/// Parameters that the sink sets itself.
const OWN_PARAMETERS: [&str; 1] = ["filter_path"];

impl ElasticsearchSettings {
    fn target(&self) -> Result<Target, Problem> {
        match self.mode {
            Mode::Bulk => Target::index(&self.bulk),
            Mode::DataStream => Target::stream(&self.data_stream),
        }
    }

    /// A data stream knows no other action.
    fn action(&self) -> Action {
        match self.mode {
            Mode::Bulk => self.bulk.action,
            Mode::DataStream => Action::Create,
        }
    }

    fn id_key(&self) -> Result<Option<Path>, Problem> {
        let parsed = self.id_key.as_deref().map(Path::parse).transpose();
        parsed.map_err(|error| Problem::new("id_key", error.to_string()))
    }

    /// The version of each document, where records tell it.
    fn version(&self) -> Result<Option<Version>, Problem> {
        let version = match self.mode {
            Mode::Bulk => self.bulk.version()?,
            Mode::DataStream => None,
        };
        if version.is_some() && self.id_key.is_none() {
            let problem = Problem::new(
                "bulk.version",
                "is set without `id_key`: versions are compared between documents of one id",
            );
            return Err(problem.help("name the member that is the document's id in `id_key`"));
        }
        Ok(version)
    }

    /// The query of bulk requests.
    fn bulk_query(&self) -> Result<String, Problem> {
        let mut query = format!("filter_path={}", answer::FILTER_PATH);
        let more = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in more.chain(self.pipeline.as_deref().map(|pipeline| ("pipeline", pipeline))) {
            if OWN_PARAMETERS.contains(&name) {
                return Err(Problem::new(format!("query.{name}"), format!("`{name}` is set by the sink itself")));
            }
            query.extend(["&", &escape(name), "=", &escape(value)]);
        }
        Ok(query)
    }

    fn addresses(&self, target: &Target) -> Result<Vec<Addresses>, Problem> {
        let query = self.bulk_query()?;
        let path = target.constant().map_or_else(|| "/_bulk".to_owned(), |index| format!("/{}/_bulk", escape(index)));
        let addresses = |(at, endpoint): (usize, &String)| {
            let setting = format!("endpoints[{at}]");
            let base = endpoint.trim_end_matches('/');
            let read = |rest: &str| address::address(&setting, &format!("{base}{rest}"));
            let hiding = format!("{path}?{query}&{}=false", answer::HIDE_SOURCE);
            Ok(Addresses { root: read("/")?, bulk: read(&format!("{path}?{query}"))?, hiding: read(&hiding)? })
        };
        self.endpoints.iter().enumerate().map(addresses).collect()
    }

    /// Of all endpoints, and of the query that they share.
    fn addresses_problems(&self) -> Vec<Problem> {
        let base = |(at, endpoint): (usize, &String)| address::address(&format!("endpoints[{at}]"), endpoint).err();
        let mut problems: Vec<Problem> = self.endpoints.iter().enumerate().filter_map(base).collect();
        if !problems.is_empty() {
            problems.extend(self.bulk_query().err());
        } else if let Ok(target) = self.target() {
            problems.extend(self.addresses(&target).err());
        }
        problems
    }

    fn sink(&self, context: &Context) -> Result<Elasticsearch, Problem> {
        let tls = self.tls.renewed(&context.files, Some(&context.meters)).map_err(|why| Problem::new("tls", why))?;
        let target = self.target()?;
        let mut headers = address::headers(&self.request.headers, self.auth.as_ref())?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if let Some(encoding) = self.compression.content_encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Ok(Elasticsearch {
            client: Client::new(tls),
            endpoints: Endpoints::new(self.addresses(&target)?),
            headers,
            compression: self.compression,
            asks: !self.query.contains_key(answer::HIDE_SOURCE),
            server: Server::default(),
            meters: context.meters.clone(),
            form: Arc::new(Form {
                target,
                action: self.action(),
                salt: hash32(context.id.as_bytes()),
                with_id: self.id == IdSource::Deterministic,
                id_key: self.id_key()?,
                shape: self.encoding.shape()?,
                version: self.version()?,
            }),
        })
    }
}

impl Settings for ElasticsearchSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "elasticsearch";
    const EXAMPLE: &'static str = r#"[sinks.logs]
type = "elasticsearch"
inputs = ["app"]
endpoints = ["https://elasticsearch:9200"]
auth = { strategy = "basic", user = "levada", password = "${ELASTICSEARCH_PASSWORD}" }
bulk.index = "logs-{{ service }}"
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check(&self) -> Vec<Problem> {
        let (allow, globs) = match self.mode {
            Mode::Bulk => ("bulk.allow", &self.bulk.allow),
            Mode::DataStream => ("data_stream.allow", &self.data_stream.allow),
        };
        let mut problems = Allow::problems(allow, globs);
        problems.extend(self.target().err().filter(|problem| !problem.setting.starts_with(allow)));
        problems.extend(self.addresses_problems());
        problems.extend(address::header_problems(&self.request.headers, self.auth.as_ref()));
        problems.extend(self.id_key().err());
        problems.extend(self.encoding.shape().err().map(Problem::from));
        problems.extend(self.version().err());
        problems.extend(self.tls.check("tls"));
        problems
    }

    fn idle(&self) -> Vec<Problem> {
        let tls = self.tls.idle("tls", self.endpoints.iter().map(String::as_str));
        self.buffer.idle().into_iter().chain(tls).chain([self.mode.idle()]).collect()
    }

    fn files(&self) -> Vec<Named> {
        self.tls.files("tls")
    }

    fn check_files(&self, files: &Files, _: &Tables) -> Vec<Problem> {
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

/// The addresses of one endpoint.
#[derive(Debug)]
struct Addresses {
    /// Says what the server is.
    root: Uri,
    /// Takes bulk requests.
    bulk: Uri,
    /// The same, for servers that can leave documents out of their errors.
    hiding: Uri,
}

struct Elasticsearch {
    client: Client,
    endpoints: Endpoints<Addresses>,
    headers: HeaderMap,
    compression: Compression,
    /// May the server be asked what it is?
    asks: bool,
    server: Server,
    meters: Meters,
    form: Arc<Form>,
}

impl Elasticsearch {
    fn request(&self, uri: &Uri, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// What the server is; asked at the first request.
    async fn build(&self, addresses: &Addresses) -> Build {
        if let Some(build) = self.server.known() {
            return build;
        }
        if !self.asks {
            return Build::Unknown;
        }
        self.server.build(&self.client, self.question(addresses)).await
    }

    /// What asks a server what it is.
    fn question(&self, addresses: &Addresses) -> Request<Full<Bytes>> {
        let mut question = self.request(&addresses.root, Bytes::new());
        *question.method_mut() = Method::GET;
        question.headers_mut().remove(CONTENT_TYPE);
        question.headers_mut().remove(CONTENT_ENCODING);
        question
    }

    /// Asks every endpoint.
    async fn ask_all(&self) -> Result<String, String> {
        let mut answers = Vec::new();
        for addresses in self.endpoints.all() {
            let root = &addresses.root;
            let reply = self.client.send(self.question(addresses)).await.map_err(|why| format!("{root}: {why}"))?;
            answers.push(format!("{root}: {}", reply.probed().map_err(|why| format!("{root}: {why}"))?));
        }
        Ok(answers.join(", "))
    }

    async fn deliver(&self, payload: Payload) -> Answer {
        let (turn, addresses) = self.endpoints.pick();
        let build = self.build(addresses).await;
        if self.compression == Compression::Zstd && matches!(build, Build::Elasticsearch { .. }) {
            let why = "Elasticsearch takes no `zstd`: set `compression = \"gzip\"`";
            return Answer::Hold { why: why.to_owned() };
        }
        let hides = self.server.hides_source(build);
        let uri = if hides { &addresses.hiding } else { &addresses.bulk };
        match self.client.send(self.request(uri, payload.body)).await {
            Ok(reply) => self.read(&reply, payload.records, turn),
            Err(why) => {
                self.endpoints.failed(turn);
                Answer::Retry { why: format!("cannot reach Elasticsearch: {why}"), after: None }
            }
        }
    }

    fn read(&self, reply: &Reply, records: usize, turn: usize) -> Answer {
        if answer::refuses_hiding(reply) {
            self.server.refused_hiding();
            return Answer::Retry { why: format!("the server refuses `{}`", answer::HIDE_SOURCE), after: None };
        }
        if matches!(reply.status.as_u16(), 502..=504) {
            self.endpoints.failed(turn);
        }
        self.meters.errors("failure_store", answer::kept_as_failures(reply));
        answer::read(reply, records)
    }
}

impl Sink for Elasticsearch {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(BulkEncoder::new(self.form.clone()))
    }

    fn identity(&self) -> KnownBy {
        if self.form.with_id { KnownBy::Record } else { KnownBy::Nothing }
    }

    fn send(&self, payload: Payload) -> Sending<'_> {
        Box::pin(self.deliver(payload))
    }

    fn probe(&self) -> Option<Probing<'_>> {
        Some(Box::pin(self.ask_all()))
    }
}
