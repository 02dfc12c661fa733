//! Who runs, and how each is, for whoever asks from outside.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::component::health::{Health, State};
use crate::config::{Component, Kind};

/// The components that run; a clone tells of the same. A reload replaces the list as a whole.
#[derive(Clone, Debug, Default)]
pub struct Roster(Arc<ArcSwap<Vec<Member>>>);

/// A component. Transforms that hold nothing have no life of their own: they run where their source reads.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub id: String,
    /// The part it plays.
    pub kind: Kind,
    /// Its type.
    pub type_name: String,
    /// How it is.
    pub health: Health,
}

impl Member {
    pub(super) fn of(made_of: &Component, health: &Health) -> Self {
        let Component { id, kind, type_name, .. } = made_of;
        Self { id: id.clone(), kind: *kind, type_name: type_name.clone(), health: health.clone() }
    }
}

impl Roster {
    /// All of them as they are now: sources, transforms, sinks, by name.
    pub fn members(&self) -> Arc<Vec<Member>> {
        self.0.load_full()
    }

    /// How the component `id` is.
    pub fn health(&self, id: &str) -> Option<State> {
        self.members().iter().find(|member| member.id == id).map(|member| member.health.state())
    }

    /// Have all sources started?
    pub fn is_ready(&self) -> bool {
        let members = self.0.load();
        let mut sources = members.iter().filter(|member| member.kind == Kind::Source).peekable();
        sources.peek().is_some() && sources.all(|source| source.health.state() != State::Starting)
    }

    pub(super) fn replace(&self, mut members: Vec<Member>) {
        members.sort_by(|one, other| (one.kind, &one.id).cmp(&(other.kind, &other.id)));
        self.0.store(Arc::new(members));
    }
}
