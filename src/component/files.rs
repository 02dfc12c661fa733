//! Files that settings name: programs, certificates, keys. For one plan each is read once, so that what was checked is
//! what is built, and what was built can be told from what lies there later.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of the largest file that settings may name.
const LARGEST: u64 = 16 << 20;

/// A file, and the setting that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The setting, as `tls.ca_file` or `files[1]`.
    pub setting: String,
    /// The file, as it is written there; a relative one counts from the working directory.
    pub path: PathBuf,
}

impl Named {
    /// The file at `path`, which `setting` names.
    pub fn new(setting: impl Into<String>, path: &Path) -> Self {
        Self { setting: setting.into(), path: path.to_owned() }
    }
}

/// Stands for the contents of a file. It holds within one process, and is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest {
    bytes: usize,
    hash: u64,
}

impl Digest {
    /// Of these contents.
    pub fn of(contents: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        contents.hash(&mut hasher);
        Self { bytes: contents.len(), hash: hasher.finish() }
    }
}

/// A file that a configuration was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// What it held; none if it could not be read.
    pub digest: Option<Digest>,
}

type Contents = Result<Arc<[u8]>, String>;

/// The files of one plan, each as it was when it was first asked for. A clone tells of the same.
#[derive(Clone, Default)]
pub struct Files(Arc<Mutex<BTreeMap<PathBuf, Contents>>>);

impl Files {
    /// What the file holds; an error is why it cannot be read, with its path.
    pub fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        let mut files = self.lock();
        if let Some(known) = files.get(path) {
            return known.clone();
        }
        let contents = read(path).map(Arc::from).map_err(|error| format!("cannot read `{}`: {error}", path.display()));
        files.insert(path.to_owned(), contents.clone());
        contents
    }

    /// The same, of a file that is text.
    pub fn text(&self, path: &Path) -> Result<String, String> {
        let contents = self.read(path)?;
        let text = std::str::from_utf8(&contents);
        text.map(str::to_owned).map_err(|error| format!("`{}` is not UTF-8 text: {error}", path.display()))
    }

    /// Keeps a file that was read elsewhere; `None`: it could not be.
    pub fn put(&self, path: &Path, contents: Option<&[u8]>) {
        let contents = contents.map(Arc::from).ok_or_else(|| format!("cannot read `{}`", path.display()));
        self.lock().insert(path.to_owned(), contents);
    }

    /// A file as it was.
    pub fn input(&self, path: &Path) -> Input {
        Input { path: path.to_owned(), digest: self.read(path).ok().map(|contents| Digest::of(&contents)) }
    }

    /// All files that were asked for, by path.
    pub fn inputs(&self) -> Vec<Input> {
        let digest = |contents: &Contents| contents.as_ref().ok().map(|contents| Digest::of(contents));
        let input = |(path, contents): (&PathBuf, &Contents)| Input { path: path.clone(), digest: digest(contents) };
        self.lock().iter().map(input).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Contents>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only the names: what they hold may be a key.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

/// A pipe would have no end, or none that comes twice.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::Error::other("it is a folder, expected a file"));
    }
    if !about.is_file() {
        return Err(io::Error::other("expected a regular file"));
    }
    let mut contents = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("expected at most {} MiB", LARGEST >> 20)));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_and_changes_with_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vrl");
        fs::write(&path, "one").unwrap();
        let files = Files::default();
        let before = files.input(&path);
        fs::write(&path, "two").unwrap();
        assert_eq!((files.text(&path).unwrap().as_str(), files.input(&path)), ("one", before.clone()));
        assert_ne!(Files::default().input(&path), before);
        fs::write(&path, "one").unwrap();
        assert_eq!(Files::default().input(&path), before, "the contents count, not the time");
        assert_eq!(files.inputs(), [before]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::default();
        let why = |name: &str| files.text(&folder.path().join(name)).unwrap_err();
        fs::write(folder.path().join("latin"), b"\xe9").unwrap();
        fs::write(folder.path().join("large"), vec![b' '; LARGEST as usize + 1]).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        for (name, told) in [
            ("none", "No such file"),
            ("", "it is a folder"),
            ("latin", "not UTF-8"),
            ("large", "at most 16 MiB"),
            ("pipe", "a regular file"),
        ] {
            let why = why(name);
            assert!(why.contains(told) && why.contains(&*folder.path().to_string_lossy()), "{why}");
        }
        assert_eq!(files.input(&folder.path().join("none")).digest, None);
    }

    #[test]
    fn what_files_hold_is_not_shown() {
        let files = Files::default();
        files.put(Path::new("key.pem"), Some(b"hunter2"));
        assert_eq!(format!("{files:?}"), r#"{"key.pem"}"#);
    }
}
