//! `blackhole`: takes records and keeps none, to try a pipeline or to measure it.
//!
//! ```toml
//! [sinks.nowhere]
//! type = "blackhole"
//! inputs = ["app"]
//! ```
//!
//! Nothing is encoded. Its records count as delivered.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::buffer::Queue;
use crate::component::row::{Context, Settings};
use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::delivery::settings::BufferSettings;
use crate::delivery::{Bench, Drain};
use crate::event::Outcome;

/// Bytes taken from the queue at once.
const TAKE: usize = 1 << 20;

/// Takes records and keeps none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BlackholeSettings {
    /// What stands before the sink.
    #[serde(default)]
    buffer: BufferSettings,
}

impl Settings for BlackholeSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "blackhole";

    fn build(self, _: Context) -> Result<Self::Built, String> {
        Ok(Box::new(Blackhole { buffer: self.buffer }))
    }
}

struct Blackhole {
    buffer: BufferSettings,
}

impl Drain for Blackhole {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        Box::pin(async move {
            tokio::select! {
                () = swallow(&bench.queue, &bench) => {}
                _ = stop.requested() => {}
            }
        })
    }

    fn buffer(&self) -> &BufferSettings {
        &self.buffer
    }
}

async fn swallow(queue: &Queue, bench: &Bench) {
    while let Some(batches) = queue.take(TAKE).await {
        for batch in batches {
            bench.meters.sent(batch.len(), 0);
            batch.settle(Outcome::Delivered);
        }
        bench.health.succeeded(&bench.meters.label().id);
    }
}
