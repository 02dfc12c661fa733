//! `enrich`: adds members that say where a record comes from.
//!
//! It overwrites, so that a service cannot forge `env` or `pod_name`; `keep_existing` is the exception. Constants are
//! put into the origin, once for all records of a file or peer: they cost nothing per record.
//!
//! ```toml
//! [transforms.where]
//! type = "enrich"
//! inputs = ["app"]
//! fields.env = "production"
//! fields.region = "eu-west-1"
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::row::{Context, Settings};
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Origin, Shared};

/// Adds members to records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrichSettings {
    /// Members to set, with their values.
    fields: BTreeMap<String, serde_json::Value>,
    /// Leave a member that the record has as it is.
    #[serde(default)]
    keep_existing: bool,
}

impl Settings for EnrichSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "enrich";

    fn build(self, _: Context) -> Result<Self::Built, String> {
        let shared = |(key, value): (&String, &serde_json::Value)| Shared {
            key: key.as_str().into(),
            value: value.to_string().into_bytes().into(),
        };
        let constants = self.fields.iter().map(shared).collect();
        Ok(Box::new(Enrich { constants, keep_existing: self.keep_existing, origins: Vec::new() }))
    }
}

/// Origins that have been enriched; more are forgotten.
const KNOWN_ORIGINS: usize = 256;

#[derive(Clone)]
struct Enrich {
    constants: Arc<[Shared]>,
    keep_existing: bool,
    origins: Vec<(Arc<Origin>, Arc<Origin>)>,
}

impl Transform for Enrich {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        if self.keep_existing {
            self.add_missing(batch);
            return;
        }
        batch.map_origins(|origin| self.origin(origin));
        if batch.is_edited() {
            self.overwrite_edits(batch);
        }
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self { origins: Vec::new(), ..self.clone() })
    }
}

impl Enrich {
    fn origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        if let Some((_, enriched)) = self.origins.iter().find(|(known, _)| Arc::ptr_eq(known, origin)) {
            return enriched.clone();
        }
        let members = origin.members().to_vec();
        let enriched = Arc::new(origin.derive(members).with(&self.constants));
        if self.origins.len() == KNOWN_ORIGINS {
            self.origins.clear();
        }
        self.origins.push((origin.clone(), enriched.clone()));
        enriched
    }

    /// Records with edits of their own, or without their origin's members, are overwritten one by one.
    fn overwrite_edits(&self, batch: &mut Batch) {
        let mut records = batch.edit();
        for index in 0..records.len() {
            for member in &*self.constants {
                if !records.unhide(index, member.key.as_bytes()) {
                    records.set_member(index, member.key.as_bytes(), |out| out.extend_from_slice(&member.value));
                }
            }
        }
    }

    fn add_missing(&self, batch: &mut Batch) {
        let mut records = batch.edit();
        for index in 0..records.len() {
            for member in &*self.constants {
                let key = member.key.as_bytes();
                if records.get(index).member(key).is_none() {
                    records.set_member(index, key, |out| out.extend_from_slice(&member.value));
                }
            }
        }
    }
}
