//! `directory`: the name of a file is the key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Answer;
use crate::component::files::Files;

pub(super) fn ask(folder: &Path, trim: bool, keys: &BTreeSet<String>, files: &Files) -> BTreeMap<String, Answer> {
    keys.iter().map(|key| (key.clone(), read(folder, trim, key, files))).collect()
}

fn read(folder: &Path, trim: bool, key: &str, files: &Files) -> Answer {
    // Nothing outside the folder, and not the folders of Kubernetes in it (`..data`).
    if key.contains('/') || key.starts_with('.') {
        return Err("a key is the name of a file, which does not begin with a dot".to_owned());
    }
    let path = folder.join(key);
    let contents = files.private(&path)?;
    let text = std::str::from_utf8(&contents).map_err(|_| format!("`{}` is not UTF-8 text", path.display()))?;
    Ok(if trim { text.trim_end() } else { text }.to_owned())
}
