//! The pipeline of the demonstration: the shipped configuration, with a sink of the user's instead of its own.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::component::machine;
use crate::config::{self, Memory, Plan, Rules, Shelves};
use crate::diagnostic::{Color, render_report};

/// The configuration as it is shipped.
const SHIPPED: &str = include_str!("../../../config/levada.toml");
/// Its source and its sink.
pub(super) const SOURCE: &str = "app";
pub(super) const SINK: &str = "out";

/// The user's sink.
const USERS_SINK: &str = r#"
type = "elasticsearch"
endpoints = ["${LEVADA_DEMO_TO}"]
bulk.index = "levada-demo"
"#;

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
    let text = if to.is_some() { Cow::Owned(with_users_sink()?) } else { Cow::Borrowed(SHIPPED) };
    let loaded = config::load_texts([("config/levada.toml", &*text)], rules);
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

/// The shipped configuration whose sink is the user's: of the same name, with the same inputs.
fn with_users_sink() -> Result<String, String> {
    let told = |error: toml::de::Error| error.to_string();
    let mut shipped: toml::Table = SHIPPED.parse().map_err(told)?;
    let mut sink: toml::Table = USERS_SINK.parse().map_err(told)?;
    let sinks = shipped.get_mut("sinks").and_then(toml::Value::as_table_mut).ok_or("no sinks")?;
    let own = sinks.remove(SINK).ok_or("no sink")?;
    sink.extend(own.get("inputs").map(|inputs| ("inputs".to_owned(), inputs.clone())));
    sinks.insert(SINK.to_owned(), toml::Value::Table(sink));
    Ok(shipped.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_has_the_ids_that_are_used_here() {
        let plan = |to| plan(&Paths::within(Path::new("/x")), to).unwrap();
        let (own, users) = (plan(None), plan(Some("http://localhost:9200")));
        for (plan, type_name) in [(&own, "console"), (&users, "elasticsearch")] {
            let ends = plan.sources.iter().chain(&plan.sinks);
            let ends: Vec<_> = ends.map(|end| (end.id.as_str(), end.type_name.as_str())).collect();
            assert_eq!(ends, [(SOURCE, "file"), (SINK, type_name)], "the user's is there instead, not besides");
        }
        assert_eq!(own.sinks[0].inputs, users.sinks[0].inputs);
    }

    #[test]
    fn an_address_that_is_none_is_told_of() {
        let faults = plan(&Paths::within(Path::new("/x")), Some("localhost")).map(|_| ()).unwrap_err();
        assert!(faults.contains("is no address"), "{faults}");
    }
}
