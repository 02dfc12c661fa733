//! Files that settings name: programs, certificates, keys. For one plan each is read once, so that what was checked is
//! what is built, and what was built can be told from what lies there later.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::lang::Admits;

/// Bytes of the largest file that settings may name.
const LARGEST: u64 = 16 << 20;

/// A file, and the setting that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The setting, as `tls.ca_file` or `files[1]`.
    pub setting: String,
    /// The file, as it is written there; a relative one counts from the working directory.
    pub path: PathBuf,
    /// Does the component take over what it holds by itself when that changes, so that it need not be built anew?
    pub is_renewed: bool,
}

impl Named {
    /// The file at `path`, which `setting` names.
    pub fn new(setting: impl Into<String>, path: &Path) -> Self {
        Self { setting: setting.into(), path: path.to_owned(), is_renewed: false }
    }

    /// The same of a file whose changes the component sees by itself.
    #[must_use]
    pub fn renewed(self) -> Self {
        Self { is_renewed: true, ..self }
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

/// A file that was asked for.
#[derive(Clone)]
struct Held {
    contents: Contents,
    /// Does it hold a key or a secret?
    is_private: bool,
    /// Does a program name it, whose functions read it by themselves?
    is_of_program: bool,
    /// Within which it was read.
    reach: Reach,
}

impl Held {
    /// Was it taken over from there?
    fn is_from(&self, other: &Self) -> bool {
        match (&self.contents, &other.contents) {
            (Ok(own), Ok(other)) => Arc::ptr_eq(own, other),
            (own, other) => own == other,
        }
    }
}

/// The files of one plan, each as it was when it was first asked for. A clone tells of the same.
#[derive(Clone, Default)]
pub struct Files {
    held: Arc<Mutex<BTreeMap<PathBuf, Held>>>,
    reach: Reach,
}

/// Which files may be read.
#[derive(Clone, Default)]
enum Reach {
    #[default]
    All,
    /// Those in this folder.
    Within(Arc<Path>),
    None,
}

impl Reach {
    /// An error is why not.
    fn admit(&self, path: &Path) -> Result<(), String> {
        let folder = match self {
            Self::All => return Ok(()),
            Self::None => return Err(format!("cannot read `{}`: no file is read here", path.display())),
            Self::Within(folder) => folder,
        };
        // A link may lead out of it.
        let is_inside = path.canonicalize().is_ok_and(|path| path.starts_with(folder));
        let refusal =
            || format!("cannot read `{}`: only files in `{}` may be named here", path.display(), folder.display());
        is_inside.then_some(()).ok_or_else(refusal)
    }
}

impl Files {
    /// What the file holds; an error is why it cannot be read, with its path.
    pub fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        self.hold(path, false)
    }

    /// The same, of a file that holds a key or a secret: [`kept`](Self::kept) leaves it out.
    pub fn private(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        self.hold(path, true)
    }

    fn hold(&self, path: &Path, is_private: bool) -> Contents {
        let mut files = self.lock();
        if let Some(known) = files.get_mut(path) {
            known.is_private |= is_private;
            return known.contents.clone();
        }
        self.may_read(path)?;
        let contents = contents(path);
        let held = Held { contents: contents.clone(), is_private, is_of_program: false, reach: self.reach.clone() };
        files.insert(path.to_owned(), held);
        contents
    }

    /// Whether a file may be read: an error is why not.
    pub fn may_read(&self, path: &Path) -> Result<(), String> {
        self.reach.admit(path)
    }

    /// Files of which none outside `folder` is read.
    pub fn within(folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Self { reach: Reach::Within(folder.into()), ..Self::default() }
    }

    /// Files of which none is read, nor looked at.
    pub fn unread() -> Self {
        Self { reach: Reach::None, ..Self::default() }
    }

    /// Takes over what `others` hold, but for files that are held already.
    pub fn adopt(&self, others: &Self) {
        let others = others.lock().clone();
        let mut held = self.lock();
        for (path, file) in others {
            held.entry(path).or_insert(file);
        }
    }

    /// Lets go of what was taken over from `others`.
    pub fn forget(&self, others: &Self) {
        let others = others.lock().clone();
        self.lock().retain(|path, file| !others.get(path).is_some_and(|other| file.is_from(other)));
    }

    /// The same files, but only those at `paths`: for whoever keeps them long.
    #[must_use]
    pub fn only<'p>(&self, paths: impl Iterator<Item = &'p Path>) -> Self {
        let held = self.lock();
        let some = paths.filter_map(|path| Some((path.to_owned(), held.get(path)?.clone()))).collect();
        Self { held: Arc::new(Mutex::new(some)), reach: self.reach.clone() }
    }

    /// The same files as they are now, each read within what it was allowed to be read in.
    #[must_use]
    pub fn anew(&self) -> Self {
        let mut files = self.lock().clone();
        for (path, held) in &mut files {
            held.contents = held.reach.admit(path).and_then(|()| contents(path));
        }
        Self { held: Arc::new(Mutex::new(files)), reach: self.reach.clone() }
    }

    /// All files that were read, with what they hold, but for those that hold keys and secrets, and those that programs
    /// name: their functions read what lies there.
    pub fn kept(&self) -> Vec<(PathBuf, Arc<[u8]>)> {
        let files = self.lock();
        let open = files.iter().filter(|(_, file)| !file.is_private && !file.is_of_program);
        open.filter_map(|(path, file)| Some((path.clone(), file.contents.as_ref().ok()?.clone()))).collect()
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
        let reach = self.reach.clone();
        self.lock().insert(path.to_owned(), Held { contents, is_private: false, is_of_program: false, reach });
    }

    /// A file as it was.
    pub fn input(&self, path: &Path) -> Input {
        Input { path: path.to_owned(), digest: self.read(path).ok().map(|contents| Digest::of(&contents)) }
    }

    /// All files that were asked for, by path.
    pub fn inputs(&self) -> Vec<Input> {
        self.inputs_that(|_| true)
    }

    /// Those that programs name.
    pub fn of_programs(&self) -> Vec<Input> {
        self.inputs_that(|file| file.is_of_program)
    }

    fn inputs_that(&self, is_meant: impl Fn(&Held) -> bool) -> Vec<Input> {
        let digest = |file: &Held| file.contents.as_ref().ok().map(|contents| Digest::of(contents));
        let input = |(path, file): (&PathBuf, &Held)| Input { path: path.clone(), digest: digest(file) };
        self.lock().iter().filter(|(_, file)| is_meant(file)).map(input).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Programs of the platform name regular files that are not too large. Those of a team name none: between this look and
/// the function's own a link could take the place of the file.
impl Admits for Files {
    fn admit(&self, path: &Path) -> Result<(), String> {
        if matches!(self.reach, Reach::Within(_)) {
            return Err(format!("cannot read `{}`: a team's program names no files", path.display()));
        }
        let read = self.read(path).map(drop);
        if let Some(held) = self.lock().get_mut(path) {
            held.is_of_program = true;
        }
        read
    }
}

/// Only the names: what they hold may be a key.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

fn contents(path: &Path) -> Contents {
    read(path).map(Arc::from).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
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
    fn only_files_of_the_folder_are_read_and_private_ones_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("a.vrl"), "a").unwrap();
        fs::write(own.join("key"), "k").unwrap();
        fs::write(folder.path().join("b.vrl"), "b").unwrap();
        std::os::unix::fs::symlink(folder.path().join("b.vrl"), own.join("link.vrl")).unwrap();
        let files = Files::within(&own);
        files.read(&own.join("a.vrl")).unwrap();
        files.read(&own.join("key")).unwrap();
        files.private(&own.join("key")).unwrap();
        for outside in [folder.path().join("b.vrl"), own.join("../b.vrl"), own.join("link.vrl")] {
            let why = files.read(&outside).unwrap_err();
            assert!(why.contains("only files in"), "{why}");
        }
        let all = Files::default();
        all.adopt(&files);
        let kept: Vec<_> = all.kept().into_iter().map(|(path, _)| path).collect();
        assert_eq!((kept, all.inputs().len()), (vec![own.join("a.vrl")], 2));
    }

    #[test]
    fn what_was_taken_over_is_let_go_of_and_nothing_else() {
        let [all, one, other] = [(); 3].map(|()| Files::default());
        all.put(Path::new("both"), Some(b"mine"));
        for name in ["both", "new", "gone"] {
            one.put(Path::new(name), Some(b"one").filter(|_| name != "gone").map(|text| &text[..]));
        }
        other.put(Path::new("new"), Some(b"other"));
        all.adopt(&one);
        all.forget(&one);
        all.adopt(&other);
        let held = |name: &str| all.only([Path::new(name)].into_iter()).kept().pop().map(|(_, text)| text.to_vec());
        let wanted = [Some(b"mine".to_vec()), Some(b"other".to_vec()), None];
        assert_eq!(["both", "new", "gone"].map(held), wanted);
        assert_eq!(all.inputs().len(), 2);
    }

    #[test]
    fn files_of_programs_count_and_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aliases.json");
        fs::write(&path, "{}").unwrap();
        let files = Files::default();
        files.admit(&path).unwrap();
        assert_eq!((files.of_programs(), files.kept()), (vec![Files::default().input(&path)], Vec::new()));
        assert!(files.admit(folder.path()).unwrap_err().contains("it is a folder"));
        let of_a_team = Files::within(folder.path());
        assert!(of_a_team.admit(&path).unwrap_err().contains("a team's program names no files"));
        assert_eq!(of_a_team.inputs(), [], "it is not even looked at");
    }

    #[test]
    fn what_files_hold_is_not_shown() {
        let files = Files::default();
        files.put(Path::new("key.pem"), Some(b"hunter2"));
        assert_eq!(format!("{files:?}"), r#"{"key.pem"}"#);
    }
}
