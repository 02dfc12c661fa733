//! The tables behind the records of a batch: blocks of input, index, overlay, arena, origins.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::json::Member;
use super::origin::Origin;
use super::otlp::Head;
use super::record::{Form, IN_ARENA, NONE, Record};

/// Shared by every batch that was made from one; copied by the first of them that writes. Blocks are never copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) blocks: Vec<Bytes>,
    pub(crate) members: Vec<Member>,
    pub(crate) edits: Vec<Edit>,
    /// Bytes that were made new: values of edits, rewritten records.
    pub(crate) arena: Vec<u8>,
    pub(crate) origins: Vec<Arc<Origin>>,
    /// What OTLP messages share.
    pub(crate) heads: Vec<Head>,
}

/// One entry of the overlay: a top-level member set or removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    pub(crate) target: Target,
    /// JSON text in the arena; `None`: removed.
    pub(crate) value: Option<Span>,
    /// Has an OTLP message been written with it? Then it only tells what the record reads as.
    pub(crate) is_written: bool,
    /// The record's next edit, or [`NONE`].
    pub(crate) next: u32,
}

/// What an edit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The record's own member of this number: its place is kept.
    Own(u32),
    /// A key the record's bytes do not have (decoded, in the arena): appended.
    New(Span),
}

/// A range of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Tables {
    /// The bytes a record came as (or was last rewritten to).
    pub(crate) fn text(&self, record: &Record) -> &[u8] {
        let range = record.start as usize..(record.start + record.len) as usize;
        if record.block == IN_ARENA { &self.arena[range] } else { &self.blocks[usize::from(record.block)][range] }
    }

    /// The index of a JSON record; of any other it is empty.
    pub(crate) fn members(&self, record: &Record) -> &[Member] {
        if record.form != Form::Json {
            return &[];
        }
        let first = record.members as usize;
        &self.members[first..first + record.member_count as usize]
    }

    pub(crate) fn origin(&self, record: &Record) -> &Arc<Origin> {
        &self.origins[usize::from(record.origin)]
    }

    pub(crate) fn span(&self, span: Span) -> &[u8] {
        &self.arena[span.start as usize..span.end as usize]
    }

    /// The record's edits, oldest first.
    pub(crate) fn edits(&self, record: &Record) -> impl Iterator<Item = &Edit> {
        let mut at = record.edits;
        std::iter::from_fn(move || {
            let edit = self.edits.get(at as usize)?;
            at = edit.next;
            Some(edit)
        })
    }

    /// The edit of the record's own member `number`.
    pub(crate) fn edit_of(&self, record: &Record, number: u32) -> Option<&Edit> {
        self.edits(record).find(|edit| edit.target == Target::Own(number))
    }

    /// The edit of a key that is not among the record's own.
    pub(crate) fn edit_named(&self, record: &Record, key: &[u8]) -> Option<&Edit> {
        self.edits(record).find(|edit| matches!(edit.target, Target::New(name) if self.span(name) == key))
    }

    /// Where the edit `wanted` of a record stands, if there is one.
    pub(crate) fn position_of(&self, record: &Record, wanted: impl Fn(&Self, Target) -> bool) -> Option<usize> {
        let mut at = record.edits;
        while at != NONE {
            let edit = &self.edits[at as usize];
            if wanted(self, edit.target) {
                return Some(at as usize);
            }
            at = edit.next;
        }
        None
    }

    /// Chains a new edit behind the record's others.
    pub(crate) fn push_edit(&mut self, record: &mut Record, target: Target, value: Option<Span>) {
        self.chain(record, Edit { target, value, is_written: false, next: NONE });
    }

    /// The same, with all that is known of it.
    pub(crate) fn chain(&mut self, record: &mut Record, edit: Edit) {
        let new = self.edits.len() as u32;
        self.edits.push(Edit { next: NONE, ..edit });
        let mut link = &mut record.edits;
        // The chain is short: a record has as many edits as a pipeline touches members.
        let mut at = *link;
        while at != NONE {
            link = &mut self.edits[at as usize].next;
            at = *link;
        }
        *link = new;
    }

    /// Gives the edit at `at` another value.
    pub(crate) fn change_edit(&mut self, at: usize, value: Option<Span>) {
        let edit = &mut self.edits[at];
        (edit.value, edit.is_written) = (value, false);
    }

    /// Appends what `write` writes to the arena.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.arena.len() as u32;
        write(&mut self.arena);
        Span { start, end: self.arena.len() as u32 }
    }

    /// Bytes this keeps alive: input, index and overlay.
    pub(crate) fn weight(&self) -> usize {
        self.blocks.iter().map(Bytes::len).sum::<usize>()
            + self.members.capacity() * size_of::<Member>()
            + self.edits.capacity() * size_of::<Edit>()
            + self.heads.capacity() * size_of::<Head>()
            + self.arena.capacity()
    }
}

pub(crate) fn range(start: u32, end: u32) -> Range<usize> {
    start as usize..end as usize
}
