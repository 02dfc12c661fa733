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
