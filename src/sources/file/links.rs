//! What the system says about paths and descriptors: links that lead nowhere, how many files may be open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More links than this on the way are a loop, as for the kernel.
const LONGEST_CHAIN: usize = 40;

/// What is wrong with a path that could not be opened; none if it went away after it was listed.
pub(super) fn fault(path: &Path, error: io::Error) -> Option<(PathBuf, io::Error)> {
    if error.kind() != io::ErrorKind::NotFound {
        return Some((path.to_owned(), error));
    }
    let missing = missing_target(path)?;
    let mount =
        missing.ancestors().skip(1).find(|folder| folder.is_dir()).map_or(&*missing, |there| below(there, &missing));
    let why = format!(
        "it links to `{}`, which is not there; in a container mount `{}` too, at the same path",
        missing.display(),
        mount.display()
    );
    Some((path.to_owned(), io::Error::new(io::ErrorKind::NotFound, why)))
}

/// The first folder below `there` on the way to `path`; the folder itself where that is the file.
fn below<'a>(there: &'a Path, path: &'a Path) -> &'a Path {
    let next = path.ancestors().find(|folder| folder.parent() == Some(there)).unwrap_or(path);
    if next == path { there } else { next }
}

/// The end of a chain of links, if nothing is there.
fn missing_target(path: &Path) -> Option<PathBuf> {
    let mut at = path.to_owned();
    for step in 0..LONGEST_CHAIN {
        let Ok(about) = fs::symlink_metadata(&at) else { return (step > 0).then_some(at) };
        if !about.is_symlink() {
            return None;
        }
        let target = fs::read_link(&at).ok()?;
        at = at.parent().unwrap_or(Path::new("/")).join(target);
    }
    None
}

/// Lets the process open as many files as the system allows it, where it did not ask for that yet.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "cannot raise the limit of open files");
        }
    }
}

/// Sources of this process that follow files: they share its descriptors.
static SOURCES: AtomicUsize = AtomicUsize::new(0);

/// A source's part of the descriptors, as long as it runs.
#[derive(Debug)]
pub(super) struct Share(());

impl Share {
    pub(super) fn new() -> Self {
        SOURCES.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// How many files it may keep open, at least one.
    #[allow(clippy::unused_self, reason = "who has none may open none")]
    pub(super) fn files(&self) -> usize {
        (for_files() / SOURCES.load(Ordering::Relaxed).max(1)).max(1)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        SOURCES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many descriptors are for files: three quarters of what the process may have. The rest is for sockets, buffers, and
/// positions, without which no file is read.
pub(super) fn for_files() -> usize {
    let most = getrlimit(Resource::Nofile).current.map_or(1 << 20, |most| most as usize);
    most / 4 * 3
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_to_nowhere_names_the_mount() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink(path("two.log"), path("one.log")).unwrap();
        symlink("containers/abc/abc.log", path("two.log")).unwrap();
        let told = |name: &str| {
            let error = fs::metadata(path(name)).unwrap_err();
            fault(&path(name), error).map(|(_, error)| error.to_string())
        };
        let why = told("one.log").unwrap();
        assert!(why.contains(&format!("mount `{}` too", path("containers").display())), "{why}");
        assert_eq!(told("gone.log"), None, "it went away after it was listed");
        symlink(path("loop.log"), path("loop.log")).unwrap();
        assert!(told("loop.log").is_some_and(|why| !why.contains("mount")));
    }

    #[test]
    fn the_limit_of_open_files_is_raised() {
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        let (one, two) = (Share::new(), Share::new());
        assert!(one.files() > 0 && one.files() <= for_files() / 2, "others may run beside");
        drop(two);
    }
}
