//! Multiline: which lines of a stream are one record. Vector's four modes, and presets for what runtimes of languages
//! print when they fail. The rules alone; `units` holds the lines.

mod preset;
#[cfg(any(test, fuzzing))]
pub mod probe;
mod settings;
#[cfg(test)]
mod tests;

use std::time::Duration;

use regex::bytes::Regex;

use crate::event::json;
pub use preset::Preset;
use preset::Table;
pub use settings::{Mode, MultilineSettings};

/// What a group is waiting for: in a mode always the same, in a preset how far a trace has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State(u8);

/// What a line is to the group before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Part of it.
    Joins(State),
    /// Its last line.
    JoinsLast,
    /// Not part of it: the group has ended.
    Ends,
}

/// Rules by which lines become records.
#[derive(Debug)]
pub struct Multiline {
    rules: Rules,
    /// A group without a new line for so long has ended.
    pub(super) timeout: Duration,
    pub(super) max_lines: u32,
    pub(super) max_bytes: usize,
}

#[derive(Debug)]
enum Rules {
    Mode { mode: Mode, start: Regex, condition: Regex },
    Preset(Table),
}

impl Multiline {
    /// Does a group begin with this line?
    pub(super) fn begins(&self, line: &[u8]) -> Option<State> {
        if is_object(line) {
            return None;
        }
        match &self.rules {
            Rules::Mode { start, .. } => start.is_match(line).then(State::default),
            Rules::Preset(table) => table.begins(line),
        }
    }

    /// What the next line is to a group.
    pub(super) fn next(&self, state: State, line: &[u8]) -> Verdict {
        if is_object(line) {
            return Verdict::Ends;
        }
        let (mode, condition) = match &self.rules {
            Rules::Preset(table) => return table.next(state, line),
            Rules::Mode { mode, condition, .. } => (mode, condition),
        };
        match (mode, condition.is_match(line)) {
            (Mode::ContinueThrough | Mode::ContinuePast, true) | (Mode::HaltBefore | Mode::HaltWith, false) => {
                Verdict::Joins(state)
            }
            (Mode::ContinueThrough, false) | (Mode::HaltBefore, true) => Verdict::Ends,
            (Mode::ContinuePast, false) | (Mode::HaltWith, true) => Verdict::JoinsLast,
        }
    }
}

/// A line that is a JSON object is a record of its own, whatever stands around it.
fn is_object(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.first() == Some(&b'{') && line.last() == Some(&b'}') && json::check(line).is_ok()
}
