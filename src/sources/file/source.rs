//! The source: its threads, from start to end.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

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
use crate::component::task::{on_thread, within};

/// After a panic of one thread: how long the others may wait for what they have in flight.
const LAST_WORDS: Duration = Duration::from_secs(10);

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

    pub(in crate::sources) fn with_pace(
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
            if let Err(error) = on_thread("levada-files", move || keep(&self.job, &*outlet, &stop)).await {
                tracing::error!(%error, "cannot start a thread, no files are read");
            }
        })
    }
}

/// Looks for files and keeps positions, while lanes read. A panic in any of it ends all of it, in order, before it is
/// passed on: then the source starts again, at the positions that were committed.
fn keep(job: &Arc<Job>, outlet: &dyn Outlet, stop: &Stop) {
    links::raise_open_files();
    job.notes.open();
    let stop = stop.child();
    let lanes: Vec<Reading> = (0..lanes()).filter_map(|number| read(job, number, (outlet, &stop))).collect();
    let mailboxes: Vec<_> = lanes.iter().map(|lane| lane.mailbox.clone()).collect();
    if lanes.is_empty() {
        return;
    }
    // Nobody else sets them.
    let _ = job.lanes.set(mailboxes.clone());
    let alarm = Alarm(stop.clone());
    let looked = catch_unwind(AssertUnwindSafe(|| {
        let _alarm = alarm;
        Discovery::new(job.clone(), mailboxes).run(&stop);
    }));
    let ended: Vec<_> = lanes.into_iter().map(|lane| lane.thread.join()).collect();
    if let Err(error) = job.positions.save() {
        job.meters.error("positions_not_saved");
        tracing::error!(%error, "cannot save positions; what was read since the last save will be read again");
    }
    if let Some(panic) = ended.into_iter().chain([looked]).find_map(Result::err) {
        resume_unwind(panic);
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
    let (stop, alarm) = (stop.clone(), Alarm(stop.clone()));
    let read = move || {
        let _alarm = alarm;
        reader.run(&stop);
    };
    let spawned = Builder::new().name(format!("levada-file-{number}")).spawn(within(read));
    match spawned {
        Ok(thread) => Some(Reading { mailbox, thread }),
        Err(error) => {
            tracing::error!(%error, "cannot start a thread, files are read by fewer lanes");
            None
        }
    }
}

/// Ends all threads of the source when one panics: nobody else reads its files.
struct Alarm(Stop);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.request(Instant::now() + LAST_WORDS);
        }
    }
}

/// As many lanes as there are usable cores.
fn lanes() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
