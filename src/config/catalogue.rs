//! What this room must be told from outside: the component types, their settings, and what they hold in memory.

use super::plan::{Component, Section};
use crate::component::claim::Claim;
use crate::component::files::Files;
use crate::component::row::{Problem, Reach};
use crate::lang::Tables;
use serde_json::Value as Json;

/// The part a component plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Takes records in from outside.
    Source,
    /// Changes, drops or directs records.
    Transform,
    /// Sends records out.
    Sink,
}

impl Kind {
    /// All kinds, in the order a record meets them.
    pub const ALL: [Self; 3] = [Self::Source, Self::Transform, Self::Sink];

    /// The table that declares components of this kind.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Transform => "transforms",
            Self::Sink => "sinks",
        }
    }

    /// The word for one component of this kind.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Transform => "transform",
            Self::Sink => "sink",
        }
    }
}

/// The outputs that settings give a component: None is the main one (`ID`), the others have names (`ID.dropped`).
/// `ID.dead_letter` is not among them: each transform and each sink has it.
pub type Outputs = fn(&toml::Table) -> Vec<Option<String>>;

/// The faults of settings that satisfy the schema, and of the files that they name; an error is why they cannot be read.
/// Programs in them may look things up in the tables.
pub type Check = fn(&toml::Table, &Files, &Tables) -> Result<Vec<Problem>, String>;

/// What settings claim that satisfy the schema.
pub type Claims = fn(&toml::Table) -> Vec<Claim>;

/// A row of the tables of kinds.
#[derive(Clone, Copy, Debug)]
pub struct ComponentType<'c> {
    /// How one stands in a configuration: TOML.
    pub example: &'c str,
    /// JSON Schema of the settings, without `type` and `inputs`.
    pub schema: &'c Json,
    /// What it touches of the machine.
    pub reach: Reach,
    /// What it takes for itself.
    pub claims: Claims,
    /// The outputs, named after the settings where a user names them. Called only with settings that satisfy the schema.
    pub outputs: Outputs,
    /// What the schema cannot tell.
    pub check: Check,
}

/// The component types and the shapes of everything that is not a component.
pub trait Catalogue {
    /// The type with this name.
    fn find(&self, kind: Kind, type_name: &str) -> Option<ComponentType<'_>>;

    /// The names of all types of a kind, for suggestions.
    fn names(&self, kind: Kind) -> Vec<&str>;

    /// JSON Schema of the root table without the components and the tests.
    fn globals(&self) -> &Json;

    /// The faults of the root table that its schema cannot tell.
    fn check_globals(&self, settings: &toml::Table) -> Vec<Problem>;

    /// JSON Schema of one entry of `[[tests]]`.
    fn tests(&self) -> &Json;
}

/// What the plan may hold in memory.
pub trait Budget {
    /// The limit of the whole process in bytes.
    fn memory_limit(&self, globals: &Section) -> u64;

    /// The bytes that a component may hold in memory, the queue in front of it included.
    fn buffer_bytes(&self, component: &Component) -> u64;
}
