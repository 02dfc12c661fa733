//! Builds components from the plan, opening no connection and changing nothing that runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::compile::BuiltStep;
use super::pauses::Pauses;
use super::tap::Taps;
use crate::buffer::MinFree;
use crate::component::files::{Files, Input};
use crate::component::health::Health;
use crate::component::inspect::Inspect;
use crate::component::meters::{Families, Label};
use crate::component::pause::Pause;
use crate::component::row::{Context, Row};
use crate::component::source::Source;
use crate::config::{Component, Kind};
use crate::delivery::Drain;
use crate::event::Budget;
use crate::lang::{READERS, Tables};
use crate::transforms::Keeping;
use crate::{sinks, sources, transforms};

/// Why a component cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot build the {kind} `{id}`: {why}")]
pub struct BuildError {
    /// Source, transform, sink or enrichment table.
    pub kind: &'static str,
    /// The component.
    pub id: String,
    /// What went wrong.
    pub why: String,
}

/// What every component is built with.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) families: Families,
    pub(super) budget: Budget,
    pub(super) data_dir: Arc<Path>,
    /// What of its file system is others'.
    pub(super) min_free: MinFree,
    pub(super) taps: Taps,
    pub(super) tables: Tables,
    pub(super) pauses: Pauses,
}

impl Ground {
    /// A source that tells by `health` how it is.
    pub(super) fn source(
        &self,
        component: &Component,
        files: &Files,
        health: &Health,
    ) -> Result<Box<dyn Source>, BuildError> {
        let context = Context { health: health.clone(), ..self.context(component) };
        build((component, files), context, sources::ROWS)
    }

    /// What a source of this kind lets people see without running.
    pub(super) fn inspect(&self, component: &Component) -> Option<Arc<dyn Inspect>> {
        let row = named(sources::ROWS, &component.type_name)?;
        (row.inspect)(&component.section.settings, &self.context(component))
    }

    pub(super) fn sink(&self, component: &Component, files: &Files) -> Result<Box<dyn Drain>, BuildError> {
        self.build((component, files), sinks::ROWS)
    }

    pub(super) fn transform(&self, component: &Component, files: &Files) -> Result<BuiltStep, BuildError> {
        let transform = self.build((component, files), transforms::ROWS)?;
        let outputs = named(transforms::ROWS, &component.type_name)
            .map_or_else(Vec::new, |row| (row.outputs)(&component.section.settings));
        Ok(BuiltStep { transform: Arc::new(Mutex::new(transform)), meters: self.context(component).meters, outputs })
    }

    /// Does it hold records, and so stand behind a queue?
    pub(super) fn is_stateful(component: &Component) -> bool {
        component.kind == Kind::Transform && named(transforms::STATEFUL, &component.type_name).is_some()
    }

    pub(super) fn keeper(&self, component: &Component, files: &Files) -> Result<Keeping, BuildError> {
        self.build((component, files), transforms::STATEFUL)
    }

    /// The outputs of a stateful step.
    pub(super) fn outputs(component: &Component) -> Vec<Option<String>> {
        named(transforms::STATEFUL, &component.type_name)
            .map_or_else(Vec::new, |row| (row.outputs)(&component.section.settings))
    }

    pub(super) fn context(&self, component: &Component) -> Context {
        let label = Label { id: component.id.clone(), kind: component.kind.noun(), type_name: type_name(component) };
        let meters = self.families.meters(&label);
        Context {
            id: component.id.clone(),
            pause: if component.kind == Kind::Source { self.pauses.of(&meters) } else { Pause::default() },
            meters,
            budget: self.budget.clone(),
            state_dir: self.state_dir(component),
            files: Files::default(),
            tables: self.tables.clone(),
            health: Health::default(),
        }
    }

    /// None, as an empty path, where nothing is kept.
    fn state_dir(&self, component: &Component) -> PathBuf {
        if self.data_dir.as_os_str().is_empty() {
            return PathBuf::new();
        }
        self.data_dir.join(component.kind.section()).join(&component.id)
    }

    fn build<B: 'static>(
        &self,
        (component, files): (&Component, &Files),
        rows: &'static [Row<B>],
    ) -> Result<B, BuildError> {
        build((component, files), self.context(component), rows)
    }
}

fn build<B: 'static>(
    (component, files): (&Component, &Files),
    context: Context,
    rows: &'static [Row<B>],
) -> Result<B, BuildError> {
    let failed = |why| BuildError { kind: component.kind.noun(), id: component.id.clone(), why };
    let row = named(rows, &component.type_name)
        .ok_or_else(|| failed(format!("there is no type `{}`", component.type_name)))?;
    let settings = (row.read)(component.section.settings.clone()).map_err(failed)?;
    // A panic here must not end a process in which other components work.
    let tables = context.tables.reading(Arc::new(files.clone())).heard_by(transforms::voice(&component.id));
    let context = Context { files: files.clone(), tables, ..context };
    let span = context.meters.label().span();
    #[cfg(test)]
    fault::meet(&component.id).map_err(failed)?;
    let built = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| settings.build(context))));
    built.unwrap_or_else(|_| Err("an internal error, see the log".to_owned())).map_err(failed)
}

/// What a component is made of: its settings, and what the files hold that they name.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) component: Component,
    inputs: Vec<Input>,
    /// Files whose changes it sees by itself.
    renewed: Vec<PathBuf>,
}

impl Made {
    pub(super) fn of(component: &Component, files: &Files) -> Self {
        let (name, settings) = (&component.type_name, &component.section.settings);
        let named = match component.kind {
            Kind::Source => named(sources::ROWS, name).map(|row| (row.files)(settings)),
            Kind::Transform => named(transforms::ROWS, name)
                .map(|row| (row.files)(settings))
                .or_else(|| named(transforms::STATEFUL, name).map(|row| (row.files)(settings))),
            Kind::Sink => named(sinks::ROWS, name).map(|row| (row.files)(settings)),
        };
        let (renewed, named): (Vec<_>, Vec<_>) =
            named.unwrap_or_default().into_iter().partition(|named| named.is_renewed);
        let mut inputs: Vec<_> = named.iter().map(|named| files.input(&named.path)).collect();
        let renewed = renewed.into_iter().map(|named| named.path).collect();
        if may_name_files(component) {
            inputs.extend(files.of_programs());
        }
        Self { component: component.clone(), inputs, renewed }
    }

    /// What it takes to build it once more: the files as they were.
    pub(super) fn recipe(&self, files: &Files) -> (Component, Files) {
        let inputs = self.inputs.iter().map(|input| &input.path);
        (self.component.clone(), files.only(inputs.chain(&self.renewed).map(PathBuf::as_path)))
    }

    /// Would building the other give the same?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (one, two) = (&self.component, &other.component);
        one.type_name == two.type_name && one.section.settings == two.section.settings && self.inputs == other.inputs
    }
}

/// May a program of the component name files, which its functions read? One in a file of its own may.
fn may_name_files(component: &Component) -> bool {
    let settings = &component.section.settings;
    let text = settings.to_string();
    settings.contains_key("file")
        || settings.contains_key("files")
        || READERS.iter().any(|function| text.contains(function))
}

/// The type's name as the shelf has it.
fn type_name(component: &Component) -> &'static str {
    let name = &component.type_name;
    let found = match component.kind {
        Kind::Source => named(sources::ROWS, name).map(|row| row.name),
        Kind::Transform => {
            let stateless = named(transforms::ROWS, name).map(|row| row.name);
            stateless.or_else(|| named(transforms::STATEFUL, name).map(|row| row.name))
        }
        Kind::Sink => named(sinks::ROWS, name).map(|row| row.name),
    };
    found.unwrap_or("unknown")
}

fn named<B>(rows: &'static [Row<B>], name: &str) -> Option<&'static Row<B>> {
    rows.iter().find(|row| row.name == name)
}

/// For tests: a component that cannot be built, though all that is checked before is well.
#[cfg(test)]
pub(crate) mod fault {
    use std::cell::RefCell;

    thread_local! {
        static ID: RefCell<Option<String>> = const { RefCell::new(None) };
    }

    /// On this thread none of this id can be built.
    pub(crate) fn set(id: Option<&str>) {
        ID.set(id.map(str::to_owned));
    }

    pub(super) fn meet(id: &str) -> Result<(), String> {
        ID.with_borrow(|bad| if bad.as_deref() == Some(id) { Err("as the test says".to_owned()) } else { Ok(()) })
    }
}
