//! `remap`: changes records by a VRL program.
//!
//! **Guarantee.** A program that fails or aborts leaves the record as it was, byte for byte. Such a record goes on
//! (`drop_on_error = false`), is dropped and counted, or leaves by the output `ID.dropped` with the reason in
//! `.metadata.dropped` (`reroute_dropped`). A program that turns the root into a list makes one record of each element;
//! an empty list drops the record. **Limits.** Metadata (`%`) belongs to what records share: a program reads it, its
//! writes there have no effect. Records carry no secrets.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::notice::Notice;
use super::program::{self, Weight, Written};
use crate::component::files::{Files, Named};
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Editor, Outcome as Fate, Parts};
use crate::lang::{self, Dropped, Outcome, Program, Row, Runner, Tables, TimeZone, mark_dropped};

#[cfg(test)]
mod tests;

/// Changes records by a VRL program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemapSettings {
    /// The program. One of `source`, `file` and `files` must be set.
    source: Option<String>,
    /// A file that holds the program.
    file: Option<PathBuf>,
    /// Files that hold the program's parts, in this order.
    files: Option<Vec<PathBuf>>,
    /// Drop records on which the program fails; else they go on as they were.
    #[serde(default)]
    drop_on_error: bool,
    /// Drop records for which the program says `abort`; else they go on as they were.
    #[serde(default = "yes")]
    drop_on_abort: bool,
    /// Send dropped records to the output `dropped` instead of forgetting them.
    #[serde(default)]
    reroute_dropped: bool,
    /// What timestamps without an offset are read in: a name of the tz database, or `local`.
    timezone: Option<String>,
}

fn yes() -> bool {
    true
}

/// Name and number of the output for dropped records.
const DROPPED: (&str, usize) = ("dropped", 1);

impl RemapSettings {
    fn written(&self) -> Result<Written<'_>, Problem> {
        match (&self.source, &self.file, &self.files) {
            (Some(source), None, None) => Ok(Written::Here(source)),
            (None, Some(file), None) => Ok(Written::Files(vec![Named::new("file", file)])),
            (None, None, Some(files)) if !files.is_empty() => {
                let named = |(at, file): (usize, &PathBuf)| Named::new(format!("files[{at}]"), file);
                Ok(Written::Files(files.iter().enumerate().map(named).collect()))
            }
            (None, None, None | Some(_)) => {
                Err(Problem::new("", "no program: expected one of `source`, `file` and `files`"))
            }
            _ => Err(Problem::new("", "more than one program: expected only one of `source`, `file` and `files`")),
        }
    }

    fn timezone(&self) -> Result<TimeZone, Problem> {
        program::timezone(self.timezone.as_deref())
    }

    fn program(&self, files: &Files, tables: &Tables) -> Result<Program, String> {
        let message = |problem: Problem| problem.message;
        let timezone = self.timezone().map_err(message)?;
        let text = self.written().and_then(|written| written.read(files)).map_err(message)?;
        lang::compile_with(&text.source, timezone, tables).map_err(|faults| program::pictures(&text.name(), &faults))
    }

    /// What the compiler says of the program; of one that cannot be read it says nothing.
    fn faults(&self, written: &Written<'_>, files: &Files, tables: &Tables) -> Vec<Problem> {
        let text = match written.read(files) {
            Ok(text) => text,
            Err(problem) => return vec![problem],
        };
        match lang::compile_with(&text.source, self.timezone().unwrap_or_default(), tables) {
            Ok(program) => text.problems(program.warnings(), Weight::Warning),
            Err(faults) => text.problems(&faults, Weight::Error),
        }
    }
}

impl Settings for RemapSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "remap";
    const EXAMPLE: &'static str = r#"[transforms.parse]
type = "remap"
inputs = ["app"]
source = '''
. = object!(parse_json!(string!(.message)))
.env = "prod"
'''

[[tests]]
name = "a line of JSON becomes its members"
inputs = [{ insert_at = "parse", value = '{"level":"info"}' }]
outputs = [{ extract_from = "parse", expected = '{"level":"info","env":"prod"}' }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn outputs(&self) -> Vec<Option<String>> {
        let dropped = self.reroute_dropped.then(|| Some(DROPPED.0.to_owned()));
        [None].into_iter().chain(dropped).collect()
    }

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.timezone().err().into_iter().collect();
        match self.written() {
            Err(problem) => problems.push(problem),
            Ok(Written::Files(_)) => {}
            Ok(here) => problems.extend(self.faults(&here, &Files::default(), tables)),
        }
        problems
    }

    fn files(&self) -> Vec<Named> {
        match self.written() {
            Ok(Written::Files(named)) => named,
            _ => Vec::new(),
        }
    }

    fn check_files(&self, files: &Files, tables: &Tables) -> Vec<Problem> {
        let are_read = self.files().iter().all(|named| files.read(&named.path).is_ok());
        match self.written() {
            Ok(written @ Written::Files(_)) if are_read => self.faults(&written, files, tables),
            _ => Vec::new(),
        }
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let program = Arc::new(self.program(&context.files, &context.tables)?);
        let policy = Policy {
            drops_failed: self.drop_on_error,
            drops_aborted: self.drop_on_abort,
            reroutes: self.reroute_dropped,
        };
        let notice = Notice::new(&context.id, "program_failed", "the program failed on records");
        let shared = Arc::new(Common { program, policy, id: context.id, meters: context.meters, notice });
        Ok(Box::new(Remap { shared, runner: Runner::new(), leaving: Vec::new(), parts: Vec::new() }))
    }
}

/// What happens to records that the program does not like.
struct Policy {
    drops_failed: bool,
    drops_aborted: bool,
    reroutes: bool,
}

/// What all lanes share.
struct Common {
    program: Arc<Program>,
    policy: Policy,
    id: String,
    meters: Meters,
    notice: Notice,
}

/// A record that leaves.
struct Leaving {
    index: usize,
    reason: Reason,
    message: String,
}

struct Remap {
    shared: Arc<Common>,
    runner: Runner,
    /// In the order of the batch, as are the parts.
    leaving: Vec<Leaving>,
    parts: Vec<Parts>,
}

impl Transform for Remap {
    fn apply(&mut self, batch: &mut Batch, ports: &mut Ports) {
        let mut failed = 0;
        let mut records = batch.edit();
        for index in 0..records.len() {
            match self.runner.run(&self.shared.program, &mut Row::new(&mut records, index)) {
                Outcome::Changed | Outcome::Unchanged => {}
                Outcome::Many => self.fan_out(&mut records, index),
                Outcome::Aborted(message) => self.aborted(index, message),
                Outcome::Failed(message) => {
                    failed += 1;
                    self.failed(index, message);
                }
            }
        }
        self.shared.notice.count(&self.shared.meters, failed);
        if !self.parts.is_empty() {
            self.replace_by_parts(batch);
        }
        if !self.leaving.is_empty() {
            self.let_go(batch, ports);
        }
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self { shared: self.shared.clone(), runner: Runner::new(), leaving: Vec::new(), parts: Vec::new() })
    }
}

impl Remap {
    fn aborted(&mut self, index: usize, message: String) {
        if self.shared.policy.drops_aborted {
            self.leaving.push(Leaving { index, reason: Reason::Aborted, message });
        }
    }

    fn failed(&mut self, index: usize, message: String) {
        if self.shared.policy.drops_failed {
            self.leaving.push(Leaving { index, reason: Reason::ProgramFailed, message });
        }
    }

    fn fan_out(&mut self, records: &mut Editor<'_>, index: usize) {
        self.parts.push(records.derive(index, self.runner.parts()));
    }

    fn replace_by_parts(&mut self, batch: &mut Batch) {
        let empty = self.parts.iter().filter(|parts| parts.is_empty()).count();
        if empty > 0 {
            self.shared.meters.discarded(Reason::Discarded, empty);
            batch.note(Fate::Dropped, empty);
        }
        for leaving in &mut self.leaving {
            let before = self.parts.iter().take_while(|parts| parts.of() < leaving.index);
            let (places, records) = before.fold((0, 0), |(places, sum), parts| (places + 1, sum + parts.len()));
            leaving.index = leaving.index + records - places;
        }
        batch.substitute(self.parts.drain(..));
    }

    fn let_go(&mut self, batch: &mut Batch, ports: &mut Ports) {
        let mut next = self.leaving.iter().map(|leaving| leaving.index).peekable();
        let mut gone = batch.extract(|index, _| next.next_if_eq(&index).is_some());
        if self.shared.policy.reroutes {
            self.mark(&mut gone);
            ports.send(DROPPED.1, gone);
        } else {
            for reason in [Reason::Aborted, Reason::ProgramFailed] {
                let count = self.leaving.iter().filter(|leaving| leaving.reason == reason).count();
                self.shared.meters.discarded(reason, count);
            }
            gone.settle(Fate::Dropped);
        }
        self.leaving.clear();
    }

    fn mark(&self, gone: &mut Batch) {
        let mut records = gone.edit();
        for (index, leaving) in self.leaving.iter().enumerate() {
            let reason = if leaving.reason == Reason::Aborted { "abort" } else { "error" };
            let dropped = Dropped { reason, message: &leaving.message, component_id: &self.shared.id };
            mark_dropped(&mut Row::new(&mut records, index), &dropped);
        }
    }
}
