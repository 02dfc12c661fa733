//! Windows: frames that a sink whose destination knows requests sends together. What is in a window is the same each time,
//! before and after a crash, so its requests are.
//!
//! A window is marked durably, in the ledger, before its first attempt. Its frames are settled together: one that was
//! settled alone would be missing when the others are sent again. If one failed, all of them come again.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::acks::Acks;

/// Frames that are sent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first frame.
    pub first: u64,
    /// The frame after its last.
    pub end: u64,
    /// The settings that its first attempt was made with.
    pub fingerprint: u32,
}

/// A window that is marked, or is being marked.
#[derive(Clone)]
pub struct Mark {
    acks: Arc<Acks>,
    /// How many marks must be durable.
    number: u64,
}

/// Windows without an outcome, by their first frame.
#[derive(Debug, Default)]
pub(super) struct Windows {
    open: BTreeMap<u64, Open>,
    /// Marks that were made,
    made: u64,
    /// and how many of these are durable.
    durable: u64,
}

#[derive(Debug)]
struct Open {
    window: Window,
    /// Frames with an outcome: did they fail?
    outcomes: BTreeMap<u64, bool>,
}

impl Mark {
    pub(super) fn new(acks: Arc<Acks>, number: u64) -> Self {
        Self { acks, number }
    }

    /// Waits until a crash cannot undo it; false if it never comes to that, since the buffer is gone. Cancel-safe.
    pub async fn durable(&self) -> bool {
        poll_fn(|cx| {
            self.acks.marked.leave(cx.waker());
            self.acks.is_durable(self.number).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mark").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Windows {
    /// Those that an earlier run left.
    pub(super) fn of(windows: impl Iterator<Item = Window>) -> Self {
        let open = windows.map(|window| (window.first, Open { window, outcomes: BTreeMap::new() }));
        Self { open: open.collect(), ..Self::default() }
    }

    /// One more; gives its number.
    pub(super) fn mark(&mut self, window: Window) -> u64 {
        self.open.insert(window.first, Open { window, outcomes: BTreeMap::new() });
        self.made += 1;
        self.made
    }

    /// How many were marked.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// As many of them are durable.
    pub(super) fn are_durable(&mut self, marks: u64) {
        self.durable = self.durable.max(marks);
    }

    pub(super) fn is_durable(&self, number: u64) -> bool {
        self.durable >= number
    }

    /// The window of a frame.
    pub(super) fn of_frame(&self, sequence: u64) -> Option<Window> {
        let (_, open) = self.open.range(..=sequence).next_back()?;
        (sequence < open.window.end).then_some(open.window)
    }

    /// Those with frames in `first..end`.
    pub(super) fn within(&self, first: u64, end: u64) -> impl Iterator<Item = Window> {
        self.open.range(first..end).map(|(_, open)| open.window)
    }

    /// Those that end in `from..=to`, but began before.
    pub(super) fn ending(&self, from: u64, to: u64) -> Vec<Window> {
        let windows = self.open.range(..to).rev().map(|(_, open)| open.window);
        windows.take_while(|window| window.end > from).filter(|window| window.end <= to).collect()
    }

    /// A frame of a window has an outcome. Tells whether `frames`, all there are of the window, have one now, and then
    /// whether any failed; the window begins anew if so, and is gone if not.
    pub(super) fn resolved(
        &mut self,
        window: Window,
        outcome: Option<(u64, bool)>,
        mut frames: impl Iterator<Item = u64>,
    ) -> Option<bool> {
        let open = self.open.get_mut(&window.first)?;
        open.outcomes.extend(outcome);
        if !frames.all(|frame| open.outcomes.contains_key(&frame)) {
            return None;
        }
        let has_failed = open.outcomes.values().any(|has_failed| *has_failed);
        if has_failed {
            open.outcomes.clear();
        } else {
            self.open.remove(&window.first);
        }
        Some(has_failed)
    }

    /// Frames of a window are missing: it ends at `end` from now on.
    pub(super) fn shorten(&mut self, window: Window, end: u64) -> Option<Window> {
        if end <= window.first {
            self.open.remove(&window.first);
            return None;
        }
        let open = self.open.get_mut(&window.first)?;
        open.window.end = end;
        Some(open.window)
    }
}
