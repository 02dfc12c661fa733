//! Presets: what the runtimes of languages print when they fail, as tables of what may follow what.
//!
//! A preset that begins with `ANY` hangs a trace onto the line before it, which is the message it was logged with; so each line
//! is held until the next one tells, or the time-out. The others begin with the first line of the trace itself.

use regex::bytes::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{State, Verdict};

/// What prints the traces that are to be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Exceptions of Java, Kotlin, Scala, with the line that they were logged with.
    Java,
    /// Tracebacks of Python, chained ones too.
    Python,
    /// Panics and fatal errors of Go, with all goroutines.
    Go,
    /// Errors of Node.js, with the line that they were logged with.
    Node,
    /// Exceptions of .NET, with the line that they were logged with; messages of its console logger.
    Dotnet,
    /// Exceptions of Ruby, with the line that they were logged with.
    Ruby,
    /// Errors of PHP, with the line that they were logged with.
    Php,
    /// Panics of Rust with their backtraces, and errors of `main` with their causes.
    Rust,
}

/// In state `from` (`START`: no group is open) a line that matches leads to `to`.
type Step = (u8, &'static str, u8);

const START: u8 = 0;
const ANY: &str = "";

const JAVA: &[Step] = &[
    (START, ANY, 1),
    (1, r"^\s+(?:at |\.{3} \d+ (?:more|common frames omitted)|Suppressed: |Caused by: |\[CIRCULAR REFERENCE)", 1),
    (1, r"^(?:Caused by: |Wrapped by: |Suppressed: )", 1),
    (1, r"^(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)(?::|\s*$)", 1),
];

const PYTHON: &[Step] = &[
    (START, r"Traceback \(most recent call last\):\s*$", 1),
    (1, r"^\s+\S", 1),
    (1, r"^[A-Za-z_][\w.]*(?:: |(?:Error|Exception|Warning|Interrupt|Exit|Iteration|Group):?\s*$)", 2),
    (2, r"^\s+[|+]", 2),
    (2, r"^\s*$", 3),
    (3, r"^(?:During handling of the above exception|The above exception was the direct cause)", 4),
    (4, r"^\s*$", 4),
    (4, r"Traceback \(most recent call last\):\s*$", 1),
];

const GO: &[Step] = &[
    (START, r"^(?:panic: |fatal error: |runtime: goroutine stack exceeds|SIG[A-Z]+: )|http: panic serving ", 1),
    (1, r"^(?:\s|$|panic: |goroutine \d+|\[signal |created by |runtime[ :.]|exit status \d|r[a-z0-9]{1,5} +0x)", 1),
    (1, r"^[\w./*()%@\[\]\u{2026}-]+\(.*\)$", 1),
];

const NODE: &[Step] = &[
    (START, r"^\S+:\d+$", 3),
    (START, ANY, 1),
    (1, r"^\s+at ", 2),
    (2, r"^\s+\S", 2),
    (2, r"^[}\]]+,?$", 2),
    // The place and the source that Node prints before an error nobody caught.
    (3, r"^\s*\^|^\s+\S|^\s*$", 3),
    (3, r"^(?:Uncaught )?[\w.$]*(?:Error|Exception)\b", 2),
];

const DOTNET: &[Step] = &[
    (START, ANY, 1),
    (1, r"^\s+at |^\s*---> |^\s*--- End of |^\s*\(Inner Exception #\d+\)", 1),
    (1, r"^\s*(?:\w+\.)+\w*Exception\b", 1),
    // The console logger writes the message below the category, six columns in.
    (1, r"^ {6}\S", 1),
];

const RUBY: &[Step] = &[(START, ANY, 1), (1, r"^\s+from |^\s+\d+: from |^\s*\S+\.(?:rb|erb|rake|ru):\d+:in ", 1)];

const PHP: &[Step] = &[
    (START, ANY, 1),
    (1, r"^#\d+ \{main\}\s*$", 2),
    (1, r"^(?:PHP )?(?:Stack trace:|\s+\d+\. )|^#\d+ |^\s+thrown in |^\[(?:stacktrace|previous exception)\]", 1),
    (1, r#"^"\} ?$"#, 1),
    // Behind the outermost frame: the end, or an exception that this one caused.
    (2, r"^\s*$", 2),
    (2, r#"^Next \S|^\s+thrown in |^\[previous exception\]|^"\} ?$"#, 1),
];

const RUST: &[Step] = &[
    (START, r"^thread '.*' (?:\(\d+\) )?panicked at .*:\d+:\d+:$", 1),
    (START, r"^thread '.*' (?:\(\d+\) )?panicked at ", 2),
    (START, r"^Error: ", 3),
    // The message, on a line of its own.
    (1, ANY, 2),
    (2, r"^(?:stack backtrace:|note: )|^\s+(?:\d+: |at )", 2),
    (3, r"^\s*$|^(?:Caused by:|Stack backtrace:|Location:)|^\s+\S", 3),
];

impl Preset {
    /// All of them.
    #[cfg(any(test, fuzzing))]
    pub(super) const ALL: [Self; 8] =
        [Self::Java, Self::Python, Self::Go, Self::Node, Self::Dotnet, Self::Ruby, Self::Php, Self::Rust];

    pub(super) fn table(self) -> Table {
        let steps = match self {
            Self::Java => JAVA,
            Self::Python => PYTHON,
            Self::Go => GO,
            Self::Node => NODE,
            Self::Dotnet => DOTNET,
            Self::Ruby => RUBY,
            Self::Php => PHP,
            Self::Rust => RUST,
        };
        let pattern = |text: &str| (text != ANY).then(|| Regex::new(text).expect("a constant that a test compiles"));
        Table(steps.iter().map(|(from, text, to)| Rule { from: *from, pattern: pattern(text), to: *to }).collect())
    }
}

/// A preset's steps, compiled.
#[derive(Debug)]
pub(super) struct Table(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    from: u8,
    /// None: any line.
    pattern: Option<Regex>,
    to: u8,
}

impl Table {
    pub(super) fn begins(&self, line: &[u8]) -> Option<State> {
        // An empty line has nothing that a trace could hang on.
        if line.trim_ascii().is_empty() { None } else { self.step(START, line) }
    }

    pub(super) fn next(&self, State(from): State, line: &[u8]) -> Verdict {
        self.step(from, line).map_or(Verdict::Ends, Verdict::Joins)
    }

    fn step(&self, from: u8, line: &[u8]) -> Option<State> {
        let fits =
            |rule: &&Rule| rule.from == from && rule.pattern.as_ref().is_none_or(|pattern| pattern.is_match(line));
        self.0.iter().find(fits).map(|rule| State(rule.to))
    }
}
