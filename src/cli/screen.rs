//! What a terminal gets that a pipe does not.

use std::io::{IsTerminal, Write, stderr, stdout};

use crate::component::mask::masked;
use crate::config::Loaded;
use crate::diagnostic::{Color, Diagnostic, Report, render_report, to_github, to_json};

/// How faults are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people, on standard error.
    #[default]
    Human,
    /// A JSON object a line, on standard output.
    Json,
    /// Workflow commands of GitHub, on standard output.
    Github,
}

/// Moves the cursor to the first column of the first line and clears what is below (ECMA-48).
pub(super) const CLEAR: &str = "\x1b[H\x1b[J";

/// Colour for words on standard error: only on a terminal, and not where `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn color() -> Color {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if stderr().is_terminal() && !refused { Color::Always } else { Color::Never }
}

/// Writes to standard output. Whoever has read enough of it may close it: that is no fault.
pub(super) fn say(text: &str) {
    let _closed = is_read(text);
}

/// Writes to standard output; is it still open?
pub(super) fn is_read(text: &str) -> bool {
    let mut out = stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// Prints every fault of a configuration, for people.
pub(super) fn print_faults(loaded: &Loaded) {
    eprint!("{}", masked(&render_report(&loaded.faults(), &loaded.sources, color())));
}

/// Prints every fault of a configuration.
pub(super) fn print_faults_as(format: Format, loaded: &Loaded) {
    let (sources, report) = (&loaded.sources, &loaded.faults());
    match format {
        Format::Human => print_faults(loaded),
        Format::Json => lines(report, |fault| to_json(fault, sources).to_string()),
        Format::Github => lines(report, |fault| to_github(fault, sources)),
    }
}

fn lines(report: &Report, line: impl Fn(&Diagnostic) -> String) {
    report.diagnostics().iter().for_each(|fault| say(&(line(fault) + "\n")));
}
