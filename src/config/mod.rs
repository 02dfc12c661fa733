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
mod describe;
mod document;
mod draft;
mod globals;
mod graph;
mod interpolate;
mod judge;
mod last_good;
mod literal;
mod merge;
mod plan;
mod quantity;
mod resolved;
mod schema;
mod secret;
mod shelves;
mod tree;
mod whole;

pub use cases::{Case, CaseInput, CaseOutput};
pub use catalogue::{Budget, Catalogue, Check, ComponentType, Kind, Outputs};
pub use describe::{Description, Setting, describe, describe_globals};
pub use globals::{ApiSettings, Globals};
pub use interpolate::Environment;
pub use last_good::LastGood;
pub use plan::{Component, OutputRef, Plan, Section};
pub use quantity::parse_duration;
pub use resolved::{Origin, Resolved, resolved};
pub use secret::{Backend, VaultSettings, keep_token};
pub use shelves::{Memory, Shelves};
pub use whole::whole_schema;

pub use crate::component::files::{Digest, Files, Input};
pub use crate::component::size::{ByteSize, parse_size, show_size};

use crate::diagnostic::{Code, Diagnostic, FileId, Report, Sources};
use last_good::Kept;
use std::path::PathBuf;

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
    /// None exactly if the report has errors.
    pub plan: Option<Plan>,
    /// The state folder, where that can be told; also of a configuration with faults.
    pub data_dir: Option<PathBuf>,
    /// What the plan was made of, if there is one and it is to run.
    pub kept: Option<LastGood>,
    files: Files,
}

impl Loaded {
    /// Every file that was looked at, with what it held: configuration, programs, certificates. Also where a fault
    /// leaves no plan, so that whoever watches them sees the repair.
    pub fn inputs(&self) -> Vec<Input> {
        self.files.inputs()
    }
}

/// Whether secret backends are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Check,
    Run,
}

/// Reads files, folders and patterns, and makes a plan of them. Secrets have stand-ins: no backend is asked.
pub fn load(paths: &[PathBuf], rules: Rules<'_>) -> Loaded {
    load_for(Purpose::Check, paths, rules)
}

/// The same, with secrets: runs the commands and calls the servers that hold them, each with its time limit.
pub fn load_to_run(paths: &[PathBuf], rules: Rules<'_>) -> Loaded {
    load_for(Purpose::Run, paths, rules)
}

/// Makes a plan of a configuration that ran before. Secrets and files that hold keys are those of now.
pub fn load_kept(kept: &LastGood, rules: Rules<'_>) -> Loaded {
    let (files, mut sources) = (Files::default(), Sources::default());
    let documents = kept.platform.restore(&files, &mut sources);
    plan_files((&documents, files), sources, Report::default(), (rules, Purpose::Run))
}

fn load_for(purpose: Purpose, paths: &[PathBuf], rules: Rules<'_>) -> Loaded {
    let mut sources = Sources::default();
    let mut report = Report::default();
    let files = Files::default();
    let documents = document::read(paths, (&files, &mut sources), &mut report);
    plan_files((&documents, files), sources, report, (rules, purpose))
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
    plan_files((&files, Files::default()), sources, Report::default(), (rules, Purpose::Check))
}

fn plan_files(
    (documents, files): (&[FileId], Files),
    mut sources: Sources,
    mut report: Report,
    rules: (Rules<'_>, Purpose),
) -> Loaded {
    // What could not be read may say it.
    let is_all_read = !report.has_errors();
    let data_dir = last_good::data_dir(documents, &sources, rules.0.environment).filter(|_| is_all_read);
    if documents.is_empty() && !report.has_errors() {
        report.push(
            Diagnostic::new(Code::NoFile, "no configuration file is given").help("name a file, a folder or a pattern"),
        );
    }
    let plan = assemble::assemble((documents, &files), &mut sources, &mut report, rules);
    let plan = plan.filter(|_| !report.has_errors());
    report.sort();
    let to_keep = rules.1 == Purpose::Run && plan.is_some();
    let kept = to_keep.then(|| LastGood { platform: Kept::of(documents, &sources, &files), ..LastGood::default() });
    Loaded { sources, report, plan, data_dir, kept, files }
}

#[cfg(test)]
mod tests;
