//! A start whose configuration has faults: what ran last runs again, and says so.

use tokio::sync::mpsc;

use super::agent::Agent;
use crate::admin::Ask;
use crate::cli::files::Files;
use crate::config::{LastGood, Loaded};

/// Starts what the state folder of a `faulty` configuration keeps; none if there is nothing, or it does not start either.
pub(super) async fn start(faulty: &Loaded, asks: mpsc::Sender<Ask>) -> Option<Agent> {
    let folder = faulty.data_dir.as_ref()?;
    let kept = match LastGood::read(folder) {
        Ok(kept) => kept?,
        Err(why) => {
            tracing::error!(why, "there is no configuration to fall back to");
            return None;
        }
    };
    let mut loaded = tokio::task::spawn_blocking(move || Files::load_kept(&kept)).await.ok()?;
    let agent = Agent::start(&mut loaded, asks).await;
    let errors: Vec<_> = faulty.report.errors().map(|fault| format!("{}: {}", fault.code, fault.message)).collect();
    let Some(agent) = agent else {
        let errors: Vec<_> = loaded.report.errors().map(|fault| format!("{}: {}", fault.code, fault.message)).collect();
        tracing::error!(faults = errors.join("; "), "the configuration that ran last does not start either");
        return None;
    };
    agent.is_stale();
    tracing::warn!(
        faults = errors.join("; "),
        "the configuration has faults: the one that ran last runs; a reload takes the new one when it is mended"
    );
    Some(agent)
}
