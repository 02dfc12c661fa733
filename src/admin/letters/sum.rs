//! How many dead letters there are, of what, and since when. Nothing of a record.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::CHUNK;
use crate::delivery::{DeadLetters, Letter, Lines};

/// Letters of one component with one code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// What refused the records.
    pub component: String,
    /// The word for why.
    pub code: String,
    /// How many.
    pub letters: u64,
    /// Bytes in the folder.
    pub bytes: u64,
    /// When the first was written (RFC 3339).
    pub first: String,
    /// When the last was.
    pub last: String,
}

/// Sums of all letters, by component and code. Blocks.
pub(in crate::admin) fn sums(of: &DeadLetters) -> io::Result<Vec<Sum>> {
    let mut sums = BTreeMap::new();
    for path in of.list()? {
        let mut lines = match Lines::of(&path) {
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            lines => lines?,
        };
        loop {
            let chunk = lines.take(CHUNK)?;
            if chunk.is_empty() {
                break;
            }
            for (_, line) in &chunk {
                add(line, &mut sums);
            }
        }
    }
    Ok(sums.into_values().collect())
}

/// Adds a line; one that is no letter, such as one that is being written, counts nowhere.
fn add(line: &[u8], sums: &mut BTreeMap<(String, String), Sum>) {
    let Some(letter) = Letter::read(line) else { return };
    let of = (letter.component.into_owned(), letter.code.into_owned());
    let fresh = || Sum {
        component: of.0.clone(),
        code: of.1.clone(),
        letters: 0,
        bytes: 0,
        first: letter.time.to_string(),
        last: String::new(),
    };
    let sum = sums.entry(of.clone()).or_insert_with(fresh);
    sum.letters += 1;
    sum.bytes += line.len() as u64 + 1;
    sum.last = letter.time.into_owned();
}
