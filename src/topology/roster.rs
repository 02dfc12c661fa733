//! Who runs, and how each is, for whoever asks from outside.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::door::Way;
use super::running_sink::RunningSink;
use super::running_source::RunningSource;
use super::sight::Sight;
use crate::component::health::{Health, State};
use crate::component::inspect::Inspect;
use crate::component::outlet::Inlet;
use crate::component::pause::{Pause, Paused};
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
    /// Whose records it takes.
    pub inputs: Vec<String>,
    /// Its outputs, by the names that `inputs` have: the main one has that of the component.
    pub outputs: Vec<String>,
    /// Whether it is paused, if it is a source.
    pub pause: Pause,
    pub(super) sight: Sight,
    pub(super) way: Way,
}

/// How a component is, as people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `starting`, `running`, `paused` or `degraded`.
    pub state: &'static str,
    /// Why it is paused or degraded.
    pub why: Option<String>,
    /// Since when, in nanoseconds since the Unix epoch.
    pub since: i64,
}

/// The name of an output.
fn edge(id: &str, port: Option<&str>) -> String {
    port.map_or_else(|| id.to_owned(), |port| format!("{id}.{port}"))
}

impl Member {
    pub(super) fn of(made_of: &Component, health: &Health) -> Self {
        let Component { id, kind, type_name, .. } = made_of;
        Self {
            id: id.clone(),
            kind: *kind,
            type_name: type_name.clone(),
            health: health.clone(),
            inputs: made_of.inputs.iter().map(|input| input.component.clone()).collect(),
            outputs: made_of.outputs.iter().map(|port| edge(id, port.as_deref())).collect(),
            pause: Pause::default(),
            sight: Sight::default(),
            way: Way::default(),
        }
    }

    pub(super) fn of_sink(sink: &RunningSink) -> Self {
        let member = Self::of(&sink.made_of.component, &sink.health);
        Self { way: Way::to(&sink.entry.aside), ..member }
    }

    pub(super) fn of_source(source: &RunningSource) -> Self {
        let member = Self::of(&source.made_of.component, &source.health);
        Self { pause: source.pause.clone(), sight: source.sight.clone(), ..member }
    }

    /// The way into it, if it is a sink that runs, for records that do not come from a source. Whoever holds it keeps
    /// the sink's queue from closing.
    pub fn inlet(&self) -> Option<Arc<dyn Inlet>> {
        self.way.open()
    }

    /// What it lets people see, if it follows files.
    pub fn inspect(&self) -> Option<Arc<dyn Inspect>> {
        self.sight.get()
    }

    /// How it is. Trouble is told before a pause.
    pub fn standing(&self) -> Standing {
        let since = self.health.since();
        match (self.health.state(), self.pause.state()) {
            (State::Degraded { why, .. }, _) => Standing { state: "degraded", why: Some(why), since },
            (_, Some(paused)) => {
                let why = Some(format!("{}; `levada resume {}` ends that", by(&paused), self.id));
                Standing { state: "paused", why, since: paused.since }
            }
            (State::Starting, None) => Standing { state: "starting", why: None, since },
            (State::Running, None) => Standing { state: "running", why: None, since },
        }
    }
}

/// Who paused a source.
fn by(paused: &Paused) -> String {
    let pid = paused.pid.map_or_else(String::new, |pid| format!(", process {pid}"));
    paused.uid.map_or_else(|| "by a person".to_owned(), |uid| format!("by user {uid}{pid}"))
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
