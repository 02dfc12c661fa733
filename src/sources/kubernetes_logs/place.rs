//! What the path of a container's log tells: `NAMESPACE_POD_UID/CONTAINER/RESTARTS.log` below `logs_dir`.

use std::path::Path;

use ring::digest::{SHA256, digest};

use crate::codecs::container;
use crate::event::StreamKey;

/// So many bytes of a log's first line go into its key.
const KEY_BYTES: usize = 256;

/// A pod: the name of its folder. Neither namespaces nor names of pods have an underscore in them. The uid of a static pod is
/// the hash of its manifest, not the uid that the API server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pod<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
}

impl<'a> Pod<'a> {
    pub(super) fn parse(folder: &'a str) -> Option<Self> {
        let mut parts = folder.split('_');
        let [namespace, name, uid] = [parts.next()?, parts.next()?, parts.next()?];
        let is_whole = parts.next().is_none() && ![namespace, name, uid].contains(&"");
        is_whole.then_some(Self { namespace, name, uid })
    }
}

/// A container's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) pod: Pod<'a>,
    pub(super) container: &'a str,
    /// How often the container was restarted before it wrote this log.
    pub(super) restarts: u32,
}

impl<'a> Place<'a> {
    pub(super) fn parse(path: &'a Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let restarts = restarts(name.strip_suffix(".gz").unwrap_or(name))?;
        let container = path.parent()?;
        let pod = container.parent()?.file_name()?.to_str()?;
        Some(Self { pod: Pod::parse(pod)?, container: container.file_name()?.to_str()?, restarts })
    }

    /// The key of the log that begins with `first`: of its place, and of the time and the text of its first line. None, if that is no runtime's. What makes it is the same on a node that
    /// has lost all it knew.
    pub(super) fn key(&self, first: &[u8]) -> Option<StreamKey> {
        let line = first.split(|byte| *byte == b'\n').next()?;
        let time = container::time(line)?;
        let Self { pod, container, restarts } = self;
        let mut text = format!("{}/{container}/{restarts}/{time}/", pod.uid).into_bytes();
        // Two logs of a container may begin within a nanosecond. Of a line that is still being written there is only its time.
        if line.len() < first.len() || line.len() >= KEY_BYTES {
            text.extend_from_slice(&line[..line.len().min(KEY_BYTES)]);
        }
        let half: [u8; 16] = digest(&SHA256, &text).as_ref()[..16].try_into().ok()?;
        Some(StreamKey(u128::from_be_bytes(half)))
    }
}

/// The number of restarts that the name of a log tells: of the one that is written (`0.log`), or of one that was rotated
/// (`0.log.20261121-013000`). What the kubelet compresses is not named so while it is at it (`.tmp`).
pub(super) fn restarts(name: &str) -> Option<u32> {
    let (number, rest) = name.split_once(".log")?;
    let is_log = match rest.strip_prefix('.') {
        None => rest.is_empty(),
        Some(date) => !date.is_empty() && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'),
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    (is_log && is_number).then(|| number.parse().ok()).flatten()
}
