//! A panic ends one life of one component: it starts again, and what was in its hands comes again.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::delivery::settings::BufferSettings;

/// A sink that panics with the first batch that it has: in its own task, or on the thread of whoever offers it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    InTask,
    InPassing,
}

struct Bomb(Where, BufferSettings);

impl Drain for Bomb {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        Box::pin(async move {
            if self.0 == Where::InTask {
                let _in_hand = bench.queue.take(1).await;
                panic!("as the test says");
            }
            let (has_exploded, meters) = (AtomicBool::new(false), bench.meters.clone());
            bench.queue.pass_by(Some(Arc::new(move |batch| {
                assert!(has_exploded.swap(true, Ordering::AcqRel), "as the test says");
                meters.sent(batch.len(), 0);
                batch.settle(Outcome::Delivered);
            })));
            tokio::select! {
                // It is closed before anything is in it.
                _ = bench.queue.take(1) => {}
                _ = stop.requested() => {}
            }
        })
    }

    fn buffer(&self) -> &BufferSettings {
        &self.1
    }
}

impl Stage {
    fn apply_with_bomb(&mut self, text: &str, at: Where) {
        let guest: Guest = Box::new(move |_| Box::new(Bomb(at, BufferSettings::default())));
        self.topology.apply_with(&plan(text), &mut HashMap::from([("out".to_owned(), guest)])).unwrap();
    }

    fn panics(&self, component: &Component) -> u64 {
        self.topology.ground.context(component).meters.error_count("panic")
    }

    /// How the component `id` came to be degraded, once it is.
    async fn trouble(&self, id: &str) -> String {
        let roster = self.topology.roster();
        until(|| matches!(roster.health(id), Some(State::Degraded { .. }))).await;
        let Some(State::Degraded { why, .. }) = roster.health(id) else { return String::new() };
        why
    }

    async fn recovers(&self, id: &str) {
        let roster = self.topology.roster();
        until(|| roster.health(id) == Some(State::Running)).await;
    }
}

const TOLD: &str = "an internal error ended it; it starts again in";

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_starts_again_with_its_queue() {
    let mut stage = Stage::new();
    stage.apply_with_bomb(&format!("{}{}", stage.source("app", ""), sink("out", "'app'", "")), Where::InTask);
    let queue = stage.topology.sinks["out"].queue.clone();
    stage.write("app", "one\n");
    let why = stage.trouble("out").await;
    assert!(why.starts_with(TOLD), "{why}");
    stage.sends("out", 1).await;
    stage.recovers("out").await;
    let out = &stage.topology.sinks["out"];
    assert!(Arc::ptr_eq(&queue, &out.queue));
    assert_eq!(
        (stage.panics(&out.made_of.component), stage.topology.sources["app"].health.state()),
        (1, State::Running)
    );
    let left = within(stage.topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_one_of_whose_lanes_panics_starts_again_where_it_was() {
    let mut stage = Stage::new();
    stage.apply_with_bomb(&format!("{}{}", stage.source("app", ""), sink("out", "'app'", "")), Where::InPassing);
    stage.write("app", "one\n");
    let why = stage.trouble("app").await;
    assert!(why.starts_with(TOLD), "{why}");
    stage.sends("out", 1).await;
    stage.recovers("app").await;
    stage.write("app", "two\n");
    stage.sends("out", 2).await;
    let app = &stage.topology.sources["app"].made_of.component;
    assert_eq!((stage.panics(app), stage.topology.alive.count()), (1, 1));
    let left = within(stage.topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_step_starts_again_with_its_queue() {
    let mut stage = Stage::new();
    let step = "[transforms.whole]\ntype = 'reduce'\ninputs = ['app']\nmerge_strategies.message = 'concat_raw'\n\
                max_events = 2\n";
    let text = format!("{}{step}{}", stage.source("app", ""), sink("out", "'whole'", ""));
    stage.apply_with_bomb(&text, Where::InPassing);
    stage.write("app", "a\nb\n");
    let why = stage.trouble("whole").await;
    assert!(why.starts_with(TOLD), "{why}");
    stage.sends("out", 1).await;
    stage.recovers("whole").await;
    let whole = stage.topology.keepers.made_of("whole").expect("it runs");
    assert_eq!(stage.panics(whole), 1);
    let left = within(stage.topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
}
