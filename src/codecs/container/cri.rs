//! The lines of the Container Runtime Interface: `TIME stdout|stderr TAGS PAYLOAD`.
//!
//! The first of the tags, which colons part, is `P` for a piece of a line and `F` for its last piece or a whole one
//! (kubernetes/design-proposals-archive, node/kubelet-cri-logging.md).

use super::{Framed, Stream};
use crate::codecs::rfc3339;

/// Bytes in which a time ends: RFC 3339 with nanoseconds and an offset has 35.
const LONGEST_TIME: usize = 40;

#[inline]
pub(super) fn parse(line: &[u8]) -> Option<Framed> {
    let (time, time_end) = time(line)?;
    let stream = Stream::of(line.get(time_end + 1..time_end + 7)?)?;
    let tags_at = time_end + 8;
    if line[time_end + 7..].first() != Some(&b' ') {
        return None;
    }
    let is_partial = match line.get(tags_at)? {
        b'P' => true,
        b'F' => false,
        _ => return None,
    };
    let payload = match line.get(tags_at + 1) {
        Some(b' ') => tags_at + 2,
        Some(b':') => {
            let more = &line[tags_at + 1..];
            tags_at + 1 + memchr::memchr(b' ', more).map_or(more.len(), |at| at + 1)
        }
        // An empty line of a writer that leaves out the last space.
        None => line.len(),
        Some(_) => return None,
    };
    Some(Framed { time, stream, is_partial, payload: payload..line.len(), is_escaped: false })
}

/// The time that a line begins with, and where that ends.
#[inline]
pub(super) fn time(line: &[u8]) -> Option<(i64, usize)> {
    let end = memchr::memchr(b' ', &line[..line.len().min(LONGEST_TIME)])?;
    Some((rfc3339::parse(&line[..end])?, end))
}
