//! What a new plan changes of what runs.

use std::collections::HashMap;
use std::fmt;

use super::build::Made;
use crate::config::{Component, Files, Plan};

/// What happens to a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It starts.
    Added,
    /// It ends.
    Removed,
    /// One with other settings, or made of files with other contents, takes its place.
    Changed,
    /// It stays, and takes its records from others.
    Rewired,
}

/// A component and what happens to it. One that stays as it is has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happens.
    pub what: What,
    /// Its section and name, such as `sinks.out`.
    pub component: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, words) = match self.what {
            What::Added => ('+', ""),
            What::Removed => ('-', ""),
            What::Changed => ('~', ": built anew"),
            What::Rewired => ('~', ": other inputs"),
        };
        write!(f, "{sign} {}{words}", self.component)
    }
}

/// Tells the components of `plan` from those that run.
pub(super) fn changes(running: &HashMap<&str, &Made>, plan: &Plan) -> Vec<Change> {
    let name = |component: &Component| format!("{}.{}", component.kind.section(), component.id);
    let mut changes: Vec<Change> = plan
        .components()
        .filter_map(|component| {
            let what = what(running.get(component.id.as_str()).copied(), component, &plan.files)?;
            Some(Change { what, component: name(component) })
        })
        .collect();
    let stays = |made: &&Made| {
        plan.components().any(|component| component.id == made.component.id && component.kind == made.component.kind)
    };
    let mut removed: Vec<_> = running.values().filter(|made| !stays(made)).map(|made| name(&made.component)).collect();
    removed.sort();
    changes.extend(removed.into_iter().map(|component| Change { what: What::Removed, component }));
    changes
}

fn what(running: Option<&Made>, component: &Component, files: &Files) -> Option<What> {
    let Some(running) = running.filter(|made| made.component.kind == component.kind) else { return Some(What::Added) };
    if !running.is_same(&Made::of(component, files)) {
        return Some(What::Changed);
    }
    (running.component.inputs != component.inputs).then_some(What::Rewired)
}
