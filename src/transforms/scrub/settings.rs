//! The settings of a `scrub` step, checked and made into rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::Act;
use super::cover::{Cover, Field};
use super::hmac::{KeySettings, Keys};
use super::profile::Profile;
use super::scrubber::{Rules, Scrubber};
use super::{Detector, KeyNames, Kind, Pattern, Replacement, Scanner};
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::Transform;
use crate::diagnostic::closest;
use crate::event::Path;

/// Keys that may be in use at the same time.
const MOST_KEYS: usize = 2;

/// Masks personal data and secrets in strings, numbers and keys, and the whole value of members with a telling name.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrubSettings {
    /// The set of detectors and key names to begin with: `default` if neither it nor `detectors` is set.
    profile: Option<Profile>,
    /// What to look for: these alone, or with `profile` these too.
    detectors: Option<Vec<Kind>>,
    /// More to look for: linear-time regular expressions.
    #[serde(default)]
    patterns: Vec<String>,
    /// Names of members whose whole value is masked, at any depth of what is looked into; upper and lower case,
    /// `_`, `-` and `.` do not matter. Those of the profile (password, token, card number, ...) if not set.
    key_names: Option<Vec<String>>,
    /// Paths to look into; everything if not set.
    fields: Option<Vec<String>>,
    /// Paths that are not looked into.
    #[serde(default)]
    exempt_fields: Vec<String>,
    /// Values that stay, whole and in any case, such as an address of your own.
    #[serde(default)]
    allow: Vec<String>,
    /// What happens to a match.
    #[serde(default)]
    action: Action,
    /// What happens to the matches of one detector instead: `actions.email = "hash"`. Also for `key_name` (values of
    /// telling names) and `pattern`.
    #[serde(default)]
    actions: BTreeMap<String, Action>,
    /// What happens to a field, whatever it holds: `field_actions."user.id" = "hash"`.
    #[serde(default)]
    field_actions: BTreeMap<String, Action>,
    /// The text that stands for a match where the action is `replace`: `[REDACTED]` if not set.
    replacement: Option<String>,
    /// Keys for the action `hash`, two at most: the first writes, tokens of the other are left as they are.
    #[serde(default)]
    #[schemars(extend("default" = []))]
    keys: Vec<KeySettings>,
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
    /// Stars and the last four digits or letters stand in its place, if it has nine or more.
    Last4,
    /// Nothing stands in its place; in the place of a whole value stands `null`.
    Remove,
    /// A keyed hash stands in its place, the same for the same value: `keys` must be set.
    Hash,
    /// The network stands in the place of an IP address: /24 or /48. Stars for anything else.
    TruncateIp,
    /// It stays. For a detector of the profile that is not wanted.
    Keep,
}

impl ScrubSettings {
    /// The settings of a profile, with nothing else set.
    pub(super) fn of_profile(profile: Profile) -> Self {
        Self { profile: Some(profile), ..Self::default() }
    }

    /// All that are looked for.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = self.listed();
        kinds.retain(|kind| self.action_of(kind.name()) != Action::Keep);
        kinds
    }

    /// Those of the profile and those that are named.
    fn listed(&self) -> Vec<Kind> {
        let profile = self.profile.or(self.detectors.is_none().then_some(Profile::Default));
        let listed = self.detectors.iter().flatten().copied();
        let mut kinds: Vec<Kind> =
            profile.into_iter().flat_map(|profile| profile.detectors().iter().copied()).collect();
        for kind in listed {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    fn action_of(&self, rule: &str) -> Action {
        self.actions.get(rule).copied().unwrap_or(self.action)
    }

    fn patterns(&self) -> Result<Vec<Pattern>, Problem> {
        let compile = |(at, expression): (usize, &String)| {
            Pattern::new(expression)
                .map_err(|fault| Problem { within: fault.at, ..Problem::new(format!("patterns[{at}]"), fault.message) })
        };
        self.patterns.iter().enumerate().map(compile).collect()
    }

    fn names(&self) -> Result<KeyNames, Problem> {
        if self.action_of("key_name") == Action::Keep {
            return Ok(KeyNames::none());
        }
        let names = match &self.key_names {
            Some(names) => KeyNames::new(names),
            None => KeyNames::new(self.profile.unwrap_or_default().key_names()).map(KeyNames::with_endings),
        };
        names.map_err(|fault| Problem::new("key_names", fault.to_string()))
    }

    fn paths(&self) -> Result<Option<Vec<Path>>, Problem> {
        let Some(fields) = &self.fields else { return Ok(None) };
        let parse = |(at, text): (usize, &String)| parse(text, format!("fields[{at}]"));
        fields.iter().enumerate().map(parse).collect::<Result<_, _>>().map(Some)
    }

    /// The fields that are named for more than to look into them.
    fn named(&self) -> Result<Vec<(Path, Option<Action>)>, Problem> {
        let exempt =
            self.exempt_fields.iter().enumerate().map(|(at, text)| (text, format!("exempt_fields[{at}]"), None));
        let acted = self.field_actions.iter().map(|(text, action)| {
            let action = Some(*action).filter(|action| *action != Action::Keep);
            (text, format!("field_actions.{text}"), action)
        });
        let parse = |(text, setting, action): (&String, String, _)| {
            let path = parse(text, setting.clone())?;
            let is_root = path.first_key().is_none();
            let root = || Problem::new(setting, "the whole record cannot be named here, expected a field");
            if is_root { Err(root()) } else { Ok((path, action)) }
        };
        exempt.chain(acted).map(parse).collect()
    }

    /// A word in `actions` that is no detector, and a detector that is not looked for.
    fn unknown_action(&self) -> Option<Problem> {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).chain(["key_name", "pattern"]).collect();
        let name = self.actions.keys().find(|name| !known.contains(&name.as_str()))?;
        let problem = Problem::new(format!("actions.{name}"), format!("there is no detector `{name}`"));
        Some(match closest(name, known.iter().copied()) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => problem.help(format!("known: {}", known.join(", "))),
        })
    }

    fn hashes(&self) -> bool {
        [&self.action]
            .into_iter()
            .chain(self.actions.values())
            .chain(self.field_actions.values())
            .any(|action| *action == Action::Hash)
    }

    fn key_fault(&self) -> Option<Problem> {
        if self.hashes() && self.keys.is_empty() {
            let problem = Problem::new("keys", "the action `hash` needs a key");
            return Some(problem.help(
                "set `keys = [{ id = \"k1\", file = \"/etc/levada/scrub.key\" }]`; `openssl rand -base64 48` makes one",
            ));
        }
        if self.keys.len() > MOST_KEYS {
            return Some(Problem::new("keys", format!("found {} keys, expected {MOST_KEYS} at most", self.keys.len())));
        }
        self.keys.iter().enumerate().find_map(|(at, key)| Some(Problem::new(format!("keys[{at}]"), key.fault()?)))
    }

    /// Settings that do nothing.
    fn warning(&self) -> Option<Problem> {
        let problem = if self.action == Action::Keep {
            Problem::new("action", "`keep` masks nothing that has no action of its own")
        } else if !self.hashes() && !self.keys.is_empty() {
            Problem::new("keys", "no action is `hash`: the keys are not used")
        } else {
            return None;
        };
        Some(Problem { is_warning: true, ..problem })
    }

    /// The text for an action that nothing has.
    fn idle_replacement(&self) -> Option<Problem> {
        let mut all = [&self.action].into_iter().chain(self.actions.values()).chain(self.field_actions.values());
        let is_used = all.any(|action| *action == Action::Replace);
        (!is_used).then(|| Problem::idle("replacement", "no action is `replace`: nothing is replaced by it"))
    }

    /// Actions for what is not looked for.
    fn idle_actions(&self) -> impl Iterator<Item = Problem> {
        let kinds = self.listed();
        let is_idle = move |name: &str| match name {
            "pattern" => self.patterns.is_empty(),
            "key_name" => self.key_names.as_ref().is_some_and(Vec::is_empty),
            _ => Kind::ALL.iter().any(|kind| kind.name() == name) && !kinds.iter().any(|kind| kind.name() == name),
        };
        let idle = self.actions.keys().filter(move |name| is_idle(name));
        idle.map(|name| Problem::idle(format!("actions.{name}"), format!("`{name}` is not looked for")))
    }

    /// Exempt fields that are not looked into anyway.
    fn idle_exempt(&self) -> impl Iterator<Item = Problem> {
        let fields: Option<Vec<Path>> = self.paths().ok().flatten();
        let is_idle = move |text: &str| {
            let (Some(fields), Ok(exempt)) = (&fields, Path::parse(text)) else { return false };
            let meets = |field: &Path| field.segments().iter().zip(exempt.segments()).all(|(one, two)| *one == two);
            !fields.iter().any(meets)
        };
        let all = self.exempt_fields.iter().enumerate().filter(move |(_, text)| is_idle(text));
        all.map(|(at, text)| {
            Problem::idle(format!("exempt_fields[{at}]"), format!("`fields` does not look into `{text}` anyway"))
        })
    }

    fn act(&self, action: Action, keys: Option<&Arc<Keys>>) -> Act {
        let replacement = self.replacement.clone().map_or_else(Replacement::default, Replacement::Fixed);
        match (action, keys) {
            (Action::Mask, _) => Act::Cover(Replacement::Mask),
            (Action::Last4, _) => Act::Last4,
            (Action::Remove, _) => Act::Remove,
            (Action::TruncateIp, _) => Act::TruncateIp,
            (Action::Hash, Some(keys)) => Act::Hash(keys.clone()),
            (Action::Hash | Action::Replace | Action::Keep, _) => Act::Cover(replacement),
        }
    }

    /// The rules; reads the keys.
    pub(super) fn rules(&self) -> Result<Rules, String> {
        let message = |problem: Problem| problem.message;
        if let Some(problem) = self.key_fault().or_else(|| self.unknown_action()) {
            return Err(problem.message);
        }
        let keys = if self.hashes() { Some(Arc::new(Keys::new(self.keys.clone())?)) } else { None };
        let known = self.kinds().into_iter().map(Detector::Known);
        let patterns =
            if self.action_of("pattern") == Action::Keep { Vec::new() } else { self.patterns().map_err(message)? };
        let detectors: Vec<Detector> = known.chain(patterns.into_iter().map(Detector::Pattern)).collect();
        let act = |rule: &str| self.act(self.action_of(rule), keys.as_ref());
        let names = self.names().map_err(message)?;
        let named = self.named().map_err(message)?.into_iter();
        let fields =
            named.map(|(path, action)| Field { path, act: action.map(|action| self.act(action, keys.as_ref())) });
        let labels: Vec<&'static str> = detectors.iter().map(Detector::name).collect();
        let cover = Cover {
            acts: labels.iter().map(|label| act(label)).collect(),
            scanner: Scanner::with_names(detectors, &names),
            by_name: act("key_name"),
            allow: self.allow.iter().map(|value| value.as_bytes().into()).collect(),
            fields: fields.collect(),
            own: Vec::new(),
            names,
        }
        .with_own();
        let places =
            self.paths().map_err(message)?.map(|paths| paths.into_iter().map(|path| cover.place(path)).collect());
        Ok(Rules { cover, places, keys, labels })
    }
}

fn pattern((at, expression): (usize, &String)) -> Result<Pattern, Problem> {
    Pattern::new(expression)
        .map_err(|fault| Problem { within: fault.at, ..Problem::new(format!("patterns[{at}]"), fault.message) })
}

fn parse(text: &str, setting: String) -> Result<Path, Problem> {
    match Path::parse(text) {
        Ok(path) if path.is_metadata() => {
            Err(Problem::new(setting, format!("`{text}` is metadata, which no sink writes")))
        }
        Ok(path) => Ok(path),
        Err(bad) => Err(Problem::new(setting, bad.to_string())),
    }
}

impl Settings for ScrubSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "scrub";
    const EXAMPLE: &'static str = r#"[transforms.private]
type = "scrub"
inputs = ["app"]
profile = "default"
action = "mask"
actions.email = "last4"

[[tests]]
name = "a card is masked, of an e-mail address the end stays"
inputs = [
  { insert_at = "private", value = "paid by anna@example.com with 4111 1111 1111 1111" },
]
outputs = [{ extract_from = "private", conditions = [
  '!contains(string!(.message), "anna@") && !contains(string!(.message), "4111 1111 1111")',
] }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check(&self) -> Vec<Problem> {
        let fields = self.fields.iter().flatten().enumerate();
        let fields = fields.filter_map(|(at, text)| parse(text, format!("fields[{at}]")).err());
        let patterns = self.patterns.iter().enumerate().filter_map(|expression| pattern(expression).err());
        let names = self.key_names.iter().flatten().enumerate().filter_map(|(at, name)| {
            let fault = KeyNames::new([name]).err()?;
            Some(Problem::new(format!("key_names[{at}]"), fault.to_string()))
        });
        let others = [self.named().err(), self.unknown_action(), self.key_fault(), self.warning()];
        fields.chain(patterns).chain(names).chain(others.into_iter().flatten()).collect()
    }

    fn idle(&self) -> Vec<Problem> {
        self.idle_replacement().into_iter().chain(self.idle_actions()).chain(self.idle_exempt()).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        Ok(Box::new(Scrubber::new(&self, context.meters)?))
    }
}
