//! The command line: one file per verb. Only this room prints or exits.

mod demo;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code where the thing asked about is faulty.
const FAULTY: u8 = 1;

/// A telemetry agent that carries bytes, not trees.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Configuration: files, folders (their `*.toml`) and patterns; may be given several times.
    #[arg(short, long, value_name = "PATH", default_value = "/etc/levada/levada.toml")]
    config: Vec<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows Levada at work on logs it makes itself: no file, server or option needed.
    Demo(demo::DemoArguments),
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::from(FAULTY);
        }
    };
    let code = match &arguments.verb {
        Some(Verb::Demo(arguments)) => runtime.block_on(demo::demo(arguments)),
        None => runtime.block_on(run::run(&arguments.config)),
    };
    runtime.shutdown_background();
    code
}
