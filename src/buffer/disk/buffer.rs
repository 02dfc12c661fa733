//! The disk buffer in front of a sink: takes batches on any thread, stores them on a thread of its own, and feeds the
//! sink's queue, which holds what of the log is in memory.

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::thread::{Thread, park, park_timeout};
use std::time::Instant;

use super::acks::Acks;
use super::frame::runs;
use super::log::Options;
use super::mail::{Mail, Phase, Posted};
use super::parcel::Parcel;
use super::windows::{Mark, Window};
use super::worker::Worker;
use crate::buffer::Queue;
use crate::component::meters::Meters;
use crate::component::outlet::Inlet;
use crate::component::reason::Reason;
use crate::component::signal::Waiters;
use crate::event::{Batch, Budget, Outcome, StreamKey};

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
    bell: Waker,
    queue: Arc<Queue>,
    meters: Meters,
}

/// What both sides see.
#[derive(Debug)]
pub(super) struct Shared {
    mail: Mutex<Mail>,
    /// Is there something for the thread? No lock is needed to say so: outcomes come from anywhere.
    is_rung: AtomicBool,
    thread: OnceLock<Thread>,
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

impl DiskBuffer {
    /// A buffer at work. What the folder holds goes to `queue` from now on; a folder that cannot be opened is tried
    /// again until it can.
    pub fn start(made_of: Ingredients) -> Arc<Self> {
        let Ingredients { options, ref meters, .. } = made_of;
        let shared = Arc::new(Shared {
            mail: Mutex::new(Mail::new(options)),
            is_rung: AtomicBool::new(true),
            thread: OnceLock::new(),
            ended: Waiters::default(),
            acks: OnceLock::new(),
        });
        let (meters, queue) = (meters.clone(), made_of.queue.clone());
        queue.enter();
        let worker = Worker::new(made_of, shared.clone());
        let spawned = std::thread::Builder::new().name("buffer".to_owned()).spawn(move || worker.run());
        match spawned {
            // Set once: there is no other.
            Ok(handle) => _ = shared.thread.set(handle.thread().clone()),
            Err(error) => {
                tracing::error!(component_id = meters.label().id, %error, "cannot start the thread of the buffer");
            }
        }
        // It may have looked before it could be called.
        shared.call();
        Arc::new(Self { bell: Waker::from(shared.clone()), shared, queue, meters })
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
        if options.is_strict {
            mail.ahead.close(&self.queue);
        }
        let first = mail.line.first();
        drop(mail);
        // What found no room may have some now.
        self.bell.wake_by_ref();
        first.into_iter().for_each(Waker::wake);
    }

    /// From now on this share of the file system is others', 0 to 1.
    pub fn leave_free(&self, share: f64) {
        let options = Options { min_free: share, ..self.shared.lock().options };
        self.configure(options);
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
        self.shared.call();
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
        self.shared.call();
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
        self.shared.call();
    }

    fn offer(&self, batch: Batch, is_counted: bool, waker: &Waker) -> Result<(), Batch> {
        if batch.is_empty() {
            batch.close();
            return Ok(());
        }
        let batch = if batch.is_sparse() { batch.compact() } else { batch };
        let (stream, weight, events) = (stream(&batch), batch.weight(), batch.len());
        let runs = if is_counted { runs(&batch) } else { Vec::new() };
        let mut mail = self.shared.lock();
        if mail.phase == Phase::Ended {
            // Its receipts say failed.
            drop(mail);
            return Ok(());
        }
        if !(mail.has_room(weight) && mail.line.is_next(stream)) {
            return self.refuse(mail, batch, waker);
        }
        let mut parcel = Parcel::new(batch, is_counted);
        parcel.is_new = mail.ahead.are_new(&runs);
        if mail.ahead.is_open() && !(parcel.is_new && parcel.go_ahead(&self.queue, (&self.bell, waker))) {
            // The sink is given its time; a re-read is for the log to tell.
            if parcel.is_new && mail.is_enough() && !mail.drops() {
                mail.line.leave(stream);
                let next = mail.line.first();
                drop(mail);
                next.into_iter().for_each(Waker::wake);
                return Err(parcel.batch);
            }
            self.queue.give_up(&parcel.batch);
            mail.ahead.close(&self.queue);
            if !mail.has_room(weight) {
                return self.refuse(mail, parcel.batch, waker);
            }
        }
        mail.ahead.came(&runs);
        mail.line.leave(stream);
        let (is_first, was_enough) = (mail.parcels.is_empty(), mail.is_enough());
        mail.bytes += weight;
        mail.parcels.push_back(Posted { parcel, weight, since: Instant::now() });
        let is_enough = mail.is_enough() && !was_enough;
        // There may be room for one more.
        let next = mail.line.first().filter(|_| mail.bytes < mail.most());
        drop(mail);
        next.into_iter().for_each(Waker::wake);
        self.meters.received(events, 0);
        if is_first || is_enough {
            self.shared.call();
        }
        Ok(())
    }
}

impl DiskBuffer {
    /// There is no room: it waits, or is dropped where the policy says so.
    fn refuse(&self, mut mail: MutexGuard<'_, Mail>, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        let (stream, events) = (stream(&batch), batch.len());
        // It stands in one line alone: one that is called and does not come would hold up the others.
        self.queue.give_up(&batch);
        if !mail.drops() {
            mail.line.join(stream, waker);
            return Err(batch);
        }
        mail.line.leave(stream);
        let next = mail.line.first();
        drop(mail);
        next.into_iter().for_each(Waker::wake);
        self.meters.received(events, 0);
        self.meters.discarded(Reason::BufferFull, events);
        batch.settle(Outcome::Dropped);
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
        self.shared.call();
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to come, or until then.
    pub(super) fn wait<'m>(&'m self, mail: MutexGuard<'m, Mail>, until: Option<Instant>) -> MutexGuard<'m, Mail> {
        drop(mail);
        match until {
            Some(until) => park_timeout(until.saturating_duration_since(Instant::now())),
            None => park(),
        }
        self.lock()
    }

    /// Has the thread look.
    fn call(&self) {
        self.thread.get().into_iter().for_each(Thread::unpark);
    }

    /// Are there outcomes, or is there room in the queue, since this was last asked?
    pub(super) fn was_rung(&self) -> bool {
        self.is_rung.swap(false, Ordering::AcqRel)
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
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            self.call();
        }
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
        self.buffer.queue.give_up(batch);
        first.into_iter().for_each(Waker::wake);
    }
}
