//! A position that a person sets. The generation gets a new key: what is read again comes under identities that no other
//! record has, and so a destination that knows records by them does not drop it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use super::discovery::Discovery;
use super::fingerprint::Fingerprint;
use super::input::{Input, node};
use super::job::{FileId, Job, Letter};
use super::lane::Reader;
use super::mailbox::Mailbox;
use super::positions::{Checkpoint, Entry, Positions};
use super::survey::Survey;
use super::tail::Tail;
use crate::codecs::units::Layout;
use crate::component::clock;
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
    /// Where `wish` has a file begin, unless that is beyond its end or in the middle of a line.
    fn of(file: &mut Input, wish: &Wish, layout: &Layout) -> Result<Self, String> {
        let unread = |error: io::Error| format!("cannot read `{}`: {error}", wish.path.display());
        let offset = wish.offset;
        let Some(guard) = file.guard(offset).map_err(unread)? else {
            return Err(format!("byte {offset} is beyond the end of `{}`; see `levada files`", wish.path.display()));
        };
        if !wish.force
            && let begin = line_begin(file, offset, layout).map_err(unread)?
            && begin != Some(offset)
        {
            let begin = begin.map_or_else(String::new, |begin| format!(" that begins at byte {begin}"));
            return Err(format!(
                "byte {offset} is inside a line{begin}; give a byte that begins one, or `--force` to pass over its rest"
            ));
        }
        let fingerprint = Fingerprint::of(&file.first().map_err(unread)?);
        Ok(Self { key: StreamKey::random(), at: Checkpoint { offset, guard, fingerprint, ..Checkpoint::default() } })
    }
}

/// Where the line begins that `offset` is in, if that is near; `offset` itself if it begins one.
fn line_begin(file: &mut Input, offset: u64, layout: &Layout) -> io::Result<Option<u64>> {
    let mut before = vec![0; LOOK_BACK.min(offset as usize)];
    let from = offset - before.len() as u64;
    let got = file.read(&mut before, from)?;
    before.truncate(got);
    let begin = layout.last_begin(&before).map(|at| from + at as u64);
    Ok(begin.or((from == 0).then_some(0)))
}

impl Tail {
    /// Reads from the wished byte on. A batch that waits for room goes on; what is in flight is nobody's to repeat.
    pub(super) fn set(&mut self, job: &Job, wish: &Wish, lane: &Arc<Mailbox<Letter>>) -> Result<Position, String> {
        let input =
            self.input.as_mut().ok_or("it is closed, since it was truncated or given up; see `levada files`")?;
        let Start { key, at } = Start::of(input, wish, &job.tailing.layout)?;
        let node = input.metadata().ok().map(|about| node(&about));
        job.positions.set(self.id, key, at).map_err(|error| not_kept(&error))?;
        self.begin_at(job, (key, at), lane.clone());
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

impl Reader {
    /// Reads a file from elsewhere, if it is open here.
    pub(super) fn set(&mut self, order: &Order) {
        let Order { id, wish, answer } = order;
        let tail = self.tails.get_mut(id).filter(|tail| tail.input.is_some());
        let done = tail.map(|tail| tail.set(&self.job, wish, &self.mailbox));
        let is_done = matches!(done, Some(Ok(_)));
        Survey::answer(answer, || done.into_iter().collect());
        if is_done {
            self.touched(*id);
        }
    }
}

impl Discovery {
    /// Sets the position of a file that is closed because there was nothing to read: it is found anew and read from there.
    pub(super) fn set(&mut self, order: &Order) {
        let Order { id, wish, answer } = order;
        let node = self.nodes.get(id).copied();
        let is_closed = node.and_then(|node| self.live.get(&node)).is_some_and(|live| live.closed.is_some());
        let entry = self.job.positions.all().into_iter().find(|(of, ..)| of == id && is_closed);
        let done = entry.map(|(id, entry, _)| set_kept(&self.job, &self.job.positions, (id, &entry), wish));
        if let (Some(node), Some(Ok(_))) = (node, &done) {
            self.live.remove(&node);
            self.nodes.remove(id);
            self.job.positions.leave(*id, clock::now());
        }
        Survey::answer(answer, || done.into_iter().collect());
    }
}

/// Sets what is kept of a file that nobody has open.
pub(super) fn set_kept(
    job: &Job,
    positions: &Positions,
    (id, entry): (FileId, &Entry),
    wish: &Wish,
) -> Result<Position, String> {
    let path: &Path = &wish.path;
    let mut file = Input::open(path).map_err(|error| format!("cannot open `{}`: {error}", path.display()))?;
    let about = file.metadata().map_err(|error| format!("cannot look at `{}`: {error}", path.display()))?;
    if Some(node(&about)) != entry.node {
        return Err(format!("another file lies at `{}` by now; it is read from its beginning", path.display()));
    }
    let Start { key, at } = Start::of(&mut file, wish, &job.tailing.layout)?;
    positions.set(id, key, at).map_err(|error| not_kept(&error))?;
    Ok(Position { offset: at.offset, stream_key: format!("{:032x}", key.0), ..entry.position(false) })
}

fn not_kept(error: &io::Error) -> String {
    format!("cannot keep the position, so nothing has changed: {error}; see whether the disk of `data_dir` is full")
}
