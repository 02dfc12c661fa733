//! `levada explain`: what a code of a fault means, with an example.

use std::process::ExitCode;

use super::USAGE;
use super::screen::say;
use crate::diagnostic::{Code, closest};

/// Tell what a fault code means, with an example; without a code, list them all.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// A code such as E018.
    code: Option<String>,
}

pub(super) fn explain(arguments: &Explain) -> ExitCode {
    let Some(written) = &arguments.code else {
        for code in Code::ALL {
            say(&format!("{code}  {}\n", code.meaning()));
        }
        return ExitCode::SUCCESS;
    };
    if let Some(code) = Code::of(written) {
        say(&format!("{}\n", code.explanation()));
        return ExitCode::SUCCESS;
    }
    let meant = closest(&written.to_uppercase(), Code::ALL.iter().map(|code| code.as_str()));
    let hint =
        meant.map_or_else(|| "`levada explain` lists them all".to_owned(), |name| format!("did you mean `{name}`?"));
    eprintln!("error: no fault has the code `{written}`; {hint}");
    ExitCode::from(USAGE)
}
