//! `levada init`: a configuration to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::FAULTY;
use super::screen::say;

/// The configuration as it is shipped.
const FILES: &str = include_str!("../../config/levada.toml");
/// The one for an agent on each node.
const KUBERNETES: &str = include_str!("../../config/kubernetes.toml");
/// The one for what speaks OpenTelemetry.
const OTLP: &str = include_str!("../../config/otlp.toml");

/// Write a commented configuration to begin with; it validates as it is.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// What it is to read.
    #[arg(value_enum, default_value_t)]
    kind: Kind,
    /// The file to write; one that is there already is left alone. Standard output if not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// JSON logs in files.
    #[default]
    Files,
    /// The logs of all containers on a node.
    Kubernetes,
    /// Spans, log records and metrics by OTLP.
    Otlp,
}

pub(super) fn init(arguments: &Init) -> ExitCode {
    let text = match arguments.kind {
        Kind::Files => FILES,
        Kind::Kubernetes => KUBERNETES,
        Kind::Otlp => OTLP,
    };
    // The schema stands in another place than beside the user's file.
    let text = text.split_once('\n').map_or(text, |(_, rest)| rest);
    let Some(path) = &arguments.output else {
        say(text);
        return ExitCode::SUCCESS;
    };
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    match written.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => {
            eprintln!("wrote `{0}`; next: `levada validate {0}`", path.display());
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            eprintln!("error: there is a file `{}` already: it stays as it is", path.display());
            ExitCode::from(FAULTY)
        }
        Err(error) => {
            eprintln!("error: cannot write `{}`: {error}", path.display());
            ExitCode::from(FAULTY)
        }
    }
}
