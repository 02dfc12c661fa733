//! A chain: the pieces of one line that a container runtime wrote one by one, up to the last.

use std::time::Duration;

use super::{Line, reuse};

/// A chain without a new piece for so long is passed on as it is: its writer died within a line, or waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The pieces so far of a line of one stream.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Where the first piece begins.
    pub(super) start: Option<u64>,
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
            (self.start, self.time) = (Some(piece.position), piece.time);
        }
        self.tick = tick;
        let room = cap.saturating_sub(self.text.len()).min(piece.text.len());
        self.text.extend_from_slice(&piece.text[..room]);
        self.original += piece.original;
    }

    /// The chain ends; its text is to be given back.
    pub(super) fn end(&mut self) -> Option<(Vec<u8>, Ended)> {
        let position = self.start.take()?;
        let ended = Ended { position, time: self.time, original: std::mem::take(&mut self.original) };
        Some((std::mem::take(&mut self.text), ended))
    }

    pub(super) fn give_back(&mut self, text: Vec<u8>) {
        self.text = reuse(text);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn held(&self) -> usize {
        self.text.len()
    }
}

/// What is known of a chain besides its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) position: u64,
    pub(super) time: i64,
    pub(super) original: u64,
}
