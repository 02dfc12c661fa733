//! What Elasticsearch and OpenSearch say of a bulk request: an answer per item, in request order.

use std::borrow::Cow;

use serde::Deserialize;

use crate::component::sink::{Answer, Verdict};
use crate::delivery::http::Reply;

/// The parts of the answer we ask for (`filter_path`). Successful items stay in: their places are the only key
/// back to the records.
pub(super) const FILTER_PATH: &str =
    "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store";

/// All items stored: the answer says so near its beginning, and need not be read further.
const ALL_STORED: &[u8] = b"\"errors\":false";
/// How far to look for it: `took` comes first where it is sent.
const HEAD: usize = 64;
/// How an item says that its document went to the failure store.
const KEPT_AS_FAILURE: &[u8] = b"\"failure_store\":\"used\"";
/// The parameter that keeps documents out of error messages.
pub(super) const HIDE_SOURCE: &str = "include_source_on_error";

#[derive(Deserialize)]
struct Bulk<'a> {
    errors: bool,
    #[serde(borrow, default)]
    items: Vec<Item<'a>>,
}

/// One key, the action's name.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, alias = "create", alias = "update", alias = "delete")]
    index: Action<'a>,
}

#[derive(Deserialize)]
struct Action<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<Error<'a>>,
}

#[derive(Deserialize)]
struct Error<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(borrow)]
    error: Error<'a>,
}

/// Reads the reply to a bulk request of `records` items.
pub(super) fn read(reply: &Reply, records: usize) -> Answer {
    match reply.status.as_u16() {
        200 if is_all_stored(&reply.body, records) => Answer::Delivered,
        200 => items(&reply.body, records),
        201..=299 => unclear(&format!("the answer {} is none to a bulk request", reply.status)),
        401 | 403 => Answer::Hold {
            why: format!(
                "Elasticsearch refuses our credentials ({}): check `auth` and what its user or key may do",
                explain(reply)
            ),
        },
        404 => Answer::Hold {
            why: format!("Elasticsearch answers {}: does the index or data stream exist?", explain(reply)),
        },
        405 | 406 | 415 => Answer::Hold {
            why: format!("the endpoint answers {} to a bulk request: is it Elasticsearch?", explain(reply)),
        },
        400 if is_unknown_parameter(reply) => {
            Answer::Hold { why: "Elasticsearch does not know a parameter of the request: check `query`".to_owned() }
        }
        // One document that breaks the framing spoils its neighbours: find it.
        400 if records > 1 => Answer::Split,
        413 => Answer::Split,
        _ => reply.class_with(explain(reply)),
    }
}

fn is_unknown_parameter(reply: &Reply) -> bool {
    memchr::memmem::find(&reply.body, b"unrecognized parameter").is_some()
}

/// How many documents of this reply the server put into a failure store: dead letters on its side.
pub(super) fn kept_as_failures(reply: &Reply) -> usize {
    memchr::memmem::find_iter(&reply.body, KEPT_AS_FAILURE).count()
}

/// Does the server refuse the parameter that hides documents from its errors?
pub(super) fn refuses_hiding(reply: &Reply) -> bool {
    reply.status.as_u16() == 400 && memchr::memmem::find(&reply.body, HIDE_SOURCE.as_bytes()).is_some()
}

/// The shortest answer to one item.
const SHORTEST_ITEM: &[u8] = b"{\"index\":{\"status\":200}}";

fn is_all_stored(body: &[u8], records: usize) -> bool {
    let head = &body[..body.len().min(HEAD)];
    // Nothing but `took` may come before: `errors` could be a member of something else. And there must be room for
    // an answer to each item.
    let is_whole = |at: usize| !head[..at].contains(&b'[') && body.len() - at >= records * SHORTEST_ITEM.len();
    memchr::memmem::find(head, ALL_STORED).is_some_and(is_whole) && body.trim_ascii_end().ends_with(b"}")
}

fn unclear(what: &str) -> Answer {
    Answer::Retry { why: format!("{what}; the outcome is unknown"), after: None }
}

/// Status and error type; its reason too where it cannot quote a document.
fn explain(reply: &Reply) -> String {
    let status = reply.status.as_u16();
    match serde_json::from_slice::<Refused<'_>>(&reply.body) {
        Ok(refused) if matches!(status, 401 | 403 | 404 | 429) => {
            format!("{status} {}: {}", refused.error.kind, refused.error.reason)
        }
        Ok(refused) => format!("{status} {}", refused.error.kind),
        Err(_) => status.to_string(),
    }
}

fn items(body: &[u8], records: usize) -> Answer {
    let Ok(bulk) = serde_json::from_slice::<Bulk<'_>>(body) else {
        return unclear("the answer is no bulk answer of Elasticsearch");
    };
    if bulk.items.len() != records {
        return unclear(&format!("the answer tells of {} items, sent were {records}", bulk.items.len()));
    }
    if !bulk.errors {
        return Answer::Delivered;
    }
    let verdicts = bulk.items.into_iter().enumerate().filter_map(|(at, item)| Some((at, verdict(item.index)?)));
    Answer::Partial(verdicts.collect())
}

/// `None`: stored.
fn verdict(action: Action<'_>) -> Option<Verdict> {
    let status = action.status;
    let (kind, reason) = action.error.map_or_else(Default::default, |error| (error.kind, error.reason));
    Some(match status {
        200..=299 => return None,
        // `create` with an id of our own: an earlier attempt won.
        409 if kind == "version_conflict_engine_exception" => Verdict::AlreadyThere,
        429 | 500..=599 => Verdict::Retry { why: format!("Elasticsearch answers {status} {kind} for some records") },
        // Its reason names the index, which may be made of a record's members: it does not go to the log.
        403 | 404 => Verdict::Hold { why: format!("Elasticsearch answers {status} {kind} for an index we write to") },
        400 if is_missing_pipeline(&reason) => Verdict::Hold {
            why: format!("Elasticsearch answers {status}: {reason}; create the pipeline or change `pipeline`"),
        },
        _ => Verdict::Rejected { code: kind.into_owned(), why: reason.into_owned() },
    })
}

/// A name in the settings is wrong, not the document.
fn is_missing_pipeline(reason: &str) -> bool {
    reason.starts_with("pipeline with id [") && reason.ends_with("] does not exist")
}

#[cfg(test)]
mod tests;
