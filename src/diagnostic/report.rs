//! A fault as a value, and the collection that all phases push into.

use super::{Code, Place, Severity};

/// A place with a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is there; may be empty.
    pub text: String,
}

/// One fault: what is wrong, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of fault; it also decides the severity.
    pub code: Code,
    /// One lower-case sentence without a full stop; names stand in backticks.
    pub message: String,
    /// The text at fault. None where no file is at fault, such as a path that does not exist.
    pub primary: Option<Label>,
    /// Other places that matter, such as the first of two definitions.
    pub secondary: Vec<Label>,
    /// Next steps.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A fault that points nowhere yet.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), primary: None, secondary: Vec::new(), help: Vec::new() }
    }

    /// Points at the text at fault.
    #[must_use]
    pub fn at(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.primary = Some(Label { place: place.clone(), text: text.into() });
        self
    }

    /// Points at another place that matters.
    #[must_use]
    pub fn also(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.secondary.push(Label { place: place.clone(), text: text.into() });
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Adds "did you mean", if one of the names is close to what was written.
    #[must_use]
    pub fn suggest<'n>(self, written: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        match closest(written, names) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// How bad the fault is.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// All faults found so far, in the order they were found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Adds a fault.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Takes over all faults of another report.
    pub fn append(&mut self, mut other: Self) {
        self.diagnostics.append(&mut other.diagnostics);
    }

    /// Adds a next step to the faults of one kind.
    pub fn advise(&mut self, code: Code, text: &str) {
        for fault in self.diagnostics.iter_mut().filter(|fault| fault.code == code) {
            fault.help.push(text.to_owned());
        }
    }

    /// The faults.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The faults that must be repaired.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// How many faults are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).count()
    }

    /// Whether something must be repaired before the configuration can be used.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Orders the faults as a person reads the files; those without a place come first, equal places keep their order.
    pub fn sort(&mut self) {
        self.diagnostics.sort_by_key(|diagnostic| {
            diagnostic.primary.as_ref().map(|label| (label.place.file, label.place.span.start))
        });
    }
}

/// The name that was probably meant: at least 0.75 alike in Damerau-Levenshtein's measure, or with the same letters around a prefix.
pub fn closest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const ALIKE: f64 = 0.75;
    // The measure costs the product of both lengths, and no name is that long.
    const LONGEST: usize = 100;
    if written.len() > LONGEST {
        return None;
    }
    let likeness = |name: &str| {
        let whole = strsim::normalized_damerau_levenshtein(written, name);
        whole.max(strsim::jaro_winkler(written, name) - 0.12)
    };
    names
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn suggests_only_what_is_close() {
        let names = ["include", "exclude", "read_from"];
        assert_eq!(closest("includes", names), Some("include"));
        assert_eq!(closest("inlcude", names), Some("include"));
        assert_eq!(closest("readfrom", names), Some("read_from"));
        assert_eq!(closest("password", names), None);
        assert_eq!(closest(&"include".repeat(100), names), None);
    }
}
