//! What a file held when it could be used last: kept in the state folder, for a start that finds it broken or gone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

/// Characters of a file's own name in that of its keepsake, for people.
const SHOWN: usize = 100;

/// The keepsake of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keepsake(Option<PathBuf>);

impl Keepsake {
    /// Of the file at `path`, kept in `folder`; where that is empty nothing is kept.
    pub fn new(folder: &Path, path: &Path) -> Self {
        let hash: u64 = digest(&SHA256, path.as_os_str().as_bytes()).as_ref()[..8]
            .iter()
            .fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().filter(char::is_ascii_graphic).take(SHOWN).collect();
        Self((!folder.as_os_str().is_empty()).then(|| folder.join(format!("{hash:016x}-{name}"))))
    }

    /// Keeps `content` (mode 0600): whole, or what was kept before. Without it everything goes on, and is told.
    pub fn keep(&self, content: &[u8]) {
        let Some(path) = &self.0 else { return };
        if self.read(content.len() as u64).as_deref() == Some(content) {
            return;
        }
        if let Err(error) = write(path, content) {
            tracing::warn!(path = %path.display(), %error, "cannot keep a copy: a start that finds the file broken will have none");
        }
    }

    /// What is kept, if that is anything of at most `most` bytes.
    pub fn read(&self, most: u64) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        File::open(self.0.as_ref()?).ok()?.take(most + 1).read_to_end(&mut content).ok()?;
        (content.len() as u64 <= most).then_some(content)
    }

    /// Removes all from `folder` but `kept`.
    pub fn tidy(folder: &Path, kept: &[&Self]) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if !kept.iter().any(|keepsake| keepsake.0.as_ref() == Some(&path)) {
                // What is left takes room, and nothing else.
                let _left = fs::remove_file(path);
            }
        }
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_to_the_file_of_that_path_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("deep/kept");
        let [one, other] = ["/a/prices.csv", "/b/prices.csv"].map(|path| Keepsake::new(&home, Path::new(path)));
        assert_eq!(one.read(10), None);
        one.keep(b"first");
        one.keep(b"second");
        assert_eq!((one.read(6).as_deref(), one.read(5), other.read(10)), (Some(&b"second"[..]), None, None));
        let path = one.0.clone().unwrap();
        assert!(path.display().to_string().ends_with("-prices.csv"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        other.keep(b"x");
        Keepsake::tidy(&home, &[&other]);
        assert_eq!((one.read(10), other.read(10)), (None, Some(b"x".to_vec())));
    }

    #[test]
    fn where_there_is_no_folder_nothing_is_kept() {
        let none = Keepsake::new(Path::new(""), Path::new("/a"));
        none.keep(b"x");
        assert_eq!((none.read(10), none.0), (None, None));
    }
}
