//! The command line: one file per verb. Only this room prints or exits.

mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Exit code where the thing asked about is faulty.
const FAULTY: u8 = 1;

/// A telemetry agent that carries bytes, not trees.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Configuration: files, folders (their `*.toml`) and patterns; may be given several times.
    #[arg(short, long, value_name = "PATH", default_value = "/etc/levada/levada.toml")]
    config: Vec<PathBuf>,
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
    let code = runtime.block_on(run::run(&arguments.config));
    runtime.shutdown_background();
    code
}
