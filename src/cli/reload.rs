//! `levada reload`: has the running agent read its configuration again, and says what came of it.

use std::process::ExitCode;

use super::FAULTY;
use super::client::{Which, runtime};
use super::screen::say;
use crate::admin::{ReloadRequest, Reloaded};

/// Have the running agent read its configuration again, and wait for what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Reload {
    #[command(flatten)]
    which: Which,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn reload(arguments: &Reload) -> ExitCode {
    let request = ReloadRequest { dry_run: arguments.dry_run };
    let asked = arguments.which.agent().and_then(|agent| {
        let runtime = runtime()?;
        runtime.block_on(agent.post::<Reloaded>("/reload", &request))
    });
    let done = match asked {
        Ok(done) => done,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(FAULTY);
        }
    };
    eprint!("{}", done.faults);
    done.changes.iter().for_each(|change| say(&format!("{change}\n")));
    if !done.is_good {
        eprintln!("error: what runs stays as it is");
        return ExitCode::from(FAULTY);
    }
    say(if arguments.dry_run { "valid: nothing was changed\n" } else { "reloaded\n" });
    ExitCode::SUCCESS
}
