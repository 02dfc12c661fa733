//! Patterns of the user: regular expressions without look-around and back-references, searched in time linear in
//! the text. Faults and limits show when the configuration is checked, not when a record passes.

use std::{error, fmt, ops::Range};

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::{Error, ParserBuilder};

/// Bytes a compiled pattern may take; a counted repetition of Unicode classes is what reaches it.
const PROGRAM_BYTES: usize = 1 << 20;
/// Bytes of the lazily built automaton per searching thread; beyond it the search gets slower, not wrong.
const AUTOMATON_BYTES: usize = 1 << 20;
/// Depth of groups in a pattern.
const NESTING: u32 = 100;

/// A checked and compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternFault {
    /// Bytes of the pattern that are at fault, where one place is.
    pub at: Option<Range<usize>>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
}

impl fmt::Display for PatternFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(out, "{} at byte {} of the pattern", self.message, at.start),
            None => out.write_str(&self.message),
        }
    }
}

impl error::Error for PatternFault {}

impl PatternFault {
    fn whole(message: String) -> Self {
        Self { at: None, message }
    }

    fn syntax(fault: &Error) -> Self {
        let (span, message) = match fault {
            Error::Parse(fault) => (fault.span(), fault.kind().to_string()),
            Error::Translate(fault) => (fault.span(), fault.kind().to_string()),
            other => return Self::whole(other.to_string()),
        };
        Self { at: Some(span.start.offset..span.end.offset), message }
    }
}

impl Pattern {
    /// Checks and compiles `expression`. Refused are syntax faults, patterns that could match a part of a UTF-8
    /// character or nothing but the empty text, and those whose program exceeds its limit.
    pub fn new(expression: &str) -> Result<Self, PatternFault> {
        let tree = ParserBuilder::new()
            .nest_limit(NESTING)
            .build()
            .parse(expression)
            .map_err(|fault| PatternFault::syntax(&fault))?;
        if tree.properties().maximum_len() == Some(0) {
            return Err(PatternFault::whole(
                "the pattern matches only the empty text, expected something to mask".into(),
            ));
        }
        RegexBuilder::new(expression)
            .size_limit(PROGRAM_BYTES)
            .dfa_size_limit(AUTOMATON_BYTES)
            .nest_limit(NESTING)
            .build()
            .map(Self)
            .map_err(|fault| match fault {
                regex::Error::CompiledTooBig(limit) => PatternFault::whole(format!(
                    "the pattern compiles to more than {limit} bytes, use smaller repetitions or `(?-u:\\w)` instead of `\\w`"
                )),
                other => PatternFault::whole(other.to_string()),
            })
    }

    /// Appends the spans of all matches in `text`, in order and without overlap; empty matches are passed over.
    pub fn find(&self, text: &[u8], found: &mut Vec<Range<usize>>) {
        found.extend(self.0.find_iter(text).map(|found| found.range()).filter(|span| !span.is_empty()));
    }
}

#[cfg(test)]
mod tests;
