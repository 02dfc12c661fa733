//! What became of all records: a sum that adds up, or an alarm.

use std::time::Duration;

use super::figures::{Dropped, Figures};
use super::paint::{Paint, Style, grouped};

/// The end of the demonstration.
#[derive(Debug)]
pub(super) struct Tally {
    /// Records and bytes that the services have written.
    pub(super) written: (u64, u64),
    /// How often they have rotated a log.
    pub(super) rotations: u64,
    /// How long it went.
    pub(super) elapsed: Duration,
    /// What it means that a record arrived.
    pub(super) arrived: String,
    pub(super) figures: Figures,
}

/// Columns of words before the figures, and of figures.
const WORDS: usize = 36;
const FIGURES: usize = 13;

impl Tally {
    /// Records that are neither delivered nor dropped for a reason; below zero if some were counted twice.
    pub(super) fn missing(&self) -> i64 {
        let out = self.figures.delivered + self.figures.all_dropped();
        self.written.0 as i64 - out as i64
    }

    /// The lines of the summary.
    pub(super) fn lines(&self, paint: Paint) -> Vec<String> {
        let rule = "─".repeat(paint.width.saturating_sub(2));
        let mut lines = vec![String::new(), format!("  {}", paint.paint(Style::Faint, &rule)), String::new()];
        lines.push(self.row(("written by the services", self.written.0), Style::Strong, paint));
        lines.push(String::new());
        lines.push(self.row((&self.arrived, self.figures.delivered), Style::New, paint));
        lines.extend(
            self.figures.dropped.iter().map(|dropped| self.row((&said(dropped), dropped.records), Style::Gone, paint)),
        );
        lines.push(format!("  {:WORDS$}{:>FIGURES$}", "", "─".repeat(FIGURES - 2)));
        lines.push(self.sum(paint));
        lines.push(String::new());
        lines.extend(self.notes(paint));
        lines
    }

    fn row(&self, (words, records): (&str, u64), style: Style, paint: Paint) -> String {
        let figure = format!("{:>FIGURES$}", grouped(records));
        let share = records as f64 * 100.0 / self.written.0.max(1) as f64;
        let share = paint.paint(Style::Faint, &format!("{share:>8.1} %"));
        format!("  {words:WORDS$}{}{share}", paint.paint(style, &figure))
    }

    fn sum(&self, paint: Paint) -> String {
        let out = grouped(self.figures.delivered + self.figures.all_dropped());
        let (verdict, style) = match self.missing() {
            0 => ("in = out + dropped".to_owned(), Style::New),
            missing if missing > 0 => (format!("{} missing", grouped(missing.unsigned_abs())), Style::Alarm),
            extra => (format!("{} too many", grouped(extra.unsigned_abs())), Style::Alarm),
        };
        format!("  {:WORDS$}{out:>FIGURES$}   {}", "", paint.paint(style, &verdict))
    }

    fn notes(&self, paint: Paint) -> Vec<String> {
        let masked = self.figures.masked.iter().map(|(what, values)| format!("{} {}", grouped(*values), plural(what)));
        let masked: Vec<String> = masked.collect();
        let seconds = self.elapsed.as_secs_f64().max(0.001);
        let (records, bytes) = self.written;
        let pace = format!(
            "{:.1} MB in {seconds:.1} s: {} records/s, {:.1} MB/s, logs rotated {} times",
            bytes as f64 / 1e6,
            grouped((records as f64 / seconds) as u64),
            bytes as f64 / seconds / 1e6,
            grouped(self.rotations)
        );
        let masked = wrap(&masked, paint.width.saturating_sub(12));
        let first =
            masked.iter().enumerate().map(|(at, line)| format!("  {:10}{line}", if at == 0 { "masked" } else { "" }));
        first.chain([format!("  {:10}{pace}", "pace")]).collect()
    }
}

/// A reason in plain words.
fn said(dropped: &Dropped) -> String {
    let Dropped { component, reason, .. } = dropped;
    let words = match reason.as_str() {
        "filtered" => "left out",
        "sampled" => "sampled away",
        "rejected" => "dead letters",
        other => other,
    };
    format!("{words} by `{component}`")
}

/// What a detector finds.
fn plural(detector: &str) -> &str {
    match detector {
        "email" => "e-mail addresses",
        "payment_card" => "card numbers",
        "bearer_token" | "jwt" => "tokens",
        "key_name" => "values by their name",
        "phone" => "telephone numbers",
        other => other,
    }
}

/// Words, separated by commas, in lines of at most `width`.
fn wrap(words: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let comma = if at + 1 < words.len() { "," } else { "" };
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() + 2 <= width => {
                line.extend([" ", word, comma]);
            }
            _ => lines.push(format!("{word}{comma}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Paint = Paint { is_live: false, width: 80 };

    fn tally(delivered: u64) -> Tally {
        let dropped = |component: &str, reason: &str, records| Dropped {
            component: component.into(),
            reason: reason.into(),
            records,
        };
        let figures = Figures {
            read: 500_000,
            bytes: 200_000_000,
            delivered,
            dropped: vec![dropped("no_debug", "filtered", 60_000), dropped("few", "sampled", 110_000)],
            masked: ["email", "payment_card", "bearer_token", "key_name"]
                .map(|what| (what.to_owned(), 98_765))
                .to_vec(),
        };
        Tally {
            written: (500_000, 200_000_000),
            rotations: 93,
            elapsed: Duration::from_secs(10),
            arrived: "delivered".into(),
            figures,
        }
    }

    #[test]
    fn a_sum_that_adds_up() {
        let tally = tally(330_000);
        assert_eq!(tally.missing(), 0);
        insta::assert_snapshot!(tally.lines(PLAIN).join("\n"));
    }

    #[test]
    fn a_sum_that_does_not_is_an_alarm() {
        assert_eq!(tally(329_999).missing(), 1);
        assert!(tally(329_999).lines(PLAIN).iter().any(|line| line.ends_with("1 missing")));
        assert!(tally(330_002).lines(PLAIN).iter().any(|line| line.ends_with("2 too many")));
    }
}
