//! A tracker of one stream's positions: what has been offered, and how far everything before is resolved.

use std::collections::VecDeque;

/// What a batch covered of a stream: positions from `first` up to, but not including, `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    token: u64,
    next: u64,
    done: bool,
}

/// Positions of one stream, offered in order and resolved in any order. Only the contiguous resolved prefix
/// counts as committed.
#[derive(Debug, Default)]
pub struct Tracker {
    committed: u64,
    next_token: u64,
    spans: VecDeque<Span>,
}

impl Tracker {
    /// A tracker whose stream is committed up to `position`.
    pub fn new(position: u64) -> Self {
        Self { committed: position, ..Self::default() }
    }

    /// Notes that everything up to `next` is being offered; gives the token for its receipt.
    pub fn offer(&mut self, next: u64) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.spans.push_back(Span { token, next, done: false });
        token
    }

    /// Notes that `token` resolved well. Gives the new committed position if it moved. A token from before a
    /// [`rewind`](Self::rewind) is ignored.
    pub fn resolve(&mut self, token: u64) -> Option<u64> {
        let at = self.spans.binary_search_by_key(&token, |span| span.token).ok()?;
        self.spans[at].done = true;
        let before = self.committed;
        while let Some(span) = self.spans.pop_front_if(|span| span.done) {
            self.committed = span.next;
        }
        (self.committed != before).then_some(self.committed)
    }

    /// Forgets what is in flight and starts again at the committed position, which it returns.
    pub fn rewind(&mut self) -> u64 {
        self.spans.clear();
        self.committed
    }

    /// Is `token` still in flight, that is, offered after the last rewind and not resolved?
    pub fn awaits(&self, token: u64) -> bool {
        self.spans.binary_search_by_key(&token, |span| span.token).is_ok_and(|at| !self.spans[at].done)
    }

    /// Everything before this position is resolved.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Is nothing in flight?
    pub fn is_idle(&self) -> bool {
        self.spans.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commits_only_the_contiguous_prefix() {
        let mut tracker = Tracker::new(10);
        let (a, b, c) = (tracker.offer(20), tracker.offer(30), tracker.offer(45));
        assert_eq!(tracker.resolve(b), None);
        assert_eq!(tracker.resolve(a), Some(30));
        assert_eq!(tracker.resolve(a), None);
        assert_eq!(tracker.resolve(c), Some(45));
        assert!(tracker.is_idle());
    }

    #[test]
    fn tokens_from_before_a_rewind_mean_nothing() {
        let mut tracker = Tracker::new(0);
        let old = tracker.offer(9);
        assert_eq!(tracker.rewind(), 0);
        let new = tracker.offer(9);
        assert!(tracker.awaits(new) && !tracker.awaits(old));
        assert_eq!(tracker.resolve(old), None);
        assert_eq!(tracker.resolve(new), Some(9));
    }

    proptest! {
        /// Model: a list of offered ends with flags; committed = the last end of the leading run of flags.
        #[test]
        fn agrees_with_a_plain_list(order in proptest::collection::vec(0usize..20, 0..60), rewind_at in 0usize..80) {
            let mut tracker = Tracker::new(5);
            let mut tokens = Vec::new();
            let mut model: Vec<(u64, bool)> = Vec::new();
            let mut floor = 5;
            for (step, &pick) in order.iter().enumerate() {
                if step == rewind_at {
                    let lead = model.iter().take_while(|m| m.1).last().map_or(floor, |m| m.0);
                    floor = lead;
                    prop_assert_eq!(tracker.rewind(), lead);
                    tokens.clear();
                    model.clear();
                }
                if tokens.len() <= pick {
                    let next = model.last().map_or(floor, |m: &(u64, bool)| m.0) + 1 + pick as u64;
                    tokens.push(tracker.offer(next));
                    model.push((next, false));
                } else {
                    tracker.resolve(tokens[pick]);
                    model[pick].1 = true;
                }
                let lead = model.iter().take_while(|m| m.1).last().map_or(floor, |m| m.0);
                prop_assert_eq!(tracker.committed(), lead);
            }
        }
    }
}
