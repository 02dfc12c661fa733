//! Ports, files and the standard input: what two components claim.

use super::catalogue::Catalogue;
use super::draft::Draft;
use super::globals::Globals;
use super::plan::{Component, Plan, Section};
use crate::component::claim::{Claim, Claimed, Clash, Transport};
use crate::diagnostic::{Code, Diagnostic, Place, Report};

/// A claim, with who has it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    who: String,
    place: Place,
    of: Claimed,
}

/// What the components of a plan and its door claim.
pub(super) fn of_plan(plan: &Plan, catalogue: &dyn Catalogue) -> Vec<Held> {
    let of = |component: &Component| {
        let found = catalogue.find(component.kind, &component.type_name)?;
        let who = format!("{} `{}`", component.kind.noun(), component.id);
        Some(held(&who, &component.section, (found.claims)(&component.section.settings)))
    };
    of_globals(&plan.globals).into_iter().chain(plan.components().filter_map(of).flatten()).collect()
}

/// What the door for health and metrics claims.
pub(super) fn of_globals(globals: &Section) -> Vec<Held> {
    let api = globals.read::<Globals>().ok().and_then(|globals| globals.api);
    let claim = |address| Claim::new("api.address", Claimed::Port(Transport::Tcp, address));
    held("`[api]`", globals, api.into_iter().map(|api| claim(api.address)).collect())
}

/// What a component on its way into the plan claims.
pub(super) fn of_draft(draft: &Draft) -> Vec<Held> {
    let Some(checked) = &draft.checked else { return Vec::new() };
    held(&draft.subject(), &checked.section, (checked.claims)(&checked.section.settings))
}

/// What is not known yet claims nothing.
fn held(who: &str, section: &Section, claims: Vec<Claim>) -> Vec<Held> {
    let known = claims.into_iter().filter(|claim| claim.setting.is_empty() || !section.has_stand_in(&claim.setting));
    let held =
        |claim: Claim| Held { who: who.to_owned(), place: section.place_of(&claim.setting).clone(), of: claim.of };
    known.map(held).collect()
}

/// Reports each of `own` that clashes with one before it, or with one of `others`, who were first.
pub(super) fn check(own: &[Held], others: &[Held], report: &mut Report) {
    for (at, later) in own.iter().enumerate() {
        let clash = |first: &Held| Some(fault(later, first, later.of.clashes(&first.of)?));
        if let Some(fault) = others.iter().chain(&own[..at]).find_map(clash) {
            report.push(fault);
        }
    }
}

/// How a clash is told.
struct Words {
    message: String,
    /// Of the later claim.
    here: String,
    /// Of the first.
    there: &'static str,
    help: &'static str,
}

fn fault(later: &Held, first: &Held, clash: Clash) -> Diagnostic {
    let Words { message, here, there, help } = words(later, first, clash);
    Diagnostic::new(Code::ClaimedTwice, message).at(&later.place, here).also(&first.place, there).help(help)
}

fn words(later: &Held, first: &Held, clash: Clash) -> Words {
    let (one, two) = (&first.who, &later.who);
    match clash {
        Clash::Port => {
            let who = if one == two { format!("{two} listens twice") } else { format!("{one} and {two} listen") };
            Words {
                message: format!("{who} on the same port"),
                here: "this port is taken".to_owned(),
                there: "it is taken here",
                help: "give one of them another port",
            }
        }
        Clash::Input => Words {
            message: format!("{one} and {two} read the standard input"),
            here: format!("a line that comes here never reaches {one}"),
            there: "it is read here too",
            help: "keep one, and name it in the `inputs` of all that want its records",
        },
        Clash::File => Words {
            message: format!("{one} and {two} write the same file"),
            here: "each would tear what the other writes".to_owned(),
            there: "it is written here too",
            help: "write to another path, or let one sink have the `inputs` of both",
        },
        Clash::Loop => {
            let is_writer = matches!(later.of, Claimed::Writes { .. });
            let ((writer, here), (reader, there)) = if is_writer {
                ((two, "it is written here"), (one, "and read here"))
            } else {
                ((one, "it is read here"), (two, "and written here"))
            };
            Words {
                message: format!("{writer} writes what {reader} reads"),
                here: here.to_owned(),
                there,
                help: "write to another path, or name it in `exclude` of the source: records could go round without end",
            }
        }
    }
}
