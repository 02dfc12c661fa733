//! A console with a reader that reads, one that goes, one that never reads.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::task::Waker;

use super::*;
use crate::component::outlet::Inlet;
use crate::component::reason::Reason;
use crate::delivery::test_batch::{json_watched, queue_bench};
use crate::event::Outcome;

/// Panics once, and then writes.
struct Panics(bool, UnixStream);

impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(std::mem::replace(&mut self.0, true), "as the test wants it");
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_fails_its_records_and_the_writer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let bench = queue_bench(folder.path());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (out, stop) = (Box::new(Panics(false, ours)), Stop::default());
    let running = tokio::spawn(run(out, codecs::Writer::default(), bench.clone(), stop));
    let (first, failed) = json_watched(&[r#"{"a":1}"#]);
    bench.queue.offer(first, Waker::noop()).unwrap();
    let failed = tokio::task::spawn_blocking(move || failed.recv().unwrap());
    assert_eq!(failed.await.unwrap().worst, Outcome::Failed);
    let (second, delivered) = json_watched(&[r#"{"b":2}"#]);
    bench.queue.offer(second, Waker::noop()).unwrap();
    bench.queue.close();
    running.await.unwrap();
    assert_eq!(delivered.recv().unwrap().worst, Outcome::Delivered);
    let mut text = String::new();
    theirs.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), bench.meters.sent_events()), ("{\"b\":2}\n", 1));
    assert_eq!((bench.meters.error_count("panic"), bench.in_hand.sum()), (1, (0, 0)));
}

/// Counts calls, and fails as told.
struct Faulty(Vec<io::ErrorKind>, UnixStream);

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.pop() {
            Some(kind) => Err(kind.into()),
            // One byte at a time: a write may be short.
            None => self.1.write(&bytes[..1]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn lines_arrive_whole_in_spite_of_short_writes_and_interruptions() {
    let folder = tempfile::tempdir().unwrap();
    let bench = queue_bench(folder.path());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let faults = vec![io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
    let running =
        tokio::spawn(run(Box::new(Faulty(faults, ours)), codecs::Writer::default(), bench.clone(), Stop::default()));
    let (batch, resolution) = json_watched(&[r#"{"a":1}"#, r#"{"b":2}"#]);
    bench.queue.offer(batch, Waker::noop()).unwrap();
    bench.queue.close();
    running.await.unwrap();
    let mut text = String::new();
    theirs.read_to_string(&mut text).unwrap();
    assert_eq!(text, "{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(resolution.recv().unwrap().worst, Outcome::Delivered);
    assert_eq!((bench.meters.sent_events(), bench.meters.discarded_events(Reason::Discarded)), (2, 0));
}

#[tokio::test]
async fn a_reader_that_goes_ends_the_writing_and_not_the_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    let bench = queue_bench(folder.path());
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let running = tokio::spawn(run(Box::new(ours), codecs::Writer::default(), bench.clone(), Stop::default()));
    for _ in 0..3 {
        bench.queue.offer(json_watched(&["{}"]).0, Waker::noop()).unwrap();
    }
    bench.queue.close();
    running.await.unwrap();
    assert_eq!((bench.meters.sent_events(), bench.meters.discarded_events(Reason::Discarded)), (0, 3));
}

#[tokio::test]
async fn a_reader_that_never_reads_cannot_hold_the_end_up() {
    let folder = tempfile::tempdir().unwrap();
    let bench = queue_bench(folder.path());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let stop = Stop::default();
    let running = tokio::spawn(run(Box::new(ours), codecs::Writer::default(), bench.clone(), stop.clone()));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(4 << 20));
    bench.queue.offer(json_watched(&[&long]).0, Waker::noop()).unwrap();
    let begun = tokio::task::spawn_blocking(move || theirs.read_exact(&mut [0]).map(|()| theirs));
    let _unread = begun.await.unwrap().unwrap();
    stop.request(std::time::Instant::now());
    running.await.unwrap();
    assert_eq!(bench.meters.sent_events(), 0);
}
