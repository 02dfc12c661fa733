//! TOML files -> a checked [`Plan`], or every fault of every file at once.
//!
//! ```text
//! read -> parse -> secrets -> interpolate -> merge -> check against schemas -> judge -> connect -> plan
//! ```
//!
//! No phase stops at a fault: it reports, leaves a gap, and the later ones pass over the gap. Only `document` touches the disk, and the
//! component types' checks for the files that settings name (all are kept in [`Files`]); the environment, the component types and the
//! memory budget are passed in. Only [`load_to_run`] asks secret backends; [`load`] has stand-ins for what they hold.

mod assemble;
mod cases;
mod catalogue;
mod check;
mod claims;
mod describe;
mod document;
mod draft;
mod enrichment;
mod global_changes;
mod global_scrub;
mod globals;
mod graph;
mod idle;
mod interpolate;
mod judge;
mod last_good;
mod literal;
mod merge;
mod moved;
mod plain;
mod plan;
mod privacy;
pub mod probe;
mod quantity;
mod resolved;
mod schema;
mod secret;
mod shelves;
mod teams;
mod tree;
mod whole;

pub use cases::{Case, CaseInput, CaseOutput};
pub use catalogue::{Budget, Catalogue, Check, Claims, ComponentType, Kind, Outputs};
pub use describe::{Description, Setting, describe, describe_globals};
pub use enrichment::{EnrichmentTable, TableEncoding, TableFile};
pub use global_changes::{GlobalChange, global_changes, in_force};
pub use global_scrub::GlobalScrub;
pub use globals::{ApiSettings, Globals};
pub use interpolate::Environment;
pub use last_good::LastGood;
pub use moved::{LIST, Moved, Of, Verdict, moved};
pub use plan::{Component, OutputRef, Plan, Section};
pub use quantity::parse_duration;
pub use resolved::{Origin, Resolved, resolved};
pub use secret::{Backend, VaultSettings, keep_token};
pub use shelves::{Memory, Shelves};
pub use teams::{Team, TeamSettings};
pub use whole::whole_schema;

pub use crate::component::files::{Digest, Files, Input};
pub use crate::component::size::{ByteSize, parse_size, show_size};

use crate::diagnostic::{Code, Diagnostic, FileId, Report, Sources};
use assemble::Scope;
use last_good::Kept;
use std::path::PathBuf;
use teams::Ground;

/// What the files are judged by.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The component types.
    pub catalogue: &'a dyn Catalogue,
    /// The variables.
    pub environment: Environment<'a>,
    /// The memory.
    pub budget: &'a dyn Budget,
}

/// Files, their faults, and what they say if there is no error.
#[derive(Debug)]
pub struct Loaded {
    /// The texts, for showing faults; later phases may add faults of their own.
    pub sources: Sources,
    /// Every fault, in reading order.
    pub report: Report,
    /// None exactly if the report has errors. Teams are in it.
    pub plan: Option<Plan>,
    /// The teams, by name, with their own faults.
    pub teams: Vec<Team>,
    /// A warning for each sink that records reach as they came; also of a plan with other faults, where none of its
    /// components is missing.
    pub unscrubbed: Vec<Diagnostic>,
    /// The state folder, where that can be told; also of a configuration with faults.
    pub data_dir: Option<PathBuf>,
    /// What the plan was made of, if there is one and it is to run.
    pub kept: Option<LastGood>,
    /// What ran before.
    before: Option<LastGood>,
    files: Files,
}

impl Loaded {
    /// Every file that was looked at, with what it held: configuration, programs, certificates. Also where a fault
    /// leaves no plan, so that whoever watches them sees the repair.
    pub fn inputs(&self) -> Vec<Input> {
        // Where what ran last of a team runs on, its files hold something else.
        let mut inputs: Vec<_> = self.teams.iter().flat_map(|team| team.inputs.clone()).collect();
        for input in self.files.inputs() {
            if !inputs.iter().any(|known| known.path == input.path) {
                inputs.push(input);
            }
        }
        inputs
    }

    /// All faults, those of the teams among them.
    pub fn faults(&self) -> Report {
        let mut all = self.report.clone();
        self.teams.iter().for_each(|team| all.append(team.report.clone()));
        all.sort();
        all
    }

    /// A component of a team of `plan`, which was loaded to run, cannot be built: what of the team ran before takes its
    /// place, judged by the same `rules`; without such, nothing of it.
    pub fn fall_back(&mut self, plan: &mut Plan, team: &str, rules: Rules<'_>) {
        let Some(team) = self.teams.iter_mut().find(|known| known.name == team) else { return };
        let ground = Ground { rules, purpose: Purpose::Run, before: self.before.as_ref() };
        teams::fall_back(team, plan, &ground, &mut self.sources);
        if let Some(kept) = &mut self.kept {
            kept.keep_team(&team.name, team.kept());
        }
    }

    /// The folder of the teams and the pattern of their files, for whoever watches them.
    pub fn team_paths(&self) -> Vec<PathBuf> {
        let globals = self.plan.as_ref().and_then(|plan| plan.globals.read::<Globals>().ok());
        let Some(folder) = globals.and_then(|globals| globals.teams_dir) else { return Vec::new() };
        let pattern = PathBuf::from(glob::Pattern::escape(&folder.to_string_lossy())).join("*/*.toml");
        vec![folder, pattern]
    }
}

/// Whether secret backends are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Check,
    /// All but commands are asked.
    Probe,
    Run,
}

/// Reads files, folders and patterns, and makes a plan of them. Secrets have stand-ins: no backend is asked.
pub fn load(paths: &[PathBuf], rules: Rules<'_>) -> Loaded {
    load_for(paths, (rules, Purpose::Check, None))
}

/// The same, with the secrets that can be had without running a command: for asking destinations.
pub fn load_to_probe(paths: &[PathBuf], rules: Rules<'_>) -> Loaded {
    load_for(paths, (rules, Purpose::Probe, None))
}

/// The same, with all secrets: runs the commands and calls the servers that hold them, each with its time limit. What ran
/// `before` runs on for teams with faults; at a start the state folder tells that.
pub fn load_to_run(paths: &[PathBuf], rules: Rules<'_>, before: Option<&LastGood>) -> Loaded {
    load_for(paths, (rules, Purpose::Run, before))
}

/// Makes a plan of a configuration that ran before. Secrets and files that hold keys are those of now.
pub fn load_kept(kept: &LastGood, rules: Rules<'_>) -> Loaded {
    let (files, mut sources) = (Files::default(), Sources::default());
    let documents = kept.platform.restore(&files, &mut sources);
    plan_files((&documents, files), sources, Report::default(), (rules, Purpose::Run, Some(kept)))
}

type Terms<'a> = (Rules<'a>, Purpose, Option<&'a LastGood>);

fn load_for(paths: &[PathBuf], terms: Terms<'_>) -> Loaded {
    let mut sources = Sources::default();
    let mut report = Report::default();
    let files = Files::default();
    let documents = document::read(paths, (&files, &mut sources), &mut report);
    plan_files((&documents, files), sources, report, terms)
}

/// The files that `paths` name now, with what they hold.
pub fn documents(paths: &[PathBuf]) -> Vec<Input> {
    let files = Files::default();
    document::read(paths, (&files, &mut Sources::default()), &mut Report::default());
    files.inputs()
}

/// Makes a plan of texts, each with the name to show for it.
pub fn load_texts<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>, rules: Rules<'_>) -> Loaded {
    let mut sources = Sources::default();
    let files: Vec<_> = texts.into_iter().map(|(name, text)| sources.add(name, text)).collect();
    plan_files((&files, Files::default()), sources, Report::default(), (rules, Purpose::Check, None))
}

fn plan_files(
    (documents, files): (&[FileId], Files),
    mut sources: Sources,
    mut report: Report,
    (rules, purpose, before): Terms<'_>,
) -> Loaded {
    // What could not be read may say it.
    let is_all_read = !report.has_errors();
    let data_dir = last_good::data_dir(documents, &sources, rules.environment).filter(|_| is_all_read);
    if documents.is_empty() && !report.has_errors() {
        report.push(
            Diagnostic::new(Code::NoFile, "no configuration file is given").help("name a file, a folder or a pattern"),
        );
    }
    let mut plan =
        assemble::assemble((documents, &files), (&mut sources, &mut report), (rules, purpose), &Scope::Platform);
    let (mut teams, mut platform) = (Vec::new(), Kept::default());
    let mut before = before.cloned();
    if let Some(plan) = &mut plan {
        assemble::within_budget(plan.components(), &plan.globals, rules.budget, &mut report);
        platform = Kept::of(documents, &sources, &files);
        if !report.has_errors() {
            let at_start = data_dir.as_ref().filter(|_| purpose == Purpose::Run && before.is_none());
            let on_disk = at_start.and_then(|folder| LastGood::read(folder).ok().flatten());
            before = before.or(on_disk);
            let ground = Ground { rules, purpose, before: before.as_ref() };
            teams = teams::attach(plan, &ground, &mut sources, &mut report);
        }
        if !report.has_errors() {
            judge::something_to_do(plan, rules.catalogue, &mut report);
        }
    }
    let unscrubbed = plan.as_ref().map(privacy::unscrubbed).unwrap_or_default();
    let plan = plan.filter(|_| !report.has_errors());
    report.sort();
    let of_teams = teams.iter().filter_map(|team| Some((team.name.clone(), team.kept()?.clone())));
    let kept = LastGood { platform, teams: of_teams.collect() };
    let kept = Some(kept).filter(|_| purpose == Purpose::Run && plan.is_some());
    Loaded { sources, report, plan, teams, unscrubbed, data_dir, kept, before, files }
}

#[cfg(test)]
mod tests;
