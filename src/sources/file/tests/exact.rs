//! What happens to files, one rule at a time, with the engine going step by step.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::engine::Engine;
use super::{Bench, append, errors};
use crate::component::clock;
use crate::component::test_kit::Catcher;

/// A bench whose file is named, not found by a pattern.
fn named(settings: &str) -> (Bench, Catcher) {
    (Bench::with(&format!("include = [\"LOGSapp.log\"]\n{settings}")), Catcher::default())
}

fn gzip(plain: &Path, packed: &Path) {
    let mut encoder = flate2::write::GzEncoder::new(fs::File::create(packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(&fs::read(plain).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::remove_file(plain).unwrap();
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(clock::now() as u64)
}

fn sorted(outlet: &Catcher) -> Vec<String> {
    let mut lines = outlet.lines();
    lines.sort();
    lines
}

#[test]
fn files_that_begin_alike_are_all_read() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    let header = "#".repeat(2000);
    for name in ["a.log", "b.log", "c.log"] {
        bench.append(name, format!("{header}\n{name}\n"));
    }
    bench.append("1.log", "x");
    bench.append("2.log", "x");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    engine.stop();
    bench.append("1.log", "1\n");
    bench.append("2.log", "2\n");
    Engine::start(&bench, &outlet).settle();
    assert_eq!(sorted(&outlet)[3..], ["a.log", "b.log", "c.log", "x1", "x2"], "{} records", outlet.lines().len());
}

#[test]
fn what_was_rotated_and_compressed_while_it_was_down_is_caught_up_oldest_first() {
    let (bench, outlet) = named("");
    bench.append("app.log", "1\n2\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    engine.stop();
    bench.append("app.log", "3\n");
    fs::rename(bench.path("app.log"), bench.path("app.log.3")).unwrap();
    gzip(&bench.path("app.log.3"), &bench.path("app.log.3.gz"));
    for (name, line) in [("app.log.2", "4\n"), ("app.log.1", "5\n"), ("app.log", "6\n")] {
        bench.append(name, line);
        // Their times of modification tell their order.
        let at = now() + Duration::from_secs(line.as_bytes()[0].into());
        fs::File::options().append(true).open(bench.path(name)).unwrap().set_modified(at).unwrap();
    }
    append(&bench.path("app.log.2.tmp"), b"half");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(outlet.lines(), ["1", "2", "3", "4", "5", "6"]);
    let caught = outlet.caught();
    assert_eq!(caught[2].identity.stream, caught[0].identity.stream, "compressed, it is the same stream");
    assert_eq!(caught[2].identity.position, 4);
    engine.stop();
    Engine::start(&bench, &outlet).settle();
    assert_eq!(outlet.lines().len(), 6, "nothing again after another start");
}

#[test]
fn what_was_rotated_before_the_path_was_followed_is_left() {
    let (bench, outlet) = named("");
    let old = now() - Duration::from_hours(1);
    bench.append("app.log.1", "old\n");
    fs::File::options().append(true).open(bench.path("app.log.1")).unwrap().set_modified(old).unwrap();
    bench.append("app.log", "new\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    fs::rename(bench.path("app.log"), bench.path("app.log.2")).unwrap();
    bench.append("app.log", "newer\n");
    engine.settle();
    assert_eq!(outlet.lines(), ["new", "newer"]);
}

#[test]
fn what_was_rotated_after_the_start_and_before_the_first_look_is_read_at_once() {
    let (bench, outlet) = named("");
    let mut engine = Engine::start(&bench, &outlet);
    bench.append("app.log", "first\n");
    fs::rename(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.append("app.log", "second\n");
    engine.look();
    for _ in 0..12 {
        engine.turn();
    }
    assert_eq!(outlet.lines(), ["first", "second"], "after one look");
}

#[test]
fn the_kubelets_rotation_is_followed_and_its_compressed_files_are_known() {
    let (bench, outlet) = (Bench::with("include = [\"LOGS0.log*\"]"), Catcher::default());
    let mut engine = Engine::start(&bench, &outlet);
    let mut rotated: Vec<String> = Vec::new();
    for round in 0..6 {
        bench.append("0.log", format!("{round} a\n{round} b\n"));
        if round % 2 == 0 {
            engine.look();
            engine.turn();
        }
        if let Some(last) = rotated.last() {
            let (plain, tmp) = (bench.path(last), bench.path(&format!("{last}.tmp")));
            gzip(&plain, &tmp);
            // The copy in which it is compressed goes by another name, so it is made whole first.
            fs::rename(tmp, bench.path(&format!("{last}.gz"))).unwrap();
        }
        let name = format!("0.log.20260131-10150{round}");
        fs::rename(bench.path("0.log"), bench.path(&name)).unwrap();
        append(&bench.path(&name), format!("{round} c\n").as_bytes());
        rotated.push(name);
        engine.look();
    }
    engine.settle();
    engine.settle();
    let all: Vec<String> = (0..6).flat_map(|round| ["a", "b", "c"].map(|line| format!("{round} {line}"))).collect();
    assert_eq!(sorted(&outlet), all);
    engine.stop();
    Engine::start(&bench, &outlet).settle();
    assert_eq!(outlet.lines().len(), all.len());
}

#[test]
fn the_rest_of_a_truncated_file_is_read_from_its_copy() {
    let (bench, outlet) = named("max_read_bytes = 4");
    bench.append("app.log", "1\n2\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    bench.append("app.log", "3\n4\n");
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    fs::write(bench.path("app.log"), "5\n").unwrap();
    engine.settle();
    assert_eq!(sorted(&outlet), ["1", "2", "3", "4", "5"]);
    let files = &engine.job.files;
    assert_eq!((files.truncations.get(), files.abandoned_bytes()), (1, 0));
}

#[test]
fn what_a_truncation_takes_is_counted() {
    let (bench, outlet) = named("");
    outlet.refuse(|_| true);
    bench.append("app.log", "1\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    bench.append("app.log", "2\n3\n");
    outlet.accept_all();
    engine.turn();
    outlet.refuse(|record| record.text() == b"2");
    engine.settle();
    outlet.accept_all();
    bench.append("app.log", "lost\n");
    engine.look();
    fs::write(bench.path("app.log"), "").unwrap();
    engine.settle();
    bench.append("app.log", "4\n");
    engine.settle();
    assert_eq!(outlet.lines().last().unwrap(), "4");
    let arrived: usize = outlet.lines().iter().map(|line| line.len() + 1).sum();
    let written = "1\n2\n3\nlost\n4\n".len();
    assert!(engine.job.files.abandoned_bytes() as usize <= written - arrived, "no more than did not arrive");
}

#[test]
fn a_hole_that_truncation_leaves_is_passed_over_and_counted() {
    for size in [100, 100_000] {
        let (bench, outlet) = named("");
        let mut writer = fs::File::create(bench.path("app.log")).unwrap();
        let line = format!("{}\n", "x".repeat(size - 1));
        writer.write_all(line.as_bytes()).unwrap();
        let mut engine = Engine::start(&bench, &outlet);
        engine.settle();
        fs::File::options().write(true).open(bench.path("app.log")).unwrap().set_len(0).unwrap();
        assert_eq!(writer.stream_position().unwrap(), size as u64);
        writer.write_all(b"after\n").unwrap();
        engine.settle();
        assert_eq!(outlet.lines()[1..], ["after"]);
        assert_eq!(engine.job.files.hole_bytes.get(), size as u64);
        writer.seek(SeekFrom::End(0)).unwrap();
        writer.write_all(b"more\n").unwrap();
        engine.settle();
        assert_eq!(outlet.lines()[1..], ["after", "more"]);
    }
}

#[test]
fn a_file_that_is_deleted_and_made_again_is_another_also_with_the_same_inode() {
    let (bench, outlet) = named("");
    let mut engine = Engine::start(&bench, &outlet);
    for round in 0..20 {
        bench.append("app.log", format!("{round}\n"));
        engine.settle();
        fs::remove_file(bench.path("app.log")).unwrap();
        if round % 3 == 0 {
            engine.settle();
        }
    }
    let all: Vec<String> = (0..20).map(|round| round.to_string()).collect();
    assert_eq!(outlet.lines(), all);
}

#[test]
fn of_deleted_files_beyond_the_bound_the_largest_lag_is_given_up_and_counted() {
    let bench = Bench::with("max_deleted_open_files = 1\nmax_read_bytes = 8");
    let outlet = Catcher::default();
    outlet.refuse(|_| true);
    bench.append("big.log", "big 1\n".repeat(100));
    bench.append("small.log", "small\nlast\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    fs::remove_file(bench.path("big.log")).unwrap();
    fs::remove_file(bench.path("small.log")).unwrap();
    engine.look();
    engine.turn();
    assert_eq!(engine.job.files.deleted_open.get(), 0, "no lane has looked since: one batch of each waits for room");
    outlet.accept_all();
    outlet.refuse(|record| record.text() != b"big 1" || record.identity().position > 0);
    engine.settle();
    outlet.accept_all();
    engine.settle();
    engine.settle();
    assert!(outlet.lines().iter().any(|line| line == "last"));
    let arrived = outlet.lines().iter().filter(|line| *line == "big 1").count() as u64;
    assert_eq!(engine.job.files.abandoned_bytes(), (100 - arrived) * 6, "{arrived} arrived");
    assert_eq!(engine.job.files.open.get(), 0);
}

#[test]
fn a_rotated_file_has_as_long_as_it_is_told() {
    let (bench, outlet) = named("rotate_wait_secs = 60\nmax_read_bytes = 4");
    outlet.refuse(|_| true);
    bench.append("app.log", "1\n2\n3\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    fs::rename(bench.path("app.log"), bench.path("elsewhere")).unwrap();
    engine.settle();
    engine.pass(Duration::from_mins(2));
    outlet.accept_all();
    engine.settle();
    engine.settle();
    let arrived: u64 = outlet.lines().iter().map(|line| line.len() as u64 + 1).sum();
    assert!(arrived > 0 && arrived < 6, "what was in hand arrives: {arrived}");
    assert_eq!(engine.job.files.abandoned_bytes(), 6 - arrived);
}

#[test]
fn a_compressed_file_that_is_damaged_is_told_of_and_given_up() {
    let (bench, outlet) = (Bench::with("include = [\"LOGS*.gz\"]"), Catcher::default());
    append(&bench.path("plain"), b"one\ntwo\n");
    gzip(&bench.path("plain"), &bench.path("a.log.gz"));
    append(&bench.path("a.log.gz"), b"rubbish that is no member");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(outlet.lines(), ["one", "two"]);
    assert_eq!(errors(&engine.families, "gz_damaged") as u32, 1);
    assert!(engine.job.files.abandoned_bytes() > 0);
}

#[test]
fn idle_files_are_closed_beyond_the_bound_and_opened_again_when_they_are_written_to() {
    let bench = Bench::with("max_open_files = 2");
    let outlet = Catcher::default();
    let old = now() - Duration::from_mins(1);
    for file in 0..6 {
        let name = format!("{file}.log");
        bench.append(&name, format!("{file} a\n"));
        fs::File::options().append(true).open(bench.path(&name)).unwrap().set_modified(old).unwrap();
    }
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(engine.job.files.open.get(), 2);
    for file in 0..6 {
        bench.append(&format!("{file}.log"), format!("{file} b\n"));
    }
    engine.settle();
    let all: Vec<String> = (0..6).flat_map(|file| ["a", "b"].map(|line| format!("{file} {line}"))).collect();
    assert_eq!(sorted(&outlet), all);
    assert_eq!(engine.job.files.abandoned_bytes(), 0);
}

#[test]
fn a_file_is_removed_when_it_was_delivered_and_quiet() {
    let (bench, outlet) = named("remove_after_secs = 3600");
    outlet.refuse(|_| true);
    bench.append("app.log", "1\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    engine.pass(Duration::from_hours(2));
    engine.settle();
    assert!(bench.path("app.log").exists(), "it is not delivered");
    outlet.accept_all();
    engine.settle();
    engine.pass(Duration::from_hours(2));
    engine.settle();
    assert!(!bench.path("app.log").exists());
    assert_eq!(engine.job.files.deleted.get(), 1);
}

#[test]
fn a_link_whose_target_is_not_there_is_told_of() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    std::os::unix::fs::symlink(bench.path("not-mounted/a.log"), bench.path("a.log")).unwrap();
    let mut engine = Engine::start(&bench, &outlet);
    engine.look();
    assert_eq!(errors(&engine.families, "unreadable") as u32, 1);
    fs::create_dir(bench.path("not-mounted")).unwrap();
    append(&bench.path("not-mounted/a.log"), b"one\n");
    engine.settle();
    assert_eq!(outlet.lines(), ["one"]);
    assert_eq!(engine.job.files.polling.get(), 1, "this engine's watch is blind");
}

#[test]
fn figures_tell_how_far_behind_it_is() {
    let (bench, outlet) = named("max_read_bytes = 4");
    bench.append("app.log", "1\n2\n3\n");
    outlet.refuse(|_| true);
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    let files = engine.job.files.clone();
    assert_eq!((files.lag_bytes.get(), files.lag_max_bytes.get(), files.open.get()), (2, 2, 1));
    assert!(files.lag_max_seconds.get() > 0);
    outlet.accept_all();
    engine.settle();
    assert_eq!((files.lag_bytes.get(), files.lag_max_seconds.get(), files.added.get()), (0, 0, 1));
}
