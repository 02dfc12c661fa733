//! The source: its threads, from start to end.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::discovery::Discovery;
use super::job::{Job, Letter, Pace};
use super::lane::Reader;
use super::mailbox::Mailbox;
use super::settings::FileSettings;
use crate::component::outlet::Outlet;
use crate::component::row::Context;
use crate::component::signal::Stop;
use crate::component::source::{Running, Source};

/// A `file` source that is ready to run.
pub(super) struct FileSource {
    job: Arc<Job>,
}

impl FileSource {
    /// Makes sure that positions can be kept.
    pub(super) fn build(settings: FileSettings, context: &Context) -> Result<Self, String> {
        let pace = Pace::new(Duration::from_millis(settings.glob_minimum_cooldown_ms));
        Self::with_pace(settings, context, pace)
    }

    pub(super) fn with_pace(settings: FileSettings, context: &Context, pace: Pace) -> Result<Self, String> {
        let job = Job::new(settings, context, pace);
        job.positions.probe()?;
        Ok(Self { job: Arc::new(job) })
    }
}

impl Source for FileSource {
    fn run(self: Box<Self>, outlet: Arc<dyn Outlet>, stop: Stop) -> Running {
        Box::pin(async move {
            let (ended, end) = tokio::sync::oneshot::channel::<()>();
            let keep = move || {
                keep(&self.job, &*outlet, &stop);
                drop(ended);
            };
            match Builder::new().name("levada-files".into()).spawn(keep) {
                // An error is how the channel tells that the thread has ended.
                Ok(_) => drop(end.await),
                Err(error) => tracing::error!(%error, "cannot start a thread, no files are read"),
            }
        })
    }
}

/// Looks for files and keeps positions, while lanes read.
fn keep(job: &Arc<Job>, outlet: &dyn Outlet, stop: &Stop) {
    job.notes.open();
    let lanes: Vec<Reading> = (0..lanes()).filter_map(|number| read(job, number, (outlet, stop))).collect();
    let mailboxes = lanes.iter().map(|lane| lane.mailbox.clone()).collect();
    if lanes.is_empty() {
        return;
    }
    Discovery::new(job.clone(), mailboxes).run(stop);
    for lane in lanes {
        if lane.thread.join().is_err() {
            job.meters.error("lane_panicked");
        }
    }
    if let Err(error) = job.positions.save() {
        job.meters.error("positions_not_saved");
        tracing::error!(%error, "cannot save positions; what was read since the last save will be read again");
    }
}

/// A lane's thread.
struct Reading {
    mailbox: Arc<Mailbox<Letter>>,
    thread: JoinHandle<()>,
}

fn read(job: &Arc<Job>, number: usize, (outlet, stop): (&dyn Outlet, &Stop)) -> Option<Reading> {
    let mailbox = Arc::new(Mailbox::default());
    let reader = Reader::new(job.clone(), outlet.lane(), mailbox.clone());
    let stop = stop.clone();
    let spawned = Builder::new().name(format!("levada-file-{number}")).spawn(move || reader.run(&stop));
    match spawned {
        Ok(thread) => Some(Reading { mailbox, thread }),
        Err(error) => {
            tracing::error!(%error, "cannot start a thread, files are read by fewer lanes");
            None
        }
    }
}

/// As many lanes as there are usable cores.
fn lanes() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
