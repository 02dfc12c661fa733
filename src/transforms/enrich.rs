//! `enrich`: adds members that say where a record comes from.
//!
//! Files give members too: `files.NAME.path`, such as those of Kubernetes' downward API. They are looked at once a second
//! and read again when their content changed. A table of `[enrichment_tables]` gives members to records whose value at
//! `lookup.key` is in its column `lookup.column`. `examples/enrich-from-files.toml` shows both.
//!
//! It *overwrites*, so that a service cannot forge `env` or `pod_name`; `keep_existing` is the exception. Constants are
//! put into what records share, once for all records of a file or peer: they cost nothing per record. Templates see
//! the record with the constants, not each other's results. Where a template finds no value, the member is not set,
//! the record's own member of that name is removed (it could be forged), and an error is counted.
//!
//! With `keep_claimed` what a record says of itself is kept where it is overwritten with something else: `claimed.env`.
//!
//! **Holds** the content of its files. **A stop** and **a crash** lose nothing: they are read at the start, and must be
//! there. When one cannot be read later its members stay as they were, and that is counted as `file_unreadable`. A row
//! that is not there, or not the only one, counts as a missing value, as `no_row`.
//!
//! **Guarantee.** No record is dropped; members that are not named stay as they came. **Limits.** Names are top-level
//! keys. A program that assigns the root (`. = ...`) afterwards drops these members: let `enrich` come after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use self::claims::Claims;
use self::files::{Constants, FileSettings};
use self::lookup::{Lookup, LookupSettings, Memo};
use self::value::{FieldValue, Fields};
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Editor, Origin, Shared, json};
use crate::lang::{Tables, Template};

mod claims;
mod files;
mod lookup;
#[cfg(test)]
mod tests;
mod value;

/// Adds members to records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrichSettings {
    /// Members to set: constants of any type, or text with `{{ path }}` in it, which is filled for each record.
    #[serde(default)]
    fields: Fields,
    /// Members to set to what files hold.
    #[serde(default)]
    files: BTreeMap<String, FileSettings>,
    /// A row of a table that gives members.
    lookup: Option<LookupSettings>,
    /// Leave a member that the record has as it is.
    #[serde(default)]
    keep_existing: bool,
    /// Keep what a record says of itself where it is overwritten with something else: under `claimed`, as `claimed.env`.
    #[serde(default)]
    keep_claimed: bool,
}

impl Settings for EnrichSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "enrich";
    const EXAMPLE: &'static str = r#"[transforms.tell]
type = "enrich"
inputs = ["app"]
fields.env = "${ENVIRONMENT:-dev}"
fields.cluster = { name = "eu-1", zone = 3 }
fields.unit = "{{ service }}-{{ env }}"

[[tests]]
name = "a service cannot say where it runs"
inputs = [{ insert_at = "tell", type = "json", value = '{"service":"shop","env":"forged"}' }]
outputs = [{ extract_from = "tell", conditions = [
  '.env != "forged" && .cluster.name == "eu-1"',
  '.unit == "shop-" + string!(.env)',
] }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        if self.fields.is_empty() && self.files.is_empty() && self.lookup.is_none() {
            let message = "no members: expected at least one of `fields.NAME`, `files.NAME.path` and `lookup.table`";
            return vec![Problem::new("", message)];
        }
        let fault = |(name, value): (&String, &FieldValue)| {
            let error = value.template()?.err()?;
            let problem = Problem::new(format!("fields.{name}"), error.message);
            Some(Problem { within: Some(error.span), ..problem })
        };
        let both = self.files.keys().filter(|name| self.fields.contains_key(*name)).map(|name| {
            Problem::new(format!("files.{name}"), format!("`{name}` is set twice: also by `fields.{name}`"))
        });
        let lookup = self.lookup.iter().flat_map(|lookup| lookup.check(tables));
        let idle = (self.keep_existing && self.keep_claimed).then(|| {
            Problem::new("keep_claimed", "is set beside `keep_existing`: nothing that a record claims is overwritten")
        });
        self.fields.iter().filter_map(fault).chain(both).chain(lookup).chain(idle).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let (mut constants, mut templates) = (Vec::new(), Vec::new());
        for (name, value) in &self.fields {
            match value.template() {
                Some(template) => templates.push((name.clone(), template.map_err(|error| error.message)?)),
                None => constants.push(Shared { key: name.as_str().into(), value: value.json().into() }),
            }
        }
        let constants = Constants::open(constants, self.files, &context)?;
        let lookup = self.lookup.map(|lookup| lookup.build(&context)).transpose()?;
        let notice = Notice::new(&context.id, "missing_field", "records lack members that a template names");
        let meters = context.meters;
        let (keep_existing, claims) = (self.keep_existing, Claims { are_kept: self.keep_claimed });
        let common = Common { constants, templates, lookup, keep_existing, claims, meters, notice };
        Ok(Box::new(Enrich::new(Arc::new(common))))
    }
}

struct Common {
    constants: Constants,
    templates: Vec<(String, Template)>,
    lookup: Option<Lookup>,
    keep_existing: bool,
    claims: Claims,
    meters: Meters,
    notice: Notice,
}

/// Origins that have been enriched; more are forgotten.
const KNOWN_ORIGINS: usize = 256;

struct Enrich {
    common: Arc<Common>,
    memo: Memo,
    /// What `origins` were enriched with.
    constants: Arc<[Shared]>,
    origins: Vec<(Arc<Origin>, Arc<Origin>)>,
    /// What the templates give for a record, one behind the other, with the end of each that gave something.
    text: String,
    ends: Vec<Option<usize>>,
}

impl Transform for Enrich {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        let common = self.common.clone();
        let constants = common.constants.now();
        if !Arc::ptr_eq(&constants, &self.constants) {
            self.constants = constants.clone();
            self.origins.clear();
        }
        if common.keep_existing {
            add_missing(&constants, batch);
        } else if !constants.is_empty() {
            if common.claims.are_kept {
                keep_claims(&constants, common.claims, batch);
            }
            batch.map_origins(|origin| self.origin(origin));
            if batch.is_edited() {
                overwrite_edits(&constants, batch);
            }
        }
        if let Some(lookup) = &common.lookup {
            lookup.apply(batch, (common.keep_existing, common.claims), (&mut self.memo, &common.meters));
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
        let constants = common.constants.now();
        Self { common, memo: Memo::default(), constants, origins: Vec::new(), text: String::new(), ends: Vec::new() }
    }

    fn origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        if let Some((_, enriched)) = self.origins.iter().find(|(known, _)| Arc::ptr_eq(known, origin)) {
            return enriched.clone();
        }
        let enriched = Arc::new(origin.derive(origin.members()).with(&self.constants));
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
                let mut value = Vec::new();
                json::quote(text.as_bytes(), &mut value);
                self.common.claims.keep(records, index, (name, Some(&value)));
                records.set_member(index, key, |out| out.extend_from_slice(&value));
            } else {
                missing += 1;
                self.common.claims.keep(records, index, (name, None));
                records.remove_member(index, key);
            }
        }
        missing
    }
}

/// What records say themselves is kept, before constants stand for it.
fn keep_claims(constants: &[Shared], claims: Claims, batch: &mut Batch) {
    let mut records = batch.edit();
    for index in 0..records.len() {
        for member in constants {
            claims.keep(&mut records, index, (&member.key, Some(&member.value)));
        }
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
