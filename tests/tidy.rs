//! The house rules that a compiler does not check: who may import whom, how long a file is, where `unsafe` stands.
#![allow(clippy::unwrap_used, reason = "in a test that is how things fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src` from the ground up. A room imports only from floors below its own, and rooms of one floor do
/// not know each other.
const FLOORS: [&[&str]; 10] = [
    &["event", "diagnostic"],
    &["codecs", "lang"],
    &["component"],
    &["buffer"],
    &["delivery"],
    &["sources", "transforms", "sinks"],
    &["config"],
    &["topology"],
    &["admin"],
    &["cli"],
];

/// Files that may hold `unsafe`, each with safety notes.
const UNSAFE: [&str; 4] = [
    "src/event/json/scan.rs",
    "src/event/json/scan/avx2.rs",
    "src/event/json/scan/avx512.rs",
    "src/event/json/scan/run.rs",
];

/// Lines of a file without its tests.
const LONGEST: usize = 400;
/// Lines of a file with all that is in it.
const LONGEST_WITH_TESTS: usize = 500;

/// A file, as it stands.
struct Source {
    /// From the package's folder.
    path: String,
    text: String,
}

impl Source {
    /// The first folder or file under `src`.
    fn room(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or_default();
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.starts_with("tests/")
    }

    /// What stands in front of the module with the tests.
    fn own(&self) -> &str {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        &self.text[..end]
    }
}

/// Lines that are more than a comment.
fn code(text: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// All Rust files under `folders`.
fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).filter(|path| path.exists()).collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
    assert!(!found.is_empty(), "no Rust file in {folders:?}");
    found
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that `code` names behind `crate::`, also those in braces.
fn imported(code: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = |text: &str| text.trim_start().chars().take_while(|c| is_name(*c)).collect::<String>();
    let mut rooms = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let behind = &code[at + path.len()..];
        let Some(list) = behind.strip_prefix('{') else {
            rooms.push(name(behind));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in list.char_indices() {
            if begins {
                rooms.push(name(&list[at..]));
                begins = false;
            }
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ => {}
            }
        }
    }
    rooms.retain(|room| floor(room).is_some());
    rooms
}

/// Fails with all `faults`, a line each.
fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

#[test]
fn names_behind_crate_are_found() {
    let code = "use crate::event::{Batch, json};\nuse crate::{sinks, config::{Plan, Kind}, lang};\ncrate::hidden::x()";
    assert_eq!(imported(code), ["event", "sinks", "config", "lang"]);
}

#[test]
fn rooms_import_only_from_below() {
    let mut faults = Vec::new();
    // Tests may reach anywhere: they do not bind the rooms together.
    for source in sources(&["src"]).into_iter().filter(|source| !source.is_test()) {
        let Some(own) = floor(source.room()) else { continue };
        for room in imported(&code(source.own())) {
            if room != source.room() && floor(&room).is_some_and(|floor| floor >= own) {
                faults.push(format!("{} imports `{room}`", source.path));
            }
        }
    }
    assert_none("imports against the direction", &faults);
}

#[test]
fn every_room_has_a_floor() {
    let homeless = |source: &Source| floor(source.room()).is_none() && !["lib", "main"].contains(&source.room());
    let found = sources(&["src"]).into_iter().filter(homeless).map(|source| source.path);
    assert_none("files in rooms that this test does not know", &found.collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for source in sources(&["src", "tests", "benches", "fuzz/fuzz_targets"]) {
        let (own, all) = (source.own().lines().count(), source.text.lines().count());
        if all > LONGEST_WITH_TESTS || (own > LONGEST && !source.is_test()) {
            faults.push(format!("{}: {own} lines, {all} with tests", source.path));
        }
    }
    assert_none("files that are too long", &faults);
}

#[test]
fn files_say_first_what_they_do() {
    // A module of unit tests says what it does by its name.
    let is_unit_test = |source: &Source| source.is_test() && source.path.starts_with("src/");
    let silent = |source: &Source| !source.text.starts_with("//! ") && !is_unit_test(source);
    let found = sources(&["src", "tests", "benches", "fuzz/fuzz_targets"]).into_iter().filter(silent);
    assert_none("files that do not begin with `//!`", &found.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn unsafe_stands_only_where_it_may() {
    let word = concat!("un", "safe");
    let marks = ["{", "fn", "impl", "extern", "trait"].map(|next| format!("{word} {next}"));
    let holds = |source: &Source| {
        let code = code(&source.text);
        marks.iter().any(|mark| code.contains(mark)) || code.contains(&format!("allow({word}_code)"))
    };
    let found = sources(&["src", "tests"]).into_iter().filter(|source| !UNSAFE.contains(&source.path.as_str()));
    assert_none("files with it", &found.filter(holds).map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_lying_about() {
    let litter = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("db", "g!("), concat!("/wo", "rk/"), "/home/"];
    let mut faults = Vec::new();
    for source in sources(&["src", "tests", "benches", "fuzz/fuzz_targets"]) {
        let lines = source.text.lines().enumerate().filter(|(_, line)| !line.contains("let litter"));
        for (at, line) in lines {
            if let Some(found) = litter.iter().find(|piece| line.contains(**piece)) {
                faults.push(format!("{}:{}: {found}", source.path, at + 1));
            }
        }
    }
    assert_none("leftovers and paths of one machine", &faults);
}
