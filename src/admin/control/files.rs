//! `GET /files`, `GET /positions`, `POST /positions`, `POST /why`: the files of sources, and why one is absent.

use hyper::{Response, StatusCode};
use tokio::task::spawn_blocking;

use super::{Body, Caller, Controls, json, refusal, status};
use crate::admin::sight::{self, SetRequest};
use crate::admin::why::{Subject, why};
use crate::transforms::protected;

/// How each file stands.
pub(super) async fn files(controls: &Controls) -> Response<Body> {
    let members = controls.shown.roster.members();
    blocking(move || json(&sight::files(&sight::inspected(&members)))).await
}

/// What is kept of each file.
pub(super) async fn positions(controls: &Controls) -> Response<Body> {
    let members = controls.shown.roster.members();
    blocking(move || json(&sight::positions(&sight::inspected(&members)))).await
}

/// Sets a position. What was read under another key may come twice, or not at all: the log says who asked.
pub(super) async fn set(controls: &Controls, request: SetRequest, caller: Caller) -> Response<Body> {
    let members = controls.shown.roster.members();
    blocking(move || {
        let (path, offset) = (request.wish.path.display().to_string(), request.wish.offset);
        let (uid, pid) = (caller.uid, caller.pid);
        match sight::set(&sight::inspected(&members), &request) {
            Ok(done) => {
                let path = protected(&path);
                let (component_id, stream_key) = (&done.source, &done.position.stream_key);
                let act = "positions set";
                tracing::info!(act, component_id, path, offset, stream_key, uid, pid, "audit: a position was set");
                json(&done)
            }
            Err(why) => {
                let (path, told) = (protected(&path), protected(&why));
                tracing::info!(
                    act = "positions set",
                    path,
                    offset,
                    why = told,
                    uid,
                    pid,
                    "audit: a position was not set"
                );
                refusal(StatusCode::CONFLICT, &why)
            }
        }
    })
    .await
}

/// Says why logs are absent.
pub(super) async fn why_not(controls: &Controls, subject: Subject) -> Response<Body> {
    let shown = controls.shown.clone();
    blocking(move || {
        let members = shown.roster.members();
        let counted = status::status(&shown).components;
        json(&why(&subject, &sight::sights(&members, &counted), true))
    })
    .await
}

/// Files and lanes may take their time: not on a thread that carries sockets.
pub(super) async fn blocking(work: impl FnOnce() -> Response<Body> + Send + 'static) -> Response<Body> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "an internal error, see the agent's log"))
}
