//! A folder for the time of the demonstration.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder of our own, removed with all it holds when this goes.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it in the system's folder for temporary files, closed to others.
    pub(super) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("levada-demo-{:08x}", fastrand::u32(..)));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| {
            let shown = path.display();
            io::Error::new(
                error.kind(),
                format!("cannot make the folder `{shown}`: {error}; set TMPDIR to one that can be written"),
            )
        })?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
