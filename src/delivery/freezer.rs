//! Requests that are the same each time: what a disk buffer has goes to a destination that knows requests in windows of whole
//! frames. All bodies are closed at the end of a window; what was a window once is one again after a crash, with whatever
//! settings.

use crate::buffer::{Frames, Mark, Window};
use crate::event::Batch;

/// Keeps the frames of a window together.
#[derive(Debug)]
pub(crate) struct Freezer {
    frames: Frames,
    open: Option<Open>,
}

/// A batch on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// None if it did not come by the disk.
    sequence: Option<u64>,
    /// The window that it was in before.
    known: Option<Window>,
    /// Of the settings that it is sent with.
    pub(crate) fingerprint: u32,
    records: usize,
}

/// A window in the making.
#[derive(Clone, Copy, Debug)]
struct Open {
    window: Window,
    /// It was one before.
    is_known: bool,
    frames: usize,
    records: usize,
}

impl Freezer {
    pub(crate) fn new(frames: Frames) -> Self {
        Self { frames, open: None }
    }

    /// What `batch` is; `fingerprint` is of the settings that hold now.
    pub(crate) fn frame(&self, batch: &Batch, fingerprint: u32) -> Frame {
        let sequence = self.frames.sequence(batch);
        let known = sequence.and_then(|sequence| self.frames.window(sequence));
        let fingerprint = known.map_or(fingerprint, |window| window.fingerprint);
        Frame { sequence, known, fingerprint, records: batch.len() }
    }

    /// Have the bodies that are open to be closed before this frame?
    pub(crate) fn ends_before(&self, frame: &Frame, max_records: usize) -> bool {
        let Some(open) = &self.open else { return frame.sequence.is_some() };
        match frame.known {
            Some(window) => !open.is_known || window.first != open.window.first,
            None if open.is_known => true,
            // A window has no gaps: what is missing would be looked for.
            None => frame.sequence != Some(open.window.end) || open.records + frame.records > max_records,
        }
    }

    /// The frame comes; tells whether a window that is known is whole with it.
    pub(crate) fn take(&mut self, frame: &Frame) -> bool {
        let Some(sequence) = frame.sequence else { return false };
        let first = Window { first: sequence, end: sequence, fingerprint: frame.fingerprint };
        let open = self.open.get_or_insert(Open {
            window: Window { first: frame.known.map_or(sequence, |window| window.first), ..first },
            is_known: frame.known.is_some(),
            frames: 0,
            records: 0,
        });
        open.frames += usize::from(sequence >= open.window.end);
        open.window.end = sequence + 1;
        open.records += frame.records;
        frame.known.is_some_and(|window| window.end <= open.window.end)
    }

    /// Is a window in the making?
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Is one that was none before?
    pub(crate) fn is_new(&self) -> bool {
        self.open.is_some_and(|open| !open.is_known)
    }

    /// May bodies be closed? Not those of a known window that is not whole.
    pub(crate) fn may_close(&self) -> bool {
        let Some(open) = self.open.filter(|open| open.is_known) else { return true };
        // It is shorter than it was if its last frames are damaged.
        let known = self.frames.window(open.window.first).filter(|known| known.first == open.window.first);
        known.is_none_or(|known| known.end <= open.window.end)
    }

    /// Is this a known window of which frames went elsewhere, to a pump that a reload replaced or an encoder that
    /// panicked? Sent in part it would be another request, and its records there twice.
    pub(crate) fn is_torn(&self) -> bool {
        let Some(open) = self.open.filter(|open| open.is_known) else { return false };
        let known = self.frames.window(open.window.first).filter(|known| known.first == open.window.first);
        known.is_some_and(|known| known.end > open.window.end || self.frames.awaited(known) > open.frames)
    }

    /// The window ends here. The mark has to be durable before any of it is sent; none is needed if it was one before.
    pub(crate) fn close(&mut self) -> Option<Mark> {
        let open = self.open.take().filter(|open| !open.is_known)?;
        self.frames.mark(open.window)
    }

    /// What was gathered of a window comes again.
    pub(crate) fn give_up(&mut self) {
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;

    use super::*;
    use crate::buffer::{DiskBuffer, DiskOptions, Entrance, Ingredients, Queue, WhenFull};
    use crate::component::outlet::Inlet;
    use crate::component::test_kit::meters;
    use crate::event::Budget;
    use crate::event::test_kit::{Ledger, batch};

    #[tokio::test]
    async fn a_known_window_of_which_frames_went_elsewhere_is_torn() {
        let (folder, ledger) = (tempfile::tempdir().unwrap(), Arc::new(Ledger::default()));
        let queue = Arc::new(Queue::new(1 << 20, WhenFull::Block, meters()));
        let options = DiskOptions { max_size: 1 << 20, is_strict: true, ..DiskOptions::default() };
        let (dir, budget) = (folder.path().join("out"), Budget::new(1 << 30));
        let made_of = Ingredients { folder: dir, options, queue: queue.clone(), meters: meters(), budget };
        let disk = DiskBuffer::start(made_of);
        assert!(disk.enter());
        let entrance = Entrance { buffer: disk.clone(), is_counted: false };
        let mut batches = Vec::new();
        for line in ["a", "b", "c"] {
            entrance.offer(batch(&ledger, &[line]), Waker::noop()).unwrap();
            batches.extend(queue.take(1 << 20).await.unwrap());
        }
        let frames = disk.frames();
        let first = frames.sequence(&batches[0]).unwrap();
        assert!(frames.mark(Window { first, end: first + 3, fingerprint: 7 }).is_some());
        let torn_after = |batches: &[Batch]| {
            let mut freezer = Freezer::new(frames.clone());
            let is_whole = batches.iter().map(|batch| freezer.take(&freezer.frame(batch, 1))).last();
            (is_whole, freezer.is_torn())
        };
        assert_eq!(torn_after(&batches), (Some(true), false));
        assert_eq!(torn_after(&batches[1..]), (Some(true), true), "another has its beginning");
        assert_eq!(torn_after(&batches[..2]), (Some(false), true), "another has its end");
        disk.leave();
    }
}
