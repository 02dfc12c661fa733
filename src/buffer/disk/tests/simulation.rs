//! The whole log on a disk that fails, by a seed. What was acknowledged to a source arrives once and in order; nothing
//! comes twice that was settled before the log last noted it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fastrand::Rng;

use super::kit::{Id, OPTIONS, Site, Source, ids};
use super::model::{Faults, Model};
use crate::buffer::WhenFull;
use crate::buffer::disk::log::Options;
use crate::event::{Batch, Outcome};

/// Seeds that are tried; `LEVADA_SEEDS` asks for others: a number of them, or `=SEED` for one.
const SEEDS: u64 = 500;

struct Simulation {
    rng: Rng,
    disk: Model,
    options: Options,
    /// Does the sink get only what is stored?
    is_strict: bool,
    sources: Vec<Arc<Source>>,
    /// In the sink's hand.
    hand: Vec<Batch>,
    /// How far each stream was handed out for the first time.
    reached: HashMap<u128, u64>,
    arrived: HashMap<Id, u32>,
    /// Arrived and settled; those that the log has noted since are never to come again.
    settled: HashSet<Id>,
    noted: HashSet<Id>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let when_full = match rng.u8(0..6) {
            0 => WhenFull::DropNewest,
            1 => WhenFull::DropOldest,
            _ => WhenFull::Block,
        };
        let options =
            Options { max_size: rng.u64(16_000..200_000), when_full, is_compressed: rng.u8(0..4) == 0, ..OPTIONS };
        Self {
            disk: Model::new(rng.u64(..)),
            options,
            is_strict: rng.u8(0..3) == 0,
            sources: (1..=rng.u128(1..4)).map(Source::new).collect(),
            rng,
            hand: Vec::new(),
            reached: HashMap::new(),
            arrived: HashMap::new(),
            settled: HashSet::new(),
            noted: HashSet::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..self.rng.u8(2..8) {
            self.live();
        }
        self.disk.arm(Faults::default());
        self.finish();
    }

    /// One life of a process, up to its end or a crash.
    fn live(&mut self) {
        let faults = Faults {
            crash_in: self.rng.bool().then(|| self.rng.u32(0..300)),
            errors: if self.rng.u8(0..4) == 0 { self.rng.u32(5..60) } else { 0 },
            bad_syncs: if self.rng.u8(0..3) == 0 { self.rng.u32(2..10) } else { 0 },
            capacity: (self.rng.u8(0..4) == 0).then(|| self.rng.u64(4_000..150_000)),
        };
        self.disk.arm(faults);
        self.settled.clear();
        if let Ok((mut site, _)) = Site::open(&self.disk, self.options, self.rng.usize(1_000..50_000)) {
            for _ in 0..self.rng.u8(5..60) {
                self.act(&mut site);
                let total = self.disk.total();
                assert!(total <= self.options.max_size, "{total} bytes of {}", self.options.max_size);
                if self.disk.has_crashed() {
                    break;
                }
            }
            self.hand.clear();
            if self.rng.bool() && site.note().is_ok_and(|all| all) {
                self.noted.extend(&self.settled);
            }
        }
        // A process that is killed leaves the page cache as it is.
        if self.disk.has_crashed() || self.rng.bool() {
            self.disk.crash();
        }
        self.sources.iter().for_each(|source| source.rewind());
    }

    fn act(&mut self, site: &mut Site) {
        match self.rng.u8(0..14) {
            0..4 => {
                let source = &self.sources[self.rng.usize(0..self.sources.len())];
                if source.has_failed() || self.rng.u8(0..12) == 0 {
                    source.rewind();
                }
                let batch = source.batch(self.rng.u64(1..20), self.rng.usize(0..400));
                if self.is_strict { site.put(batch) } else { site.offer(batch) }
            }
            4..7 => _ = site.store(),
            7..9 => _ = site.log.feed(&site.queue),
            9..11 => self.take(site),
            11 | 12 => self.settle(),
            _ => {
                site.log.offer_failed();
                let _may_fail = site.log.feed(&site.queue);
                let rested = if site.log.is_settled() { site.log.rest(0) } else { Ok(()) };
                if rested.is_ok() && site.note().is_ok_and(|all| all) {
                    self.noted.extend(&self.settled);
                }
            }
        }
    }

    fn take(&mut self, site: &Site) {
        for batch in site.take() {
            for id in ids(&batch) {
                assert!(!self.noted.contains(&id), "{id:?} comes again though it was settled, and noted");
                let reached = self.reached.entry(id.0).or_default();
                if id.1 >= *reached {
                    let is_next = id.1 == *reached || self.options.when_full != WhenFull::Block;
                    assert!(is_next, "{id:?} comes before {reached}");
                    *reached = id.1 + 1;
                }
            }
            self.hand.push(batch);
        }
    }

    fn settle(&mut self) {
        while !self.hand.is_empty() && self.rng.u8(0..5) > 0 {
            let batch = self.hand.swap_remove(self.rng.usize(0..self.hand.len()));
            if self.rng.u8(0..10) > 0 {
                self.arrive(batch);
            }
        }
    }

    fn arrive(&mut self, batch: Batch) {
        for id in ids(&batch) {
            *self.arrived.entry(id).or_default() += 1;
            self.settled.insert(id);
        }
        batch.settle(Outcome::Delivered);
    }

    /// Nothing goes wrong any more: everything arrives.
    fn finish(&mut self) {
        self.settled.clear();
        let (mut site, _) = Site::open(&self.disk, self.options, 20_000).unwrap();
        let ends: Vec<u64> = self.sources.iter().map(|source| source.committed() + 10).collect();
        for _ in 0..2_000 {
            for (source, end) in self.sources.iter().zip(&ends) {
                let read = *source.read.lock().unwrap();
                if read < *end && site.waiting.len() < 3 {
                    site.offer(source.batch(*end - read, 10));
                }
            }
            let _may_be_full = site.store();
            site.log.feed(&site.queue).unwrap();
            self.take(&site);
            let hand = std::mem::take(&mut self.hand);
            for batch in hand {
                self.arrive(batch);
            }
            if site.note().unwrap() {
                self.noted.extend(&self.settled);
            }
            if site.waiting.is_empty() && site.log.is_caught_up() && site.log.is_settled() {
                break;
            }
        }
        assert!(site.waiting.is_empty() && site.log.is_settled(), "it does not come to an end");
        assert_eq!(site.meters.of_buffer().damage(), (0, 0), "nothing was damaged");
        if self.options.when_full == WhenFull::Block {
            for (stream, end) in (1..).zip(&ends) {
                let missing = (0..*end).find(|number| !self.arrived.contains_key(&(stream, *number)));
                assert_eq!(missing, None, "a record of stream {stream} is lost");
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_noted_comes_again() {
    let asked = std::env::var("LEVADA_SEEDS").unwrap_or_default();
    let seeds = match asked.strip_prefix('=') {
        Some(seed) => seed.parse().unwrap()..seed.parse::<u64>().unwrap() + 1,
        None => 0..asked.parse().unwrap_or(SEEDS),
    };
    let fails = |seed: &u64| std::panic::catch_unwind(|| Simulation::new(*seed).run()).is_err();
    let failed: Vec<u64> = seeds.filter(fails).collect();
    assert!(failed.is_empty(), "seeds {failed:?}: `LEVADA_SEEDS==SEED` runs one alone");
}
