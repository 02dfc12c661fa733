//! Random appends, rotations, truncations, failures and restarts against a model: the list of all lines ever written.

use std::collections::{HashMap, HashSet};
use std::fs;

use proptest::prelude::*;

use super::Bench;
use crate::component::test_kit::Catcher;
use crate::event::Identity;

#[derive(Clone, Debug)]
enum Act {
    /// Appends so many lines to a file.
    Append(usize, usize),
    /// Renames a file; the next append makes a new one.
    Rename(usize),
    /// Truncates a file whose lines have all arrived: what was not read by then would be lost by design.
    Truncate(usize),
    /// Deletes a file whose lines have all arrived.
    Delete(usize),
    Fail(usize),
    Restart,
    Kill,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0usize..3, 1usize..40).prop_map(|(file, lines)| Act::Append(file, lines)),
        2 => (0usize..3).prop_map(Act::Rename),
        2 => (0usize..3).prop_map(Act::Truncate),
        1 => (0usize..3).prop_map(Act::Delete),
        1 => (1usize..4).prop_map(Act::Fail),
        1 => Just(Act::Restart),
        1 => Just(Act::Kill),
    ]
}

/// What was written.
#[derive(Default)]
struct Written {
    lines: Vec<String>,
    renames: usize,
    may_repeat: bool,
}

impl Written {
    fn append(&mut self, bench: &Bench, file: usize, count: usize) {
        let first = self.lines.len();
        let new = (first..first + count).map(|line| format!("{line:05} in {file} {}", "x".repeat(line % 50)));
        self.lines.extend(new);
        bench.append(&name(file), self.lines[first..].join("\n") + "\n");
    }

    fn wait(&self, outlet: &Catcher) {
        self.lines.iter().rev().for_each(|line| outlet.wait_for_line(line));
    }
}

fn name(file: usize) -> String {
    format!("{file}.log")
}

fn play(acts: &[Act]) -> (Written, Catcher) {
    let bench = Bench::with("include = [\"LOGS*.log*\"]\nmax_read_bytes = 256");
    let outlet = Catcher::default();
    let mut written = Written::default();
    let mut running = bench.start(&outlet);
    for act in acts {
        match *act {
            Act::Append(file, count) => written.append(&bench, file, count),
            Act::Rename(file) => {
                written.renames += 1;
                let to = format!("{file}.log.{}", written.renames);
                let _ = fs::rename(bench.path(&name(file)), bench.path(&to));
            }
            Act::Truncate(file) => {
                written.wait(&outlet);
                let _ = fs::OpenOptions::new().write(true).truncate(true).open(bench.path(&name(file)));
            }
            Act::Delete(file) => {
                written.wait(&outlet);
                let _ = fs::remove_file(bench.path(&name(file)));
            }
            Act::Fail(batches) => {
                outlet.fail_next(batches);
                written.may_repeat = true;
            }
            Act::Restart => {
                running.stop();
                running = bench.start(&outlet);
            }
            Act::Kill => {
                running.kill();
                written.may_repeat = true;
                running = bench.start(&outlet);
            }
        }
    }
    written.wait(&outlet);
    running.stop();
    (written, outlet)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_line_arrives_and_only_failures_repeat_it(acts in proptest::collection::vec(act(), 1..14)) {
        let (written, outlet) = play(&acts);
        let mut identities: HashMap<String, Vec<Identity>> = HashMap::new();
        for caught in outlet.caught() {
            identities.entry(String::from_utf8(caught.text).unwrap()).or_default().push(caught.identity);
        }
        prop_assert_eq!(identities.len(), written.lines.len(), "nothing was merged or torn");
        for line in &written.lines {
            let known = &identities[line];
            let distinct: HashSet<_> = known.iter().collect();
            prop_assert_eq!(distinct.len(), 1, "one line, one identity");
            prop_assert!(written.may_repeat || known.len() == 1, "`{}` came {} times", line, known.len());
        }
        let all: HashSet<_> = identities.values().map(|known| known[0]).collect();
        prop_assert_eq!(all.len(), written.lines.len(), "one identity, one line");
    }
}
