//! The source: its threads, from start to end.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::discovery::Discovery;
use super::inspect::FileInspect;
use super::job::{Job, Letter, Pace, Tailing};
use super::lane::Reader;
use super::links;
use super::mailbox::Mailbox;
use super::search::Search;
use crate::component::inspect::Inspect;
use crate::component::outlet::Outlet;
use crate::component::row::Context;
use crate::component::signal::Stop;
use crate::component::source::{Running, Source};

/// A source that follows files, ready to run.
pub(in crate::sources) struct FileSource {
    job: Arc<Job>,
}

impl FileSource {
    /// Makes sure that positions can be kept.
    pub(in crate::sources) fn build(
        search: Box<dyn Search>,
        tailing: Tailing,
        context: &Context,
    ) -> Result<Self, String> {
        let pace = Pace::new(Duration::from_millis(tailing.glob_minimum_cooldown_ms));
        Self::with_pace(search, tailing, (context, pace))
    }

    /// What it would do, without running it.
    pub(in crate::sources) fn unbuilt(
        search: Box<dyn Search>,
        tailing: Tailing,
        context: &Context,
    ) -> Arc<dyn Inspect> {
        let pace = Pace::new(Duration::from_millis(tailing.glob_minimum_cooldown_ms));
        Arc::new(FileInspect(Arc::new(Job::new(search, tailing, context, pace))))
    }

    pub(super) fn with_pace(
        search: Box<dyn Search>,
        tailing: Tailing,
        (context, pace): (&Context, Pace),
    ) -> Result<Self, String> {
        let job = Job::new(search, tailing, context, pace);
        job.positions.probe()?;
        Ok(Self { job: Arc::new(job) })
    }
}

impl Source for FileSource {
    fn inspect(&self) -> Option<Arc<dyn Inspect>> {
        Some(Arc::new(FileInspect(self.job.clone())))
    }

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
    links::raise_open_files();
    job.notes.open();
    let lanes: Vec<Reading> = (0..lanes()).filter_map(|number| read(job, number, (outlet, stop))).collect();
    let mailboxes: Vec<_> = lanes.iter().map(|lane| lane.mailbox.clone()).collect();
    if lanes.is_empty() {
        return;
    }
    // Nobody else sets them.
    let _ = job.lanes.set(mailboxes.clone());
    Discovery::new(job.clone(), mailboxes).run(stop);
    for lane in lanes {
        // One that panicked has been told of.
        let _ended = lane.thread.join();
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
    let (stop, alarm) = (stop.clone(), Alarm(job.clone()));
    let read = move || {
        let _alarm = alarm;
        reader.run(&stop);
    };
    let spawned = Builder::new().name(format!("levada-file-{number}")).spawn(read);
    match spawned {
        Ok(thread) => Some(Reading { mailbox, thread }),
        Err(error) => {
            tracing::error!(%error, "cannot start a thread, files are read by fewer lanes");
            None
        }
    }
}

/// Tells of a lane that panics when it does: nobody else reads its files.
struct Alarm(Arc<Job>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.meters.error("lane_panicked");
            let id = &self.0.meters.label().id;
            tracing::error!(component_id = id, "a lane panicked: its files are not read until the source starts again");
        }
    }
}

/// As many lanes as there are usable cores.
fn lanes() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
