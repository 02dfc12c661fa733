//! Files that are renamed, truncated, deleted while they are followed.

use std::fs;

use super::{Bench, append};
use crate::component::test_kit::Catcher;

#[test]
fn copytruncate_to_the_same_offset_reads_both_generations() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "old 1\nold 2\n");
    let running = bench.start(&outlet);
    outlet.wait_for(2);
    let before = fs::metadata(bench.path("a.log")).unwrap().len();
    fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    fs::write(bench.path("a.log"), "new 1\nnew 2\n").unwrap();
    assert_eq!(fs::metadata(bench.path("a.log")).unwrap().len(), before);
    assert_eq!(outlet.wait_for(4), ["old 1", "old 2", "new 1", "new 2"]);
    running.stop();
    let caught = outlet.caught();
    assert_eq!(caught[0].identity.position, caught[2].identity.position);
    assert_ne!(caught[0].identity.stream, caught[2].identity.stream);
}

#[test]
fn truncations_to_less_and_to_more_start_anew() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "a long first line\n");
    let running = bench.start(&outlet);
    outlet.wait_for(1);
    fs::write(bench.path("a.log"), "b\n").unwrap();
    outlet.wait_for(2);
    fs::write(bench.path("a.log"), "c, which is longer\nthan what was there\n").unwrap();
    assert_eq!(outlet.wait_for(4)[1..], ["b", "c, which is longer", "than what was there"]);
    running.stop();
}

#[test]
fn a_renamed_file_is_read_to_its_end_with_its_last_line() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "one\n");
    let running = bench.start(&outlet);
    outlet.wait_for(1);
    fs::rename(bench.path("a.log"), bench.path("a.old")).unwrap();
    bench.append("a.log", "new\n");
    append(&bench.path("a.old"), b"two\nwithout an end");
    for line in ["two", "new", "without an end"] {
        outlet.wait_for_line(line);
    }
    running.stop();
    assert_eq!(outlet.lines().len(), 4);
}

/// Nobody waits for the source: of most files it sees nothing before they are rotated, or are three rotations behind.
#[test]
fn a_log_that_is_rotated_faster_than_anyone_looks_is_read_whole() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "the first\n");
    let running = bench.start(&outlet);
    outlet.wait_for(1);
    let (rotations, lines) = (60, 50);
    for rotation in 0..rotations {
        let line = |line: u32| format!("{line:06} of a log whose lines are long enough to tell files apart\n");
        let text: String = (rotation * lines..(rotation + 1) * lines).map(line).collect();
        bench.append("a.log", text);
        fs::rename(bench.path("a.log"), bench.path(&format!("a.log.20261121-{rotation:06}"))).unwrap();
    }
    outlet.wait_for((rotations * lines) as usize + 1);
    running.stop();
    let came = outlet.lines();
    let mut whole = came.clone();
    whole.sort_unstable();
    whole.dedup();
    assert_eq!((came.len(), whole.len()), ((rotations * lines) as usize + 1, came.len()), "once each");
}

#[test]
fn a_rotation_that_is_undone_repeats_nothing() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "one\n");
    let running = bench.start(&outlet);
    outlet.wait_for(1);
    fs::rename(bench.path("a.log"), bench.path("a.old")).unwrap();
    append(&bench.path("a.old"), b"two\n");
    outlet.wait_for(2);
    fs::rename(bench.path("a.old"), bench.path("a.log")).unwrap();
    bench.append("a.log", "three\n");
    outlet.wait_for_line("three");
    running.stop();
    assert_eq!(outlet.lines(), ["one", "two", "three"]);
}

#[test]
fn a_file_that_is_deleted_while_its_stream_waits_is_read_to_its_end() {
    let bench = Bench::with("max_read_bytes = 8");
    let outlet = Catcher::default();
    outlet.refuse(|_| true);
    bench.append("a.log", "one\ntwo\nthree\nfour\n");
    let running = bench.start(&outlet);
    outlet.wait_for_refusals(1);
    fs::remove_file(bench.path("a.log")).unwrap();
    outlet.accept_all();
    assert_eq!(outlet.wait_for(4), ["one", "two", "three", "four"]);
    running.stop();
}

#[test]
fn a_new_file_in_a_new_folder_is_found() {
    let bench = Bench::with("include = [\"LOGS**/*.log\"]");
    let outlet = Catcher::default();
    let running = bench.start(&outlet);
    fs::create_dir_all(bench.path("pod/app")).unwrap();
    bench.append("pod/app/0.log", "one\n");
    outlet.wait_for_line("one");
    bench.append("pod/app/0.log", "two\n");
    outlet.wait_for_line("two");
    running.stop();
}
