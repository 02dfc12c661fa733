//! A bit flipped in each region of each file, and what a repair makes of it.

use super::kit::{OPTIONS, Site, Source};
use super::model::Model;
use crate::buffer::disk::frame::{HEAD, Head};
use crate::buffer::disk::inspect::Untouched;
use crate::buffer::disk::log::Options;
use crate::buffer::disk::repair::{Repaired, repair_on};
use crate::buffer::disk::segment;
use crate::buffer::disk::storage::Disk;

const SMALL: Options = Options { max_size: 160_000, ..OPTIONS };
/// Records of a batch, and so of a frame.
const BATCH: usize = 10;

/// A log of some segments of which the sink has the first frames.
fn filled() -> Model {
    filled_up_to(3)
}

/// The same; the sink has so many frames.
fn filled_up_to(settled: usize) -> Model {
    let (disk, source) = (Model::new(1), Source::new(1));
    let (mut site, _) = Site::open(&disk, SMALL, 1).unwrap();
    for _ in 0..60 {
        site.put_now(source.batch(BATCH as u64, 100));
    }
    for _ in 0..settled {
        site.log.feed(&site.queue).unwrap();
        site.take().into_iter().for_each(|batch| batch.settle(crate::event::Outcome::Delivered));
        site.log.save().unwrap();
    }
    disk
}

fn mend(disk: &Model) -> std::io::Result<Repaired> {
    repair_on(disk, Some(SMALL.max_size), 0)
}

fn segments(disk: &Model) -> Vec<String> {
    disk.names().into_iter().filter(|name| segment::parse_name(name).is_some()).collect()
}

fn numbers(disk: &Model) -> (Vec<u64>, (u64, u64)) {
    let mut site = Site::new(disk, SMALL);
    let got = site.drain().into_iter().map(|(_, number)| number).collect();
    let damage = site.meters.of_buffer().damage();
    (got, damage)
}

#[test]
fn a_sound_log_is_left_alone() {
    let disk = filled();
    let before = (disk.names(), disk.total());
    assert_eq!(mend(&disk).unwrap(), Repaired::default());
    assert_eq!((disk.names(), disk.total()), before);
    assert!(mend(&Model::new(2)).unwrap().is_sound(), "one that is empty");
}

#[test]
fn a_flipped_bit_costs_its_frame_and_nothing_else() {
    let whole = numbers(&filled()).0;
    assert!(whole.len() > 500);
    let all = segments(&filled());
    // Of each segment but the last: its head, positions in it, a frame's head and its body, and the last frame's end.
    for name in &all[1..all.len() - 1] {
        for (at, costs_frame) in [(5, false), (20, false), (45, false), (36 + 40 + 10, true), (3_000, true)] {
            let disk = filled();
            disk.tamper(name, |bytes| bytes[at] ^= 1);
            let told = mend(&disk).unwrap();
            assert_eq!((told.rewritten, told.lost), (1, u64::from(costs_frame)), "{name} {at}: {told:?}");
            assert_eq!((told.heads, told.damaged > 0), (usize::from(!costs_frame), true), "{name} {at}: {told:?}");
            assert!(disk.names().iter().any(|kept| kept.starts_with(&format!("quarantine/{name}"))));
            assert_eq!(mend(&disk).unwrap().rewritten, 0, "once is enough");
            let (got, damage) = numbers(&disk);
            let lost = if costs_frame { BATCH } else { 0 };
            // What was settled when it was hit is not missed.
            assert!(got.len() == whole.len() - lost || got.len() == whole.len(), "{name} {at}: {}", got.len());
            assert!(got.is_sorted() && damage.0 == 0, "{name} {at}: {damage:?}");
        }
    }
}

#[test]
fn a_torn_end_is_cut_off_and_a_file_of_nothing_set_aside() {
    let disk = filled();
    let all = segments(&disk);
    let (first, last) = (&all[1], all.last().unwrap());
    disk.tamper(first, |bytes| bytes.fill(0));
    disk.tamper(last, |bytes| bytes.truncate(bytes.len() - 3));
    let told = mend(&disk).unwrap();
    assert!(told.torn > 1_000 && told.set_aside == [first.clone()] && told.rewritten == 0, "{told:?}");
    assert!(disk.names().contains(&format!("quarantine/{first}")));
    let (site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
    assert!(report.torn == 0 && report.broken.is_empty());
    drop(site);
    assert!(mend(&disk).unwrap().is_sound());
}

#[test]
fn a_lost_ledger_is_made_again_and_a_damaged_one_moved() {
    for is_gone in [true, false] {
        let disk = filled_up_to(30);
        for name in disk.names().into_iter().filter(|name| name.contains(".ledger.")) {
            if is_gone { disk.lose(&name) } else { disk.tamper(&name, |bytes| bytes[9] ^= 1) }
        }
        let told = mend(&disk).unwrap();
        assert_eq!((told.ledgers, told.rewritten), (1, 0));
        let (mut site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
        assert!(!report.lost_ledger);
        assert_eq!(site.drain().last(), Some(&(1, 599)));
        assert_eq!(disk.names().iter().any(|name| name.starts_with("quarantine/00001.ledger")), !is_gone);
    }
}

/// Re-reads are told by positions: also where the head that kept them is damaged.
#[test]
fn a_head_that_is_made_again_knows_the_positions() {
    let disk = filled();
    let last = segments(&disk).pop().unwrap();
    disk.tamper(&last, |bytes| bytes[20] ^= 1);
    let told = mend(&disk).unwrap();
    assert_eq!((told.heads, told.lost), (1, 0));
    let mut site = Site::new(&disk, SMALL);
    let again = Source::new(1);
    site.put_now(again.batch(605, 1));
    assert_eq!(site.meters.of_buffer().reread_events(), 600);
    assert_eq!(site.drain().last(), Some(&(1, 604)));
}

#[test]
fn what_a_later_version_wrote_is_not_touched() {
    let disk = filled();
    let all = segments(&disk);
    disk.tamper(&all[1], |bytes| bytes[4] = segment::VERSION + 1);
    disk.tamper(&all[2], |bytes| bytes[3_000] ^= 1);
    let before = Untouched(disk.clone()).list().unwrap();
    let told = mend(&disk).unwrap();
    assert_eq!(told, Repaired { newer: all.len(), ..Repaired::default() });
    assert_eq!(Untouched(disk.clone()).list().unwrap(), before);
}

/// Before anything has an outcome there is no ledger, and none is missed.
#[test]
fn a_log_of_which_nothing_is_settled_is_sound() {
    let disk = filled_up_to(0);
    assert!(segments(&disk).len() > 3 && disk.names().iter().all(|name| !name.contains("ledger")));
    assert_eq!(mend(&disk).unwrap(), Repaired::default());
    let (_, report) = Site::open(&disk, SMALL, 1).unwrap();
    assert!(!report.lost_ledger);
}

/// Offsets of the frames of a segment.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut at = segment::Head::length(bytes).unwrap();
    let mut all = Vec::new();
    while let Ok(head) = Head::read(bytes.get(at..).unwrap_or_default()) {
        all.push(at);
        at += head.len() as usize;
    }
    all
}

/// Makes of a frame one that is whole, and holds no records.
fn empty_out(bytes: &mut [u8], at: usize) {
    let head = Head::read(&bytes[at..]).unwrap();
    let body = at + HEAD..at + head.len() as usize;
    bytes[body.start..body.start + 4].fill(0xFF);
    let crc = crc32c::crc32c(&bytes[body]);
    bytes[at + 32..at + 36].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[at..at + 36]);
    bytes[at + 36..at + HEAD].copy_from_slice(&crc.to_le_bytes());
    assert!(Head::read(&bytes[at..]).is_ok());
}

#[test]
fn a_whole_frame_without_records_is_damage_as_it_is_to_who_reads_all() {
    let disk = filled();
    let name = &segments(&disk)[2];
    disk.tamper(name, |bytes| {
        let at = frames(bytes)[1];
        empty_out(bytes, at);
    });
    let told = mend(&disk).unwrap();
    assert_eq!((told.rewritten, told.lost, told.heads), (1, 1, 0), "{told:?}");
    assert!(told.damaged > 1_000 && mend(&disk).unwrap().is_sound(), "{told:?}");
    let (got, damage) = numbers(&disk);
    assert_eq!((got.len() % BATCH, damage.0), (0, 0));
    assert!(got.is_sorted() && got.last() == Some(&599));
}

/// What stands behind it in the last group was acknowledged: it must not look torn.
#[test]
fn a_frame_without_records_in_the_last_group_costs_no_other() {
    for (hit, left) in [(&[2][..], 40), (&[1], 40), (&[4], 40), (&[2, 3], 30), (&[3, 4], 30)] {
        let disk = of_two_groups();
        let name = segments(&disk).pop().unwrap();
        disk.tamper(&name, |bytes| {
            let frames = frames(bytes);
            let groups: Vec<u64> = frames.iter().map(|at| Head::read(&bytes[*at..]).unwrap().group).collect();
            assert!(groups.len() == 5 && groups[1..].iter().all(|group| *group == groups[0] + 1), "{groups:?}");
            for number in hit {
                empty_out(bytes, frames[*number]);
            }
        });
        let told = mend(&disk).unwrap();
        assert_eq!((told.lost, told.torn, told.rewritten), (hit.len() as u64, 0, 1), "{hit:?}: {told:?}");
        assert!(mend(&disk).unwrap().is_sound());
        let (mut site, report) = Site::open(&disk, SMALL, 1 << 20).unwrap();
        assert_eq!((report.torn, site.drain().len()), (0, left), "{hit:?}");
    }
}

/// A frame, and four that became durable together.
fn of_two_groups() -> Model {
    let (disk, source) = (Model::new(1), Source::new(1));
    let (mut site, _) = Site::open(&disk, SMALL, 1).unwrap();
    site.put_now(source.batch(BATCH as u64, 100));
    (0..4).for_each(|_| site.put(source.batch(BATCH as u64, 100)));
    site.store().unwrap();
    disk
}

#[test]
fn no_more_is_kept_than_a_start_would_keep() {
    let sizes = |disk: &Model| -> u64 {
        let kept = disk.list().unwrap().into_iter().filter(|(name, _)| name.starts_with("quarantine"));
        kept.map(|(_, len)| len).sum()
    };
    for (max_size, bound) in [(Some(SMALL.max_size), SMALL.max_size / 8), (None, 12_000), (Some(8_000), 1_000)] {
        let disk = filled();
        let all = segments(&disk);
        disk.tamper(&all[1], |bytes| bytes.fill(0));
        disk.tamper(&all[2], |bytes| bytes[2_000..18_000].fill(0));
        let told = repair_on(&disk, max_size, 0).unwrap();
        assert_eq!(told.set_aside, [all[1].clone()]);
        assert!(told.unkept > 0 && !disk.names().contains(&all[1]), "{told:?}");
        let kept = sizes(&disk);
        assert!(kept > bound / 2 && kept <= bound, "{kept} of {bound}: {told:?}");
        assert!(repair_on(&disk, max_size, 0).unwrap().is_sound());
    }
}
