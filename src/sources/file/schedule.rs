//! Whose turn it is: files in a round, those that wait for another, those that wait for a time.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::time::Instant;

use super::job::FileId;

/// The order of turns.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Files whose turn comes, with their rank and their place in the round.
    ready: BTreeSet<(FileId, i64, FileId)>,
    last: i64,
    first: i64,
    /// Do older files come before younger, as long as they have something to read?
    oldest_first: bool,
    /// Files that wait until another is read to its end.
    behind: HashMap<FileId, Vec<FileId>>,
    /// When to look at files. An entry that is not what the file's state tells is out of date.
    timers: BinaryHeap<Reverse<(Instant, FileId)>>,
}

impl Schedule {
    pub(super) fn new(oldest_first: bool) -> Self {
        let (ready, behind, timers) = (BTreeSet::new(), HashMap::new(), BinaryHeap::new());
        Self { ready, last: 0, first: 0, oldest_first, behind, timers }
    }

    /// It is its turn after all others of its rank.
    pub(super) fn push(&mut self, id: FileId) {
        self.last += 1;
        self.ready.insert((self.rank(id), self.last, id));
    }

    /// It is its turn before all others of its rank.
    pub(super) fn push_front(&mut self, id: FileId) {
        self.first -= 1;
        self.ready.insert((self.rank(id), self.first, id));
    }

    /// Files are numbered as they are found, the oldest first.
    fn rank(&self, id: FileId) -> FileId {
        if self.oldest_first { id } else { 0 }
    }

    pub(super) fn pop(&mut self) -> Option<FileId> {
        self.ready.pop_first().map(|(_, _, id)| id)
    }

    /// It has no turn.
    pub(super) fn remove(&mut self, id: FileId) {
        self.ready.retain(|(_, _, other)| *other != id);
    }

    /// `id` has no turn until `other` is read to its end.
    pub(super) fn put_behind(&mut self, id: FileId, other: FileId) {
        self.behind.entry(other).or_default().push(id);
    }

    /// `id` is read to its end, or is no more: those that waited for it have their turn.
    pub(super) fn release(&mut self, id: FileId) {
        for waiting in self.behind.remove(&id).unwrap_or_default() {
            self.push(waiting);
        }
    }

    pub(super) fn set_timer(&mut self, until: Instant, id: FileId) {
        self.timers.push(Reverse((until, id)));
    }

    /// A file whose time has come, with that time.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, FileId)> {
        self.next_timer().filter(|until| *until <= now)?;
        self.timers.pop().map(|Reverse(due)| due)
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((until, _))| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(schedule: &mut Schedule) -> Vec<FileId> {
        std::iter::from_fn(|| schedule.pop()).collect()
    }

    #[test]
    fn files_take_turns_or_the_oldest_is_read_first() {
        let mut schedule = Schedule::new(false);
        [3, 1, 2].into_iter().for_each(|id| schedule.push(id));
        schedule.push_front(9);
        assert_eq!(order(&mut schedule), [9, 3, 1, 2]);
        let mut schedule = Schedule::new(true);
        [3, 1, 2].into_iter().for_each(|id| schedule.push(id));
        schedule.push_front(9);
        assert_eq!(order(&mut schedule), [1, 2, 3, 9]);
    }

    #[test]
    fn what_waits_for_another_comes_when_that_is_done() {
        let mut schedule = Schedule::new(false);
        schedule.push(1);
        schedule.put_behind(2, 1);
        schedule.put_behind(3, 1);
        assert_eq!(order(&mut schedule), [1]);
        schedule.release(1);
        schedule.remove(2);
        assert_eq!(order(&mut schedule), [3]);
    }

    #[test]
    fn timers_come_in_their_order() {
        let mut schedule = Schedule::new(false);
        let now = Instant::now();
        let later = now + std::time::Duration::from_secs(1);
        schedule.set_timer(later, 1);
        schedule.set_timer(now, 2);
        assert_eq!(schedule.pop_due(now), Some((now, 2)));
        assert_eq!(schedule.pop_due(now), None);
        assert_eq!((schedule.next_timer(), schedule.pop_due(later)), (Some(later), Some((later, 1))));
    }
}
