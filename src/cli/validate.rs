//! `levada validate`: every fault of a configuration at once.

use std::process::ExitCode;

use super::FAULTY;
use super::client::runtime;
use super::files::Given;
use super::screen::{self, Format};
use crate::config::{Kind, Plan};
use crate::topology::{Probed, probe};

/// Check a configuration: opens no socket, reads no data, unless `--probe` is given.
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    #[command(flatten)]
    given: Given,
    /// Ask each destination whether it is there and takes our credentials: at most 3 s, all at once, no record is sent.
    /// Secret backends are asked for them, but for commands.
    #[arg(long)]
    probe: bool,
    /// How faults are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn validate(arguments: &Validate) -> ExitCode {
    let files = arguments.given.files();
    let mut loaded = if arguments.probe { files.load_to_probe() } else { files.load() };
    for fault in std::mem::take(&mut loaded.unscrubbed) {
        loaded.report.push(fault);
    }
    screen::print_faults_as(arguments.format, &loaded);
    match &loaded.plan {
        Some(plan) if !loaded.faults().has_errors() => {
            if arguments.format == Format::Human {
                println!("valid: {}", summary(plan));
            }
            if arguments.probe && !ask(plan) { ExitCode::from(FAULTY) } else { ExitCode::SUCCESS }
        }
        _ => ExitCode::from(FAULTY),
    }
}

/// Asks the destinations; is every one of them there?
fn ask(plan: &Plan) -> bool {
    let answers = match runtime() {
        Ok(runtime) => runtime.block_on(probe(plan)),
        Err(why) => {
            eprintln!("error: {why}");
            return false;
        }
    };
    for Probed { id, answer, has_credentials } in &answers {
        let remark = if *has_credentials { "" } else { " (asked without the secrets that a command would give)" };
        match answer {
            Ok(said) => println!("probe of `{id}`: {said}{remark}"),
            Err(why) => println!("probe of `{id}` FAILED: {why}{remark}"),
        }
    }
    answers.iter().all(|probed| probed.answer.is_ok())
}

fn summary(plan: &Plan) -> String {
    let count = |kind: Kind| {
        let count = plan.components().filter(|component| component.kind == kind).count();
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {}{plural}", kind.noun())
    };
    Kind::ALL.map(count).join(", ")
}
