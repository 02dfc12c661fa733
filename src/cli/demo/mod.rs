//! `levada demo`: the shipped pipeline at work on logs that it makes itself, with no file, server or option.
//!
//! Services write into a temporary folder (`services`); `config/levada.toml` runs on it, with the `window` in the place
//! of its sink, or in front of one of the user's; `card` shows a record before and after, `ticker` a live line, `tally` what became of all records.

mod card;
mod change;
mod figures;
mod folder;
mod paint;
mod pipeline;
mod services;
mod show;
mod tally;
mod ticker;
mod window;

use std::process::ExitCode;

use clap::Args;
use tokio::runtime::Builder;

use crate::delivery::address::address;

/// Arguments of `levada demo`.
#[derive(Clone, Debug, Args)]
pub(super) struct DemoArguments {
    /// How long it runs, unless Ctrl-C ends it before.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Send to this Elasticsearch or OpenSearch, into the index `levada-demo`, instead of letting the records go.
    #[arg(long, value_name = "http://HOST:9200", value_parser = endpoint)]
    to: Option<String>,
}

/// Refused here, where the message can show what was typed.
fn endpoint(text: &str) -> Result<String, String> {
    address("to", text).map(|_| text.to_owned()).map_err(|problem| problem.message)
}

/// Runs the demonstration; fails if the sum at its end does not add up.
pub(super) fn demo(arguments: &DemoArguments) -> ExitCode {
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::from(super::INTERNAL);
        }
    };
    let shown = runtime.block_on(show::run(arguments));
    runtime.shutdown_background();
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(super::FAULTY),
        // Whoever read our output has gone: `levada demo | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(super::FAULTY)
        }
    }
}
