//! Builds components from the plan, opening no connection and changing nothing that runs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::compile::BuiltStep;
use crate::component::meters::{Families, Label};
use crate::component::row::{Context, Row};
use crate::component::source::Source;
use crate::config::{Component, Kind};
use crate::delivery::Drain;
use crate::event::Budget;
use crate::{sinks, sources, transforms};

/// Why a component cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot build the {kind} `{id}`: {why}")]
pub struct BuildError {
    kind: &'static str,
    id: String,
    why: String,
}

/// What every component is built with.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) families: Families,
    pub(super) budget: Budget,
    pub(super) data_dir: Arc<Path>,
}

impl Ground {
    pub(super) fn source(&self, component: &Component) -> Result<Box<dyn Source>, BuildError> {
        self.build(component, sources::ROWS)
    }

    pub(super) fn sink(&self, component: &Component) -> Result<Box<dyn Drain>, BuildError> {
        self.build(component, sinks::ROWS)
    }

    pub(super) fn transform(&self, component: &Component) -> Result<BuiltStep, BuildError> {
        let transform = self.build(component, transforms::ROWS)?;
        let row = transforms::ROWS.iter().find(|row| row.name == component.type_name);
        let outputs = row.map_or_else(Vec::new, |row| (row.outputs)(&component.section.settings));
        Ok(BuiltStep { transform: Arc::new(Mutex::new(transform)), meters: self.context(component).meters, outputs })
    }

    pub(super) fn context(&self, component: &Component) -> Context {
        let type_name = type_name(component);
        let label = Label { id: component.id.clone(), kind: component.kind.noun(), type_name };
        Context {
            id: component.id.clone(),
            meters: self.families.meters(&label),
            budget: self.budget.clone(),
            state_dir: self.data_dir.join(component.kind.section()).join(&component.id),
        }
    }

    fn build<B: 'static>(&self, component: &Component, rows: &[Row<B>]) -> Result<B, BuildError> {
        let failed = |why| BuildError { kind: component.kind.noun(), id: component.id.clone(), why };
        let row = rows.iter().find(|row| row.name == component.type_name);
        let row = row.ok_or_else(|| failed(format!("there is no type `{}`", component.type_name)))?;
        let settings = (row.read)(component.section.settings.clone()).map_err(failed)?;
        settings.build(self.context(component)).map_err(failed)
    }
}

/// The type's name as the shelf has it.
fn type_name(component: &Component) -> &'static str {
    let find = |mut names: Box<dyn Iterator<Item = &'static str>>| names.find(|name| *name == component.type_name);
    let found = match component.kind {
        Kind::Source => find(Box::new(sources::ROWS.iter().map(|row| row.name))),
        Kind::Transform => find(Box::new(transforms::ROWS.iter().map(|row| row.name))),
        Kind::Sink => find(Box::new(sinks::ROWS.iter().map(|row| row.name))),
    };
    found.unwrap_or("unknown")
}
