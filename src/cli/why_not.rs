//! `levada why-not`: why the logs of a file or a pod are absent.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use super::client::{Which, runtime};
use super::screen::say;
use super::{FAULTY, failed};
use crate::admin::{Finding, Sight, Subject, Why, why};
use crate::topology::inspect;

/// Say why the logs of a file or a pod are absent. Asks the running agent; where none listens, the configuration tells what
/// one would do, and files are looked at by the rights of whoever asks.
#[derive(Debug, clap::Args)]
pub(super) struct WhyNot {
    /// A path, or a pod as `NAMESPACE/POD` or a part of its name. A path begins with `/` or `.`, or is there.
    #[arg(value_name = "PATH|POD")]
    subject: String,
    #[command(flatten)]
    which: Which,
    /// A JSON object instead.
    #[arg(long)]
    json: bool,
}

pub(super) fn why_not(arguments: &WhyNot) -> ExitCode {
    match ask(&arguments.which, &subject(&arguments.subject)) {
        Ok(answer) => {
            say(&if arguments.json { format!("{}\n", serde_json::json!(answer)) } else { page(&answer) });
            ExitCode::from(if answer.is_kept() { FAULTY } else { 0 })
        }
        Err(why) => failed(&why, FAULTY),
    }
}

fn subject(text: &str) -> Subject {
    let path = Path::new(text);
    let is_path = text.starts_with(['/', '.']) || std::fs::symlink_metadata(path).is_ok();
    match std::path::absolute(path) {
        Ok(path) if is_path => Subject::Path(path),
        _ => Subject::Pod(text.to_owned()),
    }
}

fn ask(which: &Which, subject: &Subject) -> Result<Why, String> {
    let agent = which.agent()?;
    if agent.is_there() {
        return runtime()?.block_on(agent.post("/why", subject));
    }
    let (plan, folder) = which.plan()?;
    let sights = inspect(&plan, &folder).into_iter().map(|source| Sight { source, discarded: Vec::new() });
    Ok(why(subject, &sights.collect::<Vec<_>>(), false))
}

fn page(answer: &Why) -> String {
    let mut text = String::new();
    if !answer.is_live {
        let uid = answer.uid;
        let _ = writeln!(text, "no agent listens: from the configuration alone, files looked at as user {uid}\n");
    }
    for file in &answer.files {
        let _ = writeln!(text, "{}", file.subject);
        for Finding { source, text: words, next, .. } in &file.findings {
            let source = source.as_ref().map_or_else(String::new, |source| format!("source `{source}`: "));
            let _ = writeln!(text, "  {source}{words}");
            if let Some(next) = next {
                let _ = writeln!(text, "    = next: {next}");
            }
        }
    }
    text
}
