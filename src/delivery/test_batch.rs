//! For tests of sinks: batches made of lines, and what became of their records.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;

use super::{Bench, DeadLetters, InHand};
use crate::buffer::{Queue, WhenFull};
use crate::component::health::Health;
use crate::component::meters::{Families, Label};
use crate::event::{Batch, Budget, Origin, Receipt, Resolution, Resolve, Seen, StreamKey};

/// 2026-11-20T10:00:00Z in nanoseconds since the Unix epoch: when all records here were read.
pub(crate) const TIME: i64 = 1_795_168_800_000_000_000;

struct Told(SyncSender<Resolution>);

impl Resolve for Told {
    fn resolved(&self, _: u64, resolution: Resolution) {
        // Most tests do not listen.
        let _gone = self.0.try_send(resolution);
    }
}

/// Records of JSON objects.
pub(crate) fn json(lines: &[&str]) -> Batch {
    watched(lines, |filler, start, len, seen| filler.json(start, len, seen).unwrap()).0
}

/// Records of raw lines.
pub(crate) fn text(lines: &[&str]) -> Batch {
    watched(lines, |filler, start, len, seen| {
        filler.text(start, len, seen);
    })
    .0
}

/// Records of JSON objects, with the resolution of their receipt.
pub(crate) fn json_watched(lines: &[&str]) -> (Batch, Receiver<Resolution>) {
    watched(lines, |filler, start, len, seen| filler.json(start, len, seen).unwrap())
}

fn watched(
    lines: &[&str],
    add: impl Fn(&mut crate::event::Filler<'_>, usize, usize, Seen),
) -> (Batch, Receiver<Resolution>) {
    let (told, resolution) = sync_channel(1);
    let receipt = Receipt::new(Arc::new(Told(told)), 0);
    let block = Bytes::from(lines.concat());
    let mut batch = Batch::new(block, Arc::new(Origin::new(StreamKey(7))), receipt);
    let mut start = 0;
    for line in lines {
        add(&mut batch.fill(), start, line.len(), Seen { position: start as u64, time: TIME });
        start += line.len();
    }
    (batch, resolution)
}

/// A queue and what else a sink works with; dead letters go below `folder`.
pub(crate) fn queue_bench(folder: &std::path::Path) -> Bench {
    let meters = Families::default().meters(&Label { id: "it".into(), kind: "sink", type_name: "test" });
    Bench {
        queue: Arc::new(Queue::new(64 << 20, WhenFull::Block, meters.clone())),
        meters,
        health: Health::default(),
        refusals: Arc::new(DeadLetters::new(folder.join("dead_letters"))).into(),
        in_hand: InHand::default(),
        frames: None,
        budget: Budget::new(usize::MAX),
    }
}
