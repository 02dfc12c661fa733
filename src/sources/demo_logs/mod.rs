//! The `demo_logs` source: makes lines, to try a pipeline without a service that logs.
//!
//! **Delivery.** As with `stdin`: a block is kept until its records have arrived. **Limits.** With `interval = 0` it
//! makes as many lines as the pipeline takes. Everything in the lines is made up.

mod cast;
mod flows;
mod format;
mod script;

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;

use super::feed::{Feed, Stopped, Stream};
use super::line;
use crate::codecs::{Codec, Decoder, Decoding};
use crate::component::outlet::Outlet;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::signal::{Stop, thread_waker};
use crate::component::source::{Running, Source};
use crate::component::task::on_thread;
use crate::event::{Origin, Shared, StreamKey};

pub use flows::Flows;
use format::{Format, Maker};

/// Bytes of lines that are made before they are passed on, where there is no `interval`.
const BLOCK: usize = 64 << 10;
/// Longer lines are not made.
const LONGEST_LINE: usize = 4 << 10;

/// Makes lines.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DemoLogsSettings {
    /// What the lines look like.
    format: Format,
    /// Seconds between lines; 0 for as fast as they are taken.
    #[serde(default = "interval")]
    #[schemars(range(min = 0.0, max = 86_400.0))]
    interval: f64,
    /// How many lines to make; without end if not set.
    #[serde(default)]
    count: Option<u64>,
    /// The lines to choose from, for `format = "shuffle"`.
    #[serde(default)]
    lines: Vec<String>,
    /// Begin each line with its number, for `format = "shuffle"`.
    #[serde(default)]
    sequence: bool,
    /// Equal seeds give equal lines but for their times; a random one if not set.
    #[serde(default)]
    seed: Option<u64>,
    /// How lines are decoded.
    #[serde(default)]
    decoding: Decoding,
}

const fn interval() -> f64 {
    1.0
}

impl Settings for DemoLogsSettings {
    type Built = Box<dyn Source>;
    const NAME: &'static str = "demo_logs";
    const EXAMPLE: &'static str = r#"[sources.made_up]
type = "demo_logs"
format = "go2asia"
interval = 0.1
decoding.codec = "json"
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_shuffle = self.format == Format::Shuffle;
        if is_shuffle && self.lines.is_empty() {
            problems.push(Problem::new("lines", "`format = \"shuffle\"` needs at least one line to choose from"));
        }
        if !is_shuffle && (!self.lines.is_empty() || self.sequence) {
            let setting = if self.lines.is_empty() { "sequence" } else { "lines" };
            problems.push(
                Problem::new(setting, format!("`{setting}` has no meaning here")).help("set `format = \"shuffle\"`"),
            );
        }
        if self.lines.iter().any(|line| line.len() > LONGEST_LINE) {
            problems.push(Problem::new("lines", format!("expected lines of at most {LONGEST_LINE} bytes")));
        }
        if Duration::try_from_secs_f64(self.interval).is_err() {
            problems.push(Problem::new("interval", format!("expected seconds, found {}", self.interval)));
        }
        problems
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        Ok(Box::new(DemoLogs { settings: self, context }))
    }
}

struct DemoLogs {
    settings: DemoLogsSettings,
    context: Context,
}

impl Source for DemoLogs {
    fn run(self: Box<Self>, outlet: Arc<dyn Outlet>, stop: Stop) -> Running {
        Box::pin(async move {
            if let Err(error) = on_thread("levada-demo-logs", move || self.make(&*outlet, &stop)).await {
                tracing::error!(%error, "cannot start a thread, no lines are made");
            }
        })
    }
}

impl DemoLogs {
    fn make(self, outlet: &dyn Outlet, stop: &Stop) {
        let Self { settings, context } = self;
        let seed = settings.seed.unwrap_or_else(|| fastrand::u64(..));
        let mut maker = Maker::new((settings.format, seed), &settings.lines, settings.sequence);
        let decoder = Decoder { codec: settings.decoding.codec, max_line_bytes: LONGEST_LINE };
        let kind = (settings.decoding.codec == Codec::Bytes).then(|| Shared::string("source_type", "demo_logs"));
        let origin = Origin::new(StreamKey::random())
            .with_timestamp_keys(line::timestamp_keys().into())
            .with(&kind.into_iter().collect::<Vec<_>>());
        let mut feed = Feed::new(Stream { decoder, origin }, &context, outlet, (stop.clone(), thread_waker()));
        let pause = Duration::try_from_secs_f64(settings.interval).unwrap_or_default();
        let mut left = settings.count.unwrap_or(u64::MAX);
        let mut due = Instant::now();
        while left > 0 && wait(due, stop, &mut feed) {
            let most = if pause.is_zero() { left } else { 1 };
            match make_block(&mut feed, &mut maker, most) {
                Ok(made) => left -= made,
                Err(Stopped) => break,
            }
            due += pause;
        }
        feed.finish();
    }
}

/// Waits until `due`; false if that is not to come.
fn wait(due: Instant, stop: &Stop, feed: &mut Feed) -> bool {
    loop {
        feed.attend();
        let left = due.saturating_duration_since(Instant::now());
        if stop.is_requested() || left.is_zero() {
            return !stop.is_requested();
        }
        std::thread::park_timeout(left);
    }
}

/// Makes up to `most` lines, as many as fit into a block, and passes them on.
fn make_block(feed: &mut Feed, maker: &mut Maker, most: u64) -> Result<u64, Stopped> {
    let permit = feed.room(BLOCK + LONGEST_LINE)?;
    let mut text = String::new();
    let mut made = 0;
    while made < most && text.len() < BLOCK {
        maker.write_line(&mut text);
        text.push('\n');
        made += 1;
    }
    let lines = 0..text.len();
    feed.offer(permit, text.into_bytes(), lines)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::test_kit::{Catcher, context};

    async fn run(settings: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let settings: DemoLogsSettings = toml::from_str(settings).unwrap();
        assert_eq!(settings.check(), []);
        let source = Settings::build(settings, context(folder.path(), 1 << 20).1).unwrap();
        let end = Catcher::default();
        source.run(Arc::new(end.clone()), Stop::default()).await;
        end.lines()
    }

    #[tokio::test]
    async fn makes_as_many_lines_as_asked_and_ends() {
        for format in ["json", "apache_common", "apache_error", "syslog", "bsd_syslog", "go2asia"] {
            let lines = run(&format!("format = '{format}'\ninterval = 0\ncount = 1000")).await;
            assert_eq!(lines.len(), 1000, "{format}");
        }
        let lines = run("format = 'json'\ninterval = 0.001\ncount = 5").await;
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[tokio::test]
    async fn shuffle_chooses_among_lines_and_numbers_them() {
        let lines = run("format = 'shuffle'\nlines = ['a', 'b']\nsequence = true\ninterval = 0\ncount = 200").await;
        let numbered = lines.iter().enumerate().filter_map(|(at, line)| line.strip_prefix(&format!("{at} ")));
        let words: Vec<&str> = numbered.collect();
        assert_eq!(words.len(), 200);
        assert!(words.contains(&"a") && words.contains(&"b"));
    }

    #[tokio::test]
    async fn a_stop_ends_an_endless_one() {
        let folder = tempfile::tempdir().unwrap();
        let settings: DemoLogsSettings = toml::from_str("format = 'json'").unwrap();
        let source = Settings::build(settings, context(folder.path(), 1 << 20).1).unwrap();
        let (end, stop) = (Catcher::default(), Stop::default());
        let running = tokio::spawn(source.run(Arc::new(end.clone()), stop.clone()));
        tokio::task::spawn_blocking(move || end.wait_for(1)).await.unwrap();
        stop.request(Instant::now() + Duration::from_mins(1));
        running.await.unwrap();
    }

    #[test]
    fn settings_that_contradict_each_other_are_told_of() {
        let faults = |text: &str| {
            let settings: DemoLogsSettings = toml::from_str(text).unwrap();
            settings.check().into_iter().map(|problem| problem.setting).collect::<Vec<_>>()
        };
        assert_eq!(faults("format = 'shuffle'"), ["lines"]);
        assert_eq!(faults("format = 'json'\nsequence = true\ninterval = nan"), ["sequence", "interval"]);
        assert_eq!(faults("format = 'json'\nlines = ['a']"), ["lines"]);
    }
}
