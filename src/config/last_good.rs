//! The configuration that ran last, kept in the state folder: the texts as they were written and the files that they name,
//! with a digest. What secrets stand for is not in it, and no file that holds a key or a secret.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Environment;
use super::document::{self, Soundness};
use super::globals::Globals;
use super::interpolate::{self, Outside};
use super::secret::Secrets;
use super::tree::Value;
use crate::component::files::Files;
use crate::diagnostic::{FileId, Report, Sources};

/// The name of the file in the state folder.
const NAME: &str = "last_good.json";
/// The version of its form.
const VERSION: u32 = 1;

/// Everything that a configuration was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    pub(super) platform: Kept,
    #[serde(default)]
    pub(super) teams: BTreeMap<String, Kept>,
}

/// Files of a configuration, and those that they name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    documents: Vec<PathBuf>,
    files: Vec<KeptFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptFile {
    path: PathBuf,
    /// In base64: a file need not be text.
    contents: String,
}

/// The first line of the file; the second is what it vouches for.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    /// In base64.
    sha256: String,
}

impl Kept {
    /// The documents and what they named.
    pub(super) fn of(documents: &[FileId], sources: &Sources, files: &Files) -> Self {
        let documents = documents.iter().map(|file| PathBuf::from(&sources.file(*file).name)).collect();
        let kept = files.kept().into_iter();
        let files = kept.map(|(path, contents)| KeptFile { path, contents: STANDARD.encode(contents) }).collect();
        Self { documents, files }
    }

    /// Do the documents of both say the same?
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let text = |kept: &Self, path: &PathBuf| kept.files.iter().find(|file| file.path == *path).cloned();
        self.documents == other.documents && self.documents.iter().all(|path| text(self, path) == text(other, path))
    }

    /// The documents again, with all they named as it was. What is private is read anew.
    pub(super) fn restore(&self, files: &Files, sources: &mut Sources) -> Vec<FileId> {
        for KeptFile { path, contents } in &self.files {
            files.put(path, STANDARD.decode(contents).ok().as_deref());
        }
        let texts = self.documents.iter().filter_map(|path| Some((path.display().to_string(), files.text(path).ok()?)));
        texts.map(|(name, text)| sources.add(name, text)).collect()
    }
}

impl LastGood {
    /// Keeps this of a team, or nothing.
    pub(super) fn keep_team(&mut self, team: &str, kept: Option<&Kept>) {
        self.teams.remove(team);
        self.teams.extend(kept.map(|kept| (team.to_owned(), kept.clone())));
    }

    /// Keeps it in the state folder (mode 0600): whole, or as it was before.
    pub fn save(&self, data_dir: &Path) -> io::Result<()> {
        let body = serde_json::to_string(self)?;
        let head = serde_json::to_string(&Head { version: VERSION, sha256: sha256(&body) })?;
        let (path, new) = (data_dir.join(NAME), data_dir.join(format!("{NAME}.new")));
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(format!("{head}\n{body}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)?;
        fs::File::open(data_dir)?.sync_all()
    }

    /// What the state folder keeps; none if that is nothing.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, String> {
        let path = data_dir.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
        };
        let spoilt = || format!("`{}` is not as it was written", path.display());
        let (head, body) = text.split_once('\n').ok_or_else(spoilt)?;
        let (head, body): (Head, _) = (serde_json::from_str(head).map_err(|_| spoilt())?, body.trim_end());
        if head.version != VERSION {
            return Err(format!("`{}` is of version {}, expected {VERSION}", path.display(), head.version));
        }
        if head.sha256 != sha256(body) {
            return Err(spoilt());
        }
        serde_json::from_str(body).map(Some).map_err(|_| spoilt())
    }
}

fn sha256(body: &str) -> String {
    STANDARD.encode(digest(&SHA256, body.as_bytes()))
}

/// The state folder of a configuration that may be faulty; none if that cannot be told.
pub(super) fn data_dir(documents: &[FileId], sources: &Sources, environment: Environment<'_>) -> Option<PathBuf> {
    let (secrets, mut silent) = (Secrets::default(), Report::default());
    let outside = Outside { environment, secrets: &secrets };
    let mut is_told = !documents.is_empty();
    for file in documents {
        let mut document = document::parse(*file, sources, &mut silent);
        interpolate::interpolate(&mut document.root, outside, sources, &mut silent);
        let Value::Table(root) = &document.root.value else { continue };
        match root.get("data_dir").map(|entry| &entry.node.value) {
            Some(Value::Text(text)) => return Some(PathBuf::from(&text.content)),
            Some(_) => return None,
            // It may stand behind what cannot be read.
            None => is_told &= document.soundness == Soundness::Whole || !sources.file(*file).text.contains("data_dir"),
        }
    }
    is_told.then(|| Globals::default().data_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(LastGood::read(folder.path()), Ok(None));
        let (files, mut sources) = (Files::default(), Sources::default());
        let config = folder.path().join("a.toml");
        files.put(&config, Some(b"x = 1"));
        files.put(Path::new("b.vrl"), Some(b".a = 1"));
        let documents = [sources.add(config.display().to_string(), "x = 1")];
        let good = LastGood { platform: Kept::of(&documents, &sources, &files), teams: BTreeMap::new() };
        good.save(folder.path()).unwrap();
        let again = LastGood::read(folder.path()).unwrap().unwrap();
        assert_eq!(again, good);
        let (files, mut sources) = (Files::default(), Sources::default());
        let documents = again.platform.restore(&files, &mut sources);
        assert_eq!(sources.file(documents[0]).text, "x = 1");
        assert_eq!(files.text(Path::new("b.vrl")).unwrap(), ".a = 1");
        let path = folder.path().join(NAME);
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        for spoilt in [text.replace("a.toml", "b.toml"), text.replace("\"version\":1", "\"version\":2"), String::new()]
        {
            fs::write(&path, spoilt).unwrap();
            assert!(LastGood::read(folder.path()).is_err());
        }
    }

    #[test]
    fn the_state_folder_is_known_where_faults_leave_no_doubt() {
        let told = |texts: &[&str]| {
            let mut sources = Sources::default();
            let files: Vec<_> = texts.iter().map(|text| sources.add("a.toml", *text)).collect();
            data_dir(&files, &sources, &|name| (name == "DIR").then(|| "/env".to_owned()))
        };
        let default = Some(Globals::default().data_dir);
        assert_eq!(told(&["data_dir = '/a'\n[sinks.a]\ntype = = 1"]), Some(PathBuf::from("/a")));
        assert_eq!(told(&["x = 1", "data_dir = '${DIR}'"]), Some(PathBuf::from("/env")));
        assert_eq!(told(&["[sinks.a]\ntype = = 1"]), default);
        assert_eq!(told(&["x = 1"]), default);
        assert_eq!(told(&["data_dir = '${NONE}'"]), None);
        assert_eq!(told(&["data_dir = 5"]), None);
        assert_eq!(told(&["x = [1\ndata_dir = '/a"]), None);
        assert_eq!(told(&[]), None);
    }
}
