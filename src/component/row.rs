//! Rows of the shelves: what the program knows of a kind of component before one is built.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::meters::Meters;
use crate::event::Budget;
use crate::lang::Tables;

/// The settings of one kind of component: checked without I/O, then built.
pub trait Settings: DeserializeOwned + JsonSchema + 'static {
    /// What `build` makes: a source, a transform, a sink with its delivery.
    type Built;

    /// The `type` in the configuration.
    const NAME: &'static str;

    /// The outputs, in the order of their numbers: `None` is the main one (`ID`), others have names (`ID.NAME`).
    fn outputs(&self) -> Vec<Option<String>> {
        vec![None]
    }

    /// Bytes of memory that it may hold at once, its buffer included: part of `memory_limit`. Of a sink that is its
    /// `buffer.max_size`, without being told.
    fn held_bytes(&self) -> u64 {
        0
    }

    /// Faults that the schema cannot tell. Opens nothing, reads nothing.
    fn check(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// The same for settings with programs, which may look things up in `tables`.
    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        let _ = tables;
        self.check()
    }

    /// Builds the component. May open files; connects to nothing.
    fn build(self, context: Context) -> Result<Self::Built, String>;
}

/// A fault in a component's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as `bulk.index`; empty for the component itself.
    pub setting: String,
    /// Bytes of the setting's string that are at fault, if only a part is.
    pub within: Option<std::ops::Range<usize>>,
    /// What is wrong: found, expected.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
    /// Only worth a warning?
    pub is_warning: bool,
    /// What the setting is.
    pub about: About,
}

/// What a [`Problem`] is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// A value.
    #[default]
    Value,
    /// A program or a condition that does not compile.
    Program,
    /// An address that is open to the network without authentication.
    Door,
}

impl Problem {
    /// An error at `setting`.
    pub fn new(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self { setting: setting.into(), message: message.into(), ..Self::default() }
    }

    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, about: About) -> Self {
        self.about = about;
        self
    }

    /// With the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What a component gets to live with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Its id in the configuration.
    pub id: String,
    /// Its figures.
    pub meters: Meters,
    /// The process's memory.
    pub budget: Budget,
    /// Where it may keep state: a folder of its own, made when first needed.
    pub state_dir: PathBuf,
    /// What programs may look things up in.
    pub tables: Tables,
}

/// One row of a shelf.
pub struct Row<B> {
    /// The `type` in the configuration.
    pub name: &'static str,
    /// JSON Schema of its settings.
    pub schema: fn() -> serde_json::Value,
    /// The outputs that settings give it; see [`Settings::outputs`]. None for settings that cannot be read.
    pub outputs: fn(&toml::Table) -> Vec<Option<String>>,
    /// What settings let it hold; see [`Settings::held_bytes`]. None for settings that cannot be read.
    pub held_bytes: fn(&toml::Table) -> u64,
    /// Faults of settings that fit the schema; see [`Settings::check_with`]. An error is why they cannot be
    /// read.
    pub check: fn(&toml::Table, &Tables) -> Result<Vec<Problem>, String>,
    /// Reads settings that fit the schema.
    pub read: Read<B>,
}

/// Reads settings; an error is why they cannot be read.
pub type Read<B> = fn(toml::Table) -> Result<Box<dyn Readied<B>>, String>;

/// Settings that have been read.
pub trait Readied<B> {
    /// See [`Settings::build`].
    fn build(self: Box<Self>, context: Context) -> Result<B, String>;
}

impl<B, S: Settings<Built = B>> Readied<B> for S {
    fn build(self: Box<Self>, context: Context) -> Result<B, String> {
        Settings::build(*self, context)
    }
}

impl<B: 'static> Row<B> {
    /// The row of a kind.
    pub const fn of<S: Settings<Built = B>>() -> Self {
        Self {
            name: S::NAME,
            schema: schema::<S>,
            outputs: outputs::<S>,
            held_bytes: held_bytes::<S>,
            check: check::<S>,
            read: read::<S>,
        }
    }
}

fn schema<S: Settings>() -> serde_json::Value {
    schemars::schema_for!(S).to_value()
}

fn outputs<S: Settings>(table: &toml::Table) -> Vec<Option<String>> {
    table.clone().try_into().map_or_else(|_| Vec::new(), |settings: S| settings.outputs())
}

fn held_bytes<S: Settings>(table: &toml::Table) -> u64 {
    settings(table.clone()).map_or(0, |settings: S| settings.held_bytes())
}

fn check<S: Settings>(table: &toml::Table, tables: &Tables) -> Result<Vec<Problem>, String> {
    Ok(settings::<S>(table.clone())?.check_with(tables))
}

fn read<S: Settings>(table: toml::Table) -> Result<Box<dyn Readied<S::Built>>, String> {
    Ok(Box::new(settings::<S>(table)?))
}

fn settings<S: Settings>(table: toml::Table) -> Result<S, String> {
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}
