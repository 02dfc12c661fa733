//! Many teams in one process: each folder in `teams_dir` is a team with `*.toml` of its own. Its components join the
//! platform's under `NAME.`; it takes what is exported to it; a fault in its files is its own: what of it ran last runs on.

mod confine;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use schemars::JsonSchema;
use serde::Deserialize;

use super::assemble::{Scope, assemble, within_budget};
use super::globals::Globals;
use super::last_good::{Kept, LastGood};
use super::plan::{Component, OutputRef, Plan};
use super::{Code, Diagnostic, Purpose, Report, Rules, Sources, claims, document};
use crate::component::files::{Files, Input};
use crate::diagnostic::FileId;

pub(super) use confine::{confine, judge, judge_files, judge_test};

/// The team that stands for all without a table of their own.
const ANY: &str = "*";

/// What a team may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TeamSettings {
    /// The platform's outputs that it may take as inputs: `ID` or `ID.OUTPUT`.
    pub exports: Vec<String>,
    /// The variables of the environment that it sees.
    pub environment: Vec<String>,
}

/// A team, as it was read.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its name: that of its folder.
    pub name: String,
    /// The faults of its own files.
    pub report: Report,
    /// What was read of it, also what is faulty.
    pub(super) inputs: Vec<Input>,
    joined: Option<Joined>,
}

/// What of a team is in the plan.
#[derive(Clone, Debug)]
struct Joined {
    kept: Kept,
    files: Files,
    /// Is it what ran before?
    is_earlier: bool,
}

impl Team {
    /// Does what its files say run?
    pub fn is_current(&self) -> bool {
        !self.report.has_errors()
    }

    /// Does anything of it run: what it says now, or what of it ran last?
    pub fn runs(&self) -> bool {
        self.joined.is_some()
    }

    /// What of it is in the plan.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.joined.as_ref().map(|joined| &joined.kept)
    }
}

/// What teams are judged by.
pub(super) struct Ground<'a> {
    pub(super) rules: Rules<'a>,
    pub(super) purpose: Purpose,
    /// What ran before.
    pub(super) before: Option<&'a LastGood>,
}

/// A team's files, read.
struct Attempt {
    documents: Vec<FileId>,
    files: Files,
    report: Report,
}

/// Adds the teams to the platform's `plan`. A folder that cannot be read is a fault of the platform.
pub(super) fn attach(plan: &mut Plan, ground: &Ground<'_>, sources: &mut Sources, report: &mut Report) -> Vec<Team> {
    let Ok(Globals { teams_dir: Some(folder), teams: settings, .. }) = plan.globals.read() else { return Vec::new() };
    let names = match plan.files.may_read(&folder).map_err(io::Error::other).and_then(|()| names(&folder)) {
        Ok(names) => names,
        Err(error) => {
            let fault = Diagnostic::new(Code::UnreadableFile, format!("cannot read `{}`: {error}", folder.display()));
            report.push(fault.at(plan.globals.place_of("teams_dir"), "the folder of the teams"));
            return Vec::new();
        }
    };
    let mut attempts: Vec<_> = names.into_iter().map(|name| (read(&folder.join(&name), sources), name)).collect();
    // One that asks for more memory or for a port now does not take it from one that stays.
    attempts.sort_by_key(|(attempt, name)| {
        let before = ground.before.and_then(|before| before.teams.get(name));
        let now = Kept::of(&attempt.documents, sources, &attempt.files);
        !before.is_some_and(|before| before.says_the_same(&now))
    });
    let mut teams: Vec<_> = attempts
        .into_iter()
        .map(|(attempt, name)| Joining::new(&name, (&folder, &settings), ground).join(plan, attempt, sources))
        .collect();
    teams.sort_by(|one, two| one.name.cmp(&two.name));
    teams
}

/// A component of the team cannot be built: what of it ran before joins in its place, if it still fits the platform and
/// was not what failed. Else nothing of it is left in `plan`.
pub(super) fn fall_back(team: &mut Team, plan: &mut Plan, ground: &Ground<'_>, sources: &mut Sources) {
    let Some(failed) = team.joined.take() else { return };
    plan.remove_team(&team.name);
    plan.files.forget(&failed.files);
    let Ok(Globals { teams_dir: Some(folder), teams: settings, .. }) = plan.globals.read() else { return };
    if !failed.is_earlier {
        team.joined = Joining::new(&team.name, (&folder, &settings), ground).rejoin(plan, sources);
    }
}

/// The folders in `folder`, by name. Those of Kubernetes (`..data`) are hidden.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link to a folder is one.
        if !name.starts_with('.') && entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read(folder: &Path, sources: &mut Sources) -> Attempt {
    let (files, mut report) = (Files::within(folder), Report::default());
    let mut documents = document::read(&[folder.to_owned()], (&files, sources), &mut report);
    documents.retain(|file| {
        let inside = files.may_read(Path::new(&sources.file(*file).name));
        if let Err(why) = &inside {
            report.push(Diagnostic::new(Code::NotTheTeams, why.clone()).help("a link leads out of the team's folder"));
        }
        inside.is_ok()
    });
    Attempt { documents, files, report }
}

/// A team on its way into the plan.
struct Joining<'a> {
    name: String,
    folder: PathBuf,
    settings: TeamSettings,
    ground: &'a Ground<'a>,
}

impl<'a> Joining<'a> {
    fn new(
        name: &str,
        (folder, settings): (&Path, &BTreeMap<String, TeamSettings>),
        ground: &'a Ground<'a>,
    ) -> Joining<'a> {
        let settings = settings.get(name).or_else(|| settings.get(ANY)).cloned().unwrap_or_default();
        Self { name: name.to_owned(), folder: folder.to_owned(), settings, ground }
    }

    fn join(self, plan: &mut Plan, attempt: Attempt, sources: &mut Sources) -> Team {
        let Attempt { documents, files, mut report } = attempt;
        let own = self.assemble(plan, (&documents, &files), (sources, &mut report));
        let inputs = files.inputs();
        let joined = match own {
            Some(own) => {
                let kept = Kept::of(&documents, sources, &files);
                Some(self.enter(plan, own, Joined { kept, files, is_earlier: false }))
            }
            None => self.rejoin(plan, sources),
        };
        report.sort();
        Team { name: self.name, report, inputs, joined }
    }

    /// Adds what ran of it before, with the files it had, where that still fits the platform.
    fn rejoin(&self, plan: &mut Plan, sources: &mut Sources) -> Option<Joined> {
        let kept = self.ground.before?.teams.get(&self.name)?.clone();
        let files = Files::within(&self.folder.join(&self.name));
        let documents = kept.restore(&files, sources);
        let own = self.assemble(plan, (&documents, &files), (sources, &mut Report::default()))?;
        Some(self.enter(plan, own, Joined { kept, files, is_earlier: true }))
    }

    fn enter(&self, plan: &mut Plan, own: Plan, joined: Joined) -> Joined {
        plan.files.adopt(&joined.files);
        plan.add_team(&self.name, own);
        joined
    }

    fn assemble(
        &self,
        plan: &Plan,
        (documents, files): (&[FileId], &Files),
        (sources, report): (&mut Sources, &mut Report),
    ) -> Option<Plan> {
        self.check_name(plan, report);
        let Rules { catalogue, environment, budget } = self.ground.rules;
        let allowed = |name: &str| self.settings.environment.iter().any(|known| known == name);
        let environment = |name: &str| environment(name).filter(|_| allowed(name));
        let rules = Rules { catalogue, environment: &environment, budget };
        let (imports, held) = (self.imports(plan), claims::of_plan(plan, catalogue));
        let scope = Scope::Team { imports: &imports, environment: &self.settings.environment, held: &held };
        let own = assemble((documents, files), (sources, report), (rules, self.ground.purpose), &scope)?;
        within_budget(plan.components().chain(own.components()), &plan.globals, budget, report);
        Some(own).filter(|_| !report.has_errors())
    }

    /// A name is the beginning of names, and must not be mistaken for the platform's.
    fn check_name(&self, plan: &Plan, report: &mut Report) {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !self.name.bytes().all(allowed) {
            let fault =
                Diagnostic::new(Code::BadId, format!("the name of the team `{}` has reserved characters", self.name));
            report.push(fault.help("a team is called by its folder: letters, digits, `_` and `-`"));
        }
        if let Some(component) = plan.components().find(|component| component.id == self.name) {
            let message = format!("the team `{}` has the name of a component", self.name);
            let fault = Diagnostic::new(Code::IdTwice, message);
            report.push(fault.at(component.section.place(), "of this one").help("rename the folder of the team"));
        }
    }

    /// The outputs that it may take, as far as there are such.
    fn imports(&self, plan: &Plan) -> Vec<OutputRef> {
        let outputs = plan.components().flat_map(|component| {
            let output = |port: &Option<String>| OutputRef { component: component.id.clone(), port: port.clone() };
            component.outputs.iter().map(output)
        });
        outputs.filter(|output| self.settings.exports.contains(&output.to_string())).collect()
    }
}

impl Plan {
    /// Adds a team's plan, each of its own names under the team's.
    fn add_team(&mut self, team: &str, own: Self) {
        let ids: Vec<_> = own.components().map(|component| component.id.clone()).collect();
        let named = |component: Component| {
            let full = |id: &str| if ids.iter().any(|own| own == id) { format!("{team}.{id}") } else { id.to_owned() };
            let input = |input: OutputRef| OutputRef { component: full(&input.component), ..input };
            let inputs = component.inputs.into_iter().map(input).collect();
            Component { id: full(&component.id), inputs, ..component }
        };
        self.sources.extend(own.sources.into_iter().map(named));
        self.transforms.extend(own.transforms.into_iter().map(named));
        self.sinks.extend(own.sinks.into_iter().map(named));
        self.tests.extend(own.tests.into_iter().map(|mut test| {
            test.settings.iter_mut().for_each(|(key, value)| rename(key, value, team));
            test
        }));
    }

    /// The team that a component is of.
    pub fn team_of(id: &str) -> Option<&str> {
        id.split_once('.').map(|(team, _)| team)
    }

    /// Takes the components of a team out. Its tests stay: a plan that is built to run has no use for any.
    fn remove_team(&mut self, team: &str) {
        for components in [&mut self.sources, &mut self.transforms, &mut self.sinks] {
            components.retain(|component| Self::team_of(&component.id) != Some(team));
        }
    }
}

/// The settings of a test that name components.
fn rename(key: &str, value: &mut toml::Value, team: &str) {
    let names = ["insert_at", "extract_from", "no_outputs_from"].contains(&key);
    match value {
        toml::Value::String(name) if names => *name = format!("{team}.{name}"),
        toml::Value::Array(items) => items.iter_mut().for_each(|item| rename(key, item, team)),
        toml::Value::Table(table) if key != "log_fields" => {
            table.iter_mut().for_each(|(key, value)| rename(key, value, team));
        }
        _ => {}
    }
}

/// What the platform exports, with the settings that say it.
pub(super) fn exports(globals: &toml::Table) -> BTreeMap<String, String> {
    let teams = globals.get("teams").and_then(toml::Value::as_table);
    let mut exports = BTreeMap::new();
    for (team, settings) in teams.into_iter().flatten() {
        let names = settings.get("exports").and_then(toml::Value::as_array);
        for (at, name) in names.into_iter().flatten().enumerate() {
            let setting = format!("teams.{team}.exports[{at}]");
            name.as_str().map(|name| exports.entry(name.to_owned()).or_insert(setting));
        }
    }
    exports
}

#[cfg(test)]
mod tests;
