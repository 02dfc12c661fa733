//! Files as a user finds them afterwards.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::task::Waker;

use super::open::OpenFiles;
use super::*;
use crate::component::outlet::Inlet;
use crate::component::reason::Reason;
use crate::delivery::test_batch::{json_watched, queue_bench};
use crate::event::{Outcome, Resolution};

fn sink(folder: &Path, text: &str) -> FileSink {
    let text = text.replace("DIR", folder.to_str().unwrap());
    let settings: FileSettings = toml::from_str(&text).unwrap();
    assert_eq!(settings.check(), []);
    FileSink {
        path: settings.template().unwrap(),
        encoder: settings.encoding.writer().unwrap(),
        compression: settings.compression,
        idle: Duration::from_secs_f64(settings.idle_timeout_secs),
        fsync: settings.fsync,
        is_required: true,
        buffer: settings.buffer,
        // Identities of test batches are all the same: one that comes again is for `again`.
        state_dir: folder.join("state").join(fastrand::u64(..).to_string()),
    }
}

/// Offers batches and lets the sink work until it has written them.
async fn deliver(folder: &Path, text: &str, batches: &[&[&str]]) -> (Bench, Vec<Receiver<Resolution>>) {
    let bench = queue_bench(folder);
    let told = batches.iter().map(|lines| {
        let (batch, told) = json_watched(lines);
        bench.queue.offer(batch, Waker::noop()).unwrap();
        told
    });
    let told = told.collect();
    bench.queue.close();
    Box::new(sink(folder, text)).run(bench.clone(), Stop::default()).await;
    (bench, told)
}

#[tokio::test]
async fn lines_stand_in_the_files_that_records_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = "path = \"DIR/out/{{ s }}/%Y-%m-%d.log\"";
    let (first, second) = ([r#"{"s":"a","n":1}"#, r#"{"s":"b","n":2}"#], [r#"{"s":"a","n":3}"#]);
    let (bench, told) = deliver(folder.path(), text, &[&first, &second]).await;
    let file = folder.path().join("out/a/2026-11-20.log");
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\"s\":\"a\",\"n\":1}\n{\"s\":\"a\",\"n\":3}\n");
    assert_eq!(fs::read_to_string(folder.path().join("out/b/2026-11-20.log")).unwrap(), "{\"s\":\"b\",\"n\":2}\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for made in [file.parent().unwrap(), &folder.path().join("out")] {
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700, "{}", made.display());
    }
    assert!(told.iter().all(|told| told.recv().unwrap().worst == Outcome::Delivered));
    assert_eq!(bench.meters.sent_events(), 3);
}

#[tokio::test]
async fn hostile_values_become_dead_letters_and_nothing_leaves_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    symlink(outside.path(), folder.path().join("out/link")).unwrap();
    let lines = [r#"{"s":"../../x"}"#, r#"{"n":1}"#, r#"{"s":"good"}"#, r#"{"s":"/etc"}"#];
    let (bench, told) = deliver(folder.path(), "path = \"DIR/out/{{ s }}/x.log\"", &[&lines]).await;
    let resolution = told[0].recv().unwrap();
    assert_eq!((resolution.delivered, resolution.dead_lettered), (1, 3));
    assert_eq!(bench.meters.discarded_events(Reason::Rejected), 3);
    let (bench, told) =
        deliver(folder.path(), "path = \"DIR/out/{{ s }}/x.log\"", &[&[r#"{"s":"link"}"#, r#"{"s":"b"}"#]]).await;
    let resolution = told[0].recv().unwrap();
    assert_eq!((resolution.delivered, resolution.dead_lettered), (1, 1), "a link stops its own records alone");
    assert_eq!(bench.meters.sent_events(), 1);
    let mut open = OpenFiles::new(Duration::from_secs(1), Fsync::None);
    let base = folder.path().join("out");
    assert!(open.append(&base, "link/x.log", b"x\n").is_err(), "a link on the way");
    symlink(outside.path().join("victim"), base.join("x.log")).unwrap();
    assert!(open.append(&base, "x.log", b"x\n").is_err(), "a link in the place of the file");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn compressed_writes_are_one_valid_file() {
    let folder = tempfile::tempdir().unwrap();
    for compression in ["gzip", "zstd"] {
        let text =
            format!("path = \"DIR/x.{compression}\"\ncompression = \"{compression}\"\nencoding.codec = \"text\"");
        for line in [r#"{"message":"one"}"#, r#"{"message":"two"}"#] {
            deliver(folder.path(), &text, &[&[line]]).await;
        }
        let file = fs::File::open(folder.path().join(format!("x.{compression}"))).unwrap();
        let mut plain = String::new();
        match compression {
            "gzip" => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut plain),
            _ => zstd::Decoder::new(file).unwrap().read_to_string(&mut plain),
        }
        .unwrap();
        assert_eq!(plain, "one\ntwo\n");
    }
}

#[tokio::test]
async fn what_comes_again_after_a_start_is_not_written_again_and_what_was_never_written_is() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |lines: &[&[&str]]| {
        let bench = queue_bench(folder.path());
        let told: Vec<_> = lines
            .iter()
            .map(|lines| {
                let (batch, told) = json_watched(lines);
                bench.queue.offer(batch, Waker::noop()).unwrap();
                told
            })
            .collect();
        bench.queue.close();
        let sink = FileSink {
            state_dir: folder.path().join("state"),
            ..sink(folder.path(), "path = \"DIR/out/{{ s }}.log\"")
        };
        Box::new(sink).run(bench.clone(), Stop::default()).await;
        let all: Vec<_> = told.iter().map(|told| told.recv().unwrap()).collect();
        (bench, all)
    };
    // The second one is refused: nothing may take it for written later.
    let lines = [r#"{"s":"a","n":1}"#, r#"{"s":"..","n":2}"#, r#"{"s":"b","n":3}"#];
    let (_, all) = run(&[&lines]).await;
    assert_eq!((all[0].delivered, all[0].dead_lettered), (2, 1));
    let mended = [lines[0], r#"{"s":"bb","n":2}"#, lines[2]];
    let (bench, all) = run(&[&mended]).await;
    assert_eq!((all[0].delivered, bench.meters.sent_events()), (3, 3));
    let text = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    assert_eq!([text("a.log"), text("b.log")].concat(), format!("{}\n{}\n", lines[0], lines[2]));
    assert_eq!(text("bb.log"), "{\"s\":\"bb\",\"n\":2}\n");
}

#[test]
fn a_file_that_was_taken_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = OpenFiles::new(Duration::from_mins(1), Fsync::Each);
    let (file, moved) = (folder.path().join("x.log"), folder.path().join("x.log.1"));
    open.append(folder.path(), "x.log", b"one\n").unwrap();
    fs::rename(&file, &moved).unwrap();
    open.append(folder.path(), "x.log", b"two\n").unwrap();
    fs::remove_file(&file).unwrap();
    open.append(folder.path(), "x.log", b"three\n").unwrap();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), "three\n");
}

#[test]
fn few_files_are_open_at_once_and_idle_ones_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = OpenFiles::new(Duration::ZERO, Fsync::None);
    for number in 0..200 {
        open.append(folder.path(), &format!("{number}.log"), b"x\n").unwrap();
    }
    assert_eq!(open.len(), 128);
    open.append(folder.path(), "0.log", b"y\n").unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("0.log")).unwrap(), "x\ny\n");
    open.close_idle();
    assert_eq!(open.len(), 0);
}

#[test]
fn what_is_no_file_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("dir")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let mut open = OpenFiles::new(Duration::from_secs(1), Fsync::Each);
    for path in ["dir", "pipe", "pipe/x.log"] {
        assert!(open.append(folder.path(), path, b"x\n").is_err(), "{path}");
    }
}

#[tokio::test]
async fn a_write_that_fails_is_tried_until_the_end_and_its_records_are_offered_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("x.log")).unwrap();
    let bench = queue_bench(folder.path());
    let (batch, told) = json_watched(&["{}"]);
    bench.queue.offer(batch, Waker::noop()).unwrap();
    let stop = Stop::default();
    let running = Box::new(sink(folder.path(), "path = \"DIR/x.log\"")).run(bench.clone(), stop.clone());
    let running = tokio::spawn(running);
    while !matches!(bench.health.state(), crate::component::health::State::Degraded { .. }) {
        tokio::task::yield_now().await;
    }
    stop.request(std::time::Instant::now());
    running.await.unwrap();
    assert_eq!(told.recv().unwrap().worst, Outcome::Failed);
    assert_eq!(fs::metadata(folder.path().join("x.log")).unwrap().nlink(), 2, "still the empty folder");
}
