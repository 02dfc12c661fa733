//! A raw line whose end is not in the block where it began.

use super::reuse;

/// The beginning of a line, and how long it is so far.
#[derive(Debug, Default)]
pub(super) struct Long {
    /// Where it begins in the file.
    pub(super) start: Option<u64>,
    head: Vec<u8>,
    len: u64,
    /// Its last byte, which may be a carriage return behind the head.
    last: u8,
}

/// A line that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) start: u64,
    pub(super) head: Vec<u8>,
    /// More than `head` has, if it was cut.
    pub(super) len: u64,
    pub(super) last: u8,
}

impl Long {
    /// Adds bytes of the line that begins at `start` if none does; no more than `cap` of it are kept.
    pub(super) fn push(&mut self, bytes: &[u8], start: u64, cap: usize) {
        self.start.get_or_insert(start);
        let room = cap.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.len += bytes.len() as u64;
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// The line ends here.
    pub(super) fn end(&mut self) -> Option<Ended> {
        let start = self.start.take()?;
        let (head, len) = (std::mem::take(&mut self.head), std::mem::take(&mut self.len));
        Some(Ended { start, head, len, last: self.last })
    }

    /// Takes the buffer of a line back.
    pub(super) fn give_back(&mut self, head: Vec<u8>) {
        self.head = reuse(head);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn held(&self) -> usize {
        self.head.len()
    }
}
