//! `levada dead-letters`: what was refused for good, and why.

use std::fmt::Write;
use std::process::ExitCode;

use super::client::{Which, runtime};
use super::screen::{is_read, say};
use super::{FAULTY, failed};
use crate::admin::{LettersRequest, Sum};
use crate::component::size::show_size;

/// Look at the records that were refused for good: how many of what, and what they hold.
#[derive(Debug, clap::Args)]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How many there are, by component and code.
    Ls {
        #[command(flatten)]
        which: Which,
        /// As JSON, an object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show them, scrubbed, a line of JSON each; the agent's log says who looked.
    Show {
        /// Those of this component; all by default.
        id: Option<String>,
        #[command(flatten)]
        which: Which,
        /// Only those that meet this VRL condition; it sees them as they are shown, such as `.dead_letter.code == "400"`.
        #[arg(long = "where", value_name = "CONDITION")]
        condition: Option<String>,
        /// Stop after so many.
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
}

pub(super) fn dead_letters(arguments: &DeadLetters) -> ExitCode {
    let done = match &arguments.what {
        What::Ls { which, json } => ls(which, *json),
        What::Show { id, which, condition, count } => {
            let request = LettersRequest { component: id.clone(), condition: condition.clone(), count: *count };
            show(which, &request)
        }
    };
    done.map_or_else(|why| failed(&why, FAULTY), |()| ExitCode::SUCCESS)
}

fn ls(which: &Which, is_json: bool) -> Result<(), String> {
    let agent = which.agent()?;
    let sums: Vec<Sum> = runtime()?.block_on(agent.get("/dead-letters"))?;
    if is_json {
        let lines = sums.iter().map(|sum| serde_json::to_string(sum).map(|line| line + "\n"));
        say(&lines.collect::<Result<String, _>>().map_err(|error| error.to_string())?);
        return Ok(());
    }
    if sums.is_empty() {
        say("no dead letters\n");
        return Ok(());
    }
    let rows = sums.iter().map(|Sum { component, code, letters, bytes, first, last }| {
        [component.clone(), code.clone(), letters.to_string(), show_size(*bytes), seconds(first), seconds(last)]
    });
    say(&table(&rows.collect::<Vec<_>>()));
    Ok(())
}

/// A time without its fraction and its zone, which is always UTC.
fn seconds(time: &str) -> String {
    time.split(['.', '+']).next().unwrap_or(time).to_owned() + "Z"
}

fn table(rows: &[[String; 6]]) -> String {
    let heads = ["COMPONENT", "CODE", "LETTERS", "SIZE", "FIRST", "LAST"].map(str::to_owned);
    let width = |column: usize| rows.iter().chain([&heads]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for row in [&heads].into_iter().chain(rows) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let is_number = column == 2 || column == 3;
            let _ = if is_number { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn show(which: &Which, request: &LettersRequest) -> Result<(), String> {
    let agent = which.agent()?;
    runtime()?.block_on(async {
        let mut lines = agent.lines("/dead-letters", request).await?;
        while let Some(line) = lines.next().await? {
            if !is_read(&format!("{line}\n")) {
                break;
            }
        }
        Ok(())
    })
}
