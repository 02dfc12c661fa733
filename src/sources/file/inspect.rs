//! The source as people see it: its threads are asked if it runs, its folder if not.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::input::node;
use super::job::{Job, Letter, Note};
use super::positions::{Entry, Holder, Positions};
use super::set::{Order, set_kept};
use super::survey::Survey;
use crate::component::inspect::{FileReport, FileState, Inspect, Pod, Position, Verdict, Wish};

/// What a source does, or would do.
#[derive(Debug)]
pub(in crate::sources) struct FileInspect(pub(super) Arc<Job>);

impl Inspect for FileInspect {
    fn files(&self) -> Vec<FileReport> {
        let Some(lanes) = self.0.lanes.get() else { return Vec::new() };
        // First the thread that looks for files: what it hands out after its answer is in a lane before that answers.
        let looker = Survey::of(1);
        self.0.notes.post(Note::Report(Arc::downgrade(&looker)));
        let (without_lane, _) = looker.wait();
        let survey = Survey::of(lanes.len());
        for lane in lanes {
            lane.post(Letter::Report(Arc::downgrade(&survey)));
        }
        let (mut files, missing) = survey.wait();
        let key = |file: &FileReport| file.stream_key.clone();
        let mut told: HashSet<String> = files.iter().map(key).collect();
        files.extend(without_lane.into_iter().filter(|file| !told.contains(&file.stream_key)));
        told.extend(files.iter().map(key));
        let untold = self.0.positions.all().into_iter().map(|(_, entry, holder)| untold(&entry, (holder, missing > 0)));
        files.extend(untold.filter(|file| !told.contains(&file.stream_key)));
        files
    }

    fn judge(&self, path: &Path) -> Verdict {
        Verdict {
            meant: self.0.search.meant(path),
            ignore_older_secs: self.0.tailing.ignore_older_secs,
            look_every: self.0.pace.poll,
        }
    }

    fn pod_folders(&self) -> Vec<PathBuf> {
        self.0.search.pod_folders()
    }

    fn positions(&self) -> Result<Vec<Position>, String> {
        if self.0.lanes.get().is_none() {
            let kept = self.0.positions.kept().map_err(|error| error.to_string())?;
            return Ok(kept.iter().map(|entry| entry.position(false)).collect());
        }
        let all = self.0.positions.all();
        Ok(all.iter().map(|(_, entry, holder)| entry.position(*holder != Holder::Nobody)).collect())
    }

    fn set(&self, wish: &Wish) -> Result<Position, String> {
        let Some(lanes) = self.0.lanes.get() else { return self.set_alone(wish) };
        let entries = self.0.positions.all();
        let of_path = || entries.iter().filter(|(_, entry, _)| entry.path == wish.path);
        let Some((id, ..)) = of_path().find(|(.., holder)| *holder == Holder::File) else {
            return Err(if of_path().next().is_some() { gone(&wish.path) } else { unknown(&wish.path) });
        };
        // Whoever has it.
        let survey = Survey::of(lanes.len() + 1);
        let order = || Box::new(Order { id: *id, wish: wish.clone(), answer: Arc::downgrade(&survey) });
        for lane in lanes {
            lane.post(Letter::Set(order()));
        }
        self.0.notes.post(Note::Set(order()));
        let (mut answers, missing) = survey.wait();
        let late =
            if missing > 0 { "the thread that reads it does not answer" } else { "it is not open at the moment" };
        answers.pop().unwrap_or_else(|| Err(format!("{late}; see `levada files`, and ask again")))
    }
}

impl FileInspect {
    /// Changes what the folder keeps: whoever asks holds its lock.
    fn set_alone(&self, wish: &Wish) -> Result<Position, String> {
        let job = &*self.0;
        // Not those of the job: they are filled when it runs.
        let positions = Positions::new(job.tailing.state_dir.clone());
        positions.load().map_err(|error| error.to_string())?;
        let entries = positions.all();
        let of_path = entries.iter().filter(|(_, entry, _)| entry.path == wish.path);
        // The one that was followed last.
        let entry = of_path.max_by_key(|(_, entry, _)| entry.left.unwrap_or(i64::MAX));
        let (id, entry, _) = entry.ok_or_else(|| unknown(&wish.path))?;
        set_kept(job, &positions, (*id, entry), wish)
    }
}

fn gone(path: &Path) -> String {
    format!("`{}` is not followed any more: it is gone, or left out; `levada why-not` says which", path.display())
}

fn unknown(path: &Path) -> String {
    format!("there is no position of `{}`; `levada positions ls` shows them all", path.display())
}

/// A file that no thread has told of: it is closed, or its thread does not answer.
fn untold(entry: &Entry, (holder, is_any_silent): (Holder, bool)) -> FileReport {
    let about = std::fs::metadata(&entry.path).ok().filter(|about| Some(node(about)) == entry.node);
    let delivered = entry.at.offset;
    let size = about.map_or(delivered, |about| about.len()).max(delivered);
    let (state, reason) = match holder {
        Holder::Nobody => (FileState::Finished, "gone from its place, or left out"),
        _ if is_any_silent => (FileState::Silent, "a read or a step behind it takes long, or its file system hangs"),
        _ => (FileState::Quiet, "closed, since there was nothing more to read; opened again when it is written to"),
    };
    FileReport {
        path: entry.path.to_string_lossy().into_owned(),
        stream_key: format!("{:032x}", entry.key.0),
        device: entry.node.map_or(0, |node| node.device),
        inode: entry.node.map_or(0, |node| node.inode),
        pod: Pod::of(&entry.path),
        size,
        offset: delivered,
        delivered,
        lag_bytes: size - delivered,
        state,
        reason: Some(reason.to_owned()),
        ..FileReport::default()
    }
}
