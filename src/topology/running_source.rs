//! A source, from built to running to replaced.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use super::alive::Alive;
use super::build::Made;
use super::chain::{Chain, ChainOutlet};
use super::retired::HAND_OVER;
use crate::component::health::Health;
use crate::component::inspect::Inspect;
use crate::component::pause::Pause;
use crate::component::signal::Stop;
use crate::component::source::Source;

/// A source that runs.
pub(super) struct RunningSource {
    pub(super) made_of: Made,
    pub(super) health: Health,
    pub(super) pause: Pause,
    pub(super) inspect: Option<Arc<dyn Inspect>>,
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
}

impl NewSource {
    /// Starts it after the end of `old`.
    pub(super) fn start(self, old: Option<JoinHandle<()>>, alive: &Alive) -> RunningSource {
        let Self { made_of, chain, pause, source } = self;
        let inspect = source.inspect();
        let chain = Arc::new(ArcSwap::new(chain));
        let outlet = Arc::new(ChainOutlet::of_source(chain.clone(), alive.reader()));
        let (stop, health) = (Stop::default(), Health::default());
        let (id, ending, state) = (made_of.component.id.clone(), stop.clone(), health.clone());
        let pulse = alive.begin(&id, &health, &stop);
        let task = tokio::spawn(async move {
            let _at_work = pulse;
            // Positions and ports pass from the one to the other.
            if let Some(old) = old {
                let _ended = old.await;
            }
            state.succeeded(&id);
            source.run(outlet, ending).await;
        });
        RunningSource { made_of, health, pause, inspect, chain, stop, task }
    }
}

impl RunningSource {
    /// Another takes its place when it has ended.
    pub(super) fn hand_over(self) -> JoinHandle<()> {
        self.stop.request(Instant::now() + HAND_OVER);
        self.task
    }
}
