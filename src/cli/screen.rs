//! What a terminal gets that a pipe does not.

use std::io::{IsTerminal, stderr};

use crate::config::Loaded;
use crate::diagnostic::{Color, render_report};

/// Colour for words on standard error: only on a terminal, and not where `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn color() -> Color {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if stderr().is_terminal() && !refused { Color::Always } else { Color::Never }
}

/// Prints every fault of a configuration.
pub(super) fn print_faults(loaded: &Loaded) {
    eprint!("{}", render_report(&loaded.report, &loaded.sources, color()));
}
