//! Runs programs on records, one after another, with memory that is used again.

use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, ExpressionError, TimeZone};
use vrl::diagnostic::{DiagnosticMessage, Note};
use vrl::value::Value;

use super::allowance;
use super::compile::{Body, Condition, Program};
use super::fields::{Fields, FieldsMut, Side};
use super::plane::{Commit, Plane, Scratch};
use super::target::Lazy;

/// What a program did to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The record changed.
    Changed,
    /// The record is as it was, byte for byte: the program wrote nothing, or nothing new.
    Unchanged,
    /// The program made a list of the record: each of [`Runner::parts`] is a record of its own in place of this one.
    Many,
    /// The program said `abort`; the record is as it was.
    Aborted(String),
    /// The program failed; the record is as it was.
    Failed(String),
}

/// The state that one lane needs to run programs. Any program can run on any runner.
#[derive(Default)]
pub struct Runner {
    variables: RuntimeState,
    event: Plane,
    metadata: Plane,
    scratch: Scratch,
}

/// Why a run has no result.
enum Stop {
    Abort(String),
    Error(String),
    /// A member could not be read as VRL reads it.
    Unreadable(String),
}

impl Runner {
    /// A runner with nothing in it yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a program on a record. The record changes only if the program ends well.
    pub fn run<F: FieldsMut>(&mut self, program: &Program, fields: &mut F) -> Outcome {
        if let Some(rest) = &program.rest
            && fields.parse_message()
        {
            match self.resolve(rest, program.timezone, fields) {
                Ok(_) => {
                    let outcome = self.commit(rest, fields);
                    return if outcome == Outcome::Unchanged { Outcome::Changed } else { outcome };
                }
                Err(stop) => {
                    fields.restore_message();
                    // What cannot be read here makes `parse_json` fail: the whole program says so in its own words.
                    if !matches!(stop, Stop::Unreadable(_)) {
                        return stop.into();
                    }
                }
            }
        }
        match self.resolve(&program.full, program.timezone, fields) {
            Ok(_) => self.commit(&program.full, fields),
            Err(stop) => stop.into(),
        }
    }

    /// Whether a record meets a condition.
    ///
    /// # Errors
    ///
    /// The message of a condition that failed or aborted; Vector counts such a record as not meeting it.
    pub fn check<F: Fields>(&mut self, condition: &Condition, fields: &F) -> Result<bool, String> {
        match self.resolve(&condition.body, condition.timezone, fields) {
            Ok(value) => Ok(value == Value::Boolean(true)),
            Err(Stop::Abort(message) | Stop::Error(message) | Stop::Unreadable(message)) => Err(message),
        }
    }

    /// What a program gives, for tests; what it changes is forgotten.
    #[cfg(test)]
    pub(super) fn value_of<F: Fields>(&mut self, program: &Program, fields: &F) -> Result<Value, String> {
        self.resolve(&program.full, program.timezone, fields).map_err(|stop| match stop {
            Stop::Abort(message) | Stop::Error(message) | Stop::Unreadable(message) => message,
        })
    }

    /// The records that the last [`Outcome::Many`] made, each a JSON object.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.scratch.parts.iter().map(|range| &self.scratch.out[range.clone()])
    }

    fn resolve<F: Fields>(&mut self, body: &Body, timezone: TimeZone, fields: &F) -> Result<Value, Stop> {
        allowance::begin();
        self.variables.clear();
        self.event.reset(body.names.event.len());
        self.metadata.reset(body.names.metadata.len());
        let mut target = Lazy { fields, names: &body.names, event: &mut self.event, metadata: &mut self.metadata };
        let result = body.program.resolve(&mut Context::new(&mut target, &mut self.variables, &timezone));
        if let Some(fault) = self.event.fault().or(self.metadata.fault()) {
            return Err(Stop::Unreadable(fault.to_owned()));
        }
        let too_much = allowance::stopped().or_else(|| self.event.excess()).or_else(|| self.metadata.excess());
        if let Some(why) = too_much {
            return Err(Stop::Error(why.to_owned()));
        }
        match result {
            Ok(value) | Err(ExpressionError::Return { value, .. }) => Ok(value),
            Err(error @ ExpressionError::Error { .. }) => Err(Stop::Error(message(&error))),
            Err(error) => Err(Stop::Abort(message(&error))),
        }
    }

    fn commit<F: FieldsMut>(&mut self, body: &Body, fields: &mut F) -> Outcome {
        for (name, text) in &body.constants {
            fields.set(Side::Event, name.as_str(), text);
        }
        // The event comes last: its parts stay in the scratch space.
        let metadata = self.metadata.commit(fields, (Side::Metadata, &body.names.metadata), &mut self.scratch);
        match self.event.commit(fields, (Side::Event, &body.names.event), &mut self.scratch) {
            Commit::Many => Outcome::Many,
            Commit::Same if metadata == Commit::Same && body.constants.is_empty() => Outcome::Unchanged,
            _ => Outcome::Changed,
        }
    }
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Abort(message) => Self::Aborted(message),
            Stop::Error(message) | Stop::Unreadable(message) => Self::Failed(message),
        }
    }
}

/// The message that the author of the program chose (`assert!`), else VRL's.
pub(super) fn message(error: &ExpressionError) -> String {
    let chosen = error.notes().into_iter().rev().find(|note| matches!(note, Note::UserErrorMessage(_)));
    chosen.map_or_else(|| error.to_string(), |note| note.to_string())
}
