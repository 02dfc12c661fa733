//! Walking over the frames of a segment: what is whole, what is not, and where the next one begins.

use std::io;

use super::frame::{HEAD, Head, next_magic};
use super::storage::Handle;

/// Bytes read ahead.
const WINDOW: usize = 256 << 10;

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole frame.
    Frame(Head),
    /// So many bytes that are none.
    Damage(u64),
    End,
}

/// Reads one segment.
pub(crate) struct Scanner {
    file: Box<dyn Handle>,
    /// What was read last, and where it stands.
    window: Vec<u8>,
    start: u64,
}

impl Scanner {
    pub(crate) fn new(file: Box<dyn Handle>) -> Self {
        Self { file, window: Vec::new(), start: 0 }
    }

    /// Up to `len` bytes at `offset`: fewer only where the file, which has `end` bytes, ends.
    pub(crate) fn fetch(&mut self, offset: u64, len: usize, end: u64) -> io::Result<&[u8]> {
        let len = (len as u64).min(end.saturating_sub(offset)) as usize;
        let has = |start: u64, have: usize| offset >= start && offset + len as u64 <= start + have as u64;
        if !has(self.start, self.window.len()) {
            let wanted = (len.max(WINDOW) as u64).min(end.saturating_sub(offset)) as usize;
            self.window.resize(wanted, 0);
            // What a read leaves behind after an error is nobody's.
            self.start = u64::MAX;
            let read = self.file.read_at(offset, &mut self.window)?;
            self.window.truncate(read);
            self.start = offset;
        }
        let at = (offset - self.start) as usize;
        Ok(&self.window[at..self.window.len().min(at + len)])
    }

    /// What stands at `offset` of a file of `end` bytes.
    pub(crate) fn look(&mut self, offset: u64, end: u64) -> io::Result<Found> {
        if offset >= end {
            return Ok(Found::End);
        }
        if let Some(head) = self.whole(offset, end)? {
            return Ok(Found::Frame(head));
        }
        let mut at = offset;
        while let Some(next) = self.next_magic(at, end)? {
            at = next;
            if self.whole(at, end)?.is_some() {
                return Ok(Found::Damage(at - offset));
            }
        }
        Ok(Found::Damage(end - offset))
    }

    /// The head of the frame at `offset`, if all of it is there.
    fn whole(&mut self, offset: u64, end: u64) -> io::Result<Option<Head>> {
        let Ok(head) = Head::read(self.fetch(offset, HEAD, end)?) else { return Ok(None) };
        if offset + head.len() > end {
            return Ok(None);
        }
        let body = self.body(offset, &head, end)?;
        Ok(head.owns(body).then_some(head))
    }

    /// The body of the frame at `offset`.
    pub(crate) fn body(&mut self, offset: u64, head: &Head, end: u64) -> io::Result<&[u8]> {
        let whole = self.fetch(offset, head.len() as usize, end)?;
        Ok(whole.get(HEAD..).unwrap_or_default())
    }

    fn next_magic(&mut self, offset: u64, end: u64) -> io::Result<Option<u64>> {
        let mut at = offset;
        while at + HEAD as u64 <= end {
            let window = self.fetch(at, WINDOW, end)?;
            if let Some(found) = next_magic(window) {
                return Ok(Some(at + found as u64));
            }
            // A magic may begin in the last three bytes.
            at += (window.len().saturating_sub(3)).max(1) as u64;
        }
        Ok(None)
    }
}
