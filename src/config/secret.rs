//! Secret backends, and `SECRET[backend.key]` in the settings of components.
//!
//! Only a run asks the backends: once all files are read, each gets one question for all keys that are used, all at the
//! same time, each with its time limit. Every other verb works with stand-ins: values that satisfy any type, and of which
//! nothing is judged.

mod directory;
mod exec;
mod file;
mod reference;
mod vault;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::thread;

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::tree::{Node, Value};
use crate::component::files::Files;
use crate::component::mask;
use crate::component::row::Problem;

pub(super) use reference::{OPENING, Reference, collect, confine, reference};
pub use vault::{VaultSettings, keep_token};

/// Where secrets come from.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Backend {
    /// A JSON file: one object of names and texts.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A folder with a file for each secret, as Kubernetes and systemd mount them.
    Directory {
        /// The folder.
        path: PathBuf,
        /// Remove spaces and line breaks at the end of each.
        #[serde(default)]
        remove_trailing_whitespace: bool,
    },
    /// A command that is asked in JSON on its standard input and answers on its standard output.
    Exec {
        /// The program and its arguments.
        #[schemars(length(min = 1))]
        command: Vec<String>,
        /// Seconds it may take.
        #[serde(default = "exec::timeout")]
        #[schemars(range(min = 1, max = 300))]
        timeout: u64,
    },
    /// `HashiCorp` Vault: a secret of the key-value engine, version 2.
    Vault(Box<VaultSettings>),
}

/// What a backend says of one key; an error is why it does not have it.
type Answer = Result<String, String>;
/// What a backend says of all keys; an error is why it cannot be asked at all.
type Answers = Result<BTreeMap<String, Answer>, String>;

impl Backend {
    /// Faults that the schema cannot tell; `setting` is where the backend stands.
    pub(super) fn check(&self, setting: &str) -> Vec<Problem> {
        match self {
            Self::Vault(vault) => vault.check(setting),
            _ => Vec::new(),
        }
    }

    fn ask(&self, keys: &BTreeSet<String>, files: &Files) -> Answers {
        match self {
            Self::File { path } => file::ask(path, keys, files),
            Self::Directory { path, remove_trailing_whitespace } => {
                Ok(directory::ask(path, *remove_trailing_whitespace, keys, files))
            }
            Self::Exec { command, timeout } => exec::ask(command, *timeout, keys),
            Self::Vault(vault) => vault::ask(vault, keys, files),
        }
    }
}

/// What the references of a configuration stand for.
#[derive(Default)]
pub(super) struct Secrets {
    /// Every backend that is declared; none has answered where stand-ins do.
    answers: BTreeMap<String, Option<Answers>>,
    /// Backends that cannot be asked and of which that is told already.
    told: RefCell<BTreeSet<String>>,
}

/// What one reference stands for.
pub(super) enum Found {
    /// This.
    Value(String),
    /// Something that is not to be asked for now.
    StandIn,
}

/// Why a reference stands for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// No such backend; these there are.
    Backend(Vec<String>),
    /// The backend does not give it.
    Key(String),
    /// Told at another reference.
    Told,
}

impl Secrets {
    /// Only the names of the backends.
    pub(super) fn stand_ins(documents: &[Document]) -> Self {
        let names = declared(documents).map(|(name, _)| (name.to_owned(), None));
        Self { answers: names.collect(), ..Self::default() }
    }

    /// Asks `backends` for all that `documents` refer to.
    pub(super) fn ask(documents: &[Document], backends: &BTreeMap<String, Backend>, files: &Files) -> Self {
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for document in documents {
            reference::collect(&document.root, &mut keys);
        }
        let mut secrets = Self::stand_ins(documents);
        thread::scope(|scope| {
            let asked: Vec<_> = keys
                .iter()
                .filter_map(|(name, keys)| Some((name, keys, backends.get(name)?)))
                .map(|(name, keys, backend)| (name, scope.spawn(move || backend.ask(keys, files))))
                .collect();
            for (name, answer) in asked {
                let answers = answer.join().unwrap_or_else(|_| Err("an internal error".to_owned()));
                answers.iter().flat_map(BTreeMap::values).flatten().for_each(|value| mask::conceal(value));
                secrets.answers.insert(name.clone(), Some(answers));
            }
        });
        secrets
    }

    /// What a reference stands for.
    pub(super) fn get(&self, reference: &Reference<'_>) -> Result<Found, Missing> {
        match self.answers.get(reference.backend) {
            None => Err(Missing::Backend(self.answers.keys().cloned().collect())),
            Some(None) => Ok(Found::StandIn),
            Some(Some(Ok(answers))) => match answers.get(reference.key) {
                Some(Ok(value)) if value.is_empty() => Err(Missing::Key("it is empty".to_owned())),
                Some(Ok(value)) => Ok(Found::Value(value.clone())),
                Some(Err(why)) => Err(Missing::Key(why.clone())),
                None => Err(Missing::Key("the backend says nothing of it".to_owned())),
            },
            Some(Some(Err(why))) if self.told.borrow_mut().insert(reference.backend.to_owned()) => {
                Err(Missing::Key(why.clone()))
            }
            Some(Some(Err(_))) => Err(Missing::Told),
        }
    }
}

/// The tables `[secret.NAME]`.
pub(super) fn declared(documents: &[Document]) -> impl Iterator<Item = (&str, &Node)> {
    let roots = documents.iter().filter_map(|document| match &document.root.value {
        Value::Table(table) => Some(&table.get("secret")?.node.value),
        _ => None,
    });
    let tables = roots.filter_map(|value| match value {
        Value::Table(table) => Some(&table.entries),
        _ => None,
    });
    tables.flatten().map(|entry| (entry.key.as_str(), &entry.node))
}

#[cfg(test)]
mod tests;
