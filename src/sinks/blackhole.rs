//! `blackhole`: takes records and keeps none, to try a pipeline or to measure it.
//!
//! Nothing is encoded or queued: records go, counted as delivered, where they come in. `buffer` holds what a sink of
//! another type left in its place.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::buffer::Queue;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::delivery::settings::{Acknowledgements, BufferSettings};
use crate::delivery::{Bench, Drain};
use crate::event::{Batch, Outcome};

/// Bytes taken from the queue at once.
const TAKE: usize = 1 << 20;

/// Takes records and keeps none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BlackholeSettings {
    /// Who waits for the sink.
    #[serde(default)]
    acknowledgements: Acknowledgements,
    /// What stands before the sink.
    #[serde(default)]
    buffer: BufferSettings,
}

impl Settings for BlackholeSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "blackhole";
    const EXAMPLE: &'static str = r#"[sinks.nowhere]
type = "blackhole"
inputs = ["app"]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn idle(&self) -> Vec<Problem> {
        self.buffer.idle()
    }

    fn build(self, _: Context) -> Result<Self::Built, String> {
        Ok(Box::new(Blackhole { is_required: self.acknowledgements.enabled, buffer: self.buffer }))
    }
}

struct Blackhole {
    is_required: bool,
    buffer: BufferSettings,
}

impl Drain for Blackhole {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        Box::pin(async move {
            let Bench { queue, meters, health, .. } = bench;
            let swallow = move |batch: Batch| {
                meters.sent(batch.len(), 0);
                health.succeeded(&meters.label().id);
                batch.settle(Outcome::Delivered);
            };
            // Where there is nothing to do, a task that is woken for each batch only takes time from who reads.
            queue.pass_by(Some(Arc::new(swallow.clone())));
            tokio::select! {
                () = empty(&queue, swallow) => {}
                _ = stop.requested() => {}
            }
            queue.pass_by(None);
        })
    }

    fn buffer(&self) -> &BufferSettings {
        &self.buffer
    }

    fn is_required(&self) -> bool {
        self.is_required
    }
}

/// Takes what was queued before, until the queue is closed.
async fn empty(queue: &Queue, swallow: impl Fn(Batch)) {
    while let Some(batches) = queue.take(TAKE).await {
        batches.into_iter().for_each(&swallow);
    }
}
