//! Which ways from a source to a sink pass no scrub, and whether `[scrub]` exempts what there is.

use std::collections::{BTreeSet, HashSet};

use super::globals::Globals;
use super::plan::{Component, Plan};
use crate::diagnostic::{Code, Diagnostic, Report};

/// The type of steps that scrub.
const SCRUB: &str = "scrub";

/// The type of sinks that keep nothing.
const NOWHERE: &str = "blackhole";

/// A warning for each sink that records reach as they came.
pub(super) fn unscrubbed(plan: &Plan) -> Vec<Diagnostic> {
    let scrub = plan.globals.read::<Globals>().ok().and_then(|globals| globals.scrub);
    let is_bare = |source: &&Component| scrub.as_ref().is_none_or(|scrub| scrub.exempt.contains(&source.id));
    let bare: Vec<_> = plan.sources.iter().filter(is_bare).map(|source| (source, reached(plan, source))).collect();
    let warning = |sink: &Component| {
        let from: Vec<_> = bare.iter().filter(|(_, reached)| reached.contains(sink.id.as_str())).collect();
        if from.is_empty() {
            return None;
        }
        let names: Vec<_> = from.iter().map(|(source, _)| format!("`{}`", source.id)).collect();
        let message = format!("records of {} reach sink `{}` without a scrub", names.join(", "), sink.id);
        let fault = Diagnostic::new(Code::Unscrubbed, message)
            .at(sink.section.place(), "personal data and secrets in them arrive here");
        Some(fault.help("`[scrub]` at the root masks them in everything, before anything else sees it"))
    };
    plan.sinks.iter().filter(|sink| sink.type_name != NOWHERE).filter_map(warning).collect()
}

/// The sinks that records of `source` reach past every scrub.
fn reached<'p>(plan: &'p Plan, source: &'p Component) -> BTreeSet<&'p str> {
    let (mut seen, mut open, mut sinks) =
        (HashSet::from([source.id.as_str()]), vec![source.id.as_str()], BTreeSet::new());
    while let Some(id) = open.pop() {
        let reads = |reader: &&Component| reader.inputs.iter().any(|input| input.component == id);
        sinks.extend(plan.sinks.iter().filter(reads).map(|sink| sink.id.as_str()));
        let steps = plan.transforms.iter().filter(reads).filter(|step| step.type_name != SCRUB);
        open.extend(steps.map(|step| step.id.as_str()).filter(|id| seen.insert(id)));
        // What a sink refused goes on from it.
        open.extend(plan.sinks.iter().filter(reads).map(|sink| sink.id.as_str()).filter(|id| seen.insert(id)));
    }
    sinks
}

/// Reports names in `[scrub] exempt` that no source has.
pub(super) fn check_exempt(plan: &Plan, report: &mut Report) {
    let Some(scrub) = plan.globals.read::<Globals>().ok().and_then(|globals| globals.scrub) else { return };
    for (at, name) in scrub.exempt.iter().enumerate() {
        if plan.sources.iter().any(|source| source.id == *name) {
            continue;
        }
        let fault =
            Diagnostic::new(Code::UnknownInput, format!("`scrub.exempt` names `{name}`, and no source has this name"));
        let fault = fault.at(plan.globals.place_of(&format!("scrub.exempt[{at}]")), "no source has this name");
        report.push(fault.suggest(name, plan.sources.iter().map(|source| source.id.as_str())));
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use crate::config::{Memory, Rules, Shelves, load_texts};
    use crate::diagnostic::{Code, Color, render_report};

    const PIPELINE: &str = "[sources.app]\ntype = 'file'\ninclude = ['/x/*.log']\n\
        [sources.other]\ntype = 'file'\ninclude = ['/y/*.log']\n\
        [transforms.private]\ntype = 'scrub'\ninputs = ['app', 'other']\n\
        [sinks.clean]\ntype = 'console'\ninputs = ['private']\nencoding.codec = 'json'\n\
        [sinks.raw]\ntype = 'console'\ninputs = ['other']\nencoding.codec = 'json'\n";

    fn messages(globals: &str) -> Vec<String> {
        let text = format!("{globals}\n{PIPELINE}");
        let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &Memory { default_limit: 1 << 30 } };
        let loaded = load_texts([("levada.toml", text.as_str())], rules);
        let (unscrubbed, others) = (loaded.unscrubbed.into_iter(), loaded.report.diagnostics().iter());
        let others = others.map(|fault| format!("{}: {}", fault.code, fault.message));
        unscrubbed.map(|fault| fault.message).chain(others).collect()
    }

    #[test]
    fn as_a_person_sees_it_beside_other_faults() {
        let text = PIPELINE.replace("inputs = ['other']", "inputs = ['other', 'none']");
        let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &Memory { default_limit: 1 << 30 } };
        let mut loaded = load_texts([("levada.toml", text.as_str())], rules);
        for fault in loaded.unscrubbed {
            loaded.report.push(fault);
        }
        assert_snapshot!(render_report(&loaded.report, &loaded.sources, Color::Never), @r#"
        error[E018]: unknown input `none` of sink `raw`
          --> levada.toml:16:20
           |
        16 | inputs = ['other', 'none']
           |                    ^^^^^^ no component and no output has this name
           |
           = help: the outputs are `app`, `other`, `private`, `private.dead_letter`, `clean.dead_letter`

        warning[W005]: records of `other` reach sink `raw` without a scrub
          --> levada.toml:14:1
           |
        14 | [sinks.raw]
           | ^^^^^^^^^^^ personal data and secrets in them arrive here
           |
           = help: `[scrub]` at the root masks them in everything, before anything else sees it

        1 error, 1 warning
        "#);
    }

    #[test]
    fn each_way_without_a_scrub_is_named() {
        assert_eq!(messages(""), ["records of `other` reach sink `raw` without a scrub"]);
        assert!(messages("[scrub]\nprofile = 'strict'").is_empty());
        let exempt = messages("[scrub]\nexempt = ['other', 'app']");
        assert_eq!(exempt, ["records of `other` reach sink `raw` without a scrub"]);
        let unknown = format!("{}: `scrub.exempt` names `othr`, and no source has this name", Code::UnknownInput);
        assert_eq!(messages("[scrub]\nexempt = ['othr']"), [unknown]);
        let faulty = messages("[scrub]\nprofil = 'strict'\npatterns = ['(']");
        assert_eq!(faulty.len(), 1, "{faulty:?}");
        assert!(messages("[scrub]\npatterns = ['(']")[0].contains("`scrub.patterns[0]`"));
    }
}
