//! Files that were found: which entry each has, or that it is new, or not to be read.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::claim::{By, Found, Kin};
use super::discovery::{Discovery, Live};
use super::fingerprint::Fingerprint;
use super::job::{FileId, Letter};
use super::positions::{Checkpoint, Entry};
use super::rotated;
use super::settings::ReadFrom;
use super::watch::Route;
use crate::event::StreamKey;

/// Clocks of file systems are coarse.
const CLOCK_NANOS: i64 = 2_000_000_000;

impl Discovery {
    /// Finds or makes the entries of new files, the oldest first. Those in `beside` are read only if they belong to what
    /// was followed before.
    pub(super) fn enlist(
        &mut self,
        mut found: Vec<Found>,
        beside: &HashSet<PathBuf>,
        faults: &mut Vec<(PathBuf, io::Error)>,
    ) {
        found.sort_by_key(|found| found.seen.modified);
        let mut enlisted = Vec::new();
        for by in By::ALL {
            for mut file in std::mem::take(&mut found) {
                match file.claim(&self.job.positions, by) {
                    Ok(Some((id, entry))) => enlisted.push((id, file, entry)),
                    Ok(None) => found.push(file),
                    Err(error) => faults.push((file.path, error)),
                }
            }
        }
        self.job.files.resumed.inc_by(enlisted.len() as u64);
        // Before any of them is added: what was known before this look counts.
        let (strange, known): (Vec<Found>, Vec<Found>) =
            found.into_iter().partition(|file| beside.contains(&file.path) && !self.is_since(file));
        let strange = strange.into_iter().map(|file| (file, false));
        for (mut file, is_wanted) in strange.chain(known.into_iter().map(|file| (file, true))) {
            match self.welcome(&mut file, is_wanted) {
                Ok(Some((id, entry))) => enlisted.push((id, file, entry)),
                Ok(None) => {}
                Err(error) => faults.push((file.path, error)),
            }
        }
        enlisted.sort_by_key(|(_, file, _)| file.seen.modified);
        for (id, file, entry) in enlisted {
            self.await_save(id, file, entry);
        }
    }

    /// Was this rotated file written to after the first of its path was seen, or after the start?
    fn is_since(&self, file: &Found) -> bool {
        let is_relative = |entry: &Entry| entry.path == file.path || rotated::is_of(&file.path, &entry.path);
        let family = self.job.positions.entries(|entry, _| is_relative(entry));
        let known = family.iter().map(|(_, entry)| entry.modified);
        let start = (!self.is_first).then_some(self.started - CLOCK_NANOS);
        // What is as old may be younger, since clocks are coarse.
        known.chain(start).min().is_some_and(|first| file.seen.modified >= first)
    }

    /// A file without an entry: it is new, unless it is a copy, or was there before its path was followed.
    fn welcome(&mut self, file: &mut Found, is_wanted: bool) -> io::Result<Option<(FileId, Entry)>> {
        match file.kin(&self.job.positions)? {
            Kin::Stranger if is_wanted => {
                let (at, key) = self.start(file)?;
                let (path, modified) = (file.path.clone(), file.seen.modified);
                let base = Some(self.families.base(&path)).filter(|base| *base != path).map(Path::to_owned);
                let entry = Entry { path, base, node: Some(file.node), key, at, modified, left: None, is_whole: false };
                self.job.files.added.inc();
                return Ok(Some((self.job.positions.add(entry.clone()), entry)));
            }
            Kin::Rest(id) => self.hand_rest(id, file)?,
            kin => {
                let why = if kin == Kin::Copy { "it is a copy" } else { "it was rotated before its path was followed" };
                tracing::debug!(path = %file.path.display(), why, "file is left out");
                self.passed.insert(file.node, file.seen);
            }
        }
        Ok(None)
    }

    /// A copy of what was truncated away goes to the lane that has what is in flight of it.
    fn hand_rest(&mut self, id: FileId, file: &Found) -> io::Result<()> {
        let Some(lane) = self.orphans.get(&id).cloned() else { return Ok(()) };
        tracing::debug!(path = %file.path.display(), id, "file holds what was truncated away");
        self.job.positions.take(id, (&file.path, file.node));
        lane.post(Letter::Rest(id, Box::new(Found::open(file.path.clone())?)));
        let route = Route { id, lane, is_told: Arc::default() };
        self.nodes.insert(id, file.node);
        self.live.insert(file.node, Live { route, path: file.path.clone(), has_left: true, closed: None });
        Ok(())
    }

    /// Where to begin with a file that has no position, and under which key.
    fn start(&self, file: &mut Found) -> io::Result<(Checkpoint, StreamKey)> {
        let key = self.job.search.key(&file.path, &file.first);
        let fingerprint = Fingerprint::of(&file.first);
        let from_end = self.job.tailing.read_from == ReadFrom::End && self.is_first && file.input.is_plain();
        if !from_end {
            return Ok((Checkpoint { fingerprint, ..Checkpoint::default() }, key));
        }
        let offset = file.seen.size;
        let guard = file.input.guard(offset)?;
        Ok((
            guard.map(|guard| Checkpoint { offset, guard, fingerprint, ..Checkpoint::default() }).unwrap_or_default(),
            key,
        ))
    }

    /// A file goes to a lane when its entry is durable; one that was rotated away and is read to its end to none.
    fn await_save(&mut self, id: FileId, file: Found, entry: Entry) {
        tracing::debug!(path = %file.path.display(), id, offset = entry.at.offset, "file is found");
        let has_left = self.has_left_place(&file.path);
        if has_left && entry.at.offset > 0 && file.ends_at(entry.at.offset).unwrap_or(false) {
            let route = Route { id, lane: self.lane(&file.path), is_told: Arc::default() };
            self.nodes.insert(id, file.node);
            let closed = Some(file.seen);
            self.live.insert(file.node, Live { route, path: file.path, has_left, closed });
        } else {
            self.waiting.push((id, file, entry));
        }
    }

    /// Does a file that shows there get nothing more, as far as its name tells?
    pub(super) fn has_left_place(&self, path: &Path) -> bool {
        self.families.is_rotated(path) || path.extension().is_some_and(|end| end == "gz")
    }
}
