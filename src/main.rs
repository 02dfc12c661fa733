//! The `levada` binary: arguments, runtime, exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    levada::cli::main()
}
