//! `levada tap`: shows the records that pass an edge of the running agent.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Which, runtime};
use super::screen::is_read;
use super::{FAULTY, USAGE};
use crate::admin::{StatusOf, TapRequest};
use crate::config::parse_duration;

/// Show records as they pass, scrubbed, a line of JSON each; the agent's log says who looked.
#[derive(Debug, clap::Args)]
pub(super) struct Tap {
    /// A component, or one of its outputs such as `split.errors`.
    id: String,
    #[command(flatten)]
    which: Which,
    /// What goes into it, instead of what comes out; of a sink this is what is shown anyway.
    #[arg(long = "in")]
    input: bool,
    /// Only records that meet this VRL condition; it sees them scrubbed.
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Stop after so many records.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop after this time, such as `10s`.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// Write the records to this file instead, which is made for its user alone.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// A line of the answer.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    /// The first record on which the condition failed: why it did.
    why: Option<String>,
    #[serde(default)]
    missed: u64,
    #[serde(default)]
    failed: u64,
}

/// Records that passed and were not shown.
#[derive(Default)]
struct Unseen {
    /// There was no time.
    missed: u64,
    /// The condition failed on them.
    failed: u64,
}

pub(super) fn tap(arguments: &Tap) -> ExitCode {
    let seconds = match arguments.time.as_deref().map(|text| (text, parse_duration(text))) {
        Some((text, None)) => {
            eprintln!("error: `{text}` is no time; expected one such as `10s` or `2m`");
            return ExitCode::from(USAGE);
        }
        Some((_, time)) => time.map(|time| time.as_secs_f64()),
        None => None,
    };
    let shown = runtime().and_then(|runtime| runtime.block_on(show(arguments, seconds)));
    match shown {
        Ok(Unseen { missed, failed }) => {
            if missed > 0 {
                eprintln!("{missed} more records passed than could be shown");
            }
            if failed > 0 {
                eprintln!("the condition failed on {failed} records, which are not shown");
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(FAULTY)
        }
    }
}

/// Shows what passes, to the end or until nobody reads it; gives how many records passed unseen.
async fn show(arguments: &Tap, seconds: Option<f64>) -> Result<Unseen, String> {
    let agent = arguments.which.agent()?;
    let status: crate::admin::Status = agent.get("/status").await?;
    let request = TapRequest {
        edge: arguments.id.clone(),
        input: is_input(arguments, &status.components)?,
        condition: arguments.condition.clone(),
        count: arguments.count,
        seconds,
    };
    let mut body = agent.open("/tap", &request).await?.into_body();
    let mut out = Out::new(arguments.save.as_ref())?;
    let mut unseen = Unseen::default();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| format!("the agent ended: {error}"))?.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = memchr::memchr(b'\n', &rest) {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line: Line<'_> = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
            unseen.missed += line.missed;
            unseen.failed += line.failed;
            if let Some(why) = line.why {
                eprintln!("the condition fails on a record, which is not shown: {why}");
            }
            if let Some(record) = line.record
                && !out.write(record.get())?
            {
                return Ok(unseen);
            }
        }
    }
    Ok(unseen)
}

/// Is it what goes in that is to be shown? Fails, if there is nothing of this name to look at.
fn is_input(arguments: &Tap, components: &[StatusOf]) -> Result<bool, String> {
    let id = arguments.id.as_str();
    let is_of =
        |known: &&StatusOf| id.strip_prefix(&known.id).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let Some(component) = components.iter().filter(is_of).max_by_key(|known| known.id.len()) else {
        let ids: Vec<_> = components.iter().map(|component| component.id.as_str()).collect();
        let meant = crate::diagnostic::closest(id, ids.iter().copied());
        let hint = meant.map_or_else(|| format!("there are {}", ids.join(", ")), |id| format!("did you mean `{id}`?"));
        return Err(format!("there is no component `{id}`; {hint}"));
    };
    let (is_whole, outputs) = (component.id == id, &component.outputs);
    if arguments.input && !is_whole {
        return Err(format!("`{id}` is an output; `levada tap {} --in` shows what goes in", component.id));
    }
    // What comes out of a sink is out of sight. An agent of another version may not tell its outputs.
    let is_input = arguments.input || (component.kind == "sink" && is_whole);
    if is_input || outputs.is_empty() || outputs.iter().any(|output| output == id) {
        return Ok(is_input);
    }
    let outputs: Vec<_> = outputs.iter().map(|output| format!("`{output}`")).collect();
    let what = if is_whole { "main output".to_owned() } else { format!("output `{}`", &id[component.id.len() + 1..]) };
    Err(format!("{} `{}` has no {what}; there are {}", component.kind, component.id, outputs.join(", ")))
}

/// Where records go.
enum Out {
    Screen,
    File(File),
}

impl Out {
    fn new(path: Option<&PathBuf>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::Screen) };
        // What is shown is scrubbed, and yet not for everyone.
        let opened = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
        let opened = opened.map_err(|error| format!("cannot write `{}`: {error}", path.display()));
        opened.map(Self::File)
    }

    /// Writes a record; is anybody there to read more?
    fn write(&mut self, record: &str) -> Result<bool, String> {
        match self {
            Self::Screen => Ok(is_read(&format!("{record}\n"))),
            Self::File(file) => {
                writeln!(file, "{record}").map_err(|error| format!("cannot write: {error}"))?;
                Ok(true)
            }
        }
    }
}
