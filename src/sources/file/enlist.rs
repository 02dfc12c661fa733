//! Files that were found: which entry each has, or that it is new, or not to be read.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::claim::{By, Found, Kin, Relative, Stands};
use super::discovery::Discovery;
use super::fingerprint::Fingerprint;
use super::job::{FileId, Letter};
use super::left_out::LeftOut;
use super::live::Live;
use super::positions::{Checkpoint, Entry, Holder, has_left};
use super::rotated;
use super::settings::ReadFrom;
use super::watch::Route;
use crate::component::file_meters::Abandoned;
use crate::event::StreamKey;

/// Clocks of file systems are coarse.
const CLOCK_NANOS: i64 = 2_000_000_000;

/// What is done with a file that has no entry.
enum Welcome {
    /// It is read, under this one.
    Known(FileId, Entry),
    /// It goes to the lane that has what is in flight of it.
    Rest(FileId),
    /// It is left out as it stands.
    Left(LeftOut),
}

impl Discovery {
    /// Finds or makes the entries of new files, the oldest first. Those in `beside` are read only if they belong to what
    /// was followed before.
    pub(super) fn enlist(
        &mut self,
        mut found: Vec<Found>,
        beside: &HashSet<PathBuf>,
        faults: &mut Vec<(PathBuf, io::Error)>,
    ) {
        found.sort_by_key(age);
        let mut enlisted = Vec::new();
        for by in By::BY_CONTENT {
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
                Ok(Welcome::Known(id, entry)) => enlisted.push((id, file, entry)),
                Ok(Welcome::Rest(id)) => self.hand_rest(id, file),
                Ok(Welcome::Left(why)) => self.leave_out(&file, why),
                Err(error) => faults.push((file.path, error)),
            }
        }
        enlisted.sort_by_key(|(_, file, _)| age(file));
        for (id, file, entry) in enlisted {
            self.await_save(id, file, entry);
        }
    }

    /// Was this rotated file written to after the first of its path was seen, or after the start?
    fn is_since(&self, file: &Found) -> bool {
        let is_relative = |entry: &Entry| entry.path == file.path || file.is_of(entry);
        let family = self.job.positions.entries(|entry, _| is_relative(entry));
        let known = family.iter().map(|(_, entry)| entry.modified);
        // What is as old may be younger, since clocks are coarse. The first look judges as all later ones do: what was
        // written and rotated between the start and that look is read at once.
        known.chain([self.started - CLOCK_NANOS]).min().is_some_and(|first| file.seen.modified >= first)
    }

    /// A file without an entry: it is new, unless it is a copy, or was there before its path was followed.
    fn welcome(&mut self, file: &mut Found, is_wanted: bool) -> io::Result<Welcome> {
        let kin = if file.is_rotated() { file.kin(&self.job.positions, &self.open_kin(file))? } else { Kin::Stranger };
        match kin {
            Kin::Stranger if let Some((id, entry)) = file.claim(&self.job.positions, By::Place)? => {
                self.job.files.resumed.inc();
                Ok(Welcome::Known(id, entry))
            }
            Kin::Stranger if is_wanted => self.add(file),
            Kin::Stranger => Ok(Welcome::Left(LeftOut::Earlier)),
            Kin::Copy => Ok(Welcome::Left(LeftOut::Copy)),
            Kin::Rest(id) => Ok(Welcome::Rest(id)),
        }
    }

    /// The open files from whose path this one may have been rotated.
    fn open_kin(&self, file: &Found) -> HashMap<FileId, Relative> {
        let is_kin = |live: &Live| file.is_rotated_from(&live.base) || rotated::is_of(&file.path, &live.path);
        let kin = self.live.iter().filter(|(_, live)| is_kin(live));
        let open = kin.filter_map(|(node, live)| {
            let stands = match live.has_left {
                false => Stands::InPlace,
                true if has_left(&live.path, Some(*node)) => Stands::Nowhere,
                true => Stands::Renamed,
            };
            let may_be_copied = file.may_copy(&live.path, &live.base, stands);
            Some((live.route.id, Relative { file: live.file.upgrade()?, may_be_copied }))
        });
        open.collect()
    }

    fn add(&mut self, file: &mut Found) -> io::Result<Welcome> {
        self.count_truncated(file);
        let (at, key) = self.start(file)?;
        let entry = Entry {
            path: file.path.clone(),
            base: Some(&file.base).filter(|base| **base != file.path).cloned(),
            node: Some(file.node),
            key,
            at,
            modified: file.seen.modified,
            size: if file.input.is_plain() { file.seen.size } else { 0 },
            left: None,
            is_whole: false,
            is_deleted: false,
        };
        self.job.files.added.inc();
        Ok(Welcome::Known(self.job.positions.add(entry.clone()), entry))
    }

    /// What lay there before was truncated while nobody had it open: what was not read of it is lost, unless a copy of it
    /// was claimed by now.
    fn count_truncated(&self, file: &Found) {
        let is_it = |entry: &Entry| entry.path == file.path && entry.node == Some(file.node);
        for (id, _) in self.job.positions.entries(|entry, holder| holder == Holder::Nobody && is_it(entry)) {
            self.job.files.truncations.inc();
            self.job.files.abandoned(Abandoned::Truncated, self.job.positions.unread(id));
        }
    }

    /// A copy of what was truncated away goes to the lane that has what is in flight of it.
    fn hand_rest(&mut self, id: FileId, file: Found) {
        let Some(lane) = self.orphans.get(&id).cloned() else { return };
        tracing::debug!(path = %file.path.display(), id, "file holds what was truncated away");
        self.job.positions.take(id, (&file.path, file.node));
        let route = Route { id, lane: lane.clone(), is_told: Arc::default() };
        self.nodes.insert(id, file.node);
        self.live.insert(file.node, Live::new(route, &file, true));
        lane.post(Letter::Rest(id, Box::new(file)));
    }

    /// Where to begin with a file that has no position, and under which key.
    fn start(&self, file: &mut Found) -> io::Result<(Checkpoint, StreamKey)> {
        let key = self.job.search.key(&file.path, &file.first);
        let fingerprint = Fingerprint::of(&file.first);
        let from_end = self.job.tailing.read_from == ReadFrom::End && self.is_first && file.input.is_plain();
        if !from_end {
            let reach = file.input.reach(file.seen.size)?;
            return Ok((Checkpoint { fingerprint, reach, ..Checkpoint::default() }, key));
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
        let at = &entry.at;
        tracing::debug!(path = %file.path.display(), id, offset = at.offset, reach = at.reach.offset, "file is found");
        let has_left = self.has_left_place(&file.path);
        if has_left && entry.at.offset > 0 && file.ends_at(entry.at.offset).unwrap_or(false) {
            let home = self.home(&file.base);
            let lane = home.unwrap_or_else(|| self.lanes[id as usize % self.lanes.len()].clone());
            let route = Route { id, lane, is_told: Arc::default() };
            self.nodes.insert(id, file.node);
            let live = Live { closed: Some(file.seen), ..Live::new(route, &file, has_left) };
            self.live.insert(file.node, live);
        } else {
            self.waiting.push((id, file, entry));
        }
    }

    /// Does a file that shows there get nothing more, as far as its name tells?
    pub(super) fn has_left_place(&self, path: &std::path::Path) -> bool {
        self.families.is_rotated(path) || path.extension().is_some_and(|end| end == "gz")
    }
}

/// The order in which files were written. Of files written to in one tick of the clock, what was rotated away is older.
fn age(file: &Found) -> (i64, bool) {
    (file.seen.modified, !file.is_rotated())
}
