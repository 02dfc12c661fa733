use super::kit::{OPTIONS, Site, Source, ids};
use super::model::Model;
use crate::buffer::disk::log::Options;
use crate::buffer::disk::segment::parse_name;
use crate::buffer::disk::windows::Window;
use crate::event::{Batch, Outcome};

/// Stores so many batches of ten records, and gives them as the sink gets them.
fn taken(site: &mut Site, source: &std::sync::Arc<Source>, batches: u64) -> Vec<Batch> {
    (0..batches).for_each(|_| site.put_now(source.batch(10, 100)));
    site.take()
}

fn sequences(site: &Site, batches: &[Batch]) -> Vec<u64> {
    batches.iter().map(|batch| site.log.acks.sequence(batch).expect("it came by the disk")).collect()
}

fn deliver(batches: Vec<Batch>) {
    for batch in batches {
        batch.settle(Outcome::Delivered);
    }
}

/// Marks these frames as a window, durably.
fn mark(site: &mut Site, frames: &[u64]) -> Window {
    let window = Window { first: frames[0], end: frames[frames.len() - 1] + 1, fingerprint: 7 };
    assert!(site.log.acks.mark(window).is_some() && site.log.acks.awaits_mark());
    site.log.save().unwrap();
    assert!(!site.log.acks.awaits_mark());
    window
}

#[test]
fn a_window_is_the_same_after_a_crash_as_long_as_one_of_its_frames_has_no_outcome() {
    let (disk, source) = (Model::new(1), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    let mut batches = taken(&mut site, &source, 5);
    let frames = sequences(&site, &batches);
    let window = mark(&mut site, &frames[1..4]);
    // All but one of the window, and the frame before it.
    let last = batches.remove(3);
    deliver(batches);
    site.log.save().unwrap();
    disk.crash();
    let mut site = Site::new(&disk, OPTIONS);
    site.log.feed(&site.queue).unwrap();
    let again = site.take();
    assert_eq!(sequences(&site, &again), frames[1..4]);
    assert!(frames[1..4].iter().all(|frame| site.log.acks.window(*frame) == Some(window)));
    assert_eq!(site.log.acks.window(frames[0]), None);
    assert_eq!(site.log.acks.window(frames[4]), None);
    deliver(again);
    assert!(site.log.is_settled() && site.log.acks.window(frames[1]).is_none());
    site.log.save().unwrap();
    disk.crash();
    assert!(Site::new(&disk, OPTIONS).drain().is_empty());
    drop(last);
}

#[test]
fn a_frame_that_fails_has_all_of_its_window_come_again() {
    let (disk, source) = (Model::new(2), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    let batches = taken(&mut site, &source, 3);
    let frames = sequences(&site, &batches);
    mark(&mut site, &frames[..2]);
    for (at, batch) in batches.into_iter().enumerate() {
        assert_eq!(site.log.acks.has_failed(), at == 2, "when all of the window have an outcome");
        batch.settle(if at == 0 { Outcome::Failed } else { Outcome::Delivered });
    }
    assert!(site.log.acks.has_failed() && !site.log.is_settled());
    site.log.offer_failed();
    // What is new waits behind it.
    site.put_now(source.batch(10, 100));
    assert!(site.take().is_empty());
    site.log.feed(&site.queue).unwrap();
    let again = site.take();
    assert_eq!(sequences(&site, &again), [frames[0], frames[1], frames[2] + 1]);
    deliver(again);
    assert!(site.log.is_settled());
}

/// Found by kills: a segment went whose frames were settled after the ledger was written. The window they were in came
/// again without them.
#[test]
fn a_segment_goes_only_when_its_frames_are_settled_durably() {
    const SMALL: Options = Options { max_size: 40_000, ..OPTIONS };
    let (disk, source) = (Model::new(3), Source::new(1));
    let mut site = Site::new(&disk, SMALL);
    let batches = taken(&mut site, &source, 12);
    let frames = sequences(&site, &batches);
    mark(&mut site, &frames[..11]);
    let records: Vec<_> = batches[..11].iter().flat_map(ids).collect();
    deliver(batches);
    assert!(site.log.is_settled());
    site.log.remove_settled().unwrap();
    disk.crash();
    let mut site = Site::new(&disk, SMALL);
    assert_eq!(site.drain()[..110], records[..]);
}

#[test]
fn a_window_ends_with_the_last_of_its_frames_that_is_there() {
    let (disk, source) = (Model::new(4), Source::new(1));
    let mut site = Site::new(&disk, OPTIONS);
    let batches = taken(&mut site, &source, 4);
    let frames = sequences(&site, &batches);
    mark(&mut site, &frames[..3]);
    drop((site, batches));
    let name = disk.names().into_iter().find(|name| parse_name(name).is_some()).unwrap();
    disk.tamper(&name, |bytes| {
        // A record of the third frame.
        let at = bytes.windows(4).position(|text| text == b"25 x").unwrap();
        bytes[at] ^= 1;
    });
    let mut site = Site::new(&disk, OPTIONS);
    site.log.feed(&site.queue).unwrap();
    let again = site.take();
    assert_eq!(sequences(&site, &again), [frames[0], frames[1], frames[3]]);
    assert_eq!(site.log.acks.window(frames[0]).map(|window| window.end), Some(frames[1] + 1));
    deliver(again);
    assert!(site.log.is_settled());
}
