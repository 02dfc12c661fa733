//! Numbered lines, and what became of them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The numbers that were read of each stream.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, Vec<u64>>);

/// One line of a writer.
pub(super) fn line(stream: &str, seq: u64) -> String {
    format!("{{\"stream_name\":\"{stream}\",\"seq\":{seq},\"message\":\"order {seq} accepted\"}}")
}

impl Tally {
    /// What the agent's `file` sink wrote so far. A line that it is still writing does not count.
    pub(super) fn read(output: &Path) -> Self {
        let text = fs::read(output).unwrap_or_default();
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut tally = Self::default();
        for line in text[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record: Value = serde_json::from_slice(line).unwrap();
            let (Some(stream), Some(seq)) = (record["stream_name"].as_str(), record["seq"].as_u64()) else {
                panic!("a line that nobody wrote: {record}");
            };
            tally.0.entry(stream.to_owned()).or_default().push(seq);
        }
        tally
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> u64 {
        self.0.values().map(|seen| seen.len() as u64).sum()
    }

    /// Fails unless each stream has its lines once. Order holds within a file, not between one and its successor.
    pub(super) fn assert_is(&self, streams: &[(&str, u64)]) {
        for (stream, written) in streams {
            let seen = self.0.get(*stream).map_or(&[][..], Vec::as_slice);
            let known: HashSet<&u64> = seen.iter().collect();
            let missing: Vec<u64> = (0..*written).filter(|seq| !known.contains(seq)).take(5).collect();
            assert!(missing.is_empty(), "{stream}: of {written} lines the first missing are {missing:?}");
            assert_eq!(seen.len() as u64, *written, "{stream}: lines were read twice");
        }
        assert_eq!(self.0.len(), streams.len(), "streams that nobody wrote: {:?}", self.0.keys());
    }
}
