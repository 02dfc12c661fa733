//! `levada pause` and `levada resume`: one source of the running agent stops reading, and reads again.

use std::process::ExitCode;

use super::client::{Which, runtime};
use super::screen::say;
use super::{FAULTY, failed};
use crate::admin::{PauseDone, PauseRequest};

/// Have one source of the running agent read nothing, until `resume`: also after a reload and a restart.
#[derive(Debug, clap::Args)]
pub(super) struct Pause {
    /// The source.
    id: String,
    #[command(flatten)]
    which: Which,
}

/// Have a source that was paused read again, from where it was.
#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// The source.
    id: String,
    #[command(flatten)]
    which: Which,
}

pub(super) fn pause(arguments: &Pause) -> ExitCode {
    let words = ("is paused: what it has in hand goes on, and nothing more is read", "was paused before");
    ask("/pause", (&arguments.id, &arguments.which), words)
}

pub(super) fn resume(arguments: &Resume) -> ExitCode {
    ask("/resume", (&arguments.id, &arguments.which), ("reads again", "was not paused"))
}

fn ask(path: &str, (id, which): (&String, &Which), (done, same): (&str, &str)) -> ExitCode {
    let asked = which.agent().and_then(|agent| {
        let runtime = runtime()?;
        runtime.block_on(agent.post::<PauseDone>(path, &PauseRequest { id: id.clone() }))
    });
    match asked {
        Ok(PauseDone { is_changed }) => {
            say(&format!("`{id}` {}\n", if is_changed { done } else { same }));
            ExitCode::SUCCESS
        }
        Err(why) => failed(&why, FAULTY),
    }
}
