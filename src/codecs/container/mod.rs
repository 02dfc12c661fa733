//! Lines as container runtimes write them: CRI and docker's json-file, told apart line by line, since a node's runtime
//! may be replaced while a file is there.

mod cri;
mod docker;
#[cfg(any(test, fuzzing))]
pub mod probe;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::event::json::Member;

/// Which of a container's outputs wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Neither is known: a line of a plain file, or one that no runtime wrote.
    Plain,
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl Stream {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Stdout, Self::Stderr];

    /// Its name in `stream`.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Stdout => Some("stdout"),
            Self::Stderr => Some("stderr"),
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Stdout),
            b"stderr" => Some(Self::Stderr),
            _ => None,
        }
    }
}

/// What a runtime's line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    /// Nanoseconds since the Unix epoch.
    pub time: i64,
    /// Which output.
    pub stream: Stream,
    /// Does more of the same line follow?
    pub is_partial: bool,
    /// Where in the runtime's line the container's stands.
    pub payload: Range<usize>,
    /// Are these the insides of a JSON string with escapes?
    pub is_escaped: bool,
}

/// Reads a line that a runtime wrote; `None` if none did. `members` is scratch space.
#[inline]
pub fn parse(line: &[u8], members: &mut Vec<Member>) -> Option<Framed> {
    match line.first()? {
        b'0'..=b'9' => cri::parse(line),
        b'{' => docker::parse(line, members),
        _ => None,
    }
}

/// The time that a runtime's line tells, which may be cut anywhere behind it: nanoseconds since the Unix epoch. Docker writes
/// it last: of a line of docker's, all must be there.
pub fn time(line: &[u8]) -> Option<i64> {
    match line.first()? {
        b'{' => docker::parse(line, &mut Vec::new()).map(|framed| framed.time),
        _ => cri::time(line).map(|(time, _)| time),
    }
}
