//! Lines that come again and again: the first is written at once, those that are the same within ten seconds are counted,
//! and told as one.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;

/// From the first of some lines that are the same, to when the others are told.
const WINDOW: Duration = Duration::from_secs(10);
/// Lines that are remembered at once; the oldest goes first.
const MOST: usize = 256;

/// The lines of the last ten seconds, the oldest first.
#[derive(Default)]
pub(super) struct Floods(VecDeque<Window>);

struct Window {
    line: Line,
    key: u64,
    opened: Instant,
    more: u64,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Said {
    /// Of lines that came before.
    pub(super) repeated: Vec<Line>,
    /// Is the new one new, or counted?
    pub(super) is_new: bool,
    /// Is it the first that is counted? Then someone must see to it that it is told.
    pub(super) is_second: bool,
}

impl Floods {
    /// `line`, which `key` stands for, comes.
    pub(super) fn come(&mut self, line: &Line, key: u64, now: Instant) -> Said {
        let mut repeated = self.due(now);
        if let Some(window) = self.0.iter_mut().find(|window| window.key == key) {
            window.more += 1;
            return Said { repeated, is_new: false, is_second: window.more == 1 };
        }
        if self.0.len() == MOST {
            repeated.extend(self.0.pop_front().and_then(|window| window.close(now)));
        }
        self.0.push_back(Window { line: line.clone().brief(), key, opened: now, more: 0 });
        Said { repeated, is_new: true, is_second: false }
    }

    /// When something is to be told.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.iter().find(|window| window.more > 0).map(|window| window.opened + WINDOW)
    }

    /// What is to be told by now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Line> {
        let over = self.0.iter().take_while(|window| window.opened + WINDOW <= now).count();
        self.0.drain(..over).filter_map(|window| window.close(now)).collect()
    }

    /// All that was counted: the log ends.
    pub(super) fn end(&mut self, now: Instant) -> Vec<Line> {
        self.0.drain(..).filter_map(|window| window.close(now)).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Window {
    /// What it has to tell, if there was more than the first.
    fn close(self, now: Instant) -> Option<Line> {
        let lasted = now.duration_since(self.opened).min(WINDOW);
        let seconds = lasted.as_secs() + u64::from(lasted.subsec_nanos() > 0);
        (self.more > 0).then(|| self.line.repeated(self.more, seconds))
    }
}
