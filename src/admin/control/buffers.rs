//! `GET /buffers`: what each disk buffer holds, also those that no sink has.

use std::io;

use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Body, Controls, files::blocking, json, refusal};
use crate::buffer::MinFree;
use crate::buffer::inspect::{self, Summary};
use crate::config::Kind;

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
