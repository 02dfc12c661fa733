//! The disk buffer in front of a sink: takes batches on any thread, stores them on a thread of its own, and feeds the
//! sink's queue, which holds what of the log is in memory.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::time::Instant;

use super::acks::Acks;
use super::log::Options;
use super::parcel::Parcel;
use super::windows::{Mark, Window};
use super::worker::Worker;
use crate::buffer::Queue;
use crate::buffer::line::Line;
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::signal::Waiters;
use crate::event::{Batch, Budget, StreamKey};

/// What waits for the disk at most; the group that is being written is as much again.
const PENDING: usize = 16 << 20;

/// What a disk buffer is made of.
pub struct Ingredients {
    /// Its folder: made where it is missing.
    pub folder: PathBuf,
    /// How it behaves.
    pub options: Options,
    /// The sink's queue, bounded by what of the log may be in memory.
    pub queue: Arc<Queue>,
    /// The sink's figures.
    pub meters: Meters,
    /// The process's memory.
    pub budget: Budget,
}

/// A disk buffer. It belongs to the sink's id: a changed sink takes it over.
#[derive(Debug)]
pub struct DiskBuffer {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    meters: Meters,
}

/// What both sides see.
#[derive(Debug)]
pub(super) struct Shared {
    mail: Mutex<Mail>,
    /// Something came for the thread.
    came: Condvar,
    ended: Waiters,
    /// As soon as the folder is open.
    pub(super) acks: OnceLock<Arc<Acks>>,
}

/// What a sink may know of the frames that it gets. It does not keep the buffer alive.
#[derive(Clone, Debug)]
pub struct Frames(Arc<Shared>);

impl Frames {
    fn acks(&self) -> Option<&Arc<Acks>> {
        self.0.acks.get()
    }

    /// The sequence of the frame that `batch` is; none if it passed by the disk.
    pub fn sequence(&self, batch: &Batch) -> Option<u64> {
        self.acks()?.sequence(batch)
    }

    /// The window that a frame is in, if it is in one.
    pub fn window(&self, sequence: u64) -> Option<Window> {
        self.acks()?.window(sequence)
    }

    /// How many frames of a window the sink was given and has to settle.
    pub fn awaited(&self, window: Window) -> usize {
        self.acks().map_or(0, |acks| acks.awaited(window))
    }

    /// From now on these frames are sent together, each time; to be called before the first of them has an outcome, but
    /// for records that are refused without being sent. None if nothing is left to be sent.
    pub fn mark(&self, window: Window) -> Option<Mark> {
        self.acks()?.mark(window)
    }
}

/// What waits for the thread.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) parcels: VecDeque<Parcel>,
    pub(super) bytes: usize,
    /// Streams that found no room.
    pub(super) line: Line,
    /// When the first of them came.
    pub(super) since: Option<Instant>,
    pub(super) options: Options,
    /// Are there outcomes, or is there room in the queue?
    pub(super) is_rung: bool,
    /// How many can write to it.
    doors: usize,
    pub(super) phase: Phase,
}

/// Where its life stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Nobody writes to it any more; the sink still has some of it.
    Closed,
    /// The sink has ended, too.
    Finishing,
    /// Its thread is gone, and the folder is free.
    Ended,
}

impl DiskBuffer {
    /// A buffer at work. What the folder holds goes to `queue` from now on; a folder that cannot be opened is tried
    /// again until it can.
    pub fn start(made_of: Ingredients) -> Arc<Self> {
        let Ingredients { options, ref meters, .. } = made_of;
        let mail = Mail {
            parcels: VecDeque::new(),
            bytes: 0,
            line: Line::default(),
            since: None,
            options,
            is_rung: true,
            doors: 0,
            phase: Phase::Open,
        };
        let shared = Arc::new(Shared {
            mail: Mutex::new(mail),
            came: Condvar::new(),
            ended: Waiters::default(),
            acks: OnceLock::new(),
        });
        let (meters, queue) = (meters.clone(), made_of.queue.clone());
        queue.enter();
        let worker = Worker::new(made_of, shared.clone());
        let spawned = std::thread::Builder::new().name("buffer".to_owned()).spawn(move || worker.run());
        if let Err(error) = spawned {
            tracing::error!(component_id = meters.label().id, %error, "cannot start the thread of the buffer");
        }
        Arc::new(Self { shared, queue, meters })
    }

    /// Is this the queue behind it?
    pub fn feeds(&self, queue: &Arc<Queue>) -> bool {
        Arc::ptr_eq(&self.queue, queue)
    }

    /// For the sink behind it.
    pub fn frames(&self) -> Frames {
        Frames(self.shared.clone())
    }

    /// Takes other settings; what is stored stays.
    pub fn configure(&self, options: Options) {
        let mut mail = self.shared.lock();
        mail.options = options;
        let first = mail.line.first();
        drop(mail);
        self.shared.came.notify_one();
        first.into_iter().for_each(Waker::wake);
    }

    /// One more can write to it; false if it has ended: then there has to be another.
    pub fn enter(&self) -> bool {
        let mut mail = self.shared.lock();
        if matches!(mail.phase, Phase::Finishing | Phase::Ended) {
            return false;
        }
        mail.doors += 1;
        mail.phase = Phase::Open;
        drop(mail);
        self.shared.came.notify_one();
        true
    }

    /// One less can write to it. The last one closes it: it stores what it was given, and hands out no more.
    pub fn leave(&self) {
        let mut mail = self.shared.lock();
        mail.doors -= 1;
        if mail.doors == 0 && mail.phase == Phase::Open {
            mail.phase = Phase::Closed;
        }
        drop(mail);
        self.shared.came.notify_one();
    }

    /// The sink has ended: if nobody writes to it any more it writes down what is settled, and lets its folder go.
    pub async fn finish(&self) {
        self.turn(Phase::Closed, Phase::Finishing);
        poll_fn(|cx| {
            self.shared.ended.leave(cx.waker());
            // Open: a new sink has it.
            let is_over = matches!(self.shared.lock().phase, Phase::Ended | Phase::Open);
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The process ends: it stores what came, writes down what is settled, and lets its folder go.
    pub async fn end(&self) {
        self.turn(Phase::Open, Phase::Closed);
        self.finish().await;
    }

    fn turn(&self, from: Phase, to: Phase) {
        let mut mail = self.shared.lock();
        if mail.phase == from {
            mail.phase = to;
        }
        drop(mail);
        self.shared.came.notify_one();
    }

    fn offer(&self, batch: Batch, is_counted: bool, waker: &Waker) -> Result<(), Batch> {
        if batch.is_empty() {
            batch.close();
            return Ok(());
        }
        let batch = if batch.is_sparse() { batch.compact() } else { batch };
        let stream = stream(&batch);
        let mut mail = self.shared.lock();
        if mail.phase == Phase::Ended {
            // Its receipts say failed.
            drop(mail);
            return Ok(());
        }
        let (weight, events) = (batch.weight(), batch.len());
        let most = (PENDING as u64).min(mail.options.max_size) as usize;
        let fits = mail.bytes == 0 || mail.bytes + weight <= most;
        if !(fits && mail.line.is_next(stream)) {
            mail.line.join(stream, waker);
            return Err(batch);
        }
        mail.line.leave(stream);
        mail.bytes += weight;
        mail.parcels.push_back(Parcel::new(batch, is_counted));
        let is_first = mail.since.is_none();
        mail.since.get_or_insert_with(Instant::now);
        let is_enough = mail.bytes >= super::worker::ENOUGH && mail.bytes - weight < super::worker::ENOUGH;
        // There may be room for one more.
        let next = mail.line.first().filter(|_| mail.bytes < most);
        drop(mail);
        next.into_iter().for_each(Waker::wake);
        self.meters.received(events, 0);
        if is_first || is_enough {
            self.shared.came.notify_one();
        }
        Ok(())
    }
}

impl Drop for DiskBuffer {
    fn drop(&mut self) {
        let mut mail = self.shared.lock();
        if mail.phase != Phase::Ended {
            mail.phase = Phase::Finishing;
        }
        drop(mail);
        self.shared.came.notify_one();
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to come, or until then.
    pub(super) fn wait<'m>(&self, mail: MutexGuard<'m, Mail>, until: Option<Instant>) -> MutexGuard<'m, Mail> {
        let Some(until) = until else { return self.came.wait(mail).unwrap_or_else(PoisonError::into_inner) };
        let left = until.saturating_duration_since(Instant::now());
        self.came.wait_timeout(mail, left).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The thread is gone. What is left was not stored: its receipts say failed.
    pub(super) fn end(&self) {
        let mut mail = self.lock();
        mail.phase = Phase::Ended;
        mail.bytes = 0;
        let (parcels, waiting) = (std::mem::take(&mut mail.parcels), mail.line.dissolve());
        drop(mail);
        drop(parcels);
        waiting.into_iter().for_each(Waker::wake);
        if let Some(acks) = self.acks.get() {
            acks.end();
        }
        self.ended.wake();
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.lock().is_rung = true;
        self.came.notify_one();
    }
}

/// Whose place in the line it has: a batch is of one stream.
fn stream(batch: &Batch) -> StreamKey {
    batch.get(0).identity().stream
}

/// A way into a disk buffer.
#[derive(Debug)]
pub struct Entrance {
    /// Where it leads.
    pub buffer: Arc<DiskBuffer>,
    /// Do positions tell that a record is read again? Not of what comes through a step that holds records, or was
    /// refused elsewhere: it may come in another order.
    pub is_counted: bool,
}

impl Inlet for Entrance {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        self.buffer.offer(batch, self.is_counted, waker)
    }

    fn give_up(&self, batch: &Batch) {
        let mut mail = self.buffer.shared.lock();
        mail.line.leave(stream(batch));
        // It may have been the first, and called.
        let first = mail.line.first();
        drop(mail);
        first.into_iter().for_each(Waker::wake);
    }
}
