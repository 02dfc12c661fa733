use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::component::inspect::{FileReport, FileState, Meant, Wish};
use crate::component::test_kit::Mood;
use crate::event::Outcome;

/// How the one file at `name` stands.
fn report(bench: &Bench, inspect: &dyn Inspect, name: &str) -> Option<FileReport> {
    let path = bench.path(name).display().to_string();
    inspect.files().into_iter().find(|file| file.path == path)
}

/// Asks until the file stands as it must.
fn wait_for(bench: &Bench, inspect: &dyn Inspect, name: &str, is_met: impl Fn(&FileReport) -> bool) -> FileReport {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let found = report(bench, inspect, name);
        match found {
            Some(file) if is_met(&file) => return file,
            other => assert!(Instant::now() < deadline, "`{name}` stands otherwise: {other:?}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn files_tell_how_they_stand() {
    let (bench, outlet) = (Bench::with("max_read_bytes = 8"), Catcher::default());
    outlet.refuse(|record| record.text().starts_with(b"slow"));
    bench.append("slow.log", "slow1\nslow2\nslow3\n");
    bench.append("part.log", "one\nand no end");
    symlink("gone", bench.path("gone")).unwrap();
    let running = bench.start(&outlet);
    let inspect = running.inspect();
    let slow = wait_for(&bench, inspect, "slow.log", |file| file.state == FileState::WaitsForRoom);
    assert_eq!((slow.size, slow.offset, slow.delivered, slow.lag_bytes), (18, 6, 0, 12));
    assert!(slow.lag_seconds > 0.0 && slow.stream_key.len() == 32);
    let about = fs::metadata(bench.path("slow.log")).unwrap();
    assert_eq!((slow.device, slow.inode), (about.dev(), about.ino()));
    let part = wait_for(&bench, inspect, "part.log", |file| file.delivered == 4 && file.reason.is_some());
    assert_eq!((part.state, part.size), (FileState::Quiet, 14));
    assert_eq!(part.reason.as_deref(), Some("the last line or group of lines has no end yet"));
    outlet.accept_all();
    let slow = wait_for(&bench, inspect, "slow.log", |file| file.delivered == 18 && file.state == FileState::Quiet);
    assert_eq!((slow.lag_bytes, slow.lag_seconds), (0, 0.0));
    fs::remove_file(bench.path("slow.log")).unwrap();
    let gone = wait_for(&bench, inspect, "part.log", |file| file.state == FileState::Quiet);
    assert!(!gone.is_deleted);
}

#[test]
fn what_is_not_delivered_is_in_flight_and_what_fails_says_so() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    outlet.mood(Mood::Keeps);
    bench.append("a.log", "one\n");
    let running = bench.start(&outlet);
    let inspect = running.inspect();
    let flying = wait_for(&bench, inspect, "a.log", |file| file.offset == 4);
    assert_eq!((flying.delivered, flying.lag_bytes), (0, 0));
    outlet.settle_kept(Outcome::Failed, |_| {});
    let failed = wait_for(&bench, inspect, "a.log", |file| file.last_error.is_some());
    assert!(failed.last_error.unwrap().starts_with("a batch was not delivered, "));
    outlet.mood(Mood::Delivers);
    outlet.settle_kept(Outcome::Delivered, |_| {});
    wait_for(&bench, inspect, "a.log", |file| file.delivered == 4);
}

#[test]
fn a_paused_source_reads_nothing_and_goes_on_where_it_was() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    bench.append("a.log", "one\n");
    let running = bench.start(&outlet);
    outlet.wait_for(1);
    let inspect = running.inspect();
    running.pause.set(Some(Paused::default()));
    wait_for(&bench, inspect, "a.log", |file| file.state == FileState::Paused && file.delivered == 4);
    bench.append("a.log", "two\n");
    bench.append("new.log", "new\n");
    // The one that came meanwhile is found and opened, and not read.
    let new = wait_for(&bench, inspect, "new.log", |file| file.state == FileState::Paused);
    assert_eq!((new.offset, new.lag_bytes), (0, 4));
    assert_eq!(report(&bench, inspect, "a.log").unwrap().lag_bytes, 4);
    fs::remove_file(bench.path("new.log")).unwrap();
    running.pause.set(None);
    outlet.wait_for_line("two");
    outlet.wait_for_line("new");
    running.stop();
    assert_eq!(outlet.lines().len(), 3);
}

#[test]
fn a_paused_source_ends_at_once() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    bench.append("a.log", "one\n");
    let running = bench.start_paused(&outlet);
    wait_for(&bench, running.inspect(), "a.log", |file| file.state == FileState::Paused);
    running.stop();
    assert_eq!(outlet.lines(), [""; 0]);
}

#[test]
fn a_position_that_is_set_gives_new_records_other_identities() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    bench.append("a.log", "one\ntwo\nthree\n");
    let running = bench.start(&outlet);
    let inspect = running.inspect();
    let before = wait_for(&bench, inspect, "a.log", |file| file.delivered == 14);
    let wish = |offset, force| Wish { path: bench.path("a.log"), offset, force };
    let inside = inspect.set(&wish(6, false)).unwrap_err();
    assert!(inside.contains("byte 6 is inside a line that begins at byte 4"), "{inside}");
    assert!(inspect.set(&wish(15, false)).unwrap_err().contains("byte 15 is beyond the end of"));
    let set = inspect.set(&wish(4, false)).unwrap();
    assert!(set.offset == 4 && set.stream_key != before.stream_key);
    assert_eq!(outlet.wait_for(5)[3..], ["two", "three"]);
    let caught = outlet.caught();
    assert_eq!((caught[1].identity.position, caught[3].identity.position), (4, 4));
    assert_ne!(caught[1].identity, caught[3].identity);
    inspect.set(&wish(6, true)).unwrap();
    assert_eq!(outlet.wait_for(6)[5..], ["three"], "the rest of the line is passed over");
    let unknown = inspect.set(&Wish { path: bench.path("b.log"), offset: 0, force: false }).unwrap_err();
    assert!(unknown.contains("`levada positions ls`"), "{unknown}");
    let kept = inspect.positions().unwrap();
    assert!(kept[0].is_followed && kept[0].stream_key != set.stream_key);
    running.stop();
    bench.start(&outlet).stop();
    assert_eq!(outlet.lines().len(), 6, "it is kept");
}

#[test]
fn a_position_is_shown_and_set_while_nothing_runs() {
    let (bench, outlet) = (Bench::new(), Catcher::default());
    for name in ["a.log", "b.log"] {
        bench.append(name, "one\ntwo\n");
    }
    bench.start(&outlet).stop_after(&outlet, 4);
    let alone = bench.inspect();
    let kept = alone.positions().unwrap();
    assert!(kept.len() == 2 && kept.iter().all(|position| position.offset == 8 && !position.is_followed));
    assert!(alone.files().is_empty(), "nobody reads");
    let wish = |name: &str, offset| Wish { path: bench.path(name), offset, force: false };
    assert!(alone.set(&wish("a.log", 5)).unwrap_err().contains("inside a line"));
    assert_eq!(alone.set(&wish("a.log", 4)).unwrap().offset, 4);
    // Its place is taken by another file.
    fs::rename(bench.path("b.log"), bench.path("b.old")).unwrap();
    bench.append("b.log", "other\n");
    assert!(alone.set(&wish("b.log", 0)).unwrap_err().contains("another file lies at"));
    fs::remove_file(bench.path("b.log")).unwrap();
    bench.start(&outlet).stop_after(&outlet, 5);
    assert_eq!(outlet.lines()[4..], ["two"]);
    assert_ne!(outlet.caught()[4].identity, outlet.caught()[1].identity);
}

#[test]
fn settings_judge_paths() {
    let bench = Bench::with("include = [\"/l/app/*.log\", \"/l/pods/*/*/*.log\"]\nexclude = [\"/l/app/x*\"]");
    let inspect = bench.inspect();
    let rule = |setting: &str, pattern: &str| format!("`{setting}` = `{pattern}`");
    let near = |pattern: &str, why: &str| Meant::No { nearest: Some((rule("include", pattern), why.to_owned())) };
    let table = [
        ("/l/app/a.log", Meant::Yes(rule("include", "/l/app/*.log"))),
        ("/l/app/x.log", Meant::Excluded(rule("exclude", "/l/app/x*"))),
        ("/l/app/a.txt", near("/l/app/*.log", "`a.txt` is not `*.log`")),
        ("/l/app/b/a.log", near("/l/app/*.log", "`b` is not `*.log`")),
        ("/l/pods/n_p_0/app", near("/l/pods/*/*/*.log", "`*.log` is missing")),
        ("/l/pods/n_p_0/app/0.log", Meant::Yes(rule("include", "/l/pods/*/*/*.log"))),
        ("/other/a.log", Meant::No { nearest: None }),
    ];
    for (path, expected) in table {
        assert_eq!(inspect.judge(Path::new(path)).meant, expected, "{path}");
    }
    assert_eq!(inspect.pod_folders(), [Path::new("/l/pods")]);
}

#[test]
fn files_are_found_and_opened_while_positions_are_being_saved() {
    use rustix::fs::{CWD, FileType as Kind, Mode, mknodat};

    let (bench, outlet) = (Bench::new(), Catcher::default());
    fs::create_dir_all(bench.state()).unwrap();
    // A disk that takes its time: whoever writes to a pipe waits until someone reads from it.
    let disk = bench.state().join("positions.next.json");
    mknodat(CWD, &disk, Kind::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    bench.append("first.log", "first\n");
    let running = bench.start(&outlet);
    wait_for(&bench, running.inspect(), "first.log", |file| file.state == FileState::Found);
    bench.append("second.log", "second\n");
    wait_for(&bench, running.inspect(), "second.log", |file| file.state == FileState::Found);
    fs::remove_file(bench.path("second.log")).unwrap();
    let reader = fs::File::open(&disk).unwrap();
    fs::remove_file(&disk).unwrap();
    outlet.wait_for_line("first");
    outlet.wait_for_line("second");
    drop(reader);
    running.stop();
    assert_eq!(outlet.lines().len(), 2);
}
