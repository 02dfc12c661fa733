//! `levada positions`: what is kept of each file, and how to set it right.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat};

use super::client::{Which, runtime};
use super::screen::say;
use super::{FAULTY, failed};
use crate::admin::{PositionsOf, SetDone, SetRequest, positions as kept, set as set_kept};
use crate::component::inspect::Wish;
use crate::topology::{DataDir, inspect};

/// Show how far each file is delivered, or have one read from elsewhere.
#[derive(Debug, clap::Args)]
pub(super) struct Positions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show what is kept of each file: by the running agent, else in its state folder.
    Ls(Ls),
    /// Have a file read from a byte on, under a new stream key: the running agent does it, else the state folder is changed.
    Set(Set),
    /// Have a file read from its beginning: all its records come again, as new ones.
    Reset(Reset),
}

#[derive(Debug, clap::Args)]
struct Ls {
    #[command(flatten)]
    which: Which,
    /// A line of JSON for each file instead.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Set {
    /// The file, as `levada positions ls` shows it.
    path: PathBuf,
    /// The first byte to read; one that begins a line.
    offset: u64,
    #[command(flatten)]
    where_to: WhereTo,
    /// Also inside a line: its rest is passed over.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct Reset {
    /// The file, as `levada positions ls` shows it.
    path: PathBuf,
    #[command(flatten)]
    where_to: WhereTo,
}

#[derive(Debug, clap::Args)]
struct WhereTo {
    #[command(flatten)]
    which: Which,
    /// The source, where several read the file.
    #[arg(long, value_name = "ID")]
    source: Option<String>,
}

pub(super) fn positions(arguments: &Positions) -> ExitCode {
    let done = match &arguments.verb {
        Verb::Ls(arguments) => ls(arguments),
        Verb::Set(Set { path, offset, where_to, force }) => set(path, (*offset, *force), where_to),
        Verb::Reset(Reset { path, where_to }) => set(path, (0, false), where_to),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why, FAULTY),
    }
}

fn ls(arguments: &Ls) -> Result<(), String> {
    let agent = arguments.which.agent()?;
    let sources: Vec<PositionsOf> = if agent.is_there() {
        runtime()?.block_on(agent.get("/positions"))?
    } else {
        let (plan, folder) = arguments.which.plan()?;
        eprintln!("no agent listens: what `{}` keeps", folder.display());
        kept(&inspect(&plan, &folder))
    };
    say(&if arguments.json { lines(&sources) } else { table(&sources) });
    let faults: Vec<_> =
        sources.iter().filter_map(|of| Some(format!("`{}`: {}", of.source, of.error.as_ref()?))).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

fn lines(sources: &[PositionsOf]) -> String {
    let mut text = String::new();
    for PositionsOf { source, positions, .. } in sources {
        for position in positions {
            let mut line = serde_json::json!(position);
            line["source"] = source.as_str().into();
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn table(sources: &[PositionsOf]) -> String {
    let mut text = format!(
        "{:>14}  {:<32} {:<14} {:<20} {:<12} FILE\n",
        "DELIVERED", "STREAM KEY", "DEVICE:INODE", "FOLLOWED", "SOURCE"
    );
    for PositionsOf { source, positions, .. } in sources {
        for position in positions {
            let identity = format!("{}:{}", position.device, position.inode);
            let left = |nanos| DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Secs, true);
            let followed = match position.left {
                None if position.is_followed => "yes".to_owned(),
                None => "no".to_owned(),
                Some(nanos) => left(nanos),
            };
            let (offset, key, path) = (position.offset, &position.stream_key, &position.path);
            let _ = writeln!(text, "{offset:>14}  {key:<32} {identity:<14} {followed:<20} {source:<12} {path}");
        }
    }
    text
}

fn set(path: &Path, (offset, force): (u64, bool), where_to: &WhereTo) -> Result<(), String> {
    let path = std::path::absolute(path).map_err(|error| format!("`{}` is no path: {error}", path.display()))?;
    let request = SetRequest { source: where_to.source.clone(), wish: Wish { path, offset, force } };
    let agent = where_to.which.agent()?;
    let SetDone { source, position } = if agent.is_there() {
        runtime()?.block_on(agent.post("/positions", &request))?
    } else {
        let (plan, folder) = where_to.which.plan()?;
        // Whoever starts meanwhile is told that the folder is in use.
        let _lock = DataDir::open(&folder)?;
        set_kept(&inspect(&plan, &folder), &request)?
    };
    say(&format!(
        "`{source}` reads `{}` from byte {} on, under the new stream key {}: what is read again comes as new records\n",
        position.path, position.offset, position.stream_key
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::inspect::Position;

    #[test]
    fn what_is_kept_is_shown_for_people_and_programs() {
        let position = Position {
            path: "/l/a.log".into(),
            stream_key: "0123456789abcdef0123456789abcdef".into(),
            device: 1,
            inode: 7,
            offset: 4096,
            is_followed: true,
            left: None,
        };
        let gone = Position { path: "/l/b.log".into(), is_followed: false, left: Some(0), ..position.clone() };
        let sources = [PositionsOf { source: "app".into(), positions: vec![position, gone], error: None }];
        insta::assert_snapshot!(table(&sources) + &lines(&sources));
    }
}
