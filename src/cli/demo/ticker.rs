//! The live line: how fast it goes and what happens, several times a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::figures::Figures;
use super::paint::{Paint, Style, grouped};

/// Rates are those of the last so many readings.
const READINGS: usize = 10;
/// In a narrower terminal the words are shorter.
const ROOMY: usize = 92;

/// Remembers figures to tell rates.
pub(super) struct Ticker {
    begin: Instant,
    readings: VecDeque<(Instant, u64, u64)>,
}

impl Ticker {
    pub(super) fn new(begin: Instant) -> Self {
        Self { begin, readings: VecDeque::from([(begin, 0, 0)]) }
    }

    /// The line for `figures`, with so many records written and not read.
    pub(super) fn line(&mut self, figures: &Figures, (now, lag): (Instant, u64), paint: Paint) -> String {
        self.readings.push_back((now, figures.read, figures.bytes));
        if self.readings.len() > READINGS {
            self.readings.pop_front();
        }
        let (then, records, bytes) = self.readings.front().copied().unwrap_or((self.begin, 0, 0));
        let seconds = now.saturating_duration_since(then).max(Duration::from_millis(1)).as_secs_f64();
        let speed = ((figures.read - records) as f64 / seconds) as u64;
        let megabytes = (figures.bytes - bytes) as f64 / seconds / 1e6;
        let elapsed = now.saturating_duration_since(self.begin).as_secs_f64();
        let figure = |number: u64| paint.paint(Style::Figure, &grouped(number));
        let [records, sampled] = if paint.width < ROOMY { ["rec/s", "sampled"] } else { ["records/s", "sampled away"] };
        let parts = [
            format!("{} s", paint.paint(Style::Figure, &format!("{elapsed:.1}"))),
            format!("{} {records}", figure(speed)),
            format!("{} MB/s", paint.paint(Style::Figure, &format!("{megabytes:.1}"))),
            format!("masked {}", figure(figures.all_masked())),
            format!("{sampled} {}", figure(figures.dropped_for("sampled"))),
            format!("lag {}", figure(lag)),
        ];
        format!("  {}", parts.join(if paint.width < ROOMY { "  " } else { "   " }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::figures::Dropped;

    #[test]
    fn tells_rates_and_counts_in_eighty_columns() {
        let begin = Instant::now();
        let mut ticker = Ticker::new(begin);
        let dropped = vec![Dropped { component: "few".into(), reason: "sampled".into(), records: 1_034_500 }];
        let figures = Figures {
            read: 500_000,
            bytes: 200_000_000,
            dropped,
            masked: vec![("email".into(), 1_123_456)],
            ..Figures::default()
        };
        let paint = Paint { is_live: false, width: 80 };
        let line = ticker.line(&figures, (begin + Duration::from_secs(10), 812), paint);
        assert_eq!(line, "  10.0 s  50,000 rec/s  20.0 MB/s  masked 1,123,456  sampled 1,034,500  lag 812");
    }
}
