//! What goes to the sink before it is stored.

use super::kit::{Id, OPTIONS, Site, Source, ids};
use super::model::{Faults, Model};
use crate::buffer::WhenFull;
use crate::buffer::disk::log::Options;
use crate::buffer::disk::write::Stuck;
use crate::component::reason::Reason;
use crate::event::{Batch, Outcome};

fn numbers(batches: &[Batch]) -> Vec<u64> {
    batches.iter().flat_map(ids).map(|(_, number): Id| number).collect()
}

fn deliver(batches: Vec<Batch>) {
    for batch in batches {
        batch.settle(Outcome::Delivered);
    }
}

#[test]
fn what_the_sink_takes_at_once_is_never_written() {
    let (disk, source) = (Model::new(1), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    for _ in 0..3 {
        site.offer(source.batch(10, 100));
    }
    let mut batches = site.take();
    assert_eq!((numbers(&batches), source.committed()), ((0..30).collect(), 0), "nobody was told yet");
    let last = batches.pop().unwrap();
    deliver(batches);
    let before = disk.total();
    site.log.settle_passed(&mut site.waiting, &site.queue, 0).unwrap();
    assert_eq!((source.committed(), site.waiting.len(), disk.total()), (20, 1, before));
    last.settle(Outcome::Delivered);
    site.store().unwrap();
    assert_eq!((source.committed(), disk.total(), site.meters.of_buffer().passed_events()), (30, before, 30));
    assert!(site.log.is_settled() && site.drain().is_empty());
}

#[test]
fn what_it_does_not_take_in_time_is_stored_and_settled_by_its_outcome() {
    let (disk, source) = (Model::new(1), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    site.offer(source.batch(10, 100));
    site.offer(source.batch(10, 100));
    let batches = site.take();
    site.store().unwrap();
    assert_eq!((source.committed(), site.log.is_settled()), (20, false));
    assert!(site.log.is_caught_up(), "the sink has them");
    // What comes now is still ahead.
    site.offer(source.batch(10, 100));
    let more = site.take();
    assert_eq!(numbers(&more), (20..30).collect::<Vec<_>>());
    deliver(batches);
    deliver(more);
    site.store().unwrap();
    assert!(site.log.is_settled() && source.committed() == 30);
    site.note().unwrap();
    drop(site);
    disk.crash();
    assert!(Site::new(&disk, OPTIONS).drain().is_empty());
}

#[test]
fn a_crash_loses_nothing_of_it_and_repeats_nothing_that_was_noted() {
    let (disk, source) = (Model::new(1), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    site.offer(source.batch(10, 100));
    deliver(site.take());
    assert!(site.note().unwrap());
    site.offer(source.batch(10, 100));
    let out = site.take();
    drop((site, out));
    disk.crash();
    // Nothing of it was acknowledged beyond the first ten, and its source lost even that.
    let again = Source::new(1);
    let mut site = Site::new(&disk, OPTIONS);
    site.offer(again.batch(30, 100));
    assert!(site.take().is_empty(), "a re-read is for the log to tell");
    site.store().unwrap();
    assert_eq!(site.drain().iter().map(|id| id.1).collect::<Vec<_>>(), (10..30).collect::<Vec<_>>());
    assert_eq!((again.committed(), site.meters.of_buffer().reread_events()), (30, 10));
}

#[test]
fn what_the_sink_failed_on_is_stored_and_comes_again() {
    let (disk, source) = (Model::new(1), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    site.offer(source.batch(5, 10));
    site.offer(source.batch(5, 10));
    let mut batches = site.take();
    drop(batches.remove(0));
    deliver(batches);
    site.store().unwrap();
    assert_eq!((source.committed(), source.has_failed(), site.log.acks.has_failed()), (10, false, true));
    site.log.offer_failed();
    assert_eq!(site.drain().iter().map(|id| id.1).collect::<Vec<_>>(), (0..5).collect::<Vec<_>>());
    assert!(site.log.is_settled());
}

#[test]
fn what_the_sink_has_is_not_dropped_where_the_disk_is_full() {
    let options = Options { when_full: WhenFull::DropNewest, ..OPTIONS };
    let (disk, source) = (Model::new(1), Source::new(1));
    let mut site = Site::new(&disk, options);
    site.put_now(source.batch(5, 100));
    deliver(site.take());
    disk.arm(Faults { capacity: Some(disk.total()), ..Faults::default() });
    site.offer(source.batch(5, 100));
    site.offer(source.batch(5, 100));
    let mut out = site.take();
    site.put(source.batch(5, 100));
    // Done with out of order: found by seeds, it was dropped though the sink has it.
    deliver(out.split_off(1));
    assert!(matches!(site.store(), Err(Stuck::Failing(_))));
    assert_eq!((site.meters.discarded_events(Reason::BufferFull), site.waiting.len()), (5, 2));
    deliver(out);
    site.store().unwrap();
    assert_eq!((source.committed(), site.waiting.len()), (20, 0));
}
