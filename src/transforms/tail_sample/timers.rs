//! Timers that go off in the order in which they were set.

use std::collections::VecDeque;
use std::time::Instant;

/// The trace that a timer is of: its id, and its number.
pub(super) type Of = (u128, u64);

/// Timers, in lists of those that go off together: so none of the lists is long enough to be copied when it grows.
#[derive(Default)]
pub(super) struct Timers {
    lists: VecDeque<(Instant, VecDeque<Of>)>,
    len: usize,
}

impl Timers {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that they take, about: lists double when they grow.
    pub(super) fn bytes(&self) -> usize {
        self.len * size_of::<Of>() * 3 / 2 + self.lists.capacity() * size_of::<(Instant, VecDeque<Of>)>()
    }

    /// Adds one; `due` is not before that of any other.
    pub(super) fn push(&mut self, due: Instant, of: Of) {
        self.len += 1;
        match self.lists.back_mut() {
            Some((last, list)) if *last >= due => list.push_back(of),
            _ => self.lists.push_back((due, VecDeque::from([of]))),
        }
    }

    /// When the first goes off.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lists.front().map(|(due, _)| *due)
    }

    /// Throws away what stands first and is not alive; gives what stands first then.
    pub(super) fn trim(&mut self, is_alive: impl Fn(Of) -> bool) -> Option<(Instant, Of)> {
        while let Some((due, list)) = self.lists.front_mut() {
            match list.front() {
                Some(of) if is_alive(*of) => return Some((*due, *of)),
                Some(_) => {
                    list.pop_front();
                    self.len -= 1;
                }
                None => _ = self.lists.pop_front(),
            }
        }
        None
    }

    /// Throws away all that are not alive.
    pub(super) fn retain(&mut self, is_alive: impl Fn(Of) -> bool) {
        for (_, list) in &mut self.lists {
            list.retain(|of| is_alive(*of));
            list.shrink_to_fit();
        }
        self.lists.retain(|(_, list)| !list.is_empty());
        self.len = self.lists.iter().map(|(_, list)| list.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn they_go_off_in_order_and_what_is_gone_does_not() {
        let (mut timers, now) = (Timers::default(), Instant::now());
        for number in 0..10_u64 {
            timers.push(now + Duration::from_secs(number / 4), (u128::from(number), number));
        }
        assert_eq!((timers.len(), timers.due()), (10, Some(now)));
        assert_eq!(timers.trim(|(_, number)| number > 4), Some((now + Duration::from_secs(1), (5, 5))));
        assert_eq!(timers.len(), 5);
        timers.retain(|(_, number)| number == 9);
        assert_eq!((timers.len(), timers.due()), (1, Some(now + Duration::from_secs(2))));
        assert_eq!(timers.trim(|_| false), None);
        assert_eq!((timers.len(), timers.due()), (0, None));
    }
}
