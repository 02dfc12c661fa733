//! A source, from built to running to replaced.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::alive::Alive;
use super::build::{Ground, Made};
use super::chain::{Chain, ChainOutlet};
use super::retired::HAND_OVER;
use super::revive::Ward;
use super::sight::Sight;
use crate::component::health::Health;
use crate::component::outlet::Outlet;
use crate::component::pause::Pause;
use crate::component::signal::Stop;
use crate::component::source::{Running, Source};
use crate::config::Files;

/// A source that runs.
pub(super) struct RunningSource {
    pub(super) made_of: Made,
    pub(super) health: Health,
    pub(super) pause: Pause,
    pub(super) sight: Sight,
    pub(super) chain: Arc<ArcSwap<Chain>>,
    pub(super) stop: Stop,
    pub(super) task: JoinHandle<()>,
}

/// A source that was built and does not run yet.
pub(super) struct NewSource {
    pub(super) made_of: Made,
    pub(super) chain: Arc<Chain>,
    pub(super) pause: Pause,
    pub(super) source: Box<dyn Source>,
    pub(super) health: Health,
    /// For another one, after a panic.
    pub(super) files: Files,
}

impl NewSource {
    /// Starts it after the end of `old`.
    pub(super) fn start(self, old: Option<JoinHandle<()>>, (ground, alive): (&Ground, &Alive)) -> RunningSource {
        let Self { made_of, chain, pause, source, health, files } = self;
        let sight = Sight::default();
        let chain = Arc::new(ArcSwap::new(chain));
        let outlet: Arc<dyn Outlet> = Arc::new(ChainOutlet::of_source(chain.clone(), alive.reader()));
        let stop = Stop::default();
        let meters = ground.context(&made_of.component).meters;
        let (pulse, span) = (alive.begin(&made_of.component.id, &stop), meters.label().span());
        let life = {
            let (id, stop, health) = (made_of.component.id.clone(), stop.clone(), health.clone());
            let sight = sight.clone();
            move |source: Box<dyn Source>| -> Running {
                sight.shows(&*source);
                let (id, stop, health, outlet) = (id.clone(), stop.clone(), health.clone(), outlet.clone());
                Box::pin(async move {
                    health.succeeded(&id);
                    source.run(outlet, stop).await;
                })
            }
        };
        let first = life(source);
        let ((component, files), ground) = (made_of.recipe(&files), ground.clone());
        let own = health.clone();
        let again = move || Ok(life(ground.source(&component, &files, &own).map_err(|error| error.why)?));
        let ward = Ward { meters, health: health.clone(), stop: stop.clone(), again: Arc::new(again) };
        let task = async move {
            let _at_work = pulse;
            // Positions and ports pass from the one to the other.
            if let Some(old) = old {
                let _ended = old.await;
            }
            ward.live(first).await;
        };
        RunningSource { made_of, health, pause, sight, chain, stop, task: tokio::spawn(task.instrument(span)) }
    }
}

impl RunningSource {
    /// Another takes its place when it has ended.
    pub(super) fn hand_over(self) -> JoinHandle<()> {
        self.stop.request(Instant::now() + HAND_OVER);
        self.task
    }
}
