//! Rows of the shelves: what the program knows of a kind of component before one is built.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::claim::Claim;
use super::files::{Files, Named};
use super::health::Health;
use super::inspect::Inspect;
use super::meters::Meters;
use super::pause::Pause;
use crate::codecs::BadField;
use crate::event::Budget;
use crate::lang::Tables;

/// The settings of one kind of component: checked without I/O, then built.
pub trait Settings: DeserializeOwned + JsonSchema + 'static {
    /// What `build` makes: a source, a transform, a sink with its delivery.
    type Built;

    /// The `type` in the configuration.
    const NAME: &'static str;

    /// How one stands in a configuration, of a transform with `[[tests]]`: what people are shown, and what tests run.
    /// Records come from `app`.
    const EXAMPLE: &'static str;

    /// What it touches of the machine: decides whether a team may have one.
    const REACH: Reach;

    /// The outputs, in the order of their numbers: `None` is the main one (`ID`), others have names (`ID.NAME`).
    fn outputs(&self) -> Vec<Option<String>> {
        vec![None]
    }

    /// Bytes of memory that it may hold at once, its buffer included: part of `memory_limit`. Of a sink that is its
    /// `buffer.max_size`, without being told.
    fn held_bytes(&self) -> u64 {
        0
    }

    /// What it takes for itself: ports, files, the standard input.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// Settings that have no effect beside the others, each by [`Problem::idle`]; those that are not written are not told.
    fn idle(&self) -> Vec<Problem> {
        Vec::new()
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

    /// The files that it is made of besides its settings: programs, certificates, keys. A reload builds the component
    /// anew when what they hold has changed.
    fn files(&self) -> Vec<Named> {
        Vec::new()
    }

    /// Faults in what these files hold; those that cannot be read are told of elsewhere.
    fn check_files(&self, _files: &Files, _tables: &Tables) -> Vec<Problem> {
        Vec::new()
    }

    /// Of a source that follows files: what it would do, and what its folder keeps, without running it. Opens nothing.
    fn inspect(&self, _context: &Context) -> Option<Arc<dyn Inspect>> {
        None
    }

    /// Builds the component. May open files, those of [`files`](Self::files) through the context; connects to nothing.
    fn build(self, context: Context) -> Result<Self::Built, String>;
}

/// What a kind of component touches of the machine that it runs on, whatever its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: it works on what it is given or makes up, and calls others at most. Files that its settings name are
    /// read through [`Files`], which knows whose they may be.
    Pipeline,
    /// Its files, its ports or the streams of the process; says which: "it reads files of this machine".
    Machine(&'static str),
}

/// A fault in a component's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as `bulk.index`; empty for the component itself.
    pub setting: String,
    /// Bytes of the setting's string that are at fault, if only a part is.
    pub within: Option<std::ops::Range<usize>>,
    /// The file that is at fault, of those the setting names: then `within` counts its bytes.
    pub file: Option<Box<Path>>,
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
    /// How a value is written, whatever the secrets in it are.
    Form,
    /// A program or a condition that does not compile.
    Program,
    /// An address that is open to the network without authentication.
    Door,
    /// A setting without effect.
    Idle,
}

impl Problem {
    /// An error at `setting`.
    pub fn new(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self { setting: setting.into(), message: message.into(), ..Self::default() }
    }

    /// A warning that `setting` has no effect, if it is written at all.
    pub fn idle(setting: impl Into<String>, why: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::new(setting, why).about(About::Idle) }
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

/// In one line, for those who only ask why something cannot be built.
impl From<Problem> for String {
    fn from(problem: Problem) -> Self {
        format!("{}: {}", problem.setting, problem.message)
    }
}

impl From<BadField> for Problem {
    fn from(bad: BadField) -> Self {
        Self::new(bad.setting, bad.why)
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
    /// Where it may keep state: a folder of its own, made when first needed. Empty in a trial, which keeps none.
    pub state_dir: PathBuf,
    /// The files of its settings, as they were checked.
    pub files: Files,
    /// What programs may look things up in.
    pub tables: Tables,
    /// Whether it is to read nothing for now, if it is a source.
    pub pause: Pause,
    /// Where it tells how it is, if its work alone cannot show it.
    pub health: Health,
}

/// One row of a shelf.
pub struct Row<B> {
    /// The `type` in the configuration.
    pub name: &'static str,
    /// See [`Settings::EXAMPLE`].
    pub example: &'static str,
    /// See [`Settings::REACH`].
    pub reach: Reach,
    /// JSON Schema of its settings.
    pub schema: fn() -> serde_json::Value,
    /// The outputs that settings give it; see [`Settings::outputs`]. None for settings that cannot be read.
    pub outputs: fn(&toml::Table) -> Vec<Option<String>>,
    /// What settings claim; see [`Settings::claims`]. None for settings that cannot be read.
    pub claims: fn(&toml::Table) -> Vec<Claim>,
    /// Faults of settings that fit the schema, and of the files that they name; see [`Settings::check_with`] and
    /// [`Settings::check_files`]. An error is why the settings cannot be read.
    pub check: fn(&toml::Table, &Files, &Tables) -> Result<Vec<Problem>, String>,
    /// The files that settings name; see [`Settings::files`]. None for settings that cannot be read.
    pub files: fn(&toml::Table) -> Vec<Named>,
    /// What settings let it hold; see [`Settings::held_bytes`]. None for settings that cannot be read.
    pub held_bytes: fn(&toml::Table) -> u64,
    /// Reads settings that fit the schema.
    pub read: Read<B>,
    /// See [`Settings::inspect`]. None for settings that cannot be read.
    pub inspect: fn(&toml::Table, &Context) -> Option<Arc<dyn Inspect>>,
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
            example: S::EXAMPLE,
            reach: S::REACH,
            claims: claims::<S>,
            schema: schema::<S>,
            outputs: outputs::<S>,
            check: check::<S>,
            files: files::<S>,
            held_bytes: held_bytes::<S>,
            read: read::<S>,
            inspect: inspect::<S>,
        }
    }
}

fn schema<S: Settings>() -> serde_json::Value {
    schemars::schema_for!(S).to_value()
}

fn outputs<S: Settings>(table: &toml::Table) -> Vec<Option<String>> {
    table.clone().try_into().map_or_else(|_| Vec::new(), |settings: S| settings.outputs())
}

fn check<S: Settings>(table: &toml::Table, files: &Files, tables: &Tables) -> Result<Vec<Problem>, String> {
    let settings = settings::<S>(table.clone())?;
    let unreadable = |named: Named| {
        let problem = Problem::new(named.setting, files.read(&named.path).err()?);
        Some(problem.help("name a file that is there and that the user of the agent may read"))
    };
    let mut problems = settings.check_with(tables);
    problems.extend(settings.idle());
    problems.extend(settings.files().into_iter().filter_map(unreadable));
    problems.extend(settings.check_files(files, tables));
    Ok(problems)
}

fn claims<S: Settings>(table: &toml::Table) -> Vec<Claim> {
    settings::<S>(table.clone()).map_or_else(|_| Vec::new(), |settings| settings.claims())
}

fn files<S: Settings>(table: &toml::Table) -> Vec<Named> {
    settings::<S>(table.clone()).map_or_else(|_| Vec::new(), |settings| settings.files())
}

fn held_bytes<S: Settings>(table: &toml::Table) -> u64 {
    settings(table.clone()).map_or(0, |settings: S| settings.held_bytes())
}

fn read<S: Settings>(table: toml::Table) -> Result<Box<dyn Readied<S::Built>>, String> {
    Ok(Box::new(settings::<S>(table)?))
}

fn inspect<S: Settings>(table: &toml::Table, context: &Context) -> Option<Arc<dyn Inspect>> {
    settings::<S>(table.clone()).ok()?.inspect(context)
}

fn settings<S: Settings>(table: toml::Table) -> Result<S, String> {
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}
