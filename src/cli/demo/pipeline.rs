//! The pipeline of the demonstration: the shipped configuration, and a sink of the user's besides.

use std::path::{Path, PathBuf};

use crate::component::machine;
use crate::config::{self, Memory, Plan, Rules, Shelves};
use crate::diagnostic::{Color, render_report};

/// The configuration as it is shipped.
const SHIPPED: &str = include_str!("../../../config/levada.toml");
/// Its source and its sink.
pub(super) const SOURCE: &str = "app";
pub(super) const SINK: &str = "out";
/// Whose records a sink of the user's gets.
const LAST_STEP: &str = "few_health_checks";
/// The user's sink.
pub(super) const USERS_SINK: &str = "to";

/// Where the pipeline reads and keeps its state.
pub(super) struct Paths {
    pub(super) logs: PathBuf,
    pub(super) state: PathBuf,
}

impl Paths {
    pub(super) fn within(folder: &Path) -> Self {
        Self { logs: folder.join("log"), state: folder.join("state") }
    }
}

/// The plan, or the faults as a person reads them.
pub(super) fn plan(paths: &Paths, to: Option<&str>) -> Result<Plan, String> {
    let memory = Memory { default_limit: machine::default_memory_limit() };
    let environment = |name: &str| variable(paths, to, name);
    let rules = Rules { catalogue: &Shelves, environment: &environment, budget: &memory };
    let more = to.map(|_| users_sink());
    let texts = [("config/levada.toml", SHIPPED)].into_iter();
    let loaded = config::load_texts(texts.chain(more.as_deref().map(|text| ("--to", text))), rules);
    let faults = render_report(&loaded.report, &loaded.sources, Color::Never);
    loaded.plan.ok_or(faults)
}

/// The demonstration has an environment of its own: the user's is not its business.
fn variable(paths: &Paths, to: Option<&str>, name: &str) -> Option<String> {
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    match name {
        "LEVADA_INCLUDE" => Some(shown(&paths.logs.join("*.log"))),
        "LEVADA_DATA_DIR" => Some(shown(&paths.state)),
        "LEVADA_ENV" => Some("demo".to_owned()),
        "LEVADA_DEMO_TO" => to.map(str::to_owned),
        _ => None,
    }
}

fn users_sink() -> String {
    format!(
        r#"
        [sinks.{USERS_SINK}]
        type = "elasticsearch"
        inputs = ["{LAST_STEP}"]
        endpoints = ["${{LEVADA_DEMO_TO}}"]
        bulk.index = "levada-demo"
        "#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_has_the_ids_that_are_used_here() {
        let plan = plan(&Paths::within(Path::new("/x")), Some("http://localhost:9200")).unwrap();
        let ids: Vec<&str> = plan.sources.iter().chain(&plan.sinks).map(|component| component.id.as_str()).collect();
        assert_eq!(ids, [SOURCE, SINK, USERS_SINK]);
        assert_eq!(plan.sinks[0].inputs, plan.sinks[1].inputs);
    }

    #[test]
    fn an_address_that_is_none_is_told_of() {
        let faults = plan(&Paths::within(Path::new("/x")), Some("localhost")).map(|_| ()).unwrap_err();
        assert!(faults.contains("is no address"), "{faults}");
    }
}
