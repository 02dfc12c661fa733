//! What there is to see of sources that follow files: through the socket of the running agent, or, where none runs, from
//! the configuration and the state folder.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::control::StatusOf;
use crate::component::inspect::{FileReport, Inspect, Position, Wish};
use crate::component::pause::Paused;
use crate::diagnostic::closest;
use crate::topology::{Inspected, Member};

/// A source that follows files, and what became of its records.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The source.
    pub source: Inspected,
    /// Records that went no further: component, reason, how many.
    pub discarded: Vec<(String, String, u64)>,
}

/// The files of one source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FilesOf {
    /// The source.
    pub source: String,
    /// Whether it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Its files, in no order.
    pub files: Vec<FileReport>,
}

/// What one source keeps of files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PositionsOf {
    /// The source.
    pub source: String,
    /// What it keeps.
    pub positions: Vec<Position>,
    /// Why that cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a file is to be read from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetRequest {
    /// By which source; else by the one that has a position of it.
    #[serde(default)]
    pub source: Option<String>,
    /// The file and the position.
    #[serde(flatten)]
    pub wish: Wish,
}

/// A position that was set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetDone {
    /// The source.
    pub source: String,
    /// From where on the file is read now, under which key.
    pub position: Position,
}

/// The sources that follow files, of those that run.
pub(super) fn inspected(members: &[Member]) -> Vec<Inspected> {
    let inspected = members.iter().filter_map(|member| {
        let inspect = member.inspect()?;
        Some(Inspected { id: member.id.clone(), paused: member.pause.state(), inspect })
    });
    inspected.collect()
}

/// The same, with what became of the records of each, given what all components have counted.
pub(super) fn sights(members: &[Member], counted: &[StatusOf]) -> Vec<Sight> {
    let of = |source: Inspected| {
        let behind = behind(&source.id, members);
        let components = counted.iter().filter(|component| behind.contains(component.id.as_str()));
        let discarded = components.flat_map(|component| {
            component.discarded.iter().map(|(reason, count)| (component.id.clone(), reason.clone(), *count))
        });
        Sight { discarded: discarded.collect(), source }
    };
    inspected(members).into_iter().map(of).collect()
}

/// The source `id` and everything that its records may come by.
fn behind<'m>(id: &'m str, members: &'m [Member]) -> HashSet<&'m str> {
    let mut behind = HashSet::from([id]);
    loop {
        let before = behind.len();
        let next = members.iter().filter(|member| member.inputs.iter().any(|input| behind.contains(input.as_str())));
        let next: Vec<_> = next.map(|member| member.id.as_str()).collect();
        behind.extend(next);
        if behind.len() == before {
            return behind;
        }
    }
}

/// All files of the sources, or of the one called `id`.
pub fn files(sources: &[Inspected]) -> Vec<FilesOf> {
    let of = |source: &Inspected| FilesOf {
        source: source.id.clone(),
        paused: source.paused,
        files: source.inspect.files(),
    };
    sources.iter().map(of).collect()
}

/// What the sources keep.
pub fn positions(sources: &[Inspected]) -> Vec<PositionsOf> {
    let of = |source: &Inspected| {
        let (positions, error) = match source.inspect.positions() {
            Ok(positions) => (positions, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        PositionsOf { source: source.id.clone(), positions, error }
    };
    sources.iter().map(of).collect()
}

/// Sets the position of a file, by the source that is named, or else by the only one that has a position of it.
pub fn set(sources: &[Inspected], request: &SetRequest) -> Result<SetDone, String> {
    let source = match &request.source {
        Some(id) => named(sources, id)?,
        None => only(sources, &request.wish)?,
    };
    let position = source.inspect.set(&request.wish)?;
    Ok(SetDone { source: source.id.clone(), position })
}

fn named<'s>(sources: &'s [Inspected], id: &str) -> Result<&'s Inspected, String> {
    sources.iter().find(|source| source.id == id).ok_or_else(|| {
        let ids: Vec<_> = sources.iter().map(|source| source.id.as_str()).collect();
        let meant = closest(id, ids.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
        let hint = meant.unwrap_or_else(|| format!("there are: {}", ids.join(", ")));
        format!("no source `{id}` follows files; {hint}")
    })
}

fn only<'s>(sources: &'s [Inspected], wish: &Wish) -> Result<&'s Inspected, String> {
    let path = wish.path.to_string_lossy();
    let has_it =
        |inspect: &dyn Inspect| inspect.positions().is_ok_and(|kept| kept.iter().any(|position| position.path == path));
    let having: Vec<_> = sources.iter().filter(|source| has_it(&*source.inspect)).collect();
    match having[..] {
        [one] => Ok(one),
        [] => Err(format!("no source has a position of `{path}`; `levada positions ls` shows them all")),
        _ => {
            let ids: Vec<_> = having.iter().map(|source| format!("`{}`", source.id)).collect();
            Err(format!("{} read `{path}`; say which by `--source ID`", ids.join(" and ")))
        }
    }
}
