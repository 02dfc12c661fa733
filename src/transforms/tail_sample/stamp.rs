//! What spans and log records say of the decision that kept them.

use super::rules::Rules;
use super::traces::Trigger;
use crate::event::otlp::stamp::Stamp;
use crate::event::{Batch, Editor, Form, Path, View, json};
use crate::transforms::consistent::{Threshold, trace_state};

/// Why a record is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) rule: u16,
    pub(super) trigger: Trigger,
}

/// Where the rule and the trigger stand.
const RULE: &str = "sampling.rule";
const TRIGGER: &str = "sampling.trigger";

/// The batch, whose records have these marks. Bytes of OTLP records stay as they came but for what is put to their end.
/// A log record that is JSON stays as it is.
pub(super) fn stamped(batch: Batch, marks: &[Mark], rules: &Rules) -> Batch {
    let mut state = Vec::new();
    let mut batch = batch.rewritten(|number, record, out| {
        let mark = marks[number];
        let (rule, trigger) = (&*rules.0[usize::from(mark.rule)].name, mark.trigger.name());
        let is_new = record.form() == Form::Span && new_state(record, mark, rules, &mut state);
        let trace_state = is_new.then_some(state.as_slice());
        Stamp { attributes: &[(RULE, rule), (TRIGGER, trigger)], trace_state }.write(record.form(), record.text(), out);
    });
    if batch.iter().any(|record| needs_overlay(record) != Overlay::None) {
        let mut records = batch.edit();
        for (number, mark) in marks.iter().enumerate() {
            overlay(&mut records, number, *mark, rules);
        }
    }
    batch
}

/// What an edit hides of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlay {
    None,
    Attributes,
    TraceState,
    Both,
}

fn needs_overlay(record: View<'_>) -> Overlay {
    if !record.form().is_otlp() {
        let is_span = record.form() == Form::Json && record.member(b"span_id").is_some() && is_timed(record);
        return if is_span { Overlay::Both } else { Overlay::None };
    }
    match (record.is_edited(b"attributes"), record.is_edited(b"trace_state")) {
        (false, false) => Overlay::None,
        (true, false) => Overlay::Attributes,
        (false, true) => Overlay::TraceState,
        (true, true) => Overlay::Both,
    }
}

fn is_timed(record: View<'_>) -> bool {
    record.member(b"duration").is_some() || record.member(b"start_time_unix_nano").is_some()
}

fn overlay(records: &mut Editor<'_>, number: usize, mark: Mark, rules: &Rules) {
    let needed = needs_overlay(records.get(number));
    let mut state = Vec::new();
    if matches!(needed, Overlay::TraceState | Overlay::Both) && new_state(records.get(number), mark, rules, &mut state)
    {
        records.set_member(number, b"trace_state", |out| json::quote(&state, out));
    }
    if matches!(needed, Overlay::Attributes | Overlay::Both) {
        let rule = &rules.0[usize::from(mark.rule)];
        for (key, value) in [(RULE, &*rule.name), (TRIGGER, mark.trigger.name())] {
            let path = Path::parse(&format!(r#".attributes."{key}""#)).expect("keys are constants");
            let mut text = Vec::new();
            json::quote(value.as_bytes(), &mut text);
            records.set(number, &path, &text);
        }
    }
}

/// The `tracestate` with the threshold of the rule; false if it says that already. A rule with a limit keeps a share that
/// nobody knows, so that no threshold would be true.
fn new_state(record: View<'_>, mark: Mark, rules: &Rules, state: &mut Vec<u8>) -> bool {
    let text = match record.facts() {
        Some(facts) => facts.trace_state.into_owned(),
        None => record.member(b"trace_state").map(|value| unquoted(&value)).unwrap_or_default(),
    };
    let (rule, said) = (&rules.0[usize::from(mark.rule)], trace_state::read(&text).threshold);
    let threshold = rule.limit.is_none().then(|| rule.threshold.max(said.unwrap_or(Threshold::ALL)));
    state.clear();
    trace_state::write(&text, threshold, state);
    threshold != said
}

fn unquoted(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(text) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        json::unescape(text, &mut out);
    }
    out
}
