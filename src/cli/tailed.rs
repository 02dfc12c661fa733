//! `levada files`: how each file of the running agent stands.

use std::cmp::Reverse;
use std::fmt::Write;
use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::Duration;

use super::client::{Agent, Which, runtime};
use super::screen::{CLEAR, say};
use super::{FAULTY, failed};
use crate::admin::FilesOf;
use crate::component::inspect::{FileReport, FileState};
use crate::config::show_size;
use crate::diagnostic::closest;

/// Show how far each file of the running agent is read and delivered: the one that lags most comes first.
#[derive(Debug, clap::Args)]
pub(super) struct Tailed {
    /// Only the files of this source.
    id: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Look again each second, until interrupted.
    #[arg(long)]
    live: bool,
    /// A line of JSON for each file instead.
    #[arg(long)]
    json: bool,
    /// With `--live`: stop after so many looks.
    #[arg(long, value_name = "N", requires = "live")]
    count: Option<u64>,
}

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn files(arguments: &Tailed) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(show(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why, FAULTY),
    }
}

async fn show(arguments: &Tailed) -> Result<(), String> {
    let agent = arguments.which.agent()?;
    let mut ticks = tokio::time::interval(INTERVAL);
    let looks = if arguments.live { arguments.count.unwrap_or(u64::MAX) } else { 1 };
    let clear = if arguments.live && stdout().is_terminal() { CLEAR } else { "" };
    for _ in 0..looks {
        ticks.tick().await;
        let sources = ask(&agent, arguments.id.as_deref()).await?;
        let rows = rows(&sources);
        if arguments.json {
            for row in &rows {
                say(&format!("{}\n", row.json()));
            }
        } else {
            say(&format!("{clear}{}", table(&sources, &rows)));
        }
    }
    Ok(())
}

/// The files of all sources, or of the one called `id`.
async fn ask(agent: &Agent, id: Option<&str>) -> Result<Vec<FilesOf>, String> {
    let sources: Vec<FilesOf> = agent.get("/files").await?;
    let Some(id) = id else { return Ok(sources) };
    let ids: Vec<_> = sources.iter().map(|of| of.source.clone()).collect();
    let meant: Vec<_> = sources.into_iter().filter(|of| of.source == id).collect();
    if meant.is_empty() {
        let near = closest(id, ids.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        let hint = near.unwrap_or_else(|| format!("there are: {}", ids.join(", ")));
        return Err(format!("no source `{id}` follows files; {hint}"));
    }
    Ok(meant)
}

/// A file and its source.
struct Row<'f> {
    source: &'f str,
    file: &'f FileReport,
}

impl Row<'_> {
    fn json(&self) -> String {
        #[derive(serde::Serialize)]
        struct Line<'f> {
            source: &'f str,
            #[serde(flatten)]
            file: &'f FileReport,
        }
        serde_json::json!(Line { source: self.source, file: self.file }).to_string()
    }
}

/// All files, the largest lag first; among equals those in trouble, then by path.
fn rows(sources: &[FilesOf]) -> Vec<Row<'_>> {
    let of = |source: &'_ FilesOf| source.files.len();
    let mut rows = Vec::with_capacity(sources.iter().map(of).sum());
    for of in sources {
        rows.extend(of.files.iter().map(|file| Row { source: &of.source, file }));
    }
    rows.sort_by(|one, other| {
        let key = |row: &Row<'_>| (Reverse(row.file.lag_bytes), row.file.state);
        key(one).cmp(&key(other)).then_with(|| one.file.path.cmp(&other.file.path))
    });
    rows
}

fn table(sources: &[FilesOf], rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:>10} {:>8} {:>10} {:>10} {:>10} {:>10}  {:<8} {:<14} {:<22} {:<12} FILE",
        "LAG", "FOR", "RATE/s", "READ", "IN FLIGHT", "SIZE", "KEY", "DEVICE:INODE", "STATE", "SOURCE"
    );
    for Row { source, file } in rows {
        let FileReport { device, inode, path, .. } = file;
        let (key, identity) = (file.stream_key.get(..8).unwrap_or("-"), format!("{device}:{inode}"));
        let _ = write!(
            text,
            "{:>10} {:>8} {:>10} {:>10} {:>10} {:>10}  {key:<8} {identity:<14} {:<22} {source:<12} {path}",
            show_size(file.lag_bytes),
            seconds(file.lag_seconds),
            show_size(file.bytes_per_second as u64),
            show_size(file.offset),
            show_size(file.offset.saturating_sub(file.delivered)),
            show_size(file.size),
            state(file),
        );
        if let Some(pod) = &file.pod {
            let _ = write!(text, " ({pod})");
        }
        let error = file.last_error.as_ref().map(|error| format!("last error: {error}"));
        let remarks: Vec<_> = [file.reason.clone(), error].into_iter().flatten().collect();
        let _ = if remarks.is_empty() { writeln!(text) } else { writeln!(text, ": {}", remarks.join("; ")) };
    }
    text + &sum(sources, rows)
}

fn state(file: &FileReport) -> String {
    if file.is_deleted { format!("{}, deleted", file.state.name()) } else { file.state.name().to_owned() }
}

/// Seconds, in three digits or so.
fn seconds(seconds: f64) -> String {
    match seconds {
        none if none <= 0.0 => "-".to_owned(),
        few if few < 100.0 => format!("{few:.1}s"),
        many if many < 36_000.0 => format!("{many:.0}s"),
        long => format!("{:.0}h", long / 3600.0),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn sum(sources: &[FilesOf], rows: &[Row<'_>]) -> String {
    let files = || rows.iter().map(|row| row.file);
    let count = |is_one: &dyn Fn(&FileReport) -> bool| files().filter(|file| is_one(file)).count();
    let lag: u64 = files().map(|file| file.lag_bytes).sum();
    let longest = files().map(|file| file.lag_seconds).fold(0.0, f64::max);
    let rate: f64 = files().map(|file| file.bytes_per_second).sum();
    let behind = count(&|file| file.lag_bytes > 0);
    let mut text = format!(
        "{} of {}, {behind} behind by {} in all, {} at most, read at {}/s",
        counted(rows.len(), "file"),
        counted(sources.len(), "source"),
        show_size(lag),
        seconds(longest),
        show_size(rate as u64),
    );
    let deleted = count(&|file| file.is_deleted);
    for (what, count) in
        [("unreadable", count(&|file| file.state == FileState::Unreadable)), ("deleted and open", deleted)]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let paused = sources.iter().filter(|of| of.paused.is_some()).map(|of| format!("`{}`", of.source));
    let paused: Vec<_> = paused.collect();
    if !paused.is_empty() {
        let _ = write!(text, "; paused: {}", paused.join(", "));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::pause::Paused;

    fn file(path: &str, lag_bytes: u64, state: FileState) -> FileReport {
        FileReport {
            path: path.to_owned(),
            stream_key: "0123456789abcdef0123456789abcdef".to_owned(),
            device: 1,
            inode: 7,
            size: 4096,
            offset: 4096 - lag_bytes,
            delivered: 4096 - lag_bytes,
            lag_bytes,
            lag_seconds: lag_bytes as f64 / 100.0,
            state,
            ..FileReport::default()
        }
    }

    #[test]
    fn the_largest_lag_comes_first_and_the_sum_last() {
        let gone = FileReport { is_deleted: true, ..file("/l/gone", 100, FileState::WaitsForRoom) };
        let fault =
            FileReport { last_error: Some("Permission denied".into()), ..file("/l/x", 0, FileState::Unreadable) };
        let files = vec![file("/l/a", 0, FileState::Quiet), gone, fault, file("/l/b", 2048, FileState::Reading)];
        let sources = [FilesOf { source: "app".into(), paused: Some(Paused::default()), files }];
        let rows = rows(&sources);
        let order: Vec<_> = rows.iter().map(|row| row.file.path.as_str()).collect();
        assert_eq!(order, ["/l/b", "/l/gone", "/l/x", "/l/a"]);
        insta::assert_snapshot!(table(&sources, &rows));
        let line: serde_json::Value = serde_json::from_str(&rows[1].json()).unwrap();
        assert_eq!((&line["source"], &line["state"]), (&"app".into(), &"waits_for_room".into()));
    }

    #[test]
    fn seconds_are_short() {
        let shown: Vec<_> = [0.0, 0.04, 99.94, 100.4, 35_999.0, 360_000.0].into_iter().map(seconds).collect();
        assert_eq!(shown, ["-", "0.0s", "99.9s", "100s", "35999s", "100h"]);
    }
}
