//! What a restart and a failure repeat, and what they do not.

use std::fs;

use super::{Bench, append, errors};
use crate::component::row::Settings;
use crate::component::test_kit::{Catcher, Caught, Mood, context};
use crate::event::{Identity, Outcome};
use crate::sources::file::fingerprint::hash;

fn identities(caught: &[Caught]) -> Vec<(Identity, &[u8])> {
    caught.iter().map(|caught| (caught.identity, &caught.text[..])).collect()
}

#[test]
fn a_restart_reads_on_where_it_was() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "one\ntwo\n");
    bench.start(&outlet).stop_after(&outlet, 2);
    bench.append("a.log", "three\n");
    fs::rename(bench.path("a.log"), bench.path("b.log")).unwrap();
    bench.append("a.log", "of another file\n");
    bench.start(&outlet).stop_after(&outlet, 4);
    let caught = outlet.caught();
    let three = caught.iter().find(|caught| caught.text == b"three").unwrap();
    assert_eq!((three.identity.stream, three.identity.position), (caught[0].identity.stream, 8));
    let other = caught.iter().find(|caught| caught.text == b"of another file").unwrap();
    assert_ne!(other.identity.stream, three.identity.stream);
    assert_eq!(caught.len(), 4);
}

#[test]
fn what_did_not_resolve_is_repeated_under_its_identity() {
    let bench = Bench::with("max_read_bytes = 4");
    let outlet = Catcher::default();
    outlet.mood(Mood::Keeps);
    bench.append("a.log", "one\ntwo\nsix\n");
    let running = bench.start(&outlet);
    outlet.wait_for(3);
    // The second and third batch resolve, the first does not: nothing is committed.
    let first = std::cell::Cell::new(None);
    outlet.settle_kept(Outcome::Delivered, |kept| first.set(Some(kept.remove(0))));
    running.kill();
    drop(first);
    outlet.mood(Mood::Delivers);
    bench.start(&outlet).stop_after(&outlet, 6);
    let caught = outlet.caught();
    assert_eq!(identities(&caught[..3]), identities(&caught[3..]));
    bench.start(&outlet).stop();
    assert_eq!(outlet.caught().len(), 6);
}

#[test]
fn a_failed_batch_is_read_again_under_its_identity() {
    let bench = Bench::with("max_read_bytes = 4");
    let outlet = Catcher::default();
    outlet.fail_next(3);
    bench.append("a.log", "one\n");
    let running = bench.start(&outlet);
    outlet.wait_for_failures(3);
    outlet.wait_for_line("one");
    bench.append("a.log", "two\n");
    outlet.wait_for_line("two");
    running.stop();
    let identity = |line: &str| outlet.caught().iter().find(|caught| caught.text == line.as_bytes()).unwrap().identity;
    assert_eq!((identity("one").position, identity("two").position), (0, 4));
    assert_eq!(identity("one").stream, identity("two").stream);
}

#[test]
fn a_truncation_while_it_was_down_is_seen() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "old 1\n");
    bench.start(&outlet).stop_after(&outlet, 1);
    fs::write(bench.path("a.log"), "new 1\n").unwrap();
    bench.start(&outlet).stop_after(&outlet, 2);
    assert_eq!(outlet.lines(), ["old 1", "new 1"]);
    assert_ne!(outlet.caught()[0].identity.stream, outlet.caught()[1].identity.stream);
}

#[test]
fn a_cut_line_is_not_begun_in_its_middle_after_a_restart() {
    let bench = Bench::with("max_line_bytes = 4\nmax_read_bytes = 16");
    let outlet = Catcher::default();
    bench.append("a.log", "before\n0123456789012345678901234567890123456789");
    bench.start(&outlet).stop_after(&outlet, 1);
    bench.append("a.log", "56789\nnext\n");
    bench.start(&outlet).stop_after(&outlet, 3);
    assert_eq!(outlet.lines(), ["befo", "0123", "next"]);
    let cut: serde_json::Value = serde_json::from_slice(&outlet.caught()[1].json).unwrap();
    assert_eq!((&cut["truncated"], &cut["original_bytes"]), (&true.into(), &45.into()), "all of it was counted");
}

#[test]
fn damaged_positions_give_way_to_the_generation_before() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    bench.append("a.log", "one\n");
    bench.start(&outlet).stop_after(&outlet, 1);
    let current = bench.state().join("positions.json");
    let text = fs::read_to_string(&current).unwrap();
    fs::write(&current, text.replace("\"offset\":4", "\"offset\":9")).unwrap();
    bench.start(&outlet).stop_after(&outlet, 2);
    let caught = outlet.caught();
    assert_eq!(caught[0].identity, caught[1].identity, "an older generation knows the stream but not how far it was");
    for name in ["positions.json", "positions.previous.json"] {
        fs::write(bench.state().join(name), "nonsense").unwrap();
    }
    bench.start(&outlet).stop_after(&outlet, 3);
    assert_ne!(outlet.caught()[2].identity.stream, caught[0].identity.stream);
}

#[test]
fn state_that_cannot_be_kept_or_read_is_told_before_the_start() {
    let bench = Bench::new();
    append(&bench.path("a-file"), b"");
    let build =
        |folder: &str| bench.settings().build(context(&bench.path(folder), 1 << 20).1).err().unwrap_or_default();
    assert!(build("a-file/state").contains("cannot keep positions in"));
}

#[test]
fn positions_of_a_later_version_are_left_alone_and_read_when_it_returns() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    bench.append("a.log", "one\ntwo\n");
    bench.start(&outlet).stop_after(&outlet, 2);
    let (main, beside) = (bench.state().join("positions.json"), bench.state().join("positions.v2.json"));
    let own = fs::read_to_string(&main).unwrap();
    let newer = own.replace("\"version\":2", "\"version\":3");
    fs::write(&main, &newer).unwrap();
    // A new epoch begins beside it, and goes on there.
    let running = bench.start(&outlet);
    outlet.wait_for(4);
    assert_eq!(errors(&running.families, "positions_newer") as u32, 1);
    running.stop();
    assert_eq!(fs::read_to_string(&main).unwrap(), newer);
    bench.append("a.log", "three\n");
    bench.start(&outlet).stop_after(&outlet, 5);
    assert!(beside.exists() && fs::read_to_string(&main).unwrap() == newer);
    // The later version knows both, and what came furthest counts.
    fs::write(&main, &own).unwrap();
    bench.append("a.log", "four\n");
    bench.start(&outlet).stop_after(&outlet, 6);
    assert_eq!(outlet.lines(), ["one", "two", "one", "two", "three", "four"]);
    assert!(!beside.exists(), "all of it is in the main row now");
    let caught = outlet.caught();
    assert_eq!(caught[5].identity.stream, caught[2].identity.stream);
    assert_ne!(caught[2].identity.stream, caught[0].identity.stream);
}

#[test]
fn positions_of_the_version_before_are_read() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    bench.append("a.log", "one\ntwo\n");
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(bench.path("a.log")).unwrap());
    let files = format!(
        "[{{\"path\":\"{}\",\"node\":{{\"device\":1,\"inode\":{inode}}},\"key\":\"{:032x}\",\
         \"at\":{{\"offset\":4,\"guard\":{},\"fingerprint\":{{\"len\":8,\"hash\":{}}}}}}}]",
        bench.path("a.log").display(),
        7,
        hash(b"one\n"),
        hash(b"one\ntwo\n"),
    );
    fs::create_dir_all(bench.state()).unwrap();
    let text = format!("{{\"version\":1,\"checksum\":{},\"files\":{files}}}", hash(files.as_bytes()));
    fs::write(bench.state().join("positions.json"), text).unwrap();
    bench.start(&outlet).stop_after(&outlet, 1);
    assert_eq!(outlet.lines(), ["two"]);
    assert_eq!(outlet.caught()[0].identity.stream.0, 7);
}

#[test]
fn positions_can_be_left_out_of_account() {
    let (bench, outlet) = (Bench::with("ignore_checkpoints = true"), Catcher::default());
    bench.append("a.log", "one\n");
    bench.start(&outlet).stop_after(&outlet, 1);
    bench.start(&outlet).stop_after(&outlet, 2);
    assert_eq!(outlet.lines(), ["one", "one"]);
}

#[test]
fn other_settings_read_nothing_again() {
    let (mut bench, outlet) = (Bench::with("file_key = \"log\""), Catcher::default());
    bench.append("a.log", "{\"n\":1}\n");
    bench.start(&outlet).stop_after(&outlet, 1);
    let others = [
        "decoding.codec = \"json\"\nhost_key = \"node\"",
        "multiline = { preset = \"java\", timeout_ms = 1 }\nmax_read_bytes = 64",
        "read_from = \"end\"\nmax_line_bytes = 100\nrate_limit.bytes_per_sec = \"1MiB\"",
        "include = [\"LOGSa.*\"]\nexclude = [\"LOGSb.log\"]\noldest_first = true",
    ];
    for (count, settings) in (2..).zip(others) {
        settings.clone_into(&mut bench.settings);
        bench.append("a.log", format!("{{\"n\":{count}}}\n"));
        bench.start(&outlet).stop_after(&outlet, count);
        assert_eq!(outlet.lines().len(), count, "{settings}");
    }
    let identities: std::collections::HashSet<_> = outlet.caught().iter().map(|caught| caught.identity).collect();
    assert_eq!(identities.len(), 5);
}

#[test]
fn lines_that_are_to_be_one_record_are_read_again_from_the_first() {
    let settings = "multiline = { preset = \"java\", timeout_ms = 100000 }";
    let (bench, outlet) = (Bench::with(settings), Catcher::default());
    bench.append("a.log", "first\nboom\n\tat a.B.c(B.java:1)\n");
    bench.start(&outlet).stop_after(&outlet, 1);
    bench.append("a.log", "\tat a.B.d(B.java:2)\nnext\nlast\n");
    bench.start(&outlet).stop_after(&outlet, 3);
    assert_eq!(outlet.lines(), ["first", "boom\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)", "next"]);
    let positions = super::positions(&outlet.caught());
    assert_eq!(positions, [0, 6, 51]);
}
