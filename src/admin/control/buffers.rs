//! `GET /buffers`: what each disk buffer holds, also those that no sink has. `POST /buffers/verify` and `POST /buffers/dump`
//! read one that an agent has open, without disturbing it.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::letters::Told;
use super::{Body, Caller, Controls, files::blocking, json, refusal};
use crate::buffer::MinFree;
use crate::buffer::inspect::{self, Contents, Owner, Summary};
use crate::component::transform::Ports;
use crate::config::Kind;
use crate::diagnostic::closest;
use crate::event::Batch;
use crate::transforms::protection;

/// Parts of an answer that wait for whoever reads it.
const WAITING: usize = 4;
/// Bytes of records that are sent together, but for a single record that is larger: one frame shows as any number.
const PIECE: usize = 64 << 10;

/// A disk buffer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BufferOf {
    /// The sink.
    pub id: String,
    /// Has nobody a sink of this name?
    pub is_orphan: bool,
    /// Is it full since less than `min_free` is free?
    #[serde(default)]
    pub lacks_free: bool,
    /// What it holds.
    #[serde(flatten)]
    pub summary: Summary,
}

/// The disk buffers in the state folder that `min_free` is of, in order of their names.
pub fn buffers(min_free: &MinFree, is_orphan: impl Fn(&str) -> bool) -> io::Result<Vec<BufferOf>> {
    let folder = min_free.folder().join(inspect::FOLDER);
    let lacks_free = min_free.look()?.is_short();
    let of = |id: String| {
        let (summary, is_orphan) = (inspect::summary(&folder.join(&id))?, is_orphan(&id));
        Ok(BufferOf { id, is_orphan, lacks_free: lacks_free && !is_orphan, summary })
    };
    inspect::list(&folder)?.into_iter().map(of).collect()
}

pub(super) async fn list(controls: &Controls) -> Response<Body> {
    let (members, min_free) = (controls.shown.roster.members(), controls.min_free.clone());
    blocking(move || {
        let is_orphan = |id: &str| !members.iter().any(|member| member.kind == Kind::Sink && member.id == id);
        match buffers(&min_free, is_orphan) {
            Ok(found) => json(&found),
            Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot read the buffers: {error}")),
        }
    })
    .await
}

/// Which buffers to read all of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VerifyRequest {
    /// Their sinks; all if there are none.
    #[serde(default)]
    pub ids: Vec<String>,
}

/// What was read of one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verified {
    /// The sink.
    pub id: String,
    /// What it holds.
    #[serde(flatten)]
    pub contents: Contents,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which records to show.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DumpRequest {
    /// The sink.
    pub id: String,
    /// How many at most.
    #[serde(default)]
    pub count: Option<u64>,
}

/// Answers with a line for each buffer, as soon as it is read.
pub(super) async fn verify(controls: &Controls, request: VerifyRequest) -> Response<Body> {
    let folder = controls.data_dir.join(inspect::FOLDER);
    let found = match known(&folder, request.ids.clone()).await {
        Ok(found) => found,
        Err(refused) => return *refused,
    };
    let ids = if request.ids.is_empty() { found } else { request.ids };
    let (tell, lines) = mpsc::channel(WAITING);
    spawn_blocking(move || {
        for id in ids {
            let read = inspect::read(&folder.join(&id), Owner::Agent, |_| !tell.is_closed());
            let verified = match read {
                Ok(contents) => Verified { id, contents, error: None },
                Err(error) => Verified { id, error: Some(error.to_string()), ..Verified::default() },
            };
            let line = serde_json::to_string(&verified).unwrap_or_default() + "\n";
            if tell.blocking_send(Bytes::from(line)).is_err() {
                return;
            }
        }
    });
    Response::new(Told { lines }.boxed_unsync())
}

/// Answers with a line for each record, scrubbed.
pub(super) async fn dump(controls: &Controls, request: DumpRequest, caller: Caller) -> Response<Body> {
    let folder = controls.data_dir.join(inspect::FOLDER);
    if let Err(refused) = known(&folder, vec![request.id.clone()]).await {
        return *refused;
    }
    let (Caller { uid, pid }, buffer) = (caller, &request.id);
    tracing::info!(act = "buffer dump", buffer, uid, pid, "audit: records are shown");
    let (tell, lines) = mpsc::channel(WAITING);
    spawn_blocking(move || show_all(&folder.join(&request.id), (request.count.unwrap_or(u64::MAX), &tell)));
    Response::new(Told { lines }.boxed_unsync())
}

/// Shows records until so many were shown, or nobody reads.
fn show_all(folder: &Path, (mut left, tell): (u64, &mpsc::Sender<Bytes>)) {
    let mut scrub = protection();
    let each = |mut batch: Batch| {
        scrub.apply(&mut batch, &mut Ports::default());
        let is_read = show(&batch, left, tell);
        left = left.saturating_sub(batch.len() as u64);
        is_read && left > 0
    };
    if let Err(error) = inspect::read(folder, Owner::Agent, each) {
        tracing::warn!(%error, folder = %folder.display(), "cannot read a disk buffer to its end");
    }
}

/// Shows so many records of a batch at most, in pieces; false if nobody reads.
fn show(batch: &Batch, left: u64, tell: &mpsc::Sender<Bytes>) -> bool {
    let mut lines = Vec::new();
    for record in batch.iter().take(left.try_into().unwrap_or(usize::MAX)) {
        record.write_json(&mut lines);
        lines.push(b'\n');
        if lines.len() >= PIECE && tell.blocking_send(std::mem::take(&mut lines).into()).is_err() {
            return false;
        }
    }
    if lines.is_empty() { !tell.is_closed() } else { tell.blocking_send(lines.into()).is_ok() }
}

/// The buffers there are; those that are asked for must be among them.
async fn known(folder: &Path, asked: Vec<String>) -> Result<Vec<String>, Box<Response<Body>>> {
    let folder: PathBuf = folder.to_owned();
    let listed =
        spawn_blocking(move || inspect::list(&folder)).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let failed =
        |error| Box::new(refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot read the buffers: {error}")));
    let found = listed.map_err(failed)?;
    match asked.iter().find(|id| !found.contains(id)) {
        None => Ok(found),
        Some(id) => {
            let meant = closest(id, found.iter().map(String::as_str)).map(|meant| format!("did you mean `{meant}`?"));
            let hint = meant.unwrap_or_else(|| format!("there are {}", found.join(", ")));
            Err(Box::new(refusal(StatusCode::NOT_FOUND, &format!("there is no disk buffer `{id}`; {hint}"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::test_kit::{Ledger, batch};

    #[test]
    fn a_frame_of_any_size_is_shown_in_small_pieces() {
        let line = "x".repeat(1_000);
        let lines = vec![line.as_str(); 1_000];
        let batch = batch(&Arc::new(Ledger::default()), &lines);
        let (tell, mut told) = mpsc::channel(WAITING);
        let shown = std::thread::spawn(move || {
            let is_read = show(&batch, 900, &tell);
            batch.close();
            is_read
        });
        let pieces: Vec<Bytes> = std::iter::from_fn(|| told.blocking_recv()).collect();
        assert!(shown.join().unwrap());
        assert!(pieces.len() > 10 && pieces.iter().all(|piece| piece.len() < PIECE + 2_000), "{}", pieces.len());
        assert_eq!(String::from_utf8(pieces.concat()).unwrap().lines().count(), 900);
    }

    #[test]
    fn nothing_more_is_shown_when_nobody_reads() {
        let (tell, told) = mpsc::channel(WAITING);
        drop(told);
        let batch = batch(&Arc::new(Ledger::default()), &["a"]);
        assert!(!show(&batch, 1, &tell) && !show(&batch, 0, &tell));
        batch.close();
    }
}
