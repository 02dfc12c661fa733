//! `scrub`: personal data and secrets leave no record.
//!
//! Detectors see decoded text: a string with a backslash is decoded with a map of its offsets, others are scanned
//! in place; a match never begins or ends inside an escape. Named members lose their whole value. What cannot be
//! looked at does not exist: every value is JSON that was checked when it came in, or a raw line.
//!
//! ```toml
//! [transforms.private]
//! type = "scrub"
//! inputs = ["app"]
//! detectors = ["email", "payment_card", "bearer_token"]
//! action = "mask"
//! ```
//!
//! Records pass through or are changed in place; none is dropped.

pub mod bearer;
pub mod card;
mod cover;
pub mod detector;
pub mod email;
pub mod escape;
pub mod keys;
pub mod mask;
pub mod pattern;
pub mod scanner;
mod span;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::meters::Meters;
use crate::component::row::{Context, Problem, Settings};
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Origin, Path, Shared};

use cover::{Cover, Place, Tally};
pub use detector::Detector;
pub use keys::{KeyNames, NameFault};
pub use mask::{Replacement, Shape};
pub use pattern::{Pattern, PatternFault};
pub use scanner::{Found, Match, Scanner};

/// Masks personal data and secrets in strings, and the whole value of members with a telling name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrubSettings {
    /// Paths to look into; every string of the record if not set.
    fields: Option<Vec<String>>,
    /// What to look for.
    #[serde(default = "all_detectors")]
    detectors: Vec<DetectorName>,
    /// More to look for: linear-time regular expressions.
    #[serde(default)]
    patterns: Vec<String>,
    /// Names of members whose whole value is masked, at any depth of what is looked into; upper and lower case,
    /// `_`, `-` and `.` do not matter. A built-in list (password, token, card number, ...) if not set.
    key_names: Option<Vec<String>>,
    /// What happens to a match.
    #[serde(default)]
    action: Action,
    /// The text that stands for a match where `action` is `replace`.
    #[serde(default = "redacted")]
    replacement: String,
}

/// A built-in detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DetectorName {
    /// E-mail addresses.
    Email,
    /// Numbers of payment cards: known issuer, right length, Luhn.
    PaymentCard,
    /// Bearer tokens and JSON Web Tokens.
    BearerToken,
}

/// What happens to a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// `replacement` stands in its place.
    #[default]
    Replace,
    /// Stars stand in its place; an e-mail keeps its domain, a card its last four digits.
    Mask,
}

fn all_detectors() -> Vec<DetectorName> {
    vec![DetectorName::Email, DetectorName::PaymentCard, DetectorName::BearerToken]
}

fn redacted() -> String {
    "[REDACTED]".to_owned()
}

impl DetectorName {
    fn detector(self) -> Detector {
        match self {
            Self::Email => Detector::Email,
            Self::PaymentCard => Detector::PaymentCard,
            Self::BearerToken => Detector::BearerToken,
        }
    }
}

impl ScrubSettings {
    fn paths(&self) -> Result<Option<Vec<Path>>, Problem> {
        let Some(fields) = &self.fields else { return Ok(None) };
        fields.iter().enumerate().map(path).collect::<Result<_, _>>().map(Some)
    }

    fn scanner(&self) -> Result<Scanner, Problem> {
        let mut detectors: Vec<Detector> = self.detectors.iter().map(|name| name.detector()).collect();
        for expression in self.patterns.iter().enumerate() {
            detectors.push(Detector::Pattern(pattern(expression)?));
        }
        Ok(Scanner::new(detectors))
    }

    fn names(&self) -> Result<KeyNames, Problem> {
        let Some(names) = &self.key_names else { return Ok(KeyNames::default()) };
        KeyNames::new(names).map_err(|fault| Problem::new("key_names", fault.to_string()))
    }

    fn cover(&self) -> Result<Cover, Problem> {
        let replacement = match self.action {
            Action::Replace => Replacement::Fixed(self.replacement.clone()),
            Action::Mask => Replacement::Mask,
        };
        Ok(Cover::new(self.scanner()?, self.names()?, replacement))
    }
}

fn path((at, text): (usize, &String)) -> Result<Path, Problem> {
    let path = Path::parse(text).map_err(|bad| Problem::new(format!("fields[{at}]"), bad.to_string()))?;
    if path.is_metadata() {
        let message = format!("`{text}` is metadata, which no sink writes");
        return Err(Problem::new(format!("fields[{at}]"), message));
    }
    Ok(path)
}

fn pattern((at, expression): (usize, &String)) -> Result<Pattern, Problem> {
    Pattern::new(expression)
        .map_err(|fault| Problem { within: fault.at, ..Problem::new(format!("patterns[{at}]"), fault.message) })
}

impl Settings for ScrubSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "scrub";

    fn check(&self) -> Vec<Problem> {
        let fields = self.fields.iter().flatten().enumerate().filter_map(|field| path(field).err());
        let patterns = self.patterns.iter().enumerate().filter_map(|expression| pattern(expression).err());
        let names = self.key_names.iter().flatten().enumerate();
        let names = names.filter_map(|(at, name)| {
            let fault = KeyNames::new([name]).err()?;
            Some(Problem::new(format!("key_names[{at}]"), fault.to_string()))
        });
        fields.chain(patterns).chain(names).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let message = |problem: Problem| problem.message;
        let paths = self.paths().map_err(message)?;
        let cover = Arc::new(self.cover().map_err(message)?);
        Ok(Box::new(Scrub {
            places: paths.map(|paths| paths.into_iter().map(|path| cover.place(path)).collect()),
            cover,
            meters: context.meters,
            tally: Tally::default(),
            origins: vec![],
        }))
    }
}

/// Origins whose members have been looked at; more are forgotten.
const KNOWN_ORIGINS: usize = 256;

struct Scrub {
    places: Option<Arc<[Place]>>,
    cover: Arc<Cover>,
    meters: Meters,
    tally: Tally,
    origins: Vec<(Arc<Origin>, Arc<Origin>)>,
}

impl Transform for Scrub {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        batch.map_origins(|origin| self.origin(origin));
        let mut records = batch.edit();
        for index in 0..records.len() {
            match &self.places {
                Some(places) => {
                    for place in &**places {
                        self.cover.at((&mut records, index), place, &mut self.tally);
                    }
                }
                None => self.cover.record(&mut records, index, &mut self.tally),
            }
        }
        self.tally.report(&self.cover, &self.meters);
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self {
            places: self.places.clone(),
            cover: self.cover.clone(),
            meters: self.meters.clone(),
            tally: Tally::default(),
            origins: Vec::new(),
        })
    }
}

impl Scrub {
    /// The origin with its members scrubbed: done once for each.
    fn origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        if let Some((_, scrubbed)) = self.origins.iter().find(|(known, _)| Arc::ptr_eq(known, origin)) {
            return scrubbed.clone();
        }
        let scrubbed = self.scrub_origin(origin);
        if self.origins.len() == KNOWN_ORIGINS {
            self.origins.clear();
        }
        self.origins.push((origin.clone(), scrubbed.clone()));
        scrubbed
    }

    fn scrub_origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        if self.places.is_some() && !origin.members().iter().any(|member| self.names(&member.key)) {
            return origin.clone();
        }
        let mut value = Vec::new();
        let scrub = |member: &Shared| {
            value.clear();
            let changed = self.cover.member((member.key.as_bytes(), &member.value), &mut value, &mut self.tally);
            Shared {
                key: member.key.clone(),
                value: if changed { value.as_slice().into() } else { member.value.clone() },
            }
        };
        let members: Vec<Shared> = origin.members().iter().map(scrub).collect();
        Arc::new(origin.derive(&members))
    }

    fn names(&self, key: &str) -> bool {
        self.places.iter().flat_map(|places| places.iter()).any(|place| place.path.first_key() == Some(key.as_bytes()))
    }
}
