//! `POST /pause` and `POST /resume`: one source stops reading, and reads again.

use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{Body, Caller, Controls, json, refusal};
use crate::component::clock;
use crate::component::pause::Paused;
use crate::config::Kind;
use crate::diagnostic::closest;

/// Which source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PauseRequest {
    /// Its name.
    pub id: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PauseDone {
    /// Was it otherwise before?
    pub is_changed: bool,
}

/// Pauses the source, or has it read again.
pub(super) async fn set(controls: &Controls, (id, is_pause): (String, bool), caller: Caller) -> Response<Body> {
    if let Err(why) = known(controls, &id) {
        return refusal(StatusCode::NOT_FOUND, &why);
    }
    let state = is_pause.then(|| Paused { since: clock::now(), uid: caller.uid, pid: caller.pid });
    let pauses = controls.pauses.clone();
    let asked = id.clone();
    let done = spawn_blocking(move || pauses.set(&asked, state)).await;
    let act = if is_pause { "pause" } else { "resume" };
    let (uid, pid) = (caller.uid, caller.pid);
    match done {
        Ok(Ok(is_changed)) => {
            tracing::info!(act, component_id = id, is_changed, uid, pid, "audit: a source was paused or resumed");
            json(&PauseDone { is_changed })
        }
        Ok(Err(error)) => {
            let why = format!(
                "cannot keep that in the state folder, so nothing has changed: {error}; see whether its disk is full"
            );
            refusal(StatusCode::INSUFFICIENT_STORAGE, &why)
        }
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "an internal error, see the agent's log"),
    }
}

/// A source that runs, or one that was paused when it did.
fn known(controls: &Controls, id: &str) -> Result<(), String> {
    let members = controls.shown.roster.members();
    match members.iter().find(|member| member.id == id) {
        Some(member) if member.kind == Kind::Source => return Ok(()),
        Some(member) => {
            let kind = member.kind.noun();
            return Err(format!("`{id}` is a {kind}: only a source can be paused, and what is behind it then rests"));
        }
        None if controls.pauses.state(id).is_some() => return Ok(()),
        None => {}
    }
    let sources = members.iter().filter(|member| member.kind == Kind::Source);
    let ids: Vec<_> = sources.map(|member| member.id.as_str()).collect();
    let meant = closest(id, ids.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
    Err(format!("there is no source `{id}`; {}", meant.unwrap_or_else(|| format!("there are {}", ids.join(", ")))))
}
