//! What the files say, once nothing is wrong with them: typed by schemas, named, connected, and still able to point into the files.

use super::catalogue::Kind;
use super::literal;
use super::tree::{Node, Value};
use crate::component::files::Files;
use crate::component::mask::STARS;
use crate::diagnostic::{Code, Diagnostic, Place, Sources};
use serde::de::DeserializeOwned;
use std::fmt;
use std::ops::Range;

/// A table of settings that satisfied its schema.
#[derive(Clone)]
pub struct Section {
    /// Interpolated and coerced values, ready for serde.
    pub settings: toml::Table,
    pub(super) node: Node,
}

/// As it is written: what came from outside may be a secret.
impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

impl Section {
    /// The header, or what stands for it.
    pub const fn place(&self) -> &Place {
        &self.node.place
    }

    /// The value of a setting such as `bulk.index` or `endpoints[0]`; the closest table around it, if it is not
    /// written.
    pub fn place_of(&self, setting: &str) -> &Place {
        &self.node.follow(setting).0.place
    }

    /// The value of a setting, if it is written.
    pub fn written(&self, setting: &str) -> Option<&Place> {
        let (node, rest) = self.node.follow(setting);
        rest.is_empty().then_some(&node.place)
    }

    /// A stretch (bytes) of a setting's string: for faults inside a program or a template. The whole value, if it is
    /// not a string.
    pub fn place_in(&self, setting: &str, stretch: Range<usize>, sources: &Sources) -> Place {
        match self.node.follow(setting) {
            (Node { place, value: Value::Text(text) }, "") => literal::place_in(sources, place, text, stretch),
            (node, _) => node.place.clone(),
        }
    }

    /// The settings as their type. A refusal of serde becomes a fault at the header.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Box<Diagnostic>> {
        self.settings.clone().try_into().map_err(|error: toml::de::Error| Box::new(self.refused(error.message())))
    }

    /// The fault of settings that fit the schema and cannot be read.
    pub(super) fn refused(&self, message: &str) -> Diagnostic {
        let fault = Diagnostic::new(Code::Refused, "the settings contradict each other");
        fault.at(&self.node.place, self.without_variables(message))
    }

    /// Is a value of this setting, or of one in it, not known?
    pub fn has_stand_in(&self, setting: &str) -> bool {
        self.node.follow(setting).0.any_text(|text| text.is_stand_in)
    }

    /// The message with stars for the values of variables, since these may be secrets. Defaults stand in the file.
    pub fn without_variables(&self, message: &str) -> String {
        // A shorter value of a variable is no secret, and may be a part of any word.
        const SHORTEST: usize = 4;
        let mut shown = message.to_owned();
        self.node.for_each_text(&mut |text| {
            for splice in text.splices.iter().filter(|splice| !splice.is_default) {
                let value = text.content.get(splice.result.clone()).unwrap_or_default();
                if value.len() >= SHORTEST || splice.secret.is_some() && !value.is_empty() {
                    shown = shown.replace(value, STARS).replace(&value.escape_debug().to_string(), STARS);
                }
            }
        });
        shown
    }
}

/// One output of a component, as an input of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputRef {
    /// The component.
    pub component: String,
    /// The name of the output; None is the main one.
    pub port: Option<String>,
}

impl std::fmt::Display for OutputRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.port {
            None => formatter.write_str(&self.component),
            Some(port) => write!(formatter, "{}.{port}", self.component),
        }
    }
}

/// A component with its settings and connections.
#[derive(Clone, Debug)]
pub struct Component {
    /// The name the user gave it.
    pub id: String,
    /// The part it plays.
    pub kind: Kind,
    /// The `type`.
    pub type_name: String,
    /// The settings, without `type` and `inputs`.
    pub section: Section,
    /// What it reads, in the order written; a pattern stands for its matches in the order of the plan. Empty for a source.
    pub inputs: Vec<OutputRef>,
    /// Its outputs, those for refused records among them; None is the main one.
    pub outputs: Vec<Option<String>>,
}

/// A configuration without faults.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The settings that belong to no component.
    pub globals: Section,
    /// The sources, in the order of the files.
    pub sources: Vec<Component>,
    /// The transforms, in the order of the files.
    pub transforms: Vec<Component>,
    /// The sinks, in the order of the files.
    pub sinks: Vec<Component>,
    /// The entries of `[[tests]]`, in the order of the files.
    pub tests: Vec<Section>,
    /// The files that it was made of, as they were checked; [`Files::inputs`] lists them.
    pub files: Files,
}

impl Plan {
    /// All components: sources, transforms, sinks.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.sources.iter().chain(&self.transforms).chain(&self.sinks)
    }
}
