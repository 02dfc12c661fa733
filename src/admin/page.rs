//! The answers: four pages, read-only.

use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus::TextEncoder;
use serde::Serialize;

use super::door::Shown;
use crate::component::mask::masked;
use crate::config::Kind;
use crate::topology::{Member, Standing};

type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// The text format that Prometheus reads.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers one request; its body is not read.
pub(super) fn answer<B>(request: &Request<B>, shown: &Shown) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "this door is read-only\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/livez" => respond(StatusCode::OK, TEXT, "alive\n"),
        "/readyz" if shown.roster.is_ready() => respond(StatusCode::OK, TEXT, "ready\n"),
        "/readyz" => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not all sources have started\n"),
        "/health" => health(shown),
        "/metrics" => metrics(shown),
        _ => respond(StatusCode::NOT_FOUND, TEXT, "there are /livez, /readyz, /health and /metrics\n"),
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn metrics(shown: &Shown) -> Answer {
    shown.figures.refresh();
    shown.families.refresh(Instant::now());
    match TextEncoder::new().encode_to_string(&shown.families.registry().gather()) {
        Ok(text) => respond(StatusCode::OK, METRICS, text),
        Err(error) => {
            tracing::error!(%error, "cannot write metrics");
            respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "cannot write metrics\n")
        }
    }
}

/// The body of `/health`.
#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    version: &'static str,
    components: Vec<Condition<'a>>,
}

/// How a component is.
#[derive(Serialize)]
struct Condition<'a> {
    id: &'a str,
    kind: &'static str,
    #[serde(rename = "type")]
    type_name: &'a str,
    state: &'static str,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

fn health(shown: &Shown) -> Answer {
    let members = shown.roster.members();
    // Transforms run where their source reads: they have no state of their own.
    let alive = members.iter().filter(|member| member.kind != Kind::Transform);
    let components: Vec<_> = alive.map(Condition::of).collect();
    let status =
        ["degraded", "starting", "paused"].into_iter().find(|bad| components.iter().any(|one| one.state == *bad));
    let health = Health { status: status.unwrap_or("running"), version: env!("CARGO_PKG_VERSION"), components };
    let body = serde_json::to_string(&health).expect("strings are JSON");
    respond(StatusCode::OK, JSON, masked(&body).into_owned())
}

impl<'a> Condition<'a> {
    fn of(member: &'a Member) -> Self {
        let Standing { state, why, since } = member.standing();
        let since = DateTime::from_timestamp_nanos(since);
        Self {
            id: &member.id,
            kind: member.kind.noun(),
            type_name: &member.type_name,
            state,
            since: since.to_rfc3339_opts(SecondsFormat::Secs, true),
            why: why.map(|why| without_paths(&why)),
        }
    }
}

/// The reason without paths of this machine: the door shows none. An address of a server stays.
fn without_paths(why: &str) -> String {
    let is_path = |word: &str| word.trim_start_matches(['`', '"', '\'', '(']).starts_with('/') && word.len() > 1;
    let words = why.split(' ').map(|word| if is_path(word) { "(path)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::without_paths;

    #[test]
    fn paths_are_not_shown_and_addresses_are() {
        let why = "cannot write `/var/log/app/out.log`: full; http://host:9200/_bulk says 1 / 2";
        assert_eq!(without_paths(why), "cannot write (path) full; http://host:9200/_bulk says 1 / 2");
    }
}
