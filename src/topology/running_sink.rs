//! A sink that runs: its queue, the ways to it, its task, and how it starts again.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use super::build::{Ground, Made};
use super::chain::Chain;
use super::entry::Entry;
use super::revive::Ward;
use crate::buffer::{DiskBuffer, Queue};
use crate::component::health::Health;
use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::config::Files;
use crate::delivery::{Bench, Drain, InHand};

/// A sink that runs.
pub(super) struct RunningSink {
    pub(super) made_of: Made,
    pub(super) in_hand: InHand,
    pub(super) queue: Arc<Queue>,
    pub(super) entry: Entry,
    /// What reads its output `dead_letter`.
    pub(super) rejects: Arc<ArcSwap<Chain>>,
    pub(super) health: Health,
    pub(super) stop: Stop,
    pub(super) task: JoinHandle<()>,
}

/// A sink whose queue nothing of ours writes to any more.
pub(super) struct ClosedSink {
    pub(super) queue: Arc<Queue>,
    pub(super) disk: Option<Arc<DiskBuffer>>,
    pub(super) in_hand: InHand,
    pub(super) stop: Stop,
    pub(super) task: JoinHandle<()>,
}

impl RunningSink {
    /// Lets go of the doors and of what leads from it.
    pub(super) fn close(self) -> ClosedSink {
        let Self { queue, entry, in_hand, stop, task, .. } = self;
        ClosedSink { queue, disk: entry.disk, in_hand, stop, task }
    }
}

/// A sink at work; a panic while it begins is one of the task.
pub(super) fn life(drain: Box<dyn Drain>, (bench, stop): (&Bench, &Stop)) -> Running {
    let (bench, stop) = (bench.clone(), stop.clone());
    Box::pin(async move { drain.run(bench, stop).await })
}

/// What has a sink start again after a panic; also in the place of a guest.
pub(super) fn ward(made_of: &Made, (ground, files): (&Ground, &Files), (bench, stop): (&Bench, &Stop)) -> Ward {
    let ((component, files), ground) = (made_of.recipe(files), ground.clone());
    let (meters, health, asked) = (bench.meters.clone(), bench.health.clone(), stop.clone());
    let (bench, stop) = (bench.clone(), stop.clone());
    let again = move || {
        let drain = ground.sink(&component, &files).map_err(|error| error.why)?;
        Ok(life(drain, (&bench, &stop)))
    };
    Ward { meters, health, stop: asked, again: Arc::new(again) }
}
