//! `levada [run]`: starts what the configuration says and keeps it running.

mod agent;
mod last_good;
mod signals;
mod watch;

use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::files::Files;
use super::log::Log;
use super::{FAULTY, INTERNAL, USAGE};
use crate::admin::{Ask, ReloadRequest};
use crate::config::Loaded;
use agent::Agent;
use signals::{Asked, Signals};

/// Requests of the control socket that wait for their turn.
const ASKS: usize = 8;

/// Run the pipelines of a configuration, until SIGTERM or SIGINT; SIGHUP reads it again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) files: Files,
    #[command(flatten)]
    log: Log,
    /// Read the configuration again whenever a file that it is made of has changed: configuration, programs,
    /// certificates.
    #[arg(short, long)]
    watch_config: bool,
}

pub(super) fn run(arguments: &Run) -> ExitCode {
    let journal = match arguments.log.begin() {
        Ok(journal) => journal,
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::from(USAGE);
        }
    };
    let loaded = arguments.files.load_to_run(None);
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::from(INTERNAL);
        }
    };
    runtime.spawn(journal.clone().tell_repetitions());
    let code = runtime.block_on(live(arguments, loaded));
    journal.end();
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
    let (asks, mut asked) = mpsc::channel(ASKS);
    let started = tokio::select! {
        started = start(arguments, &mut loaded, asks.clone()) => started,
        // Nothing runs yet.
        code = signals.end() => return ExitCode::from(code),
    };
    let Some(mut agent) = started else { return ExitCode::from(FAULTY) };
    if arguments.watch_config {
        let mut paths = arguments.files.config.clone();
        paths.extend(agent.team_paths().iter().cloned());
        tokio::spawn(watch::watch(paths, loaded.inputs(), asks));
    }
    serve(&mut agent, arguments, (&mut asked, &mut signals)).await;
    // Whoever asks now is told that the agent ends.
    drop(asked);
    tokio::select! {
        () = agent.end() => ExitCode::SUCCESS,
        code = signals.end() => {
            tracing::warn!("ends at once: what is in hand is read again at the next start, where the source can");
            ExitCode::from(code)
        }
    }
}

/// Starts what was loaded, or what ran last.
async fn start(arguments: &Run, loaded: &mut Loaded, asks: mpsc::Sender<Ask>) -> Option<Agent> {
    let started = Agent::start(loaded, asks.clone()).await;
    arguments.log.tell(loaded);
    match started {
        Some(agent) => Some(agent),
        None => last_good::start(loaded, asks).await,
    }
}

/// Answers signals and the control socket until the end is asked for, or nothing more is to come. Secrets of a reload
/// may be long on their way: the end does not wait for them.
async fn serve(agent: &mut Agent, arguments: &Run, (asked, signals): (&mut mpsc::Receiver<Ask>, &mut Signals)) {
    loop {
        // All arms are cancel-safe.
        let ask = tokio::select! {
            Some(ask) = asked.recv() => Some(ask),
            asked = signals.next() => match asked {
                Asked::Reload => None,
                Asked::End(_) => return,
            },
            () = agent.sources_ended() => return,
        };
        let work = async {
            match ask {
                Some(ask) => agent.answer(ask, arguments).await,
                None => drop(agent.reload(arguments, ReloadRequest::default()).await),
            }
        };
        tokio::select! {
            () = work => {}
            _ = signals.end() => return tracing::warn!("the configuration was not reloaded: the agent ends"),
        }
    }
}
