//! A path, step by step: which part of it is missing, closed, or a link to what is not there.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::process::{getegid, geteuid};

use super::causes::{Cause, Finding};
use crate::diagnostic::closest;

/// Links on the way to a file; more are a loop (`MAXSYMLINKS` of `path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Look {
    /// A file that can be read.
    There(Metadata),
    /// Something else.
    Not(Box<Finding>),
}

impl Look {
    /// Follows `path` with the rights of this process.
    pub(super) fn at(path: &Path) -> Self {
        Walk::new(path).run().unwrap_or_else(|finding| Self::Not(Box::new(finding)))
    }
}

/// On the way along a path.
struct Walk {
    /// So far, without links.
    at: PathBuf,
    rest: VecDeque<OsString>,
    /// The last link, and where it points.
    link: Option<(PathBuf, PathBuf)>,
    links: usize,
}

impl Walk {
    fn new(path: &Path) -> Self {
        Self { at: PathBuf::from("/"), rest: parts(path), link: None, links: 0 }
    }

    fn run(mut self) -> Result<Look, Finding> {
        while let Some(part) = self.rest.pop_front() {
            if part == ".." {
                self.at.pop();
                continue;
            }
            self.at.push(part);
            let about = fs::symlink_metadata(&self.at).map_err(|error| self.stopped(&error))?;
            if about.is_symlink() {
                self.follow()?;
            }
        }
        let about = fs::metadata(&self.at).map_err(|error| self.stopped(&error))?;
        if !about.is_file() {
            return Err(self.not_a_file(&about));
        }
        File::open(&self.at).map_err(|error| self.closed(&about, &error))?;
        Ok(Look::There(about))
    }

    fn follow(&mut self) -> Result<(), Finding> {
        let target = fs::read_link(&self.at).map_err(|error| self.stopped(&error))?;
        self.links += 1;
        if self.links > MOST_LINKS {
            let text = format!("`{}` is part of a loop of links", self.at.display());
            return Err(Finding::new(Cause::Missing, text).next("point the link at a file"));
        }
        self.link = Some((self.at.clone(), target.clone()));
        self.at.pop();
        if target.is_absolute() {
            self.at = PathBuf::from("/");
        }
        let mut rest = parts(&target);
        rest.append(&mut self.rest);
        self.rest = rest;
        Ok(())
    }

    /// The part that was looked at last cannot be passed.
    fn stopped(&self, error: &io::Error) -> Finding {
        let folder = self.at.parent().unwrap_or(&self.at);
        match (error.kind(), fs::metadata(folder)) {
            (io::ErrorKind::NotFound, _) => self.missing(),
            (io::ErrorKind::PermissionDenied, Ok(about)) => {
                let text = format!("the folder `{}` is closed to the agent: {}", folder.display(), rights(&about));
                Finding::new(Cause::Unreadable, text).next("let that user or group enter it (`chmod g+x`, `setfacl`)")
            }
            _ => Finding::new(Cause::Unreadable, format!("cannot look at `{}`: {error}", self.at.display())),
        }
    }

    fn missing(&self) -> Finding {
        let part = self.at.display();
        let (folder, is_last) = (self.at.parent().unwrap_or(&self.at), self.rest.is_empty());
        if let Some((link, target)) = &self.link {
            let text = format!("`{}` is a link to `{}`, and `{part}` is not there", link.display(), target.display());
            let next = format!("mount `{}` into the agent, read-only, at the same path", folder_of(target, &self.at));
            return Finding::new(Cause::NotMounted, text).next(next);
        }
        let near = near(folder, &self.at).map(|name| format!("did you mean `{}`?", folder.join(name).display()));
        if is_last {
            let text = format!("there is no file `{part}`");
            let next = near.unwrap_or_else(|| "see whether its writer runs, and where it writes".to_owned());
            return Finding::new(Cause::Missing, text).next(next);
        }
        let next =
            near.unwrap_or_else(|| format!("in a container: mount `{part}` of the node, read-only, at the same path"));
        Finding::new(Cause::NotMounted, format!("there is no folder `{part}`")).next(next)
    }

    fn not_a_file(&self, about: &Metadata) -> Finding {
        let kind = if about.is_dir() { "a folder" } else { "no regular file" };
        let text = format!("`{}` is {kind}", self.at.display());
        Finding::new(Cause::NotAFile, text).next("name a file; sources follow regular files alone")
    }

    fn closed(&self, about: &Metadata, error: &io::Error) -> Finding {
        let text = format!("`{}` cannot be opened ({error}): {}", self.at.display(), rights(about));
        let finding = Finding::new(Cause::Unreadable, text);
        if error.kind() != io::ErrorKind::PermissionDenied {
            return finding;
        }
        finding.next("give that user read access (`setfacl -m u:UID:r`, a group in `supplementalGroups`)")
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(named).collect()
}

/// What to mount for a link: the folder of an absolute target, else that of the part that is missing.
fn folder_of(target: &Path, missing: &Path) -> String {
    let folder = if target.is_absolute() { target.parent() } else { missing.parent() };
    folder.unwrap_or(missing).display().to_string()
}

/// A name in `folder` that is like the last of `path`.
fn near(folder: &Path, path: &Path) -> Option<String> {
    /// Names that are compared.
    const MOST: usize = 10_000;
    let entries = fs::read_dir(folder).ok()?.flatten().take(MOST);
    let names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    closest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(str::to_owned)
}

fn rights(about: &Metadata) -> String {
    let (mode, owner, group) = (about.mode() & 0o7777, about.uid(), about.gid());
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    format!("mode {mode:04o}, owner {owner}, group {group}; the agent is user {uid}, group {gid}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The cause and the words of what stands in the way.
    fn finding(path: &Path) -> (Cause, String) {
        match Look::at(path) {
            Look::There(_) => panic!("`{}` is there", path.display()),
            Look::Not(finding) => {
                let next = finding.next.clone().unwrap_or_default();
                (finding.cause, format!("{}; {next}", finding.text))
            }
        }
    }

    #[test]
    fn the_part_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("app")).unwrap();
        fs::write(root.join("app/access.log"), "x").unwrap();
        symlink("/nowhere/at/all/0.log", root.join("out.log")).unwrap();
        symlink("app/gone.log", root.join("near.log")).unwrap();
        symlink("b.log", root.join("a.log")).unwrap();
        symlink("a.log", root.join("b.log")).unwrap();
        symlink("app", root.join("also")).unwrap();
        let shown = |name: &str| format!("`{}`", root.join(name).display());
        let table = [
            (
                "app/acces.log",
                Cause::Missing,
                format!("there is no file {}; did you mean {}", shown("app/acces.log"), shown("app/access.log")),
            ),
            (
                "ap/x/y.log",
                Cause::NotMounted,
                format!("there is no folder {}; did you mean {}", shown("ap"), shown("app")),
            ),
            (
                "out.log",
                Cause::NotMounted,
                "`/nowhere` is not there; mount `/nowhere/at/all` into the agent".to_owned(),
            ),
            ("near.log", Cause::NotMounted, format!("mount {} into", shown("app"))),
            ("a.log", Cause::Missing, "is part of a loop of links".to_owned()),
            ("app", Cause::NotAFile, "is a folder".to_owned()),
            ("app/access.log/x.log", Cause::Unreadable, "Not a directory".to_owned()),
        ];
        for (name, cause, words) in table {
            let (found, text) = finding(&root.join(name));
            assert!(found == cause && text.contains(&words), "{name}: {found:?} {text}");
        }
        for name in ["app/access.log", "also/access.log", "also/../app/access.log"] {
            assert!(matches!(Look::at(&root.join(name)), Look::There(about) if about.len() == 1), "{name}");
        }
    }
}
