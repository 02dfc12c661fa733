//! `levada buffer verify` and `levada buffer dump`: all that a buffer holds, of an agent that runs by its socket.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{Fault, Place, unreadable};
use crate::admin::{DumpRequest, Verified, VerifyRequest};
use crate::buffer::inspect::{self, Contents, Owner};
use crate::cli::client::{Agent, Lines, runtime};
use crate::cli::screen::{is_read, say};
use crate::cli::{FAULTY, USAGE};
use crate::event::Batch;

pub(super) fn verify(place: &Place, ids: &[String]) -> Result<ExitCode, Fault> {
    let mut is_sound = true;
    let mut tell = |id: &str, contents: &Contents| {
        is_sound &= contents.is_sound();
        say(&line(id, contents));
    };
    if let Some(agent) = place.running() {
        let request = VerifyRequest { ids: ids.to_vec() };
        ask(&agent, ("/buffers/verify", &request), |line| {
            let Verified { id, contents, error } = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            match error {
                None => tell(&id, &contents),
                Some(error) => return Err(format!("cannot read the buffer `{id}`: {error}")),
            }
            Ok(true)
        })?;
    } else {
        let found = place.find()?;
        for id in found.meant(ids)? {
            let path = found.path(&id)?;
            tell(&id, &read(&path, |_| true)?);
        }
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(FAULTY) })
}

fn line(id: &str, contents: &Contents) -> String {
    let Contents { frames, records, damaged, broken, newer, has_lost_ledger } = contents;
    let mut text = format!("{id}: {records} records in {frames} frames, {damaged} bytes damaged");
    let notes = [
        (*broken > 0, format!("{broken} files without a whole head")),
        (*has_lost_ledger, "its ledger is lost: what was delivered last may be sent once more".to_owned()),
        (*newer > 0, format!("{newer} files of a later version, not read")),
        (!contents.is_sound(), "`levada buffer repair` mends it, while no agent runs".to_owned()),
    ];
    notes.iter().filter(|(is_so, _)| *is_so).for_each(|(_, note)| _ = write!(text, "; {note}"));
    text + "\n"
}

pub(super) fn dump(place: &Place, id: &str, limit: Option<usize>) -> Result<ExitCode, Fault> {
    if let Some(agent) = place.running() {
        let request = DumpRequest { id: id.to_owned(), count: limit.map(|limit| limit as u64) };
        ask(&agent, ("/buffers/dump", &request), |line| Ok(is_read(&format!("{line}\n"))))?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = place.find()?.path(id)?;
    let mut left = limit.unwrap_or(usize::MAX);
    let mut lines = Vec::new();
    read(&path, |batch| {
        lines.clear();
        for record in batch.iter().take(left) {
            record.write_json(&mut lines);
            lines.push(b'\n');
        }
        left = left.saturating_sub(batch.len());
        is_read(&String::from_utf8_lossy(&lines)) && left > 0
    })?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path, each: impl FnMut(Batch) -> bool) -> Result<Contents, Fault> {
    inspect::read(path, Owner::Nobody, each).map_err(|error| unreadable(path, &error))
}

/// Asks an agent for lines; `each` says whether it wants another.
fn ask(
    agent: &Agent,
    (path, request): (&str, &impl serde::Serialize),
    mut each: impl FnMut(String) -> Result<bool, String>,
) -> Result<(), Fault> {
    let asked = async {
        let mut lines: Lines = agent.lines(path, request).await.map_err(|why| (why, USAGE))?;
        while let Some(line) = lines.next().await.map_err(|why| (why, FAULTY))? {
            if !each(line).map_err(|why| (why, FAULTY))? {
                break;
            }
        }
        Ok(())
    };
    runtime().map_err(|why| (why, FAULTY))?.block_on(asked)
}
