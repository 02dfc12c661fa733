//! `[scrub]`: what every record of every source goes through first.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::component::row::{Problem, Settings};
use crate::transforms::scrub::ScrubSettings;

/// The settings of a `scrub`, and the sources whose records pass without it.
#[derive(Clone, PartialEq)]
pub struct GlobalScrub {
    /// Names of sources.
    pub exempt: Vec<String>,
    settings: toml::Table,
}

impl std::fmt::Debug for GlobalScrub {
    /// The settings may hold a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GlobalScrub").field("exempt", &self.exempt).finish_non_exhaustive()
    }
}

impl GlobalScrub {
    /// The settings of the scrub itself.
    pub fn settings(&self) -> Result<ScrubSettings, String> {
        self.settings.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }

    /// What the schema cannot tell; settings are named from the root.
    pub(super) fn check(&self) -> Vec<Problem> {
        let below = |problem: Problem| Problem { setting: format!("scrub.{}", problem.setting), ..problem };
        match self.settings() {
            Ok(settings) => settings.check().into_iter().chain(settings.idle()).map(below).collect(),
            Err(refused) => vec![Problem::new("scrub", refused)],
        }
    }
}

impl<'de> Deserialize<'de> for GlobalScrub {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = toml::Table::deserialize(deserializer)?;
        let exempt = settings.remove("exempt").map_or(Ok(Vec::new()), toml::Value::try_into);
        Ok(Self { exempt: exempt.map_err(serde::de::Error::custom)?, settings })
    }
}

impl JsonSchema for GlobalScrub {
    fn schema_name() -> Cow<'static, str> {
        "GlobalScrub".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = ScrubSettings::json_schema(generator);
        let exempt = serde_json::json!({
            "description": "Sources whose records pass as they come, without this scrub.",
            "type": "array", "items": { "type": "string" }, "default": [],
        });
        if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            properties.insert("exempt".to_owned(), exempt);
        }
        schema
    }
}
