//! Files that are not what they seem: half written, copied, rewritten, moved to where nobody looked.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::engine::Engine;
use super::{Bench, append, errors};
use crate::component::clock;
use crate::component::test_kit::{Catcher, Mood};
use crate::event::StreamKey;
use crate::sources::file::fingerprint::{Fingerprint, Guard, Reach};
use crate::sources::file::positions::{Checkpoint, Entry, Positions};

/// Longer than what a file is known by.
fn header() -> String {
    "#".repeat(1100)
}

fn numbered(prefix: &str, count: u32) -> String {
    let lines: Vec<String> = (0..count).map(|line| format!("{prefix}line {line:03}\n")).collect();
    lines.concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Sets when a file was written to last.
fn set_age(path: &Path, age: Duration) {
    let at = std::time::SystemTime::UNIX_EPOCH + Duration::from_nanos(clock::now() as u64) - age;
    fs::File::options().append(true).open(path).unwrap().set_modified(at).unwrap();
}

fn sorted(outlet: &Catcher) -> Vec<String> {
    let mut lines = outlet.lines();
    lines.sort();
    lines
}

#[test]
fn a_file_that_is_compressed_in_place_is_neither_text_nor_another_file() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log*\"]"), Catcher::default());
    let mut engine = Engine::start(&bench, &outlet);
    for (round, is_restarted) in [false, true].into_iter().enumerate() {
        let text = numbered(&format!("round {round} "), 500);
        bench.append("app.log", &text);
        if !is_restarted {
            engine.settle();
        }
        fs::rename(bench.path("app.log"), bench.path("app.log.1")).unwrap();
        let packed = gzip(text.as_bytes());
        for part in [&packed[..0], &packed[..1], &packed[1..2000], &packed[2000..]] {
            append(&bench.path("app.log.1.gz"), part);
            if is_restarted {
                engine = Engine::start(&bench, &outlet);
            }
            engine.settle();
        }
        fs::remove_file(bench.path("app.log.1")).unwrap();
        engine.settle();
        engine.settle();
        assert_eq!(outlet.lines().len(), 500 * (round + 1), "{:?}", outlet.lines().last());
        fs::remove_file(bench.path("app.log.1.gz")).unwrap();
        engine.settle();
    }
}

#[test]
fn half_a_compressed_file_is_read_counted_and_told_of() {
    let (bench, outlet) = (Bench::with("include = [\"LOGS*.gz\"]"), Catcher::default());
    let packed = gzip(b"one\ntwo\nthree\n");
    append(&bench.path("a.log.gz"), &packed[..packed.len() - 12]);
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(outlet.lines(), [""; 0], "it may still be written");
    set_age(&bench.path("a.log.gz"), Duration::from_mins(1));
    engine.settle();
    assert_eq!(outlet.lines()[..2], ["one", "two"]);
    engine.settle();
    assert_eq!(errors(&engine.families, "gz_damaged") as u32, 1);
    assert_eq!(engine.job.files.abandoned_bytes(), packed.len() as u64 - 12, "as many as it has compressed");
}

#[test]
fn a_file_that_cannot_be_read_is_tried_again_until_it_can() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    // No process has memory at its first address: reading there is an input/output error.
    std::os::unix::fs::symlink("/proc/self/mem", bench.path("a.log")).unwrap();
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    let looks = errors(&engine.families, "unreadable") as u32;
    assert!(looks > 1, "tried at every look");
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.append("a.log", "one\n");
    engine.settle();
    assert_eq!(outlet.lines(), ["one"]);
    assert_eq!(errors(&engine.families, "unreadable") as u32, looks);
}

#[test]
fn files_wait_where_there_are_no_descriptors_until_others_are_closed() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    for file in 0..7 {
        let name = format!("{file}.log");
        bench.append(&name, format!("{name}\n"));
        set_age(&bench.path(&name), Duration::from_mins(1));
    }
    let mut engine = Engine::start(&bench, &outlet);
    engine.crowd(2);
    engine.look();
    assert!(engine.job.positions.all().len() <= 2);
    assert_eq!(engine.job.files.waiting.get(), 5);
    let told = engine.without_lane();
    assert!(told.iter().any(|file| file.reason.as_ref().is_some_and(|why| why.contains("until others are closed"))));
    (0..4).for_each(|_| engine.settle());
    assert_eq!(sorted(&outlet), ["0.log", "1.log", "2.log", "3.log", "4.log", "5.log", "6.log"]);
    assert_eq!(errors(&engine.families, "unreadable") as u32, 0);
    assert_eq!(engine.job.files.waiting.get(), 0);
}

#[test]
fn a_copy_that_has_only_begun_is_no_file_of_its_own() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log*\"]"), Catcher::default());
    let text = numbered("", 300);
    bench.append("app.log", &text);
    let mut engine = Engine::start(&bench, &outlet);
    engine.look();
    for part in [&text[..0], &text[..900], &text[900..]] {
        bench.append("app.log.1", part);
        engine.look();
        engine.turn();
    }
    fs::write(bench.path("app.log"), "after\n").unwrap();
    engine.settle();
    engine.settle();
    assert_eq!(outlet.lines().len(), 301);
    assert_eq!(engine.job.files.abandoned_bytes(), 0);
}

#[test]
fn a_truncation_that_its_lane_has_not_seen_makes_no_stranger_of_what_followed() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log*\"]"), Catcher::default());
    let header = header();
    bench.append("app.log", format!("{header}\n1\n"));
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    fs::write(bench.path("app.log"), format!("{header}\n2 and more\n")).unwrap();
    // The descriptor is the only one that knows what lies where.
    fs::rename(bench.path("app.log.1"), bench.path("app.log.2")).unwrap();
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    fs::remove_file(bench.path("app.log")).unwrap();
    bench.append("app.log", format!("{header}\n3 and others\n"));
    engine.settle();
    engine.settle();
    let lines: Vec<String> = sorted(&outlet).into_iter().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["1", "2 and more", "3 and others"]);
}

#[test]
fn what_is_rewritten_with_the_same_head_while_it_is_down_gets_another_key() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log\"]"), Catcher::default());
    let header = header();
    outlet.mood(Mood::Keeps);
    bench.append("app.log", format!("{header}\nold 1\nold 2\n"));
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    drop(engine);
    outlet.mood(Mood::Delivers);
    fs::write(bench.path("app.log"), format!("{header}\nnew 1\nnew 2\n")).unwrap();
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    let stream = |line: &str| {
        let caught = outlet.caught().into_iter().find(|caught| caught.text == line.as_bytes()).unwrap();
        (caught.identity.stream, caught.identity.position)
    };
    let (old, new) = (stream("old 1"), stream("new 1"));
    assert_eq!(old.1, new.1);
    assert_ne!(old.0, new.0, "a destination that knows records by their identities would drop it");
}

#[test]
fn what_is_truncated_while_it_is_down_is_counted() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log\"]\nmax_read_bytes = 4"), Catcher::default());
    bench.append("app.log", "1\n2\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    outlet.refuse(|_| true);
    bench.append("app.log", "3\n4\n5\n");
    engine.settle();
    engine.stop();
    fs::write(bench.path("app.log"), "6\n").unwrap();
    outlet.accept_all();
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(outlet.lines(), ["1", "2", "6"]);
    assert_eq!((engine.job.files.truncations.get(), engine.job.files.abandoned_bytes()), (1, 6));
    engine.settle();
    assert_eq!(engine.job.files.abandoned_bytes(), 6, "once");
}

#[test]
fn a_closed_file_that_is_truncated_is_one_more_truncation() {
    let (bench, outlet) = (Bench::with("max_open_files = 1"), Catcher::default());
    for name in ["a.log", "b.log", "c.log"] {
        bench.append(name, format!("{name} 1\n{name} 2\n"));
        set_age(&bench.path(name), Duration::from_mins(1));
    }
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(engine.job.files.open.get(), 1);
    for name in ["a.log", "b.log", "c.log"] {
        fs::write(bench.path(name), format!("{name} 3\n")).unwrap();
    }
    engine.settle();
    assert_eq!(outlet.lines().len(), 9);
    assert_eq!(engine.job.files.truncations.get(), 3);
}

#[test]
fn what_is_given_up_is_counted_to_its_end() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log\"]\nrotate_wait_secs = 60"), Catcher::default());
    outlet.refuse(|_| true);
    bench.append("app.log", "1\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    fs::rename(bench.path("app.log"), bench.path("elsewhere")).unwrap();
    engine.settle();
    append(&bench.path("elsewhere"), b"after the last look\n");
    engine.pass(Duration::from_mins(2));
    outlet.accept_all();
    engine.settle();
    let arrived: u64 = outlet.lines().iter().map(|line| line.len() as u64 + 1).sum();
    assert_eq!(engine.job.files.abandoned_bytes(), 22 - arrived);
}

#[test]
fn what_nobody_has_seen_for_an_hour_is_counted_when_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let positions = Positions::new(folder.path().to_owned());
    let at = Checkpoint {
        offset: 10,
        fingerprint: Fingerprint::of(b"x"),
        reach: Reach { offset: 25, guard: Guard::default() },
        ..Checkpoint::default()
    };
    let entry = |size| Entry {
        path: folder.path().join("gone.log"),
        base: None,
        node: None,
        key: StreamKey(1),
        at,
        modified: 0,
        size,
        left: None,
        is_whole: false,
        is_deleted: false,
    };
    for size in [0, 40] {
        let id = positions.add(entry(size));
        positions.leave(id, 0);
    }
    let hour = 3_600_000_000_000;
    assert_eq!(positions.expire(hour), 0);
    assert_eq!(positions.expire(hour + 1), 15 + 30, "as far as it was read, or seen");
    assert_eq!(positions.expire(hour + 2), 0);
}

#[test]
fn what_is_rotated_to_another_folder_is_found_there_with_all_that_came_between() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log\"]"), Catcher::default());
    fs::create_dir(bench.path("old")).unwrap();
    bench.append("app.log", "1\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    bench.append("app.log", "2\n");
    fs::rename(bench.path("app.log"), bench.path("old/app.log.2")).unwrap();
    bench.append("app.log", "3\n");
    fs::rename(bench.path("app.log"), bench.path("old/app.log.1")).unwrap();
    append(&bench.path("old/other.log.1"), b"of another\n");
    bench.append("app.log", "4\n");
    engine.settle();
    assert_eq!(sorted(&outlet), ["1", "2", "3", "4"]);
    engine.stop();
    // It is known also after a restart, and what was rotated meanwhile is caught up.
    fs::rename(bench.path("app.log"), bench.path("old/app.log.3")).unwrap();
    append(&bench.path("old/app.log.3"), b"5\n");
    bench.append("app.log", "6\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(sorted(&outlet), ["1", "2", "3", "4", "5", "6"]);
}
