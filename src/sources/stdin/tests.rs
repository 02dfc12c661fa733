use std::io::{PipeWriter, Write};
use std::time::{Duration, Instant};

use super::*;
use crate::component::test_kit::{Catcher, Mood, context};
use crate::event::{Form, Outcome};

/// A source that reads a pipe.
fn piped(settings: &str) -> (Box<Stdin>, PipeWriter, tempfile::TempDir) {
    let settings: StdinSettings = toml::from_str(settings).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let input = File::from(OwnedFd::from(reader));
    (Box::new(Stdin { settings, context: context(folder.path(), 1 << 20).1, input }), writer, folder)
}

#[tokio::test]
async fn reads_to_the_end_and_ends() {
    let (source, mut writer, _folder) = piped("decoding.codec = 'json'\nhost_key = ''");
    let end = Catcher::default();
    writer.write_all(b"{\"a\":1}\n\nnot json\n{\"last\":true}").unwrap();
    drop(writer);
    source.run(Arc::new(end.clone()), Stop::default()).await;
    let seen: Vec<_> = end.caught().iter().map(|caught| (caught.identity.position, caught.form)).collect();
    assert_eq!(seen, [(0, Form::Json), (9, Form::Text), (18, Form::Json)]);
    assert_eq!(end.lines(), ["{\"a\":1}", "not json", "{\"last\":true}"]);
}

#[tokio::test]
async fn long_lines_are_cut_and_the_next_is_whole() {
    let (source, mut writer, _folder) = piped("max_line_bytes = 10");
    let end = Catcher::default();
    let write = std::thread::spawn(move || {
        writer.write_all(&b"x".repeat(READ * 3)).unwrap();
        writer.write_all(b"\nnext\n").unwrap();
    });
    source.run(Arc::new(end.clone()), Stop::default()).await;
    write.join().unwrap();
    assert_eq!(end.lines(), ["xxxxxxxxxx", "next"]);
    assert!(end.caught()[0].is_truncated && !end.caught()[1].is_truncated);
    assert_eq!(end.caught()[1].identity.position, READ as u64 * 3 + 1);
}

#[tokio::test]
async fn a_line_that_comes_in_pieces_is_one() {
    let (source, mut writer, _folder) = piped("");
    let end = Catcher::default();
    let running = tokio::spawn(source.run(Arc::new(end.clone()), Stop::default()));
    writer.write_all(b"first\nhal").unwrap();
    let writer = tokio::task::spawn_blocking({
        let end = end.clone();
        move || {
            end.wait_for_line("first");
            writer
        }
    });
    let mut writer = writer.await.unwrap();
    writer.write_all(b"f\n").unwrap();
    drop(writer);
    running.await.unwrap();
    assert_eq!(end.lines(), ["first", "half"]);
}

#[tokio::test]
async fn what_failed_is_offered_again_with_its_identity() {
    let (source, mut writer, _folder) = piped("");
    let end = Catcher::default();
    end.fail_next(2);
    writer.write_all(b"one\ntwo\n").unwrap();
    drop(writer);
    source.run(Arc::new(end.clone()), Stop::default()).await;
    end.wait_for_failures(2);
    let seen: Vec<_> = end.caught().iter().map(|caught| caught.identity.position).collect();
    assert_eq!(seen, [0, 4]);
}

#[tokio::test]
async fn a_stop_ends_it_while_it_waits_for_input() {
    let (source, writer, _folder) = piped("");
    let stop = Stop::default();
    let running = tokio::spawn(source.run(Arc::new(Catcher::default()), stop.clone()));
    stop.request(Instant::now() + Duration::from_mins(1));
    running.await.unwrap();
    drop(writer);
}

#[tokio::test]
async fn the_end_waits_for_receipts() {
    let (source, mut writer, _folder) = piped("");
    let end = Catcher::default();
    end.mood(Mood::Keeps);
    writer.write_all(b"one\n").unwrap();
    drop(writer);
    let running = tokio::spawn(source.run(Arc::new(end.clone()), Stop::default()));
    tokio::task::spawn_blocking({
        let end = end.clone();
        move || end.wait_for(1)
    })
    .await
    .unwrap();
    assert!(!running.is_finished());
    end.settle_kept(Outcome::Delivered, |_| ());
    running.await.unwrap();
}

#[test]
fn settings_that_make_no_sense_are_told_of() {
    let settings: StdinSettings = toml::from_str("max_line_bytes = 0\nhost_key = 'a.b'").unwrap();
    let settings: Vec<String> = settings.check().into_iter().map(|problem| problem.setting).collect();
    assert_eq!(settings, ["max_line_bytes", "host_key"]);
}
