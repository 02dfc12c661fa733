//! Files that are followed, or are known to be read: where each shows, and what becomes of those that show no more.

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::sync::atomic::Ordering;

use super::claim::Found;
use super::discovery::Discovery;
use super::job::{FileId, Letter};
use super::left_out;
use super::positions::{Node, has_left};
use super::rotated;
use super::tail::Seen;
use super::watch::Route;
use crate::component::clock;

/// A file that is known.
pub(super) struct Live {
    pub(super) route: Route,
    pub(super) path: PathBuf,
    /// The path that it had before it was rotated, or has.
    pub(super) base: PathBuf,
    /// The file, as long as its lane has it open.
    pub(super) file: Weak<File>,
    /// Has it left its place: does no path show it, or only one that it was rotated to?
    pub(super) has_left: bool,
    /// It is closed, and stood so then.
    pub(super) closed: Option<Seen>,
}

impl Live {
    /// A file that was found and goes to a lane.
    pub(super) fn new(route: Route, found: &Found, has_left: bool) -> Self {
        let (path, base, file) = (found.path.clone(), found.base.clone(), found.input.share());
        Self { route, path, base, file, has_left, closed: None }
    }

    /// Where it lies, if rotation moved it to another folder: the system knows it of a file that is open.
    fn strayed(&self, node: Node) -> Option<PathBuf> {
        let file = self.file.upgrade()?;
        let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
        (rotated::strays_from(&path, &self.base) && !has_left(&path, Some(node))).then_some(path)
    }
}

impl Discovery {
    /// A lane has closed a file, or what was left of one. One that a path shows is known to be read; it is opened again
    /// when it changes.
    pub(super) fn closed(&mut self, id: FileId, stood: Option<Seen>) {
        self.orphans.remove(&id);
        let node = self.nodes.get(&id).copied();
        if let Some((node, live)) = node.and_then(|node| Some((node, self.live.get_mut(&node)?))) {
            if let Some(stood) = stood.filter(|_| !has_left(&live.path, Some(node))) {
                tracing::debug!(path = %live.path.display(), id, "file is closed until it changes");
                live.closed = Some(stood);
                return self.watch.park(id);
            }
            self.live.remove(&node);
        }
        self.drop_file(id);
    }

    /// A file is gone and read: its entry stays for a while.
    pub(super) fn drop_file(&mut self, id: FileId) {
        tracing::debug!(id, "file is gone");
        self.nodes.remove(&id);
        self.watch.forget(id);
        self.job.files.unwatched.inc();
        self.job.positions.leave(id, clock::now());
    }

    /// Does someone follow this file, or is it as it was when it was closed? Notes where it shows now.
    pub(super) fn is_as_known(&mut self, node: Node, path: &Path, stands: Seen) -> bool {
        let has_left = self.has_left_place(path);
        let Some(live) = self.live.get_mut(&node) else { return false };
        let id = live.route.id;
        if let Some(stood) = live.closed {
            if stood != stands {
                // It is found again by what is in it.
                self.live.remove(&node);
                self.nodes.remove(&id);
                self.job.positions.leave(id, clock::now());
                return false;
            }
            if live.path != path {
                self.job.positions.moved(id, path);
                path.clone_into(&mut live.path);
            }
            return true;
        }
        if live.path != path || live.has_left != has_left {
            self.job.files.rotations.inc_by(u64::from(has_left && !live.has_left));
            self.job.positions.moved(id, path);
            self.watch.forget(id);
            self.watch.route(path.to_owned(), live.route.clone());
            // What was taken for a copy of it may be another file with the same lines.
            self.is_asked |= left_out::judge_again(&mut self.passed);
            path.clone_into(&mut live.path);
            live.has_left = has_left;
            live.route.lane.post(Letter::Shows { id, path: path.to_owned(), has_left });
        }
        let row = self.job.board.row(id);
        if (row.size(), row.modified()) != (stands.size, stands.modified)
            && !live.route.is_told.swap(true, Ordering::AcqRel)
        {
            live.route.lane.post(Letter::Touched(id));
        }
        true
    }

    /// Lanes learn which of their files no path shows any more; what was read and closed is dropped.
    pub(super) fn tell_gone(&mut self, shown: &HashSet<Node>) {
        let mut dropped = Vec::new();
        for (node, live) in self.live.iter_mut().filter(|(node, _)| !shown.contains(node)) {
            if !has_left(&live.path, Some(*node)) {
                continue;
            }
            let id = live.route.id;
            if live.closed.is_some() {
                dropped.push((*node, id));
                continue;
            }
            if let Some(path) = live.strayed(*node) {
                self.job.positions.strayed(id, &path);
                live.path = path;
                // What else lies there is looked at now that the folder is known.
                self.is_asked = true;
            }
            if !live.has_left {
                live.has_left = true;
                self.job.files.rotations.inc();
                live.route.lane.post(Letter::Shows { id, path: live.path.clone(), has_left: true });
            }
        }
        for (node, id) in dropped {
            self.live.remove(&node);
            self.drop_file(id);
        }
    }
}
