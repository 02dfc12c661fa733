//! `GET /buffers`: what each disk buffer holds, also those that no sink has.

use std::io;
use std::path::Path;

use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Body, Controls, files::blocking, json, refusal};
use crate::buffer::inspect::{self, Summary};
use crate::config::Kind;

/// A disk buffer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BufferOf {
    /// The sink.
    pub id: String,
    /// Has nobody a sink of this name?
    pub is_orphan: bool,
    /// What it holds.
    #[serde(flatten)]
    pub summary: Summary,
}

/// The disk buffers in `data_dir`, in order of their names.
pub fn buffers(data_dir: &Path, is_orphan: impl Fn(&str) -> bool) -> io::Result<Vec<BufferOf>> {
    let folder = data_dir.join(inspect::FOLDER);
    let of = |id: String| {
        let summary = inspect::summary(&folder.join(&id))?;
        Ok(BufferOf { is_orphan: is_orphan(&id), id, summary })
    };
    inspect::list(&folder)?.into_iter().map(of).collect()
}

pub(super) async fn list(controls: &Controls) -> Response<Body> {
    let (members, data_dir) = (controls.shown.roster.members(), controls.data_dir.clone());
    blocking(move || {
        let is_orphan = |id: &str| !members.iter().any(|member| member.kind == Kind::Sink && member.id == id);
        match buffers(&data_dir, is_orphan) {
            Ok(found) => json(&found),
            Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot read the buffers: {error}")),
        }
    })
    .await
}
