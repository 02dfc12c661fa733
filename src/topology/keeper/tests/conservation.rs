//! Whatever happens behind a step: nothing is lost, and each receipt resolves once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::component::reason::Reason;
use crate::event::{Seen, StreamKey};

/// Stream, position of the first record, and the key and the number of each.
type Offered = (u128, u64, Vec<(u8, u32)>);

/// A source that offers a batch again until it has not failed.
struct Offers {
    batches: Vec<Offered>,
    rounds: usize,
}

impl Offers {
    fn batch(&self, at: usize, ledger: &Arc<Ledger>) -> Batch {
        let (stream, position, records) = &self.batches[at];
        let lines: Vec<String> =
            records.iter().map(|(key, id)| format!("{{\"k\":\"{key}\",\"ids\":{id},\"n\":1}}")).collect();
        let origin = Arc::new(crate::event::Origin::new(StreamKey(*stream)));
        let mut batch = Batch::new(lines.concat().into(), origin, ledger.receipt());
        let mut start = 0;
        for (at, line) in lines.iter().enumerate() {
            let seen = Seen { position: position + at as u64, time: 0 };
            batch.fill().json(start, line.len(), seen).unwrap();
            start += line.len();
        }
        batch
    }

    /// Offers everything, to the end; gives how many batches had to be offered again.
    async fn run(&mut self, stage: &Stage) -> usize {
        let mut open: Vec<usize> = (0..self.batches.len()).collect();
        let (mut tokens, mut again) = (0, 0);
        while !open.is_empty() {
            self.rounds += 1;
            assert!(self.rounds < 200, "it comes to an end");
            let mut offered = Vec::new();
            for at in open.drain(..) {
                stage.put(self.batch(at, &stage.ledger)).await;
                offered.push((tokens, at));
                tokens += 1;
            }
            while offered.iter().any(|(token, _)| stage.ledger.resolution(*token).is_none()) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            let failed = |token: u64| stage.ledger.resolution(token).is_some_and(|told| told.worst == Outcome::Failed);
            open = offered.into_iter().filter(|(token, _)| failed(*token)).map(|(_, at)| at).collect();
            again += open.len();
        }
        again
    }
}

/// How the end treats what it is given, one after the other; then it delivers.
async fn drain(end: Arc<Queue>, fates: Vec<bool>, caught: Arc<Mutex<Vec<Vec<u32>>>>) {
    let mut fates = fates.into_iter();
    while let Some(batches) = end.take(1).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
        for batch in batches {
            if fates.next() == Some(false) {
                batch.settle(Outcome::Failed);
                continue;
            }
            for view in batch.iter() {
                let record: serde_json::Value = serde_json::from_str(&text(view)).unwrap();
                let ids = record["ids"].as_array().unwrap();
                assert_eq!(record["n"], ids.len(), "each member counts once");
                caught.lock().unwrap().push(ids.iter().map(|id| id.as_u64().unwrap() as u32).collect());
            }
            batch.settle(Outcome::Delivered);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn all_that_comes_in_is_delivered_and_each_receipt_resolves_once(
        batches in prop::collection::vec((0..3_u128, prop::collection::vec(0..4_u8, 1..6)), 1..12),
        fates in prop::collection::vec(any::<bool>(), 0..6),
        max_events in 1..6_usize,
        end_bytes in 1..4_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let toml = format!(
                "group_by = ['k']\nmerge_strategies.k = 'discard'\nmerge_strategies.ids = 'array'\n\
                 max_events = {max_events}\nexpire_after_ms = 1000\nflush_period_ms = 100"
            );
            let stage = Stage::reduce(&toml, end_bytes);
            let mut ids = 0..;
            let mut next: BTreeMap<u128, u64> = BTreeMap::new();
            let batches = batches.into_iter().map(|(stream, keys)| {
                let position = next.entry(stream).or_default();
                let records: Vec<(u8, u32)> = keys.into_iter().zip(&mut ids).collect();
                *position += records.len() as u64;
                (stream, *position - records.len() as u64, records)
            });
            let mut offers = Offers { batches: batches.collect(), rounds: 0 };
            let caught = Arc::default();
            let drain = tokio::spawn(drain(stage.end.clone(), fates, Arc::clone(&caught)));
            let again = offers.run(&stage).await;
            stage.queue.close();
            stage.task.await.unwrap();
            stage.end.close();
            drain.await.unwrap();
            let mut seen: Vec<u32> = caught.lock().unwrap().iter().flatten().copied().collect();
            seen.sort_unstable();
            let all: Vec<u32> = (0..ids.start).collect();
            if again == 0 {
                assert_eq!(seen, all, "each once");
            }
            seen.dedup();
            assert_eq!(seen, all, "nothing is lost");
            let merged = stage.meters.discarded_events(Reason::Merged);
            assert_eq!(stage.meters.received_events(), stage.meters.sent_events() + merged, "all is counted");
        });
    }
}
