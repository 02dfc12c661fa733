//! What breaks, one thing at a time.

use super::kit::{Id, OPTIONS, Site, Source};
use super::model::{Faults, Model};
use crate::buffer::WhenFull;
use crate::buffer::disk::log::Options;
use crate::buffer::disk::segment;
use crate::buffer::disk::storage::{Create, Disk, write_all};
use crate::buffer::disk::write::Stuck;
use crate::component::reason::Reason;
use crate::event::Outcome;

fn numbers(ids: &[Id]) -> Vec<u64> {
    ids.iter().map(|(_, number)| *number).collect()
}

/// A disk with `batches` batches of ten records of 100 bytes, and none delivered.
fn filled(options: Options, batches: u64) -> (Model, std::sync::Arc<Source>) {
    let (disk, source) = (Model::new(1), Source::new(1));
    let (mut site, _) = Site::open(&disk, options, 1).unwrap();
    for _ in 0..batches {
        site.put_now(source.batch(10, 100));
    }
    assert_eq!(source.committed(), batches * 10);
    (disk, source)
}

fn segments(disk: &Model) -> Vec<String> {
    disk.names().into_iter().filter(|name| crate::buffer::disk::segment::parse_name(name).is_some()).collect()
}

const SMALL: Options = Options { max_size: 160_000, ..OPTIONS };

#[test]
fn a_backlog_is_read_back_in_order_and_its_segments_go() {
    let (disk, _) = filled(SMALL, 80);
    assert!(segments(&disk).len() > 3, "{:?}", disk.names());
    let (mut site, report) = Site::open(&disk, SMALL, 5_000).unwrap();
    assert_eq!(report, crate::buffer::disk::recover::Report::default(), "no outcome, no ledger");
    assert_eq!(numbers(&site.drain()), (0..800).collect::<Vec<_>>());
    assert_eq!(segments(&disk).len(), 1);
    drop(site);
    let (mut site, report) = Site::open(&disk, SMALL, 5_000).unwrap();
    assert!(!report.lost_ledger && site.drain().is_empty());
}

#[test]
fn what_is_read_again_is_left_out_and_acknowledged() {
    let (disk, source) = filled(SMALL, 20);
    let mut site = Site::new(&disk, SMALL);
    let again = Source::new(1);
    site.put_now(again.batch(195, 100));
    site.put_now(again.batch(10, 100));
    assert_eq!((again.committed(), site.meters.of_buffer().reread_events()), (205, 200));
    assert_eq!(numbers(&site.drain()), (0..205).collect::<Vec<_>>());
    drop(site);
    // Positions outlive the segments of their frames.
    let mut site = Site::new(&disk, SMALL);
    let third = Source::new(1);
    site.put_now(third.batch(206, 1));
    assert_eq!(numbers(&site.drain()), [205]);
    assert_eq!(source.committed(), 200);
}

#[test]
fn a_sync_that_failed_is_written_anew_in_order() {
    let (disk, source) = (Model::new(3), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    site.put_now(source.batch(5, 10));
    disk.arm(Faults { bad_syncs: 1, ..Faults::default() });
    site.put(source.batch(5, 10));
    site.put(source.batch(5, 10));
    assert!(matches!(site.store(), Err(Stuck::Failing(_))));
    assert_eq!((source.committed(), site.waiting.len()), (5, 2));
    disk.arm(Faults::default());
    site.store().unwrap();
    assert_eq!((source.committed(), segments(&disk).len()), (15, 2));
    drop(site);
    disk.crash();
    assert_eq!(numbers(&Site::new(&disk, OPTIONS).drain()), (0..15).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_blocks_or_drops_and_goes_on_by_itself() {
    for (when_full, dropped) in [(WhenFull::Block, 0), (WhenFull::DropNewest, 50)] {
        let options = Options { when_full, ..OPTIONS };
        let (disk, source) = (Model::new(3), Source::new(1));
        let mut site = Site::new(&disk, options);
        site.put_now(source.batch(5, 100));
        disk.arm(Faults { capacity: Some(disk.total()), ..Faults::default() });
        site.put(source.batch(50, 100));
        assert!(matches!(site.store(), Err(Stuck::Failing(_))));
        assert_eq!(site.meters.discarded_events(Reason::BufferFull), dropped);
        assert_eq!(source.committed(), 5 + dropped);
        disk.arm(Faults::default());
        site.store().unwrap();
        site.put_now(source.batch(5, 100));
        assert_eq!((source.committed(), site.drain().len() as u64), (60, 60 - dropped));
    }
}

#[test]
fn others_keep_their_share_of_the_file_system() {
    let (disk, source) = (Model::new(3), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    disk.set_free(0.14);
    site.put(source.batch(5, 100));
    assert!(matches!(site.store(), Err(Stuck::Full)) && site.log.space.is_short());
    disk.set_free(0.15);
    site.store().unwrap();
    assert!(!site.log.space.is_short());
    assert_eq!(source.committed(), 5);
}

#[test]
fn a_file_system_that_does_not_tell_what_is_free_is_a_failing_disk() {
    let (disk, source) = (Model::new(3), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    disk.set_free(f64::NAN);
    for _ in 0..2 {
        site.put(source.batch(5, 100));
        assert!(matches!(site.store(), Err(Stuck::Failing(_))));
    }
    disk.set_free(0.15);
    site.store().unwrap();
    assert_eq!((source.committed(), site.drain().len()), (10, 10));
}

#[test]
fn the_bound_is_hard_and_each_policy_keeps_it() {
    for when_full in [WhenFull::Block, WhenFull::DropNewest, WhenFull::DropOldest] {
        let options = Options { max_size: 60_000, when_full, ..OPTIONS };
        let (disk, source) = (Model::new(3), Source::new(1));
        let (mut site, _) = Site::open(&disk, options, 1).unwrap();
        for _ in 0..100 {
            if site.waiting.is_empty() {
                site.put(source.batch(10, 100));
            }
            let stored = site.store();
            assert!(stored.is_ok() || (when_full == WhenFull::Block && matches!(stored, Err(Stuck::Full))));
            assert!(disk.total() <= 60_000, "{} bytes", disk.total());
        }
        let dropped = site.meters.discarded_events(Reason::BufferFull);
        let got = numbers(&site.drain());
        assert!(got.is_sorted());
        match when_full {
            WhenFull::Block => assert_eq!((dropped, got.len() as u64), (0, source.committed())),
            WhenFull::DropNewest => assert_eq!((got[0], got.len() as u64 + dropped), (0, 1_000)),
            WhenFull::DropOldest => assert_eq!((*got.last().unwrap(), got.len() as u64 + dropped), (999, 1_000)),
        }
        assert!((dropped > 0) != (when_full == WhenFull::Block));
    }
}

#[test]
fn a_record_larger_than_the_log_passes_by_it_in_its_turn() {
    let options = Options { max_size: 20_000, ..OPTIONS };
    let (disk, source) = (Model::new(3), Source::new(1));
    let mut site = Site::new(&disk, options);
    site.put_now(source.batch(1, 10));
    site.put(source.batch(1, 30_000));
    site.put(source.batch(1, 10));
    assert!(matches!(site.store(), Err(Stuck::Passes)));
    let mut batches = site.take();
    assert_eq!((batches.len(), source.committed()), (2, 1), "nothing behind it is stored");
    drop(batches.pop());
    assert!(matches!(site.store(), Err(Stuck::Passes)) && !source.has_failed(), "it goes once more");
    batches.append(&mut site.take());
    assert_eq!(batches.len(), 2);
    for batch in batches {
        batch.settle(Outcome::Delivered);
    }
    site.store().unwrap();
    assert_eq!(source.committed(), 3);
    site.drain();
    let tiny = Options { max_size: 1, ..OPTIONS };
    let mut site = Site::new(&Model::new(4), tiny);
    site.put(source.batch(3, 10));
    for number in 3..6 {
        assert!(matches!(site.store(), Err(Stuck::Passes)));
        assert_eq!(numbers(&site.drain()), [number]);
    }
    site.store().unwrap();
    assert_eq!(source.committed(), 6);
}

#[test]
fn damage_is_skipped_kept_and_counted() {
    let (disk, _) = filled(SMALL, 80);
    let name = segments(&disk)[1].clone();
    disk.tamper(&name, |bytes| bytes[3_000] ^= 1);
    let mut site = Site::new(&disk, SMALL);
    let got = numbers(&site.drain());
    assert_eq!((got.len(), got.is_sorted()), (790, true));
    let (bytes, frames) = site.meters.of_buffer().damage();
    assert!(bytes > 1_000 && frames == 1, "{bytes} bytes, {frames} frames");
    assert!(disk.names().iter().any(|name| name.starts_with("quarantine/")), "{:?}", disk.names());
}

#[test]
fn a_missing_a_nul_filled_and_an_empty_segment_cost_only_themselves() {
    let hurt: [fn(&Model, &str); 3] = [
        |disk, name| disk.lose(name),
        |disk, name| disk.tamper(name, |bytes| bytes.fill(0)),
        |disk, name| disk.tamper(name, Vec::clear),
    ];
    for hurt in hurt {
        let (disk, _) = filled(SMALL, 80);
        let all = segments(&disk);
        hurt(&disk, &all[1]);
        let mut site = Site::new(&disk, SMALL);
        let got = numbers(&site.drain());
        let (_, frames) = site.meters.of_buffer().damage();
        assert!(got.is_sorted() && got[0] == 0 && got.last() == Some(&799) && got.len() < 800);
        assert_eq!(got.len() as u64 + frames * 10, 800);
    }
}

#[test]
fn a_lost_or_nul_filled_ledger_starts_with_the_oldest() {
    let (disk, _) = filled(SMALL, 40);
    let mut site = Site::new(&disk, SMALL);
    site.drain();
    drop(site);
    for name in disk.names().into_iter().filter(|name| name.contains("ledger")) {
        disk.tamper(&name, |bytes| bytes.fill(0));
    }
    let (mut site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
    assert!(report.lost_ledger);
    let got = numbers(&site.drain());
    assert!(got.is_sorted() && got.last() == Some(&399), "what its last segment holds comes again");
}

#[test]
fn one_generation_of_the_ledger_is_enough() {
    let (disk, source) = filled(SMALL, 20);
    let mut site = Site::new(&disk, SMALL);
    site.drain();
    site.put_now(source.batch(10, 100));
    site.drain();
    drop(site);
    let newest = |name: &String| name.contains("ledger");
    let ledgers: Vec<_> = disk.names().into_iter().filter(newest).collect();
    assert_eq!(ledgers.len(), 2);
    for name in ledgers {
        let (disk, kept) = (disk.clone(), std::cell::RefCell::new(Vec::new()));
        disk.tamper(&name, |bytes| {
            kept.borrow_mut().clone_from(bytes);
            bytes.fill(0);
        });
        let (mut site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
        assert!(!report.lost_ledger && site.drain().len() <= 10);
        drop(site);
        disk.tamper(&name, |bytes| bytes.clone_from(&kept.borrow()));
    }
}

#[test]
fn what_a_later_version_wrote_is_left_for_it() {
    let (disk, source) = filled(SMALL, 20);
    let newer = segments(&disk).pop().unwrap();
    let version = |to: u8| disk.tamper(&newer, |bytes| bytes[4] = to);
    version(segment::VERSION + 1);
    let before: Vec<_> = segments(&disk);
    // This version: a new epoch beside it, without losing or touching anything of the other.
    let (mut site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
    assert_eq!(report.newer, before);
    assert!(site.drain().is_empty(), "what is settled of it is not known");
    site.put_now(source.batch(10, 100));
    assert_eq!(numbers(&site.drain()), (200..210).collect::<Vec<_>>());
    site.put_now(source.batch(10, 100));
    drop(site);
    assert!(before.iter().all(|name| segments(&disk).contains(name)));
    // The version that knows it: the old epoch first, then the new one.
    version(segment::VERSION);
    let (mut site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
    assert!(report.newer.is_empty());
    assert_eq!(numbers(&site.drain()), (0..200).chain(210..220).collect::<Vec<_>>());
    assert_eq!(site.meters.of_buffer().damage(), (0, 0));
    drop(site);
    assert!(segments(&disk).iter().all(|name| name.starts_with("00002-")), "{:?}", disk.names());
}

#[test]
fn a_torn_end_is_cut_off() {
    let (disk, source) = filled(SMALL, 5);
    let name = segments(&disk).pop().unwrap();
    disk.tamper(&name, |bytes| bytes.truncate(bytes.len() - 3));
    let (mut site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
    assert!(report.torn > 1_000);
    assert_eq!(numbers(&site.drain()), (0..40).collect::<Vec<_>>());
    assert_eq!(source.committed(), 50);
}

#[test]
fn strange_files_are_left_alone() {
    let (disk, _) = filled(SMALL, 5);
    let file = disk.open("notes.txt", Create::New).unwrap();
    write_all(&*file, 0, b"not ours").unwrap();
    assert_eq!(Site::new(&disk, SMALL).drain().len(), 50);
    assert!(disk.names().contains(&"notes.txt".to_owned()));
}
