//! The server: it is asked what its tables are, and gets their rows.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri};
use tokio::time::timeout;

use super::answer::{self, Class, Exception};
use super::columns::{CatchAll, Unfit};
use super::encoder::{Form, RowEncoder};
use super::insert::Insert;
use super::question::{self, Facts};
use super::target::{Name, Spot, Table};
use crate::component::renewed::Renewed;
use crate::component::sink::{Answer, Encoder, KnownBy, Payload, Place, Probing, Sending, Sink, Verdict};
use crate::delivery::http::{Client, Reply};

/// How long the question about a table may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Older servers close a connection that nothing used for 3 s; one that is closed under a request costs a retry.
const KEEP_IDLE: Duration = Duration::from_secs(2);

/// A client for this kind of server.
pub(super) fn client(tls: Renewed<rustls::ClientConfig>) -> Client {
    Client::keeping_idle(tls, KEEP_IDLE)
}

pub(super) struct Clickhouse {
    pub(super) client: Client,
    pub(super) id: String,
    /// The endpoint, without a slash at its end.
    pub(super) base: String,
    pub(super) headers: HeaderMap,
    pub(super) content_encoding: Option<&'static str>,
    pub(super) insert: Insert,
    /// Of all that makes the rows of the same records other rows.
    pub(super) fingerprint: u32,
    /// The column for members that no other takes.
    pub(super) rest: Option<String>,
    pub(super) form: Arc<Form>,
    pub(super) told: Told,
}

/// Warnings that were given: each is given once.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashSet<String>>);

impl Told {
    fn warn(&self, id: &str, text: String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.contains(&text) {
            tracing::warn!(component_id = id, "{text}");
            told.insert(text);
        }
    }

    /// All that was said.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().cloned().collect()
    }
}

impl Clickhouse {
    fn request(&self, query: &str, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let uri: Uri = format!("{}/?{query}", self.base).parse().map_err(|error| format!("the address: {error}"))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// Asks what a table is. An error is what becomes of the request that waits for it.
    async fn ask(&self, name: &Name) -> Result<Option<Facts>, Answer> {
        let retry = |why: String| Answer::Retry { why: format!("cannot reach ClickHouse: {why}"), after: None };
        let request = self.request("", Bytes::from(question::sql(name))).map_err(retry)?;
        let reply = timeout(PATIENCE, self.client.send(request)).await;
        let reply = reply.map_err(|_| retry(format!("no answer within {PATIENCE:?}")))?.map_err(retry)?;
        if let Some(exception) = Exception::of(&reply) {
            return match exception.class(reply.status.as_u16()) {
                Class::Door(hint) => Err(Answer::Hold { why: format!("{}: {hint}", exception.named()) }),
                Class::Busy => Err(Answer::Retry { why: exception.named(), after: reply.retry_after() }),
                // Who may write may not be allowed to ask.
                _ => Ok(None),
            };
        }
        match answer::plain(&reply) {
            // The answer is a text, as it should be.
            _ if reply.status.is_success() => Ok(Facts::read(&reply.body)),
            Answer::Split | Answer::Rejected { .. } => Ok(None),
            answer => Err(answer),
        }
    }

    /// Learns what a table is, unless that is known.
    async fn look(&self, table: &Table) -> Result<(), Answer> {
        if table.is_known() {
            return Ok(());
        }
        let _one_asks = table.asking.lock().await;
        if !table.is_known() {
            let facts = self.ask(&table.name).await?;
            table.learn(self.weigh_facts(facts.as_ref()));
        }
        Ok(())
    }

    /// Warns of what a person should know of a table; gives the column that takes the rest.
    fn weigh_facts(&self, facts: Option<&Facts>) -> Option<CatchAll> {
        let name = self.form.target.written.to_string();
        let Some(facts) = facts else {
            let why = "whether inserts are remembered and which columns there are is not known";
            self.told.warn(&self.id, format!("the server does not tell what `{name}` is: {why}"));
            return None;
        };
        if let Some(why) = facts.repeats(&name).filter(|_| self.insert.has_token()) {
            self.told.warn(&self.id, why);
        }
        let rest = self.rest.as_deref().filter(|_| facts.exists())?;
        let unfit = match CatchAll::new(rest, &facts.columns()) {
            Ok(columns) => return Some(columns),
            Err(Unfit::Absent) => "there is no such column".to_owned(),
            Err(Unfit::Type(kind)) => {
                format!("it is a `{kind}`, expected `JSON`, `Map(String, String)` or `String`")
            }
        };
        self.told.warn(&self.id, format!("`unknown_fields_column` has no use in `{name}`: `{rest}`: {unfit}"));
        None
    }

    async fn deliver(&self, payload: Payload) -> Answer {
        let spot: &Spot =
            payload.place.as_ref().and_then(Place::get).expect("the encoder names a table for each record");
        if let Err(answer) = self.look(&spot.table).await {
            return answer;
        }
        if spot.is_stale() {
            return Answer::Anew;
        }
        let retry = |why: String| Answer::Retry { why: format!("cannot reach ClickHouse: {why}"), after: None };
        let query =
            self.insert.query(&spot.table.name, spot.catch_all.is_some(), (payload.fingerprint, payload.identity));
        let mut request = match self.request(&query, payload.body) {
            Ok(request) => request,
            Err(why) => return retry(why),
        };
        if let Some(encoding) = self.content_encoding {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        match self.client.send(request).await {
            Ok(reply) => self.read(&reply, spot, payload.records).await,
            Err(why) => retry(why),
        }
    }

    async fn read(&self, reply: &Reply, spot: &Spot, records: usize) -> Answer {
        let Some(exception) = Exception::of(reply) else {
            return answer::plain(reply);
        };
        if self.rest.is_some() && exception.is_about_columns() {
            spot.table.doubt();
            if let Err(answer) = self.look(&spot.table).await {
                return answer;
            }
            if spot.is_stale() {
                return Answer::Anew;
            }
        }
        let why = |hint: &str| format!("{}: {hint}", exception.named());
        match exception.class(reply.status.as_u16()) {
            Class::There => Answer::AlreadyThere,
            Class::Busy => Answer::Retry { why: exception.named(), after: reply.retry_after() },
            Class::Door(hint) => {
                spot.table.doubt();
                Answer::Hold { why: why(hint) }
            }
            Class::Table(hint) => {
                spot.table.doubt();
                let why = why(&format!("`{}`: {hint}", self.form.target.written));
                self.hold_table(why, records)
            }
            Class::Data if records == 1 => {
                Answer::Rejected { code: exception.code.to_string(), why: exception.quote() }
            }
            Class::Data | Class::TooLarge => Answer::Split,
        }
    }

    /// Where records choose among tables, the others go on.
    fn hold_table(&self, why: String, records: usize) -> Answer {
        if self.form.target.is_constant() {
            return Answer::Hold { why };
        }
        Answer::Partial((0..records).map(|at| (at, Verdict::Hold { why: why.clone() })).collect())
    }

    /// What a person wants to know of the server and its table before anything is sent.
    async fn examine(&self) -> Result<String, String> {
        let name = self.form.target.constant();
        let asked = name.clone().unwrap_or(Name { database: "system".to_owned(), table: "tables".to_owned() });
        let facts = match self.ask(&asked).await {
            Ok(facts) => facts.ok_or("it does not tell what it is: is it ClickHouse?")?,
            Err(Answer::Hold { why } | Answer::Retry { why, .. }) => return Err(why),
            Err(answer) => return Err(format!("{answer:?}")),
        };
        let Some(name) = name else { return Ok(format!("ClickHouse {}", facts.version)) };
        if !facts.exists() {
            return Err(format!("ClickHouse {} has no table `{name}`, or does not show it to us", facts.version));
        }
        let warning = facts.repeats(&name.to_string()).filter(|_| self.insert.has_token());
        let warning = warning.map_or_else(String::new, |why| format!("; {why}"));
        Ok(format!("ClickHouse {}, `{name}` is a {}{warning}", facts.version, facts.engine))
    }
}

impl Sink for Clickhouse {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(RowEncoder::new(self.form.clone()))
    }

    fn identity(&self) -> KnownBy {
        if self.insert.has_token() { KnownBy::Request { fingerprint: self.fingerprint } } else { KnownBy::Nothing }
    }

    fn send(&self, payload: Payload) -> Sending<'_> {
        Box::pin(self.deliver(payload))
    }

    fn probe(&self) -> Option<Probing<'_>> {
        Some(Box::pin(self.examine()))
    }
}
