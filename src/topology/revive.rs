//! A component whose task panics starts again: after a pause that grows, with the same queue and the same meters. What it
//! had in hand has failed, so its sources offer it again.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::component::task::blocking;
use crate::delivery::backoff::Backoff;

/// The pauses between two lives.
const PAUSE: Backoff = Backoff { initial: Duration::from_secs(1), max: Duration::from_mins(1) };
/// After a life of so long the next pause is the first again.
const GOOD_LIFE: Duration = Duration::from_mins(10);

/// Builds a component anew, as it was, and runs it; an error is why it cannot be built. For threads that may block.
pub(super) type Again = Arc<dyn Fn() -> Result<Running, String> + Send + Sync>;

/// A component that is kept alive.
pub(super) struct Ward {
    pub(super) meters: Meters,
    pub(super) health: Health,
    /// Asks for its end, also while it pauses.
    pub(super) stop: Stop,
    pub(super) again: Again,
}

impl Ward {
    /// Runs `life`, and after each panic another one, until one ends by itself.
    pub(super) async fn live(self, life: Running) {
        let (mut life, mut attempt) = (Ok(life), 0);
        loop {
            let begun = Instant::now();
            let why = match life {
                Ok(running) => {
                    let Err(Panicked) = caught(running).await else { return };
                    self.meters.error("panic");
                    "an internal error ended it".to_owned()
                }
                Err(why) => format!("an internal error ended it, and it cannot be built again: {why}"),
            };
            attempt = if begun.elapsed() >= GOOD_LIFE { 0 } else { attempt };
            if !self.pause(PAUSE.long_pause(attempt), &why).await {
                return;
            }
            attempt = attempt.saturating_add(1);
            let again = self.again.clone();
            // One that panics has been told of.
            life = blocking(move || again()).await.unwrap_or_else(|_| Err("another internal error".to_owned()));
        }
    }

    /// Waits and says so; false if the end was asked for.
    async fn pause(&self, pause: Duration, why: &str) -> bool {
        self.health
            .troubled(&self.meters.label().id, &format!("{why}; it starts again in {:.1} s", pause.as_secs_f64()));
        tokio::select! {
            () = sleep(pause) => true,
            _ = self.stop.requested() => false,
        }
    }
}

/// The task panicked; the panic itself has been told of where it happened.
struct Panicked;

/// Runs to the end, or to a panic: then what it held goes at once.
async fn caught(running: Running) -> Result<(), Panicked> {
    let mut running = Some(running);
    poll_fn(|cx| {
        let Some(life) = &mut running else { return Poll::Ready(Err(Panicked)) };
        let polled = catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(cx)));
        polled.map_or_else(
            |_| {
                let _told = catch_unwind(AssertUnwindSafe(|| running.take()));
                Poll::Ready(Err(Panicked))
            },
            |polled| polled.map(Ok),
        )
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Waker;

    use super::*;
    use crate::buffer::{Queue, WhenFull};
    use crate::component::health::State;
    use crate::component::outlet::Inlet;
    use crate::component::test_kit::meters;
    use crate::event::Outcome;
    use crate::event::test_kit::{Ledger, batch};

    /// Takes one batch after the other, and panics with the first `bad` ones in hand.
    fn life(queue: Arc<Queue>, bad: Arc<AtomicU32>) -> Running {
        Box::pin(async move {
            while let Some(batches) = queue.take(1).await {
                let is_bad = bad.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok();
                assert!(!is_bad, "as the test says");
                for batch in batches {
                    batch.settle(Outcome::Delivered);
                }
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_ends_and_the_next_goes_on_with_the_queue() {
        let (queue, ledger) = (Arc::new(Queue::new(1 << 20, WhenFull::Block, meters())), Arc::new(Ledger::default()));
        let (meters, health, bad) = (meters(), Health::default(), Arc::new(AtomicU32::new(2)));
        for line in ["a", "b", "c", "d"] {
            queue.offer(batch(&ledger, &[line]), Waker::noop()).unwrap();
        }
        let (same, still_bad, unbuilt) = (queue.clone(), bad.clone(), AtomicU32::new(0));
        let again: Again = Arc::new(move || match unbuilt.fetch_add(1, Ordering::AcqRel) {
            0 => Err("its file is gone".to_owned()),
            _ => Ok(life(same.clone(), still_bad.clone())),
        });
        let ward = Ward { meters: meters.clone(), health: health.clone(), stop: Stop::default(), again };
        let begun = Instant::now();
        let living = tokio::spawn(ward.live(life(queue.clone(), bad)));
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let State::Degraded { why, .. } = health.state() else { panic!("{:?}", health.state()) };
        assert!(why.contains("it cannot be built again: its file is gone; it starts again in"), "{why}");
        queue.close();
        living.await.unwrap();
        let delivered = ledger.worst().into_iter().map(|(_, worst)| worst == Outcome::Delivered).collect::<Vec<_>>();
        assert_eq!(delivered, [false, false, true, true], "what it had in hand fails, what is queued stays");
        assert_eq!(meters.error_count("panic"), 2);
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(3500) && took < Duration::from_secs(8),
            "1, 2 and 4 s, or half: {took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_does_not_wait_for_another_life() {
        let (stop, again): (_, Again) = (Stop::default(), Arc::new(|| Ok(Box::pin(async { panic!("another") }))));
        let ward = Ward { meters: meters(), health: Health::default(), stop: stop.clone(), again };
        let counted = ward.meters.clone();
        let living = tokio::spawn(ward.live(Box::pin(async { panic!("as the test says") })));
        tokio::task::yield_now().await;
        stop.request(Instant::now().into_std());
        living.await.unwrap();
        assert_eq!(counted.error_count("panic"), 1);
    }
}
