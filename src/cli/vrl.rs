//! `levada vrl`: runs a program on sample records.

use std::io::{BufRead, BufReader, Read, stdin};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::screen::say;
use super::{FAULTY, USAGE};
use crate::component::clock;
use crate::component::files::Files;
use crate::event::{Batch, Seen};
use crate::lang::{self, Outcome, Program, Row, Runner, Tables, TimeZone};

/// Run a VRL program on sample records: a line in, a record out, as `remap` would leave it.
#[derive(Debug, clap::Args)]
pub(super) struct Vrl {
    /// The program.
    #[arg(required_unless_present = "program_file", conflicts_with = "program_file")]
    program: Option<String>,
    /// A file with the program.
    #[arg(short, long = "program", value_name = "FILE")]
    program_file: Option<PathBuf>,
    /// A file with records, a line each: JSON objects, or text that becomes `message`; standard input if not given.
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The zone of timestamps without an offset, such as `Europe/Lisbon`.
    #[arg(short = 'z', long, value_name = "ZONE")]
    timezone: Option<String>,
}

pub(super) fn vrl(arguments: &Vrl) -> ExitCode {
    match prepare(arguments) {
        Ok((program, records)) => run(&program, records),
        Err((code, why)) => {
            eprintln!("error: {why}");
            ExitCode::from(code)
        }
    }
}

type Lines = BufReader<Box<dyn Read>>;

/// The program, ready to run, and where records come from; or why not, with the exit code.
fn prepare(arguments: &Vrl) -> Result<(Program, Lines), (u8, String)> {
    let cannot = |path: &PathBuf, error: std::io::Error| (USAGE, format!("cannot read `{}`: {error}", path.display()));
    let source = match (&arguments.program, &arguments.program_file) {
        (Some(program), _) => program.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| cannot(path, error))?,
        (None, None) => String::new(),
    };
    let timezone = match &arguments.timezone {
        None => TimeZone::default(),
        Some(name) => TimeZone::parse(name).ok_or_else(|| (USAGE, format!("`{name}` is no time zone")))?,
    };
    let tables = Tables::default().reading(Arc::new(Files::default()));
    let program = lang::compile_with(&source, timezone, &tables).map_err(|faults| {
        let pictures: Vec<_> = faults.iter().map(|fault| fault.rendered.trim_end().to_owned()).collect();
        (FAULTY, format!("the program does not compile\n{}", pictures.join("\n")))
    })?;
    let records: Box<dyn Read> = match &arguments.input {
        Some(path) => Box::new(std::fs::File::open(path).map_err(|error| cannot(path, error))?),
        None => Box::new(stdin()),
    };
    Ok((program, BufReader::new(records)))
}

fn run(program: &Program, mut records: Lines) -> ExitCode {
    let (mut runner, mut line, mut number, mut failed) = (Runner::new(), Vec::new(), 0_u64, false);
    loop {
        line.clear();
        number += 1;
        match records.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                eprintln!("error: cannot read records: {error}");
                return ExitCode::from(FAULTY);
            }
        }
        let seen = Seen { position: number, time: clock::now() };
        match apply(&mut runner, program, line.strip_suffix(b"\n").unwrap_or(&line), seen) {
            Ok(text) => say(&text),
            Err(why) => {
                failed = true;
                eprintln!("line {number}: {why}");
            }
        }
    }
    if failed { ExitCode::from(FAULTY) } else { ExitCode::SUCCESS }
}

/// What the program leaves of the record, a line for each.
fn apply(runner: &mut Runner, program: &Program, line: &[u8], seen: Seen) -> Result<String, String> {
    let mut batch = Batch::of_object(line, seen).unwrap_or_else(|_| Batch::of_line(line, seen));
    let mut text = Vec::new();
    match runner.run(program, &mut Row::new(&mut batch.edit(), 0)) {
        Outcome::Changed | Outcome::Unchanged => {
            batch.get(0).write_json(&mut text);
            text.push(b'\n');
        }
        Outcome::Many => runner.parts().for_each(|part| {
            text.extend_from_slice(part);
            text.push(b'\n');
        }),
        // Without a word of its own an `abort` says just that.
        Outcome::Aborted(why) if why == "aborted" => return Err(why),
        Outcome::Aborted(why) => return Err(format!("aborted: {why}")),
        Outcome::Failed(why) => return Err(format!("failed: {why}")),
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
