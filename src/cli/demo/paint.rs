//! Colours, or none: `NO_COLOR` (<https://no-color.org>), a pipe and a terminal that cannot are respected.

use std::io::{IsTerminal, stdout};

/// Columns where nobody tells.
const COLUMNS: usize = 80;
/// Wider lines are hard to read.
const WIDEST: usize = 160;
const NARROWEST: usize = 60;

/// What a stretch of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A heading.
    Strong,
    /// Beside the point.
    Faint,
    /// What was there before.
    Gone,
    /// What is there now.
    New,
    /// A figure.
    Figure,
    /// Something to look at.
    Alarm,
}

impl Style {
    /// Select Graphic Rendition (ECMA-48, clause 8.3.117).
    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Gone => "31",
            Self::New => "32",
            Self::Figure => "36",
            Self::Alarm => "1;33",
        }
    }
}

/// How to write on the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint {
    /// May text have colours, and a line be written over?
    pub(super) is_live: bool,
    /// Columns of a line.
    pub(super) width: usize,
}

impl Paint {
    /// What the standard output and the environment allow.
    pub(super) fn of_stdout() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_capable = stdout().is_terminal() && variable("TERM").is_none_or(|terminal| terminal != "dumb");
        let is_live = is_capable && variable("NO_COLOR").is_none();
        let told = rustix::termios::tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col));
        let told = told.filter(|columns| *columns > 0);
        let width = told.or_else(|| variable("COLUMNS")?.parse().ok()).unwrap_or(COLUMNS);
        Self { is_live, width: width.clamp(NARROWEST, WIDEST) }
    }

    /// `text` in a style.
    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if !self.is_live || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", style.code())
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn without_colors_nothing_is_added() {
        let plain = Paint { is_live: false, width: 80 };
        assert_eq!(plain.paint(Style::Alarm, "x"), "x");
        assert_eq!(Paint { is_live: true, ..plain }.paint(Style::New, "x"), "\x1b[32mx\x1b[0m");
    }
}
