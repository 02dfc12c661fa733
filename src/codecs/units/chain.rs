//! A chain: the pieces of one line that a container runtime wrote one by one, up to the last.

use std::sync::Arc;
use std::time::Duration;

use super::{Line, reuse};
use crate::event::Origin;

/// A chain without a new piece for so long is passed on as it is: its writer died within a line, or waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The pieces so far of a line of one stream.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Where reading begins again for its sake: where the first piece begins, or the file, if that is in another one.
    pub(super) start: Option<u64>,
    /// Where the first piece begins in its file.
    position: u64,
    /// That file, if it is another one.
    pub(super) from: Option<Arc<Origin>>,
    text: Vec<u8>,
    original: u64,
    /// The first piece's.
    time: i64,
    /// When the last piece was read.
    pub(super) tick: Duration,
}

impl Chain {
    /// Adds a piece; no more than `cap` bytes are kept. Each byte is copied once: time is linear however small pieces are.
    pub(super) fn push(&mut self, piece: &Line<'_>, cap: usize, tick: Duration) {
        if self.start.is_none() {
            (self.start, self.position, self.time) = (Some(piece.position), piece.position, piece.time);
        }
        self.tick = tick;
        let room = cap.saturating_sub(self.text.len()).min(piece.text.len());
        self.text.extend_from_slice(&piece.text[..room]);
        self.original += piece.original;
    }

    /// The chain ends; its text is to be given back.
    pub(super) fn end(&mut self) -> Option<(Vec<u8>, Ended)> {
        self.start.take()?;
        let (original, from) = (std::mem::take(&mut self.original), self.from.take());
        let ended = Ended { position: self.position, time: self.time, original, from };
        Some((std::mem::take(&mut self.text), ended))
    }

    /// The next file goes on with it. `origin` is that of its stream in this one.
    pub(super) fn pass_down(&mut self, origin: &Arc<Origin>) {
        if self.start.is_some() {
            self.start = Some(0);
            self.from.get_or_insert_with(|| origin.clone());
        }
    }

    pub(super) fn give_back(&mut self, text: Vec<u8>) {
        self.text = reuse(text);
    }

    pub(super) fn is_inherited(&self) -> bool {
        self.start.is_some() && self.from.is_some()
    }

    pub(super) fn held(&self) -> usize {
        self.text.len()
    }
}

/// What is known of a chain besides its text.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) position: u64,
    pub(super) time: i64,
    pub(super) original: u64,
    pub(super) from: Option<Arc<Origin>>,
}
