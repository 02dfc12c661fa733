//! The log lines that the tests send, each with a number of its own.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

/// The member that numbers the lines.
pub(crate) const NUMBER: &str = "number";

/// Appends the lines of `numbers` to the file, with `more(number)` as further members: `,"key":value`.
pub(crate) fn append(path: &Path, numbers: Range<u64>, more: impl Fn(u64) -> String) {
    let mut text = String::new();
    for number in numbers {
        let more = more(number);
        writeln!(
            text,
            "{{\"timestamp\":\"2026-11-21T03:{:02}:{:02}.{:03}Z\",\"{NUMBER}\":{number},\"message\":\"order {number} \
             accepted, \\\"express\\\" \u{2603}\"{more}}}",
            number / 60_000 % 60,
            number / 1000 % 60,
            number % 1000,
        )
        .unwrap();
    }
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// No further members.
pub(crate) fn plain(_: u64) -> String {
    String::new()
}
