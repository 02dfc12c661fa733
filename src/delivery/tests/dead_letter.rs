use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::kit::letters;
use crate::buffer::MinFree;
use crate::component::clock;
use crate::component::reason::Reason;
use crate::component::test_kit::meters;
use crate::delivery::test_batch::{json, text};
use crate::delivery::{DeadLetters, Letter, Lines};
use crate::event::Outcome;
use crate::event::test_kit::{Ledger, batch};

fn write(dead_letters: &DeadLetters, line: &str) -> Outcome {
    let batch = batch(&Arc::new(Ledger::default()), &[line]);
    dead_letters.write(&batch, ("code", "reason"), &meters())
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_letter_says_what_a_person_needs() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("letters");
    let dead_letters = DeadLetters::new(dir.clone());
    assert_eq!(write(&dead_letters, "it"), Outcome::DeadLettered);
    let path = dir.join(&files(&dir)[0]);
    let letter: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (field, value) in
        [("component", "it"), ("code", "code"), ("reason", "reason"), ("encoding", "json"), ("kind", "log")]
    {
        assert_eq!(letter[field], value, "{field}");
    }
    assert_eq!(letter["identity"].as_str().unwrap().len(), 39);
    assert!(letter["time"].as_str().unwrap().starts_with("20"));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&path)), (0o700, 0o600), "they hold records");
}

#[test]
fn they_never_take_more_than_their_bound() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letters = DeadLetters::new(folder.path().to_owned()).with_max_bytes(2000);
    let (meters, ledger) = (meters(), Arc::new(Ledger::default()));
    let outcomes: Vec<_> =
        (0..20).map(|_| dead_letters.write(&batch(&ledger, &["it"]), ("code", "reason"), &meters)).collect();
    let kept = outcomes.iter().filter(|outcome| **outcome == Outcome::DeadLettered).count();
    let (first, rest) = outcomes.split_at(kept);
    assert!(!first.is_empty() && !rest.is_empty() && rest.iter().all(|outcome| *outcome == Outcome::Dropped));
    let bytes: u64 = files(folder.path()).iter().map(|name| folder.path().join(name).metadata().unwrap().len()).sum();
    assert!(bytes <= 2000);
    assert_eq!(meters.discarded_events(Reason::Rejected), kept as u64);
    assert_eq!(meters.discarded_events(Reason::DeadLetterLost), 20 - kept as u64);
    // A restart does not begin to count anew.
    let again = DeadLetters::new(folder.path().to_owned()).with_max_bytes(2000);
    assert_eq!(write(&again, "it"), Outcome::Dropped);
    // And room that a person makes is used.
    for name in files(folder.path()) {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(write(&again, "it"), Outcome::DeadLettered);
}

#[test]
fn with_less_than_others_need_they_are_full() {
    let folder = tempfile::tempdir().unwrap();
    let min_free = MinFree::new(folder.path());
    let dead_letters = DeadLetters::new(folder.path().join("letters")).with_min_free(min_free.clone());
    let (meters, ledger) = (meters(), Arc::new(Ledger::default()));
    let write = || dead_letters.write(&batch(&ledger, &["it"]), ("code", "reason"), &meters);
    // More than there can be.
    min_free.set(1.1);
    assert_eq!([write(), write()], [Outcome::Dropped, Outcome::Dropped]);
    assert_eq!(meters.error_count("dead_letter_min_free"), 1, "when it begins");
    assert_eq!(meters.discarded_events(Reason::DeadLetterLost), 2);
    assert!(!folder.path().join("letters").exists());
    min_free.set(0.0);
    assert_eq!(write(), Outcome::DeadLettered);
}

#[test]
fn old_ones_make_room_for_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let days = |days: u64| clock::now() - Duration::from_hours(24 * days).as_nanos() as i64;
    let (old, young) = (format!("{:020}.jsonl", days(9)), format!("{:020}.jsonl", days(7)));
    std::fs::write(folder.path().join(&old), "x".repeat(1500)).unwrap();
    std::fs::write(folder.path().join(&young), "").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
    let dead_letters = DeadLetters::new(folder.path().to_owned()).with_max_bytes(1000);
    assert_eq!(write(&dead_letters, "it"), Outcome::DeadLettered);
    let names = files(folder.path());
    assert!(!names.contains(&old) && names.contains(&young) && names.contains(&"notes.txt".to_owned()), "{names:?}");
}

#[test]
fn a_file_is_closed_at_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letters = DeadLetters::new(folder.path().to_owned());
    let large = "x".repeat(9 << 20);
    assert_eq!(write(&dead_letters, &large), Outcome::DeadLettered);
    assert_eq!(write(&dead_letters, "small"), Outcome::DeadLettered);
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(write(&dead_letters, &large), Outcome::DeadLettered);
    assert_eq!(files(folder.path()).len(), 2);
    assert_eq!(letters(folder.path()).iter().map(|(_, _, line)| line.len()).collect::<Vec<_>>(), [9 << 20, 5, 9 << 20]);
}

#[test]
fn a_record_that_is_no_text_is_kept_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Arc::new(crate::event::Origin::new(crate::event::StreamKey(1)));
    let receipt = Arc::new(Ledger::default()).receipt();
    let mut batch = crate::event::Batch::new(vec![0xFF, 0xFE].into(), origin, receipt);
    batch.fill().text(0, 2, crate::event::Seen { position: 0, time: 0 });
    let outcome = DeadLetters::new(folder.path().to_owned()).write(&batch, ("code", "reason"), &meters());
    assert_eq!(outcome, Outcome::DeadLettered);
    let text = std::fs::read_to_string(folder.path().join(&files(folder.path())[0])).unwrap();
    let letter: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut json = Vec::new();
    batch.get(0).write_json(&mut json);
    let payload = letter["payload"].as_str().unwrap();
    let kept = match letter["encoding"].as_str().unwrap() {
        "base64" => base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload).unwrap(),
        _ => payload.as_bytes().to_vec(),
    };
    assert_eq!(kept, json);
}

#[test]
fn a_file_that_a_person_took_away_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letters = DeadLetters::new(folder.path().to_owned());
    assert_eq!(write(&dead_letters, "first"), Outcome::DeadLettered);
    std::fs::remove_file(folder.path().join(&files(folder.path())[0])).unwrap();
    assert_eq!(write(&dead_letters, "second"), Outcome::DeadLettered);
    assert_eq!(letters(folder.path()).iter().map(|(_, _, line)| &**line).collect::<Vec<_>>(), ["second"]);
}

#[test]
fn a_letter_is_the_same_record_again() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letters = DeadLetters::new(folder.path().to_owned());
    let told = "{\"a\":1.50,\"a\":\"\\u0041\"}";
    let before = [json(&[told, "{}"]), text(&["a line", "\"quoted\""])];
    for batch in &before {
        assert_eq!(dead_letters.write(batch, ("code", "reason"), &meters()), Outcome::DeadLettered);
    }
    let files = dead_letters.seal().unwrap();
    let lines = Lines::of(&files[0]).unwrap().take(usize::MAX).unwrap();
    let letters: Vec<_> = lines.iter().map(|(_, line)| Letter::read(line).unwrap()).collect();
    let (again, numbers) = Letter::records(&letters);
    assert_eq!(numbers, [0, 1, 2, 3]);
    for (was, is) in before.iter().flat_map(crate::event::Batch::iter).zip(again.iter()) {
        let [mut one, mut other] = [Vec::new(), Vec::new()];
        was.write_json(&mut one);
        is.write_json(&mut other);
        assert_eq!((one, was.identity(), was.time()), (other, is.identity(), is.time()));
    }
    assert!(Letter::read(b"{\"time\":\"torn").is_none());
    let later = String::from_utf8(lines[0].1.clone()).unwrap().replace("\"log\"", "\"later\"");
    assert!(Letter::read(later.as_bytes()).is_none(), "of a kind that is not known here");
}

#[test]
fn what_arrived_is_taken_out_of_its_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letters = DeadLetters::new(folder.path().to_owned());
    for line in ["a", "b", "c"] {
        assert_eq!(write(&dead_letters, line), Outcome::DeadLettered);
    }
    let sealed = dead_letters.seal().unwrap();
    assert_eq!(write(&dead_letters, "d"), Outcome::DeadLettered);
    let held = || letters(folder.path()).into_iter().map(|(_, _, line)| line).collect::<Vec<_>>();
    assert_eq!((sealed.len(), files(folder.path()).len(), held().concat()), (1, 2, "abcd".into()));
    let read = Lines::of(&sealed[0]).unwrap().file().unwrap();
    dead_letters.forget(&sealed[0], &read, &[0, 2]).unwrap();
    assert_eq!((files(folder.path()).len(), held().concat()), (2, "bd".into()));
    let mode = sealed[0].metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    dead_letters.forget(&sealed[0], &read, &[0]).unwrap_err();
    let read = Lines::of(&sealed[0]).unwrap().file().unwrap();
    dead_letters.forget(&sealed[0], &read, &[0]).unwrap();
    assert_eq!((dead_letters.list().unwrap().len(), held().concat()), (1, "d".into()));
    dead_letters.forget(&sealed[0], &read, &[0]).unwrap();
}

#[test]
fn one_sends_letters_again_at_a_time() {
    let dead_letters = DeadLetters::new("letters".into());
    let turn = dead_letters.turn();
    assert!(turn.is_some() && dead_letters.turn().is_none());
    drop(turn);
    assert!(dead_letters.turn().is_some());
}

#[test]
fn a_letter_with_a_bad_payload_is_left_out_and_the_others_are_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letters = DeadLetters::new(folder.path().to_owned());
    for line in ["a", "b", "c", "d"] {
        assert_eq!(write(&dead_letters, line), Outcome::DeadLettered);
    }
    let text = std::fs::read_to_string(&dead_letters.seal().unwrap()[0]).unwrap();
    let change = |line: &str, encoding: &str, payload: &str| {
        let mut letter: serde_json::Value = serde_json::from_str(line).unwrap();
        (letter["encoding"], letter["payload"]) = (encoding.into(), payload.into());
        letter.to_string()
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // Much of it is base64; the end is not.
    lines[1] = change(&lines[1], "base64", &("eHh4".repeat(100) + "!"));
    lines[2] = change(&lines[2], "base85", "eHh4");
    let letters: Vec<_> = lines.iter().map(|line| Letter::read(line.as_bytes()).unwrap()).collect();
    let (again, numbers) = Letter::records(&letters);
    assert_eq!(numbers, [0, 3]);
    for (record, said) in again.iter().zip(["a", "d"]) {
        let mut json = Vec::new();
        record.write_json(&mut json);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["message"], said);
    }
    assert_eq!(again.len(), 2);
}
