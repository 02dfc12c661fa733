//! The command line: one file per verb. Only this room prints or exits.
//!
//! Exit codes: 0 it went well, 1 the thing asked about is faulty, 2 the arguments are, 70 an error of our own.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the room that prints")]

mod buffer;
mod client;
mod completions;
mod config;
mod dead_letters;
mod demo;
mod explain;
mod files;
mod generate_schema;
mod graph;
mod init;
mod list;
mod log;
mod pause;
mod positions;
mod reload;
mod replay;
mod run;
mod screen;
mod scrub;
mod status;
mod tailed;
mod tap;
mod test;
mod top;
mod validate;
mod vrl;
mod why_not;

use std::panic::{catch_unwind, set_hook, take_hook};
use std::process::ExitCode;

use clap::error::ContextKind;
use clap::{Parser, Subcommand};

use crate::lang::panic_is_a_fault;

/// Exit code where the thing asked about is faulty.
const FAULTY: u8 = 1;
/// Exit code where the arguments are; that of the parser, too.
const USAGE: u8 = 2;
/// Exit code of an error of our own (`EX_SOFTWARE` of sysexits(3)).
const INTERNAL: u8 = 70;

/// A telemetry agent that carries bytes, not trees.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Line {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Without a verb it runs.
    #[command(flatten)]
    run: run::Run,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Validate(validate::Validate),
    Test(test::Test),
    Reload(reload::Reload),
    Status(status::Status),
    Top(top::Top),
    Tap(tap::Tap),
    Buffer(buffer::Buffer),
    DeadLetters(dead_letters::DeadLetters),
    Replay(replay::Replay),
    Files(tailed::Tailed),
    WhyNot(why_not::WhyNot),
    Positions(positions::Positions),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Init(init::Init),
    Vrl(vrl::Vrl),
    Scrub(scrub::Scrub),
    List(list::List),
    Graph(graph::Graph),
    Config(config::Config),
    GenerateSchema(generate_schema::GenerateSchema),
    Explain(explain::Explain),
    Completions(completions::Completions),
    /// Show Levada at work on logs it makes itself: no file, server or option needed.
    Demo(demo::DemoArguments),
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let loud = take_hook();
    set_hook(Box::new(move |panic| {
        if !panic_is_a_fault() {
            loud(panic);
        }
    }));
    let done = catch_unwind(|| {
        let Line { verb, run } = match Line::try_parse() {
            Ok(line) => line,
            Err(fault) => return refuse(&fault),
        };
        match verb.unwrap_or(Verb::Run(run)) {
            Verb::Run(arguments) => run::run(&arguments),
            Verb::Validate(arguments) => validate::validate(&arguments),
            Verb::Reload(arguments) => reload::reload(&arguments),
            Verb::Status(arguments) => status::status(&arguments),
            Verb::Top(arguments) => top::top(&arguments),
            Verb::Tap(arguments) => tap::tap(&arguments),
            Verb::Files(arguments) => tailed::files(&arguments),
            Verb::WhyNot(arguments) => why_not::why_not(&arguments),
            Verb::Positions(arguments) => positions::positions(&arguments),
            Verb::DeadLetters(arguments) => dead_letters::dead_letters(&arguments),
            Verb::Replay(arguments) => replay::replay(&arguments),
            Verb::Pause(arguments) => pause::pause(&arguments),
            Verb::Resume(arguments) => pause::resume(&arguments),
            Verb::Test(arguments) => test::test(&arguments),
            Verb::Scrub(arguments) => scrub::scrub(&arguments),
            Verb::Buffer(arguments) => buffer::buffer(&arguments),
            Verb::Init(arguments) => init::init(&arguments),
            Verb::Vrl(arguments) => vrl::vrl(&arguments),
            Verb::List(arguments) => list::list(&arguments),
            Verb::Config(arguments) => config::config(&arguments),
            Verb::GenerateSchema(arguments) => generate_schema::generate_schema(&arguments),
            Verb::Graph(arguments) => graph::graph(&arguments),
            Verb::Completions(arguments) => completions::completions(&arguments),
            Verb::Explain(arguments) => explain::explain(&arguments),
            Verb::Demo(arguments) => demo::demo(&arguments),
        }
    });
    done.unwrap_or(ExitCode::from(INTERNAL))
}

/// Says what the parser has to say; whoever names a file where a verb stands is told of `--config`.
fn refuse(fault: &clap::Error) -> ExitCode {
    let named = fault.get(ContextKind::InvalidSubcommand).map(ToString::to_string);
    if let Some(file) = named.filter(|name| std::path::Path::new(name).extension().is_some_and(|is| is == "toml")) {
        return failed(&format!("`{file}` is no verb; a configuration is run by `levada --config {file}`"), USAGE);
    }
    // Help and the version are no faults: they are printed, and the code is 0. Whoever reads may have gone.
    let _gone = fault.print();
    ExitCode::from(u8::try_from(fault.exit_code()).unwrap_or(USAGE))
}

/// Says why a verb failed.
fn failed(why: &str, code: u8) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::{Line, Verb};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_arguments_are_well_formed() {
        Line::command().debug_assert();
    }

    #[test]
    fn the_verb_run_may_be_left_out() {
        let parse = |line: &str| Line::try_parse_from(line.split(' '));
        assert!(parse("levada").unwrap().verb.is_none());
        assert_eq!(parse("levada --config a b -c c").unwrap().run.files.config.len(), 3);
        assert!(matches!(parse("levada run -c a").unwrap().verb, Some(Verb::Run(run)) if run.files.config.len() == 1));
        assert!(matches!(parse("levada validate -c a").unwrap().verb, Some(Verb::Validate(_))));
        let fault = parse("levada demo --to localhost").unwrap_err();
        assert!(fault.to_string().contains("`localhost` is no address: expected `http://host:port`"), "{fault}");
        assert_eq!(parse("levada --no-such-option").unwrap_err().exit_code(), i32::from(super::USAGE));
        assert_eq!(parse("levada --version").unwrap_err().exit_code(), 0);
    }
}
