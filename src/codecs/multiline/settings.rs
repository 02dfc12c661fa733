//! The settings `multiline.*`.

use std::time::Duration;

use regex::bytes::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Multiline, Preset, Rules};

/// How lines are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All lines that follow and match `condition_pattern` join: traces whose lines are indented.
    ContinueThrough,
    /// All lines that follow and match `condition_pattern` join, and the one behind them: lines that end with a backslash.
    ContinuePast,
    /// All lines that follow join, up to but without the one that matches `condition_pattern`: logs whose records begin with a time.
    HaltBefore,
    /// All lines that follow join, up to and with the one that matches `condition_pattern`: records with a terminator.
    HaltWith,
}

/// Joins lines of one record: by a `preset`, or by `mode`, `start_pattern` and `condition_pattern`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultilineSettings {
    /// What prints the traces that are to be joined. Instead of `mode` and the two patterns.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// How lines are joined.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Regular expression: a line that matches begins a record of several. Any other line stands alone, unless it joins.
    #[serde(default)]
    pub start_pattern: Option<String>,
    /// Regular expression: what it decides is told by `mode`.
    #[serde(default)]
    pub condition_pattern: Option<String>,
    /// A record without a new line for so many milliseconds has ended: by the times that lines tell, and by the clock where
    /// all was read.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Most lines of a record; those beyond make another one.
    #[serde(default = "max_lines")]
    pub max_lines: u32,
    /// Most bytes of a record; lines beyond make another one.
    #[serde(default = "max_bytes")]
    pub max_bytes: usize,
}

const fn timeout_ms() -> u64 {
    1000
}

const fn max_lines() -> u32 {
    1000
}

const fn max_bytes() -> usize {
    1 << 20
}

/// Largest `max_bytes`: offsets in a batch have 32 bits.
const LARGEST: usize = 1 << 30;

impl MultilineSettings {
    /// What is wrong with them: the setting below `multiline` (empty for the table), and why.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let patterns = [("start_pattern", &self.start_pattern), ("condition_pattern", &self.condition_pattern)];
        let by_mode = [
            ("mode", self.mode.is_some()),
            (patterns[0].0, patterns[0].1.is_some()),
            (patterns[1].0, patterns[1].1.is_some()),
        ];
        for (setting, is_there) in by_mode {
            match (self.preset, is_there) {
                (Some(_), true) => {
                    faults.push((
                        setting,
                        format!("`preset` tells how lines are joined: leave out `{setting}`, or `preset`"),
                    ));
                }
                (None, false) => {
                    faults.push(("", format!("expected `{setting}`, or a `preset` in place of `mode`, `start_pattern` and `condition_pattern`")));
                }
                _ => {}
            }
        }
        for (setting, pattern) in patterns {
            if let Some(Err(error)) = pattern.as_deref().map(Regex::new) {
                faults.push((setting, format!("not a regular expression: {error}")));
            }
        }
        if self.timeout_ms == 0 {
            faults.push(("timeout_ms", "expected at least 1 millisecond, found 0".into()));
        }
        if self.max_lines < 2 {
            faults.push(("max_lines", format!("expected at least 2 lines, found {}", self.max_lines)));
        }
        if !(1..=LARGEST).contains(&self.max_bytes) {
            faults.push(("max_bytes", format!("expected 1 to {LARGEST} bytes, found {}", self.max_bytes)));
        }
        faults
    }

    /// The rules, of settings without fault.
    pub fn rules(&self) -> Result<Multiline, String> {
        let pattern = |text: &Option<String>| {
            let text = text.as_deref().ok_or("multiline lacks a pattern")?;
            Regex::new(text).map_err(|error| error.to_string())
        };
        let rules = match (self.preset, self.mode) {
            (Some(preset), _) => Rules::Preset(preset.table()),
            (None, Some(mode)) => {
                Rules::Mode { mode, start: pattern(&self.start_pattern)?, condition: pattern(&self.condition_pattern)? }
            }
            (None, None) => return Err("multiline lacks a `mode` or a `preset`".into()),
        };
        Ok(Multiline {
            rules,
            timeout: Duration::from_millis(self.timeout_ms),
            max_lines: self.max_lines,
            max_bytes: self.max_bytes,
        })
    }
}
