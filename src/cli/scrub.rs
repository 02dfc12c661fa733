//! `levada scrub`: the scrubber as a filter for lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use super::screen::say;
use super::{FAULTY, USAGE};
use crate::component::meters::{Families, Label};
use crate::config::GlobalScrub;
use crate::transforms::scrub::{Finding, Profile, ScrubSettings, Scrubber};

/// Mask personal data and secrets in lines of JSON or text: one line out for each line in.
#[derive(Debug, clap::Args)]
pub(super) struct Scrub {
    /// The profile: `levada list scrub` shows them.
    #[arg(long, value_name = "NAME", conflicts_with = "settings")]
    profile: Option<String>,
    /// A TOML file with the settings of a `scrub`, or a configuration with a table `[scrub]`.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Show what is masked, by which rule and why, instead of the lines.
    #[arg(long, conflicts_with = "report")]
    explain: bool,
    /// Show how often each field is masked by which rule, instead of the lines.
    #[arg(long)]
    report: bool,
}

pub(super) fn scrub(arguments: &Scrub) -> ExitCode {
    let mut scrubber = match scrubber(arguments) {
        Ok(scrubber) => scrubber,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(USAGE);
        }
    };
    let done = if arguments.report { report(&mut scrubber) } else { filter(&mut scrubber, arguments.explain) };
    match done {
        // Whoever reads the lines has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(FAULTY)
        }
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn scrubber(arguments: &Scrub) -> Result<Scrubber, String> {
    let label = Label { id: "scrub".to_owned(), kind: "transform", type_name: "scrub" };
    let meters = Families::default().meters(&label);
    if let Some(path) = &arguments.settings {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let settings = settings(&text).map_err(|why| format!("`{}`: {why}", path.display()))?;
        return Scrubber::new(&settings, meters);
    }
    let profile = match arguments.profile.as_deref() {
        None => Profile::default(),
        Some(name) => Profile::named(name).ok_or_else(|| {
            let names: Vec<_> = Profile::ALL.iter().map(|profile| profile.name()).collect();
            format!("there is no profile `{name}`; there are {}", names.join(", "))
        })?,
    };
    Ok(Scrubber::of_profile(profile, meters))
}

/// The settings in a file: those of a `scrub`, bare or under `[scrub]`. `exempt` names sources, of which there are none here.
fn settings(text: &str) -> Result<ScrubSettings, String> {
    let message = |error: toml::de::Error| error.message().to_owned();
    let mut table: toml::Table = text.parse().map_err(message)?;
    let table = match table.remove("scrub") {
        Some(toml::Value::Table(scrub)) => scrub,
        Some(_) => return Err("`scrub` is no table, expected `[scrub]`".to_owned()),
        None => table,
    };
    let scrub: GlobalScrub = table.try_into().map_err(message)?;
    scrub.settings()
}

/// Calls `with` for each line, without its end.
fn each_line(mut with: impl FnMut(u64, &[u8], &[u8]) -> io::Result<()>) -> io::Result<()> {
    let (mut lines, mut line, mut number) = (BufReader::new(stdin().lock()), Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        with(number, text, &line[text.len()..])?;
        line.clear();
    }
    Ok(())
}

fn filter(scrubber: &mut Scrubber, explain: bool) -> io::Result<()> {
    let (mut out, mut masked) = (io::BufWriter::new(stdout().lock()), Vec::new());
    each_line(|number, line, end| {
        masked.clear();
        if !explain {
            let is_masked = scrubber.line(line, &mut masked);
            out.write_all(if is_masked { &masked } else { line })?;
            return out.write_all(end);
        }
        for Finding { path, rule, why, action } in scrubber.explain(line, &mut masked) {
            writeln!(out, "{number}: {path} {action} by {rule}: {why}")?;
        }
        Ok(())
    })?;
    out.flush()
}

fn report(scrubber: &mut Scrubber) -> io::Result<()> {
    let (mut counts, mut masked, mut lines, mut touched) = (BTreeMap::new(), Vec::new(), 0_u64, 0_u64);
    each_line(|_, line, _| {
        masked.clear();
        let findings = scrubber.explain(line, &mut masked);
        lines += 1;
        touched += u64::from(!findings.is_empty());
        for finding in findings {
            *counts.entry((without_numbers(&finding.path), finding.rule, finding.action)).or_insert(0_u64) += 1;
        }
        Ok(())
    })?;
    say(&format!("{:<40} {:<20} {:<12} {:>10}\n", "FIELD", "RULE", "ACTION", "VALUES"));
    for ((path, rule, action), count) in counts {
        say(&format!("{path:<40} {rule:<20} {action:<12} {count:>10}\n"));
    }
    say(&format!("{lines} lines, {touched} of them with something masked\n"));
    Ok(())
}

/// The path with `[]` for each element of a list: they are one field.
fn without_numbers(path: &str) -> String {
    let mut field = String::new();
    for (at, part) in path.split('[').enumerate() {
        match part.split_once(']') {
            Some((number, rest)) if at > 0 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                field.extend(["[]", rest]);
            }
            _ if at > 0 => field.extend(["[", part]),
            _ => field.push_str(part),
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::{settings, without_numbers};

    #[test]
    fn the_filter_takes_the_table_of_the_configuration() {
        for text in [
            "profile = 'ru'\nexempt = ['app']",
            "[scrub]\nprofile = 'ru'\nexempt = ['app']",
            "data_dir = '/x'\n[scrub]\nprofile = 'ru'",
        ] {
            assert!(settings(text).is_ok(), "{text}");
        }
        for text in ["scrub = 1", "profil = 'ru'", "[scrub]\nexempt = 1", "["] {
            assert!(settings(text).is_err(), "{text}");
        }
    }

    #[test]
    fn elements_of_a_list_are_one_field() {
        assert_eq!(without_numbers(".items[12].mail[0]"), ".items[].mail[]");
        assert_eq!(without_numbers(".a[b].c"), ".a[b].c");
    }
}
