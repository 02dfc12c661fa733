//! The state of one file: what of it is not whole yet.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::End;
use super::chain::{Chain, PATIENCE};
use super::charset::Charset;
use super::fill::{Fill, Tally};
use super::group::Group;
use super::layout::Layout;
use super::long::Long;
use super::way::Pass;
use crate::codecs::container::Stream;
use crate::event::json::Member;
use crate::event::{Batch, Origin, Shared, StreamKey};

/// A piece of a file.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The block that the batch was made over.
    pub block: &'a [u8],
    /// What is new of it.
    pub bytes: Range<usize>,
    /// Where that begins in the file.
    pub position: u64,
    /// When it was read.
    pub now: Now,
    /// What of a line that does not end in it.
    pub rest: Rest,
}

/// What to do with bytes behind the last line that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// They are not taken: they come again with more.
    Waits,
    /// The same; but where no line ends in the piece, it is as much as is read at once, and the line is taken in parts.
    InParts,
    /// Nothing more comes: they are a line, and what waits for more waits no longer.
    Last,
}

/// A moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Nanoseconds since the Unix epoch: the time of lines that tell none.
    pub time: i64,
    /// Of a clock that never goes back: what waits, waits by it.
    pub tick: Duration,
}

/// What a piece came to.
#[derive(Debug, Default)]
pub struct Taken {
    /// How many of the bytes; the others have to come again, with more behind them.
    pub bytes: usize,
    /// What must become the batch's next block, unless it is empty.
    pub joined: Vec<u8>,
    /// What is to be counted.
    pub tally: Tally,
}

/// Where reading begins again, so that nothing is lost that is not whole yet, and nothing comes twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// The start of the oldest unit that is not whole.
    pub offset: u64,
    /// How far each stream is done beyond that: lines before it have been records already.
    pub ahead: [u64; 3],
}

/// One file on its way from bytes to records.
#[derive(Debug)]
pub struct Assembler {
    origins: [Arc<Origin>; 3],
    pub(super) charset: Charset,
    /// Bytes of the byte order mark.
    pub(super) mark: usize,
    /// Do the bytes up to the next delimiter belong to a line that began before?
    pub(super) is_inside: bool,
    pub(super) long: Long,
    pub(super) streams: [Pending; 3],
    pub(super) members: Vec<Member>,
    pub(super) scratch: Vec<u8>,
}

/// What a file has begun and the next one of the same container goes on with.
#[derive(Debug)]
pub struct Estate([Pending; 3]);

/// What of a stream is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Lines before this position have been records already.
    pub(super) skip: u64,
    pub(super) chain: Chain,
    pub(super) group: Group,
}

impl Assembler {
    /// A file whose records are of `origin`. Each output of a container is a stream of its own: its positions only grow.
    pub fn new(origin: &Arc<Origin>) -> Self {
        Self {
            origins: origins(origin),
            charset: Charset::default(),
            mark: 0,
            is_inside: false,
            long: Long::default(),
            streams: Default::default(),
            members: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The fewest bytes that a read has to have, so that some are taken whatever they are.
    pub fn least_read(&self, layout: &Layout) -> usize {
        layout.split(self.charset).len() * 2 - 1
    }

    /// Reading begins at `resume`, of a file that begins with `first` (three bytes, if it has as many) and has `before`
    /// just before that.
    pub fn begin(&mut self, layout: &Layout, resume: &Resume, (first, before): (&[u8], &[u8])) {
        (self.charset, self.mark) = layout.charset.told_by(first);
        let is_start = resume.offset <= self.mark as u64;
        // Behind a hole that a truncation left, a line begins.
        let is_hole = || before.iter().all(|byte| *byte == 0);
        let is_line = layout.split(self.charset).ends(before) || is_hole();
        self.is_inside = !is_start && !is_line;
        for (pending, ahead) in self.streams.iter_mut().zip(resume.ahead) {
            pending.skip = resume.offset + ahead;
        }
    }

    /// Forgets what is not whole: it is read again.
    pub fn clear(&mut self) {
        self.long.clear();
        self.streams = Default::default();
    }

    /// The file was rotated and is read to its end, and another one goes on where it ends: what is not whole is given up, for that one
    /// to have.
    pub fn bequeath(&mut self) -> Estate {
        let mut streams = std::mem::take(&mut self.streams);
        for (pending, origin) in streams.iter_mut().zip(&self.origins) {
            pending.chain.pass_down(origin);
            pending.group.pass_down(origin);
        }
        for (own, other) in self.streams.iter_mut().zip(&streams) {
            own.skip = other.skip;
        }
        Estate(streams)
    }

    /// This file goes on with what another one has begun, at its beginning. Of what was a record before, nothing is taken.
    pub fn inherit(&mut self, Estate(streams): Estate, resume: &Resume, now: Now) {
        for ((own, mut other), done) in self.streams.iter_mut().zip(streams).zip(resume.ahead) {
            if done == 0 {
                other.chain.tick = now.tick;
                other.group.is_new_at(now.tick);
                *own = Pending { skip: 0, ..other };
            }
        }
    }

    /// Is anything that began in another file not whole yet?
    pub fn is_heir(&self) -> bool {
        let has = |pending: &Pending| pending.group.is_inherited() || pending.chain.is_inherited();
        self.streams.iter().any(has)
    }

    /// Reads a piece: fills the batch with what is whole.
    pub fn take(&mut self, layout: &Layout, batch: &mut Batch, input: &Input<'_>) -> Taken {
        let origins = self.origins.clone();
        let fill = Fill::new(layout, batch.fill(), &origins);
        let mut pass = Pass { layout, fill, block: input.block, now: input.now };
        pass.fill.over(&input.block[input.bytes.clone()]);
        let bytes = self.lines(input, &mut pass);
        if input.rest == Rest::Last {
            self.pass_on(&mut pass, |_| true);
        }
        self.streams.iter_mut().for_each(|pending| pending.group.keep(input.block));
        Taken { bytes, joined: pass.fill.joined, tally: pass.fill.tally }
    }

    /// Time has passed and there is nothing to read: passes on what has waited long enough.
    pub fn flush(&mut self, layout: &Layout, batch: &mut Batch, now: Now) -> Taken {
        self.without_bytes(layout, (batch, now), |due| due <= now.tick)
    }

    /// The file has ended: passes on all that is left.
    pub fn finish(&mut self, layout: &Layout, batch: &mut Batch, now: Now) -> Taken {
        self.without_bytes(layout, (batch, now), |_| true)
    }

    fn without_bytes(
        &mut self,
        layout: &Layout,
        (batch, now): (&mut Batch, Now),
        is_due: impl Fn(Duration) -> bool,
    ) -> Taken {
        let origins = self.origins.clone();
        let mut pass = Pass { layout, fill: Fill::new(layout, batch.fill(), &origins), block: &[], now };
        self.pass_on(&mut pass, is_due);
        Taken { bytes: 0, joined: pass.fill.joined, tally: pass.fill.tally }
    }

    /// Ends what was due at a time that `is_due` names.
    fn pass_on(&mut self, pass: &mut Pass<'_, '_>, is_due: impl Fn(Duration) -> bool) {
        let layout = pass.layout;
        if is_due(Duration::MAX)
            && let Some(ended) = self.long.end()
        {
            self.raw(ended.raw(true), pass);
            self.long.give_back(ended.head);
        }
        for stream in Stream::ALL {
            if self.chain_due(stream).is_some_and(&is_due) {
                self.end_chain(stream, true, pass);
            }
            let pending = &mut self.streams[stream as usize];
            if let Some(rules) = &layout.multiline
                && pending.group.deadline(rules).is_some_and(&is_due)
            {
                pending.group.end(End::Early, &mut pass.reading(rules));
            }
        }
    }

    fn chain_due(&self, stream: Stream) -> Option<Duration> {
        let chain = &self.streams[stream as usize].chain;
        chain.start.map(|_| chain.tick.saturating_add(PATIENCE))
    }

    /// When [`flush`](Self::flush) has something to do, if nothing is read before.
    pub fn deadline(&self, layout: &Layout) -> Option<Duration> {
        let groups = |pending: &Pending| pending.group.deadline(layout.multiline.as_ref()?);
        let groups = self.streams.iter().filter_map(groups);
        groups.chain(Stream::ALL.into_iter().filter_map(|stream| self.chain_due(stream))).min()
    }

    /// Is anything not whole yet?
    pub fn is_holding(&self) -> bool {
        self.long.start.is_some() || self.streams.iter().any(|pending| pending.start().is_some())
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        let pending = self.streams.iter().map(|pending| pending.chain.held() + pending.group.held());
        self.long.held() + pending.sum::<usize>()
    }

    /// Where reading begins again, if all up to `read` was taken.
    pub fn resume(&self, read: u64) -> Resume {
        let done = self.streams.each_ref().map(|pending| {
            let unread = self.long.start.unwrap_or(read);
            pending.start().unwrap_or(unread).max(pending.skip)
        });
        let offset = done.into_iter().min().unwrap_or(read).min(read);
        Resume { offset, ahead: done.map(|at| at - offset) }
    }
}

impl Pending {
    fn start(&self) -> Option<u64> {
        [self.group.start(), self.chain.start].into_iter().flatten().min()
    }
}

/// The origins of a file's streams. The outputs of a container have keys of their own, since a line of one may begin before,
/// and end behind, lines of the other.
fn origins(plain: &Arc<Origin>) -> [Arc<Origin>; 3] {
    Stream::ALL.map(|stream| match stream.name() {
        None => plain.clone(),
        Some(name) => {
            let key = StreamKey(plain.stream().0 ^ (stream as u128) << 64);
            Arc::new(plain.branch(key, &[Shared::string("stream", name)]))
        }
    })
}
