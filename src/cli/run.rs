//! `levada [run]`: starts what the configuration says and keeps it running.

mod agent;
mod signals;

use std::process::ExitCode;

use tokio::runtime::Builder;

use super::files::Files;
use super::log::Log;
use super::{FAULTY, INTERNAL, USAGE};
use crate::config::Loaded;
use agent::Agent;
use signals::{Asked, Signals};

/// Run the pipelines of a configuration, until SIGTERM or SIGINT; SIGHUP reads it again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) files: Files,
    #[command(flatten)]
    log: Log,
}

pub(super) fn run(arguments: &Run) -> ExitCode {
    if let Err(fault) = arguments.log.begin() {
        eprintln!("error: {fault}");
        return ExitCode::from(USAGE);
    }
    let loaded = arguments.files.load();
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::from(INTERNAL);
        }
    };
    let code = runtime.block_on(live(arguments, loaded));
    // Threads that still read end with the process.
    runtime.shutdown_background();
    code
}

async fn live(arguments: &Run, mut loaded: Loaded) -> ExitCode {
    // Before anything runs, so that no signal finds the process without an answer.
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "cannot wait for signals");
            return ExitCode::from(INTERNAL);
        }
    };
    let started = match loaded.plan.take() {
        Some(plan) => Agent::start(&plan).await.map_err(|fault| loaded.report.push(*fault)).ok(),
        None => None,
    };
    arguments.log.tell(&loaded);
    let Some(mut agent) = started else { return ExitCode::from(FAULTY) };
    loop {
        // Both arms are cancel-safe.
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Reload => agent.reload(arguments).await,
                Asked::End(_) => break,
            },
            () = agent.sources_ended() => break,
        }
    }
    tokio::select! {
        () = agent.end() => ExitCode::SUCCESS,
        code = signals.end() => {
            tracing::warn!("ends at once: what is in hand is read again at the next start, where the source can");
            ExitCode::from(code)
        }
    }
}
