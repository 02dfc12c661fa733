//! `enrich`: adds members that say where a record comes from.
//!
//! ```toml
//! [transforms.tell]
//! type = "enrich"
//! inputs = ["app"]
//! fields.env = "${ENVIRONMENT:-dev}"
//! fields.cluster = { name = "eu-1", zone = 3 }
//! fields.unit = "{{ service }}-{{ env }}"
//! ```
//!
//! It *overwrites*, so that a service cannot forge `env` or `pod_name`; `keep_existing` is the exception. Constants are
//! put into what records share, once for all records of a file or peer: they cost nothing per record. Templates see
//! the record with the constants, not each other's results. Where a template finds no value, the member is not set,
//! the record's own member of that name is removed (it could be forged), and an error is counted.
//!
//! **Guarantee.** No record is dropped; members that are not named stay as they came. **Limits.** Names are top-level
//! keys. A program that assigns the root (`. = ...`) afterwards drops these members: let `enrich` come after it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use self::value::{FieldValue, Fields};
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::row::{Context, Problem, Settings};
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Editor, Origin, Shared, json};
use crate::lang::Template;

#[cfg(test)]
mod tests;
mod value;

/// Adds members to records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrichSettings {
    /// Members to set: constants of any type, or text with `{{ path }}` in it, which is filled for each record.
    fields: Fields,
    /// Leave a member that the record has as it is.
    #[serde(default)]
    keep_existing: bool,
}

impl Settings for EnrichSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "enrich";

    fn check(&self) -> Vec<Problem> {
        if self.fields.is_empty() {
            return vec![Problem::new("fields", "no fields: expected at least one `fields.NAME = value`")];
        }
        let fault = |(name, value): (&String, &FieldValue)| {
            let error = value.template()?.err()?;
            let problem = Problem::new(format!("fields.{name}"), error.message);
            Some(Problem { within: Some(error.span), ..problem })
        };
        self.fields.iter().filter_map(fault).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let (mut constants, mut templates) = (Vec::new(), Vec::new());
        for (name, value) in &self.fields {
            match value.template() {
                Some(template) => templates.push((name.clone(), template.map_err(|error| error.message)?)),
                None => constants.push(Shared { key: name.as_str().into(), value: value.json().into() }),
            }
        }
        let notice = Notice::new(&context.id, "missing_field", "records lack members that a template names");
        let meters = context.meters;
        let common = Common { constants, templates, keep_existing: self.keep_existing, meters, notice };
        Ok(Box::new(Enrich::new(Arc::new(common))))
    }
}

struct Common {
    constants: Vec<Shared>,
    templates: Vec<(String, Template)>,
    keep_existing: bool,
    meters: Meters,
    notice: Notice,
}

/// Origins that have been enriched; more are forgotten.
const KNOWN_ORIGINS: usize = 256;

struct Enrich {
    common: Arc<Common>,
    origins: Vec<(Arc<Origin>, Arc<Origin>)>,
    /// What the templates give for a record, one behind the other, with the end of each that gave something.
    text: String,
    ends: Vec<Option<usize>>,
}

impl Transform for Enrich {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        let common = self.common.clone();
        if common.keep_existing {
            add_missing(&common.constants, batch);
        } else if !common.constants.is_empty() {
            batch.map_origins(|origin| self.origin(origin));
            if batch.is_edited() {
                overwrite_edits(&common.constants, batch);
            }
        }
        if !common.templates.is_empty() {
            self.fill_templates(batch);
        }
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self::new(self.common.clone()))
    }
}

impl Enrich {
    fn new(common: Arc<Common>) -> Self {
        Self { common, origins: Vec::new(), text: String::new(), ends: Vec::new() }
    }

    fn origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        if let Some((_, enriched)) = self.origins.iter().find(|(known, _)| Arc::ptr_eq(known, origin)) {
            return enriched.clone();
        }
        let enriched = Arc::new(origin.derive(origin.members()).with(&self.common.constants));
        if self.origins.len() == KNOWN_ORIGINS {
            self.origins.clear();
        }
        self.origins.push((origin.clone(), enriched.clone()));
        enriched
    }

    fn fill_templates(&mut self, batch: &mut Batch) {
        let mut missing = 0;
        let mut records = batch.edit();
        for index in 0..records.len() {
            self.render(&records, index);
            missing += self.write(&mut records, index);
        }
        self.common.notice.count(&self.common.meters, missing);
    }

    /// All templates are filled before the first result is written: none sees another's.
    fn render(&mut self, records: &Editor<'_>, index: usize) {
        self.text.clear();
        self.ends.clear();
        let record = records.get(index);
        for (_, template) in &self.common.templates {
            let start = self.text.len();
            let rendered = template.render(&record, record.time().0, &mut self.text);
            if rendered.is_err() {
                self.text.truncate(start);
            }
            self.ends.push(rendered.is_ok().then_some(self.text.len()));
        }
    }

    /// How many members found no value.
    fn write(&self, records: &mut Editor<'_>, index: usize) -> usize {
        let (mut start, mut missing) = (0, 0);
        for ((name, _), end) in self.common.templates.iter().zip(&self.ends) {
            let key = name.as_bytes();
            let text = end.map(|end| &self.text[std::mem::replace(&mut start, end)..end]);
            if self.common.keep_existing && records.get(index).member(key).is_some() {
                continue;
            }
            if let Some(text) = text {
                records.set_member(index, key, |out| json::quote(text.as_bytes(), out));
            } else {
                missing += 1;
                records.remove_member(index, key);
            }
        }
        missing
    }
}

/// Records with edits of their own, or without their origin's members, are overwritten one by one.
fn overwrite_edits(constants: &[Shared], batch: &mut Batch) {
    let mut records = batch.edit();
    for index in 0..records.len() {
        for member in constants {
            if !records.unhide(index, member.key.as_bytes()) {
                records.set_member(index, member.key.as_bytes(), |out| out.extend_from_slice(&member.value));
            }
        }
    }
}

fn add_missing(constants: &[Shared], batch: &mut Batch) {
    let mut records = batch.edit();
    for index in 0..records.len() {
        for member in constants {
            let key = member.key.as_bytes();
            if records.get(index).member(key).is_none() {
                records.set_member(index, key, |out| out.extend_from_slice(&member.value));
            }
        }
    }
}
