//! `file`: `{"key": "value"}`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::Answers;
use crate::component::files::Files;

pub(super) fn ask(path: &Path, keys: &BTreeSet<String>, files: &Files) -> Answers {
    let contents = files.private(path)?;
    let shown = path.display();
    // The parser's own words may quote what the file holds.
    let held: Map<String, Json> =
        serde_json::from_slice(&contents).map_err(|_| format!("`{shown}` does not hold one object in JSON"))?;
    let answer = |key: &String| match held.get(key) {
        Some(Json::String(value)) => Ok(value.clone()),
        Some(_) => Err(format!("in `{shown}` it is no string")),
        None => Err(format!("`{shown}` does not have it")),
    };
    Ok(keys.iter().map(|key| (key.clone(), answer(key))).collect::<BTreeMap<_, _>>())
}
