//! `levada buffer`: looks at disk buffers, mends what is damaged, and moves what an orphan holds.

mod drain;
mod look;
mod mend;

use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::client::{Agent, Which, runtime};
use super::files::Files;
use super::screen::say;
use super::{FAULTY, USAGE};
use crate::admin::{BufferOf, buffers};
use crate::buffer::MinFree;
use crate::buffer::inspect;
use crate::buffer::repair::How;
use crate::component::size::show_size;
use crate::config::{Globals, Kind, Plan};
use crate::delivery::settings::{BufferKind, BufferSettings};
use crate::topology::DataDir;

/// Look at disk buffers, mend them, and empty those that no sink has.
#[derive(Debug, clap::Args)]
pub(super) struct Buffer {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the buffers, with what they hold; those that no sink of the configuration has are orphans. An agent that runs
    /// is asked.
    Ls(Place),
    /// Read all of a buffer, or of all, and tell what is damaged. An agent that runs does it itself, and is not disturbed.
    Verify {
        #[command(flatten)]
        place: Place,
        /// The sinks whose buffers are meant; all by default.
        ids: Vec<String>,
    },
    /// Write the records that a buffer holds, one JSON object a line. Of an agent that runs they are scrubbed, and its log says
    /// who looked; else they are what the sink would get: mind who reads them.
    Dump {
        #[command(flatten)]
        place: Place,
        /// The sink.
        id: String,
        /// Records at most.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Mend the buffers of an agent that does not run: cut off what is torn, move damaged frames and files into `quarantine`,
    /// and make a lost ledger again. What a later version wrote is left alone.
    Repair {
        #[command(flatten)]
        place: Place,
        /// The sinks whose buffers are meant; all by default.
        ids: Vec<String>,
        /// Only tell what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Move what an orphan holds into the disk buffer of a sink, which delivers it; the records keep their identities.
    Drain {
        #[command(flatten)]
        place: Place,
        /// The buffer that no sink has.
        orphan: String,
        /// The sink.
        #[arg(long, value_name = "ID")]
        to: String,
    },
}

/// Where the buffers are.
#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    files: Files,
    /// The state folder of the agent; else the `data_dir` of its configuration.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

/// The folder of buffers, that nobody else has open meanwhile.
struct Found {
    folder: PathBuf,
    plan: Option<Plan>,
    alone: DataDir,
}

pub(super) fn buffer(arguments: &Buffer) -> ExitCode {
    let done = match &arguments.what {
        What::Ls(place) => place.ls(),
        What::Verify { place, ids } => look::verify(place, ids),
        What::Dump { place, id, limit } => look::dump(place, id, *limit),
        What::Repair { place, ids, dry_run } => {
            let how = if *dry_run { How::DryRun } else { How::ForReal };
            let found = if *dry_run { place.find() } else { place.find_own() };
            found.and_then(|found| mend::mend(&found, ids, how))
        }
        What::Drain { place, orphan, to } => place.find_own().and_then(|found| drain(&found, orphan, to)),
    };
    done.unwrap_or_else(|(why, code)| {
        eprintln!("error: {why}");
        ExitCode::from(code)
    })
}

type Fault = (String, u8);

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    (format!("cannot read the buffer in `{}`: {error}", path.display()), FAULTY)
}

impl Place {
    fn ls(&self) -> Result<ExitCode, Fault> {
        let buffers = if let Some(agent) = self.running() {
            let asked = runtime().and_then(|runtime| runtime.block_on(agent.get("/buffers")));
            asked.map_err(|why| (why, FAULTY))?
        } else {
            let found = self.find()?;
            let is_orphan = |id: &str| found.is_orphan(id);
            buffers(&found.min_free(), is_orphan).map_err(|error| unreadable(&found.folder, &error))?
        };
        show(&buffers);
        Ok(ExitCode::SUCCESS)
    }

    /// The agent, if it runs.
    fn running(&self) -> Option<Agent> {
        let which = Which { files: self.files.clone(), data_dir: self.data_dir.clone() };
        which.agent().ok().filter(Agent::is_there)
    }

    /// The folder of buffers, to look at.
    fn find(&self) -> Result<Found, Fault> {
        self.look().and_then(Found::open)
    }

    /// The same, to write in: what is written belongs to whoever asks, and only the owner of the folder may.
    fn find_own(&self) -> Result<Found, Fault> {
        let looked = self.look()?;
        let about = looked.0.metadata().map_err(|error| unreadable(&looked.0, &error))?;
        is_own(&looked.0, about.uid(), rustix::process::geteuid().as_raw()).map_err(|why| (why, FAULTY))?;
        Found::open(looked)
    }

    /// The state folder, and the plan if there is one.
    fn look(&self) -> Result<(PathBuf, Option<Plan>), Fault> {
        let loaded = self.files.load();
        let unknown = || ("where are the buffers? name `--data-dir`, or the configuration".to_owned(), USAGE);
        let data_dir = self.data_dir.clone().or(loaded.data_dir).ok_or_else(unknown)?;
        if !data_dir.is_dir() {
            return Err((format!("there is no folder `{}`", data_dir.display()), FAULTY));
        }
        Ok((data_dir, loaded.plan))
    }
}

/// May `user` write in a state folder of `owner`? Else its agent could not open what is written, and would not start.
fn is_own(data_dir: &Path, owner: u32, user: u32) -> Result<(), String> {
    if owner == user {
        return Ok(());
    }
    let shown = data_dir.display();
    Err(format!(
        "`{shown}` belongs to user {owner}, and you are user {user}: its agent could not open the files that are written; \
         do it as its owner: `sudo -u '#{owner}' levada buffer ...`"
    ))
}

impl Found {
    fn open((data_dir, plan): (PathBuf, Option<Plan>)) -> Result<Self, Fault> {
        let alone = DataDir::open(&data_dir).map_err(|why| (format!("{why}; stop the agent first"), FAULTY))?;
        Ok(Self { folder: data_dir.join(inspect::FOLDER), plan, alone })
    }

    /// What the disk buffer of a sink may take, if the configuration says it.
    fn max_size(&self, id: &str) -> Option<u64> {
        let sink = self.plan.as_ref()?.sinks.iter().find(|sink| sink.id == id)?;
        let buffer: BufferSettings = sink.section.settings.get("buffer")?.clone().try_into().ok()?;
        (buffer.kind == BufferKind::Disk).then(|| buffer.max_size() as u64)
    }

    fn min_free(&self) -> MinFree {
        let min_free = self.alone.min_free();
        let globals = self.plan.as_ref().and_then(|plan| plan.globals.read::<Globals>().ok());
        min_free.set(globals.map_or(0.0, |globals| globals.min_free.0));
        min_free
    }

    fn ids(&self) -> Result<Vec<String>, Fault> {
        inspect::list(&self.folder).map_err(|error| unreadable(&self.folder, &error))
    }

    /// The buffers that are meant: these, or all.
    fn meant(&self, ids: &[String]) -> Result<Vec<String>, Fault> {
        if ids.is_empty() { self.ids() } else { Ok(ids.to_vec()) }
    }

    fn path(&self, id: &str) -> Result<PathBuf, Fault> {
        let is_known = self.ids()?.iter().any(|known| known == id);
        let unknown = || (format!("there is no buffer `{id}` in `{}`", self.folder.display()), USAGE);
        is_known.then(|| self.folder.join(id)).ok_or_else(unknown)
    }

    /// Has the configuration no sink of this id?
    fn is_orphan(&self, id: &str) -> bool {
        let is_it = |component: &crate::config::Component| component.kind == Kind::Sink && component.id == id;
        self.plan.as_ref().is_some_and(|plan| !plan.components().any(is_it))
    }
}

fn show(buffers: &[BufferOf]) {
    let mut text = String::new();
    for BufferOf { id, is_orphan, lacks_free, summary } in buffers {
        let (records, size) = (summary.records, show_size(summary.bytes));
        let _ = write!(text, "{id}: {records} records, {size} in {} files", summary.segments + summary.newer);
        let notes = [
            (*is_orphan, "an orphan: no sink has this name".to_owned()),
            (*lacks_free, "full: less than `min_free` of its file system is free".to_owned()),
            (summary.newer > 0, format!("{} files of a later version", summary.newer)),
            (summary.broken > 0, format!("{} damaged files", summary.broken)),
            (summary.has_lost_ledger, "its ledger is lost".to_owned()),
            (summary.quarantined > 0, format!("{} damaged bytes kept", summary.quarantined)),
        ];
        notes.iter().filter(|(is_so, _)| *is_so).for_each(|(_, note)| _ = write!(text, "; {note}"));
        text.push('\n');
    }
    say(if text.is_empty() { "no disk buffers\n" } else { &text });
}

fn drain(found: &Found, orphan: &str, to: &str) -> Result<ExitCode, Fault> {
    let from = found.path(orphan)?;
    let sink = found.plan.as_ref().and_then(|plan| plan.sinks.iter().find(|sink| sink.id == to));
    let is_disk = |sink: &crate::config::Component| {
        let kind = sink.section.settings.get("buffer").and_then(|buffer| buffer.get("type"));
        kind.and_then(toml::Value::as_str) == Some("disk")
    };
    if !sink.is_some_and(is_disk) {
        return Err((format!("the configuration has no sink `{to}` with `buffer.type = \"disk\"`"), USAGE));
    }
    if !found.is_orphan(orphan) {
        return Err((format!("`{orphan}` is no orphan: the sink of this name delivers what it holds"), USAGE));
    }
    let runtime = runtime().map_err(|why| (why, FAULTY))?;
    let moved = runtime.block_on(drain::drain(&from, &found.folder.join(to)));
    let is_removed = drain::remove_empty(&from).map_err(|error| unreadable(&from, &error))?;
    let rest =
        if is_removed { "and nothing is left of it" } else { "what is left of it stays: see `levada buffer ls`" };
    say(&format!("{moved} records of `{orphan}` are in the buffer of `{to}` now, {rest}\n"));
    Ok(if is_removed { ExitCode::SUCCESS } else { ExitCode::from(FAULTY) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_what_the_agent_cannot_open() {
        let folder = Path::new("/var/lib/levada");
        assert_eq!(is_own(folder, 998, 998), Ok(()));
        let why = is_own(folder, 998, 0).unwrap_err();
        assert!(why.contains("belongs to user 998, and you are user 0") && why.contains("sudo -u '#998'"), "{why}");
        assert!(is_own(folder, 0, 998).is_err());
    }
}
