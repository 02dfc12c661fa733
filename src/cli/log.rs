//! The program's own log: on standard error, without anything from a record. Each line says whose it is, and floods are
//! counted.

mod flood;
mod journal;
mod line;
mod owner;
#[cfg(test)]
mod tests;

use std::io::stderr;
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

use super::screen;
use crate::component::mask::Masked;
use crate::config::Loaded;
use crate::diagnostic::{Color, Diagnostic, Severity};
use crate::lang::panic_is_a_fault;
pub(super) use journal::Journal;
use line::Form;
use owner::Chosen;

/// How the log looks.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Log {
    /// Lines for people, or JSON for programs.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: Format,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a list such as `info,levada::sources=debug`. Else
    /// `LEVADA_LOG` or `RUST_LOG` says.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Log {
    /// Begins to log. An error says what is wrong with the level.
    pub(super) fn begin(&self) -> Result<Journal, String> {
        let filter = filter(self.log_level.as_deref(), |name| std::env::var(name).ok())?;
        let form = match self.log_format {
            Format::Text if screen::color() == Color::Always => Form::Colored,
            Format::Text => Form::Text,
            Format::Json => Form::Json,
        };
        let journal = Journal::new(form, Masked(stderr()));
        registry().with(journal.clone().with_filter(Chosen(filter))).init();
        panic::set_hook(Box::new(log_panic));
        Ok(journal)
    }

    /// Tells every fault of a configuration in the form of the log.
    pub(super) fn tell(&self, loaded: &Loaded) {
        match self.log_format {
            Format::Text => screen::print_faults(loaded),
            Format::Json => loaded.faults().diagnostics().iter().for_each(|fault| log_fault(fault, loaded)),
        }
    }
}

fn log_fault(fault: &Diagnostic, loaded: &Loaded) {
    let label = fault.primary.as_ref();
    let file = label.map(|label| loaded.sources.file(label.place.file).name.as_str());
    let position = label.map(|label| loaded.sources.position(&label.place));
    let (line, column) = (position.map(|at| at.line), position.map(|at| at.column));
    let (code, why) = (fault.code.as_str(), label.map(|label| label.text.as_str()));
    let (message, help) = (&fault.message, fault.help.join("; "));
    match fault.severity() {
        Severity::Error => tracing::error!(code, file, line, column, why, help, "{message}"),
        Severity::Warning => tracing::warn!(code, file, line, column, why, help, "{message}"),
    }
}

/// The levels, for messages.
const LEVELS: &str = "error, warn, info, debug, trace, off";

/// What is logged: the flag, else the first variable that is set, else `info`.
fn filter(flag: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, String> {
    let from = |name: &str| variable(name).filter(|level| !level.is_empty()).map(|level| (name.to_owned(), level));
    let given = flag.map(|level| ("--log-level".to_owned(), level.to_owned()));
    let given = given.or_else(|| from("LEVADA_LOG")).or_else(|| from("RUST_LOG"));
    let Some((name, level)) = given else { return Ok(without_vrl(EnvFilter::new("info"))) };
    let fault = |why: &str| format!("`{level}` in {name} is no log level{why}; expected one of {LEVELS}");
    // A word that is no level would be the name of a module: all of it is logged, and nothing else. `RUST_LOG` may be
    // meant for other programs.
    let is_word = level != "levada" && level.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if name != "RUST_LOG" && is_word && level.parse::<LevelFilter>().is_err() {
        return Err(fault(""));
    }
    let filter = EnvFilter::try_new(&level).map(without_vrl);
    filter.map_err(|error| fault(&format!(": {error}")))
}

/// VRL's own lines quote the text that a function could not parse. What programs say has a line of ours.
fn without_vrl(filter: EnvFilter) -> EnvFilter {
    filter.add_directive("vrl=off".parse().expect("it is a directive"))
}

/// A panic's text is shown only if it is a constant of the program: one made at run time may hold parts of a record.
fn log_panic(panic: &PanicHookInfo<'_>) {
    if panic_is_a_fault() {
        return;
    }
    let location = panic.location().map(ToString::to_string);
    let text = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(location, "internal error: {}", text.unwrap_or("no text that could be shown"));
}
