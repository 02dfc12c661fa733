//! A position that a person sets. The generation gets a new key: what is read again comes under identities that no other
//! record has, and so a destination that knows records by them does not drop it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use super::fingerprint::{Fingerprint, Guard, first_bytes, read_at};
use super::job::{FileId, Job, Letter};
use super::look::node;
use super::mailbox::Mailbox;
use super::positions::{Checkpoint, Entry, Positions};
use super::survey::Survey;
use super::tail::Tail;
use crate::component::inspect::{Position, Wish};
use crate::event::StreamKey;

/// How far back the beginning of a line is looked for, to name it.
const LOOK_BACK: usize = 64 << 10;

/// What a lane is asked to do.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: FileId,
    pub(super) wish: Wish,
    pub(super) answer: Weak<Survey<Result<Position, String>>>,
}

/// A new beginning.
struct Start {
    key: StreamKey,
    at: Checkpoint,
}

impl Start {
    /// Where `wish` has `file` begin, unless that is beyond its end or in the middle of a line.
    fn of(file: &File, wish: &Wish) -> Result<Self, String> {
        let unread = |error: io::Error| format!("cannot read `{}`: {error}", wish.path.display());
        let (size, offset) = (file.metadata().map_err(unread)?.len(), wish.offset);
        if offset > size {
            return Err(format!("`{}` has {size} bytes; byte {offset} is beyond its end", wish.path.display()));
        }
        if !wish.force
            && let Some(begin) = line_around(file, offset).map_err(unread)?
        {
            let begin = begin.map_or_else(String::new, |begin| format!(" that begins at byte {begin}"));
            return Err(format!(
                "byte {offset} is inside a line{begin}; give a byte that begins one, or `--force` to pass over its rest"
            ));
        }
        let fingerprint = Fingerprint::of(&first_bytes(file).map_err(unread)?);
        let guard = Guard::read(file, offset).map_err(unread)?.unwrap_or_default();
        Ok(Self { key: StreamKey::random(), at: Checkpoint { offset, guard, fingerprint } })
    }
}

/// Is `offset` inside a line? Then also where that begins, if that is near.
fn line_around(file: &File, offset: u64) -> io::Result<Option<Option<u64>>> {
    let mut before = vec![0; LOOK_BACK.min(offset as usize)];
    let from = offset - before.len() as u64;
    let got = read_at(file, &mut before, from)?;
    before.truncate(got);
    if before.last().is_none_or(|byte| *byte == b'\n') {
        return Ok(None);
    }
    let begin = memchr::memrchr(b'\n', &before).map(|at| from + at as u64 + 1);
    Ok(Some(begin.or((from == 0).then_some(0))))
}

impl Tail {
    /// Reads from the wished byte on. A batch that waits for room goes on; what is in flight is nobody's to repeat.
    pub(super) fn set(&mut self, job: &Job, wish: &Wish, lane: &Arc<Mailbox<Letter>>) -> Result<Position, String> {
        let Start { key, at } = Start::of(&self.file, wish)?;
        job.positions.set(self.id, key, at).map_err(|error| not_kept(&error))?;
        self.begin_at(job, (key, at), lane.clone());
        let node = self.file.metadata().ok().map(|about| node(&about));
        Ok(Position {
            path: self.path.to_string_lossy().into_owned(),
            stream_key: format!("{:032x}", key.0),
            device: node.map_or(0, |node| node.device),
            inode: node.map_or(0, |node| node.inode),
            offset: at.offset,
            is_followed: true,
            left: None,
        })
    }
}

/// Sets what is kept of a file while no agent runs.
pub(super) fn set_kept(positions: &Positions, (id, entry): (FileId, &Entry), wish: &Wish) -> Result<Position, String> {
    let path: &Path = &wish.path;
    let file = File::open(path).map_err(|error| format!("cannot open `{}`: {error}", path.display()))?;
    let about = file.metadata().map_err(|error| format!("cannot look at `{}`: {error}", path.display()))?;
    if node(&about) != entry.node {
        return Err(format!("another file lies at `{}` by now; it is read from its beginning", path.display()));
    }
    let Start { key, at } = Start::of(&file, wish)?;
    positions.set(id, key, at).map_err(|error| not_kept(&error))?;
    Ok(Position { offset: at.offset, stream_key: format!("{:032x}", key.0), ..entry.position(false) })
}

fn not_kept(error: &io::Error) -> String {
    format!("cannot keep the position, so nothing has changed: {error}; see whether the disk of `data_dir` is full")
}
