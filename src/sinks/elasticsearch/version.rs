//! Versions of documents that records tell: an older one does not overwrite a newer one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::row::Problem;
use crate::component::sink::Refusal;
use crate::delivery::confined::refusal;
use crate::event::View;
use crate::lang::Template;

/// How versions are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VersionType {
    /// The server counts them.
    #[default]
    Internal,
    /// A higher one overwrites.
    External,
    /// A higher or an equal one overwrites.
    ExternalGte,
}

/// The version of each document.
#[derive(Debug)]
pub(super) struct Version {
    template: Template,
    /// The word of the bulk interface.
    kind: &'static str,
}

impl Version {
    pub(super) fn parse(source: &str, how: VersionType) -> Result<Self, Problem> {
        let template = Template::parse(source)
            .map_err(|error| Problem { within: Some(error.span), ..Problem::new("bulk.version", error.message) })?;
        let kind = if how == VersionType::ExternalGte { "external_gte" } else { "external" };
        Ok(Self { template, kind })
    }

    /// Appends the version to an action that has an `_id`.
    pub(super) fn write(&self, record: View<'_>, body: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut text = String::new();
        let missing = |error: crate::lang::Missing| refusal("version", format!("no `bulk.version`: {error}"));
        self.template.render(&record, record.time().0, &mut text).map_err(missing)?;
        // Elasticsearch counts with signed numbers and takes none below zero.
        let number: i64 = text.trim().parse().ok().filter(|number| *number >= 0).ok_or_else(|| {
            refusal("version", "`bulk.version` gives no whole number of at least 0 for this record".to_owned())
        })?;
        body.extend_from_slice(format!(",\"version\":{number},\"version_type\":\"{}\"", self.kind).as_bytes());
        Ok(())
    }
}
