//! Builds what is new in a plan, before anything is swapped.

use std::collections::HashMap;

use super::{Built, Guest, RunningStep, Topology};
use crate::component::health::Health;
use crate::config::Plan;
use crate::topology::build::{BuildError, Ground, Made};
use crate::topology::guard::Guards;
use crate::topology::keepers;
use crate::topology::tables::{self, Shelf};

/// Stateless and stateful transforms.
type Steps = (HashMap<String, RunningStep>, keepers::Built);

impl Topology {
    /// All that is new in `plan`, with guests in the place of sinks. Changes nothing that runs.
    pub(super) fn build(&self, plan: &Plan, guests: &mut HashMap<String, Guest>) -> Result<Built, BuildError> {
        let tables = self.tables.build(plan, &self.ground.families, &self.ground.data_dir)?;
        let (tables, (steps, keepers)) = self.build_on(tables, plan)?;
        let guards = Guards::of(plan)?;
        let mut built = Built { tables, sources: Vec::new(), steps, keepers, sinks: Vec::new(), guards };
        let files = &plan.files;
        for component in &plan.sinks {
            let made_of = Made::of(component, files);
            let runs = self.sinks.get(&component.id).is_some_and(|sink| sink.made_of.is_same(&made_of));
            let sink = match guests.remove(&component.id) {
                Some(guest) => Some(guest(self.ground.sink(component, files)?)),
                None if runs => None,
                None => Some(self.ground.sink(component, files)?),
            };
            built.sinks.push((made_of, sink));
        }
        for component in &plan.sources {
            let made_of = Made::of(component, files);
            let runs = self.sources.get(&component.id).is_some_and(|source| source.made_of.is_same(&made_of));
            let health = Health::default();
            let source = if runs { None } else { Some((self.ground.source(component, files, &health)?, health)) };
            built.sources.push((made_of, source));
        }
        Ok(built)
    }

    /// The transforms over these tables. A table may have lost what they look up: then what it held last serves.
    fn build_on(&self, tables: Shelf, plan: &Plan) -> Result<(Shelf, Steps), BuildError> {
        let error = match self.build_steps(&tables, plan) {
            Ok(steps) => return Ok((tables, steps)),
            Err(error) => error,
        };
        let Some(older) = tables.as_kept(&self.ground.families) else { return Err(error) };
        let Ok(steps) = self.build_steps(&older, plan) else { return Err(error) };
        tracing::warn!(
            component_id = error.id,
            "enrichment tables are what they were when the agent ran last: {}",
            error.why
        );
        older.count_behind(&tables, &self.ground.families);
        Ok((older, steps))
    }

    fn build_steps(&self, tables: &Shelf, plan: &Plan) -> Result<Steps, BuildError> {
        let ground = Ground { tables: tables.tables(), ..self.ground.clone() };
        // A program holds the tables that it was compiled with.
        let has_tables = self.tables.is_same(tables);
        let keepers = self.keepers.build(plan, &ground, has_tables)?;
        let mut steps = HashMap::new();
        for component in plan.transforms.iter().filter(|component| !Ground::is_stateful(component)) {
            let made_of = Made::of(component, &plan.files);
            let runs =
                |step: &&RunningStep| step.made_of.is_same(&made_of) && (has_tables || !tables::may_look_up(component));
            let step = match self.steps.get(&component.id).filter(runs) {
                Some(step) => step.built.clone(),
                None => ground.transform(component, &plan.files)?,
            };
            steps.insert(component.id.clone(), RunningStep { made_of, built: step });
        }
        Ok((steps, keepers))
    }
}
