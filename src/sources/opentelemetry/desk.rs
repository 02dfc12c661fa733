//! Where requests become batches, whichever door they came by: split, offered, and answered when it is time.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::answer::Refusal;
use super::body::{Encoding, Fault, Reader};
use crate::codecs::otlp::{Form, Refused, Signal, read_json, split};
use crate::component::clock;
use crate::component::outlet::{Held, Lane, Offer, Outlet};
use crate::component::row::Context;
use crate::event::{Batch, Budget, Origin, Outcome, Receipt, Resolution, Resolve, Seen, StreamKey};

/// Bytes of a request beyond which it is not split where sockets are served: it takes about a millisecond.
const INLINE: usize = 512 << 10;
/// Requests that may wait for room in the queues; while there are as many, others are refused before they are read.
const MOST_WAITING: usize = 64;
/// How long a request waits for room. Most clients give up after 10 seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a sender waits for its answer at most, once its records are on their way.
const LONGEST: Duration = Duration::from_secs(30);

/// How requests are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Largest request, in bytes.
    pub(super) max_bytes: usize,
    /// Are senders answered when their records have arrived, and not when they are queued?
    pub(super) waits_for_arrival: bool,
}

/// Takes requests.
pub(super) struct Desk {
    context: Context,
    outlet: Arc<dyn Outlet>,
    manner: Manner,
    /// Lanes that nobody uses now, by signal: at most [`MOST_WAITING`] of each.
    lanes: [Mutex<Vec<Track>>; Signal::ALL.len()],
    waiting: AtomicUsize,
    bound: Mutex<Vec<SocketAddr>>,
}

/// A lane with the stream that its records are of. While one of its batches waits it is not given to another request.
struct Track {
    lane: Box<dyn Lane>,
    origin: Arc<Origin>,
    position: u64,
}

/// What a lane was given, and what became of the offer.
type Offered = (Track, Result<(Offer, Refused), Refusal>);

impl Desk {
    pub(super) fn new(context: Context, outlet: Arc<dyn Outlet>, manner: Manner) -> Self {
        let lanes = [const { Mutex::new(Vec::new()) }; Signal::ALL.len()];
        Self { context, outlet, manner, lanes, waiting: AtomicUsize::new(0), bound: Mutex::default() }
    }

    /// An address is listened on.
    pub(super) fn listens(&self, address: SocketAddr) {
        lock(&self.bound).push(address);
    }

    /// The addresses that are listened on.
    #[cfg(test)]
    pub(super) fn bound(&self) -> Vec<SocketAddr> {
        lock(&self.bound).clone()
    }

    pub(super) fn error(&self, kind: &'static str) {
        self.context.meters.error(kind);
    }

    /// What a body is read with, unless there is no room for one now.
    pub(super) fn reader(&self, encoding: Encoding) -> Result<Reader<'_>, Refusal> {
        if self.context.pause.is_on() {
            return Err(Refusal::paused());
        }
        if self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            self.error("overloaded");
            return Err(Refusal::overloaded());
        }
        Ok(Reader { budget: &self.context.budget, limit: self.manner.max_bytes, encoding })
    }

    /// What is answered, and counted, where a body cannot be read.
    pub(super) fn refusal(&self, fault: Fault) -> Refusal {
        let (kind, refusal) = match fault {
            Fault::TooLarge => ("too_large", Refusal::too_large(self.manner.max_bytes)),
            Fault::NoRoom => ("overloaded", Refusal::overloaded()),
            Fault::Malformed(why) => ("malformed", Refusal::malformed(&why)),
            Fault::Slow => ("timed_out", Refusal::slow()),
            Fault::Cut => ("connection_lost", Refusal::malformed("the connection ended")),
        };
        self.error(kind);
        refusal
    }

    /// Takes the records of a request; returns when its sender may forget them, with those that were not taken.
    pub(super) async fn take(&self, (signal, form): (Signal, Form), body: Bytes) -> Result<Refused, Refusal> {
        let (bytes, track) = (body.len(), self.track(signal));
        let (sender, resolved) = oneshot::channel();
        let resolve = Arc::new(Sender(Mutex::new(Some(sender))));
        let receipt =
            if self.manner.waits_for_arrival { Receipt::new(resolve, 0) } else { Receipt::until_queued(resolve, 0) };
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let (meters, budget) = (self.context.meters.clone(), self.context.budget.clone());
        let offer = move || {
            let block = match block(signal, form, (body, &budget)) {
                Ok(block) => block,
                Err(refusal) => return (track, Err(refusal)),
            };
            track.offer((signal, block, receipt), &waker, |records| meters.received(records, bytes))
        };
        let (track, offered) = if bytes <= INLINE {
            offer()
        } else {
            tokio::task::spawn_blocking(offer).await.map_err(|_| self.internal())?
        };
        let (offer, refused) = offered.inspect_err(|_| self.error("malformed"))?;
        self.context.meters.errors("invalid_record", refused.records);
        let settled = match offer {
            Offer::Taken => Ok(()),
            Offer::Waits(held) => self.wait(held).await,
        };
        self.keep(signal, track);
        settled?;
        match tokio::time::timeout(LONGEST, resolved).await {
            // A disk buffer on a full disk, a destination that is away: the sender is better off to come again.
            Err(_) => {
                self.error("overloaded");
                Err(Refusal::overloaded())
            }
            Ok(Ok(Outcome::Failed) | Err(_)) => {
                self.error("delivery_failed");
                Err(Refusal::failed())
            }
            Ok(Ok(_)) => Ok(refused),
        }
    }

    fn internal(&self) -> Refusal {
        self.error("internal");
        Refusal::internal()
    }

    fn track(&self, signal: Signal) -> Track {
        let idle = lock(&self.lanes[signal as usize]).pop();
        idle.unwrap_or_else(|| Track {
            lane: self.outlet.lane_to(signal as usize),
            origin: Arc::new(Origin::new(StreamKey::random())),
            position: 0,
        })
    }

    /// Keeps a lane for the next request. After a burst, those beyond what may wait go.
    fn keep(&self, signal: Signal, track: Track) {
        let mut idle = lock(&self.lanes[signal as usize]);
        if idle.len() < MOST_WAITING {
            idle.push(track);
        }
    }

    /// Waits for room in the queues. Those that had room have the records already: a sender that comes again because of
    /// another queue sends them twice.
    async fn wait(&self, held: Held) -> Result<(), Refusal> {
        // More requests may have found that there is a place than there are places.
        let Some(_place) = Place::take(&self.waiting) else {
            self.error("overloaded");
            return Err(Refusal::overloaded());
        };
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
        tokio::time::timeout(PATIENCE, taken).await.map_err(|_| {
            self.error("overloaded");
            Refusal::overloaded()
        })
    }
}

impl Track {
    fn offer(
        mut self,
        (signal, block, receipt): (Signal, Bytes, Receipt),
        waker: &Waker,
        received: impl FnOnce(usize),
    ) -> Offered {
        let mut batch = Batch::new(block.clone(), self.origin.clone(), receipt);
        let seen = Seen { position: self.position, time: clock::now() };
        let refused = match split(signal, &block, &mut batch, seen) {
            Ok(refused) => refused,
            Err(why) => {
                batch.close();
                return (self, Err(Refusal::malformed(&why.to_string())));
            }
        };
        received(batch.len());
        self.position += batch.len() as u64;
        if batch.is_empty() {
            batch.close();
            return (self, Ok((Offer::Taken, refused)));
        }
        let offer = self.lane.offer_once(batch, waker);
        (self, Ok((offer, refused)))
    }
}

/// A request as protobuf. What JSON becomes is smaller than the text; both are there for a moment.
fn block(signal: Signal, form: Form, (body, budget): (Bytes, &Budget)) -> Result<Bytes, Refusal> {
    if form == Form::Protobuf {
        return Ok(body);
    }
    let message = read_json(signal, &body).map_err(|error| Refusal::malformed(&error.to_string()))?;
    Ok(budget.charge(message.len()).keep(message))
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
