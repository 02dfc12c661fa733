//! Requests, from who sends them to their records.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::super::door::{Answer, Answers, Desk, Draft, Encoding, HttpAuth, Keeper, Manner};
use super::super::line;
use super::answer::{Refusal, accepted};
use super::capture::{self, Names};
use super::decode::Decoder;
use crate::component::outlet::Outlet;
use crate::component::row::Context;
use crate::event::{Origin, StreamKey};

/// What is taken, and how.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) method: Method,
    pub(super) path: String,
    /// Is it that path alone?
    pub(super) is_strict: bool,
    /// Status of the answer to what was taken.
    pub(super) code: StatusCode,
    pub(super) names: Names,
    pub(super) path_key: Option<Box<str>>,
    pub(super) host_key: Option<Box<str>>,
    pub(super) decoder: Decoder,
}

/// Takes requests.
pub(super) struct Intake {
    desk: Desk,
    rules: Rules,
    keeper: Option<Keeper>,
}

impl Answers for Intake {
    const PROTOCOL: &'static str = "HTTP";

    fn desk(&self) -> &Desk {
        &self.desk
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Answer> {
        match self.taken(request, peer).await {
            Ok(()) => accepted(self.rules.code, Bytes::new()),
            Err(refusal) => refusal.response(),
        }
    }
}

impl Intake {
    pub(super) fn new(
        (context, outlet): (Context, Arc<dyn Outlet>),
        manner: Manner,
        (rules, auth): (Rules, Option<&HttpAuth>),
    ) -> Self {
        let origin = || Origin::new(StreamKey::random()).with_timestamp_keys(line::timestamp_keys().into());
        Self { desk: Desk::new((context, outlet), manner, (1, origin)), rules, keeper: auth.map(Keeper::new) }
    }

    async fn taken(&self, request: Request<Incoming>, peer: SocketAddr) -> Result<(), Refusal> {
        let (parts, body) = request.into_parts();
        self.admit(&parts)?;
        let encoding = self.encoding(&parts.headers)?;
        let read = self.desk.reader(encoding)?.read(body).await;
        let body = read.map_err(|fault| {
            self.desk.count(&fault);
            Refusal::of(&fault, self.desk.max_bytes())
        })?;
        let decoder = self.rules.decoder.of(content_type(&parts.headers));
        let members = capture::members(&self.rules, &parts, peer);
        let metadata = capture::metadata(&parts);
        let make = move |mut draft: Draft| {
            if !members.is_empty() || !metadata.is_empty() {
                draft.origin = Arc::new(draft.origin.derive(&members).with_metadata(metadata));
            }
            decoder.batch(draft).map(|batch| (batch, ()))
        };
        let taken = self.desk.take((0, body), make).await;
        taken.inspect_err(|refusal| {
            if refusal.status == StatusCode::BAD_REQUEST {
                self.desk.error("malformed");
            }
        })
    }

    /// Refuses a request for who sends it, where to, or how.
    fn admit(&self, Parts { method, uri, headers, .. }: &Parts) -> Result<(), Refusal> {
        if let Some(keeper) = &self.keeper
            && !keeper.admits(headers)
        {
            self.desk.error("unauthorized");
            return Err(Refusal::unknown_sender(keeper.scheme()));
        }
        let Rules { path, is_strict, method: expected, .. } = &self.rules;
        let is_there = if *is_strict { uri.path() == path } else { uri.path().starts_with(path.as_str()) };
        if !is_there {
            self.desk.error("unknown_path");
            return Err(Refusal::unknown_path(path));
        }
        if method != expected {
            self.desk.error("wrong_method");
            return Err(Refusal::wrong_method(expected));
        }
        Ok(())
    }

    fn encoding(&self, headers: &HeaderMap) -> Result<Encoding, Refusal> {
        let told = headers.get(CONTENT_ENCODING).map(|name| Encoding::named(name.to_str().unwrap_or_default()));
        told.unwrap_or(Some(Encoding::Identity)).ok_or_else(|| {
            self.desk.error("content_encoding");
            Refusal::wrong_encoding()
        })
    }
}

/// The content type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}
