//! Where the bodies of requests become batches: filled, offered, and answered when it is time.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::body::{Encoding, Fault, Reader};
use crate::component::clock;
use crate::component::outlet::{Held, Lane, Offer, Outlet};
use crate::component::row::Context;
use crate::event::{Batch, Budget, Origin, Outcome, Receipt, Resolution, Resolve, Seen};

/// Bytes of a request beyond which it is not taken apart where sockets are served: it takes about a millisecond.
const INLINE: usize = 512 << 10;
/// Requests that may wait for room in the queues; while there are as many, others are refused before they are read.
const MOST_WAITING: usize = 64;
/// How long a request waits for room. Most clients give up after 10 seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a sender waits for its answer at most, once its records are on their way.
const LONGEST: Duration = Duration::from_secs(30);

/// How requests are taken.
#[derive(Clone, Copy, Debug)]
pub(in crate::sources) struct Manner {
    /// Largest request, in bytes.
    pub(in crate::sources) max_bytes: usize,
    /// Are senders answered when their records have arrived, and not when they are queued?
    pub(in crate::sources) waits_for_arrival: bool,
}

/// Why a request is not taken with which nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Trouble {
    /// The source is paused.
    Paused,
    /// There is no memory, or no room in the queues.
    Overloaded,
    /// Its records could not be delivered.
    Failed,
    /// A fault of ours.
    Internal,
}

impl Trouble {
    /// In words, for the sender.
    pub(in crate::sources) const fn words(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Overloaded => "no room for more now",
            Self::Failed => "the records could not be delivered",
            Self::Internal => "an internal error, see the log of the agent",
        }
    }
}

/// What the records of a request are made with.
pub(in crate::sources) struct Draft {
    pub(in crate::sources) body: Bytes,
    /// Of the stream that the records are of.
    pub(in crate::sources) origin: Arc<Origin>,
    pub(in crate::sources) receipt: Receipt,
    /// Where the first of them stands.
    pub(in crate::sources) seen: Seen,
    pub(in crate::sources) budget: Budget,
}

/// Takes requests.
pub(in crate::sources) struct Desk {
    context: Context,
    outlet: Arc<dyn Outlet>,
    manner: Manner,
    /// What all records have in common.
    origin: fn() -> Origin,
    /// Lanes that nobody uses now, by output: at most [`MOST_WAITING`] of each.
    lanes: Vec<Mutex<Vec<Track>>>,
    waiting: AtomicUsize,
    bound: Mutex<Vec<SocketAddr>>,
}

/// A lane with the stream that its records are of. While one of its batches waits it is not given to another request.
struct Track {
    lane: Box<dyn Lane>,
    origin: Arc<Origin>,
    position: u64,
}

impl Desk {
    /// For a source with so many outputs, whose streams begin with an `origin` of their own.
    pub(in crate::sources) fn new(
        (context, outlet): (Context, Arc<dyn Outlet>),
        manner: Manner,
        (outputs, origin): (usize, fn() -> Origin),
    ) -> Self {
        let lanes = (0..outputs).map(|_| Mutex::default()).collect();
        Self { context, outlet, manner, origin, lanes, waiting: AtomicUsize::new(0), bound: Mutex::default() }
    }

    /// An address is listened on.
    pub(super) fn listens(&self, address: SocketAddr) {
        lock(&self.bound).push(address);
        self.context.health.succeeded(&self.context.id);
    }

    /// An address cannot be listened on yet.
    pub(super) fn shut(&self, address: SocketAddr, error: &io::Error) {
        let why = format!("cannot listen on {address}: {error}; trying again until it can be done");
        self.context.health.troubled(&self.context.id, &why);
    }

    /// The addresses that are listened on.
    #[cfg(test)]
    pub(in crate::sources) fn bound(&self) -> Vec<SocketAddr> {
        lock(&self.bound).clone()
    }

    /// The largest request, in bytes.
    pub(in crate::sources) const fn max_bytes(&self) -> usize {
        self.manner.max_bytes
    }

    pub(in crate::sources) fn error(&self, kind: &'static str) {
        self.errors(kind, 1);
    }

    pub(in crate::sources) fn errors(&self, kind: &'static str, count: usize) {
        self.context.meters.errors(kind, count);
    }

    /// What a body is read with, unless there is no room for one now.
    pub(in crate::sources) fn reader(&self, encoding: Encoding) -> Result<Reader<'_>, Trouble> {
        if self.context.pause.is_on() {
            return Err(Trouble::Paused);
        }
        if self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            return Err(self.overloaded());
        }
        Ok(Reader { budget: &self.context.budget, limit: self.manner.max_bytes, encoding })
    }

    /// Counts a body that cannot be read.
    pub(in crate::sources) fn count(&self, fault: &Fault) {
        self.error(match fault {
            Fault::TooLarge => "too_large",
            Fault::NoRoom => "overloaded",
            Fault::Malformed(_) => "malformed",
            Fault::Slow => "timed_out",
            Fault::Cut => "connection_lost",
        });
    }

    /// Takes the records that `make` makes of a request's body; returns when its sender may forget them, with what else
    /// `make` tells.
    pub(in crate::sources) async fn take<T, E>(
        &self,
        (output, body): (usize, Bytes),
        make: impl FnOnce(Draft) -> Result<(Batch, T), E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Trouble> + Send + 'static,
    {
        let (bytes, mut track) = (body.len(), self.track(output));
        let (sender, resolved) = oneshot::channel();
        let draft = self.draft(body, (&track, sender));
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let meters = self.context.meters.clone();
        let offer = move || {
            let made = make(draft);
            let offered = made.map(|(batch, more)| {
                meters.received(batch.len(), bytes);
                (track.offer(batch, &waker), more)
            });
            (track, offered)
        };
        let (track, offered) = if bytes <= INLINE {
            offer()
        } else {
            let done = tokio::task::spawn_blocking(offer).await;
            done.map_err(|_| self.trouble("internal", Trouble::Internal))?
        };
        let (settled, more) = match offered {
            Ok((Offer::Taken, more)) => (Ok(()), more),
            Ok((Offer::Waits(held), more)) => (self.wait(held).await, more),
            Err(error) => {
                self.keep(output, track);
                return Err(error);
            }
        };
        self.keep(output, track);
        settled?;
        match tokio::time::timeout(LONGEST, resolved).await {
            // A disk buffer on a full disk, a destination that is away: the sender is better off to come again.
            Err(_) => Err(self.overloaded().into()),
            Ok(Ok(Outcome::Failed) | Err(_)) => Err(self.trouble("delivery_failed", Trouble::Failed).into()),
            Ok(Ok(_)) => Ok(more),
        }
    }

    fn draft(&self, body: Bytes, (track, sender): (&Track, oneshot::Sender<Outcome>)) -> Draft {
        let resolve = Arc::new(Sender(Mutex::new(Some(sender))));
        let receipt =
            if self.manner.waits_for_arrival { Receipt::new(resolve, 0) } else { Receipt::until_queued(resolve, 0) };
        let seen = Seen { position: track.position, time: clock::now() };
        Draft { body, origin: track.origin.clone(), receipt, seen, budget: self.context.budget.clone() }
    }

    fn overloaded(&self) -> Trouble {
        self.trouble("overloaded", Trouble::Overloaded)
    }

    fn trouble(&self, kind: &'static str, trouble: Trouble) -> Trouble {
        self.error(kind);
        trouble
    }

    fn track(&self, output: usize) -> Track {
        let idle = lock(&self.lanes[output]).pop();
        idle.unwrap_or_else(|| Track {
            lane: self.outlet.lane_to(output),
            origin: Arc::new((self.origin)()),
            position: 0,
        })
    }

    /// Keeps a lane for the next request. After a burst, those beyond what may wait go.
    fn keep(&self, output: usize, track: Track) {
        let mut idle = lock(&self.lanes[output]);
        if idle.len() < MOST_WAITING {
            idle.push(track);
        }
    }

    /// Waits for room in the queues. Those that had room have the records already: a sender that comes again because of
    /// another queue sends them twice.
    async fn wait(&self, held: Held) -> Result<(), Trouble> {
        // More requests may have found that there is a place than there are places.
        let Some(_place) = Place::take(&self.waiting) else { return Err(self.overloaded()) };
        let mut held = Some(held);
        let taken = poll_fn(|cx| {
            let Some(waiting) = held.take() else { return Poll::Ready(()) };
            match waiting.retry(cx.waker()) {
                Offer::Taken => Poll::Ready(()),
                Offer::Waits(still) => {
                    held = Some(still);
                    Poll::Pending
                }
            }
        });
        tokio::time::timeout(PATIENCE, taken).await.map_err(|_| self.overloaded())
    }
}

impl Track {
    fn offer(&mut self, batch: Batch, waker: &Waker) -> Offer {
        self.position += batch.len() as u64;
        if batch.is_empty() {
            batch.close();
            return Offer::Taken;
        }
        self.lane.offer_once(batch, waker)
    }
}

/// Tells the task that waits how the receipt resolved.
struct Sender(Mutex<Option<oneshot::Sender<Outcome>>>);

impl Resolve for Sender {
    fn resolved(&self, _: u64, resolution: Resolution) {
        if let Some(sender) = lock(&self.0).take() {
            // Nobody is there where the connection ended.
            let _ = sender.send(resolution.worst);
        }
    }
}

/// One of those that wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    /// A place, if there is one.
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let one_more = |taken: usize| (taken < MOST_WAITING).then_some(taken + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
