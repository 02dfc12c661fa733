//! Secrets in plain text where no setting is made for one: in headers, in queries and in addresses. What they look like is the
//! scrubber's to know. Where one stands is told, never what it is.

use std::ops::Range;
use std::sync::LazyLock;

use super::check::plain_secret;
use super::plan::Section;
use super::tree::{Node, Text, Value};
use crate::diagnostic::{Label, Report, Severity};
use crate::transforms::scrub::{Detector, Found, KeyNames, Kind, Profile, Scanner};

/// Tables of names and values that are sent as they are.
const SENT: [&str; 2] = ["headers", "query"];

/// What is looked for in values.
const KINDS: [Kind; 7] =
    [Kind::Pem, Kind::CloudKey, Kind::Jwt, Kind::BearerToken, Kind::BasicAuth, Kind::UrlCredentials, Kind::QuerySecret];

struct Look {
    names: KeyNames,
    scanner: Scanner,
}

static LOOK: LazyLock<Look> = LazyLock::new(|| {
    // A name of the table is neither empty nor too long.
    let names = KeyNames::new(Profile::Secrets.key_names()).unwrap_or_default();
    Look { scanner: Scanner::with_names(KINDS.map(Detector::Known).to_vec(), &names), names }
});

/// Reports them, in the settings of `subject`.
pub(super) fn check((section, subject): (&Section, &str), report: &mut Report) {
    Walk { subject, report }.node(&section.node, "", "");
}

struct Walk<'a> {
    subject: &'a str,
    report: &'a mut Report,
}

impl Walk<'_> {
    /// Looks at a value, the path to it, and the name of the table that it stands in.
    fn node(&mut self, node: &Node, path: &str, table: &str) {
        match &node.value {
            Value::Text(text) if !text.is_stand_in && is_telling(text, path, table) && !self.is_refused(node) => {
                self.report.push(plain_secret((path, self.subject), &node.place));
            }
            Value::Table(inner) => {
                let name = path.rsplit('.').next().unwrap_or_default();
                for entry in &inner.entries {
                    let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                    self.node(&entry.node, &path, name);
                }
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| self.node(item, &format!("{path}[{at}]"), table));
            }
            _ => {}
        }
    }
}

impl Walk<'_> {
    /// Is the value a fault already? That tells what to do with it.
    fn is_refused(&self, node: &Node) -> bool {
        let is_here = |label: &Label| label.place == node.place;
        let faults = self.report.diagnostics().iter().filter(|fault| fault.severity() == Severity::Error);
        faults.into_iter().any(|fault| fault.primary.as_ref().is_some_and(is_here))
    }
}

fn is_telling(text: &Text, path: &str, table: &str) -> bool {
    let is_sent = SENT.contains(&table);
    let is_address = text.content.contains("://") && !text.content.contains(char::is_whitespace);
    let name = path.rsplit('.').next().unwrap_or_default();
    let is_named =
        is_sent && text.splices.is_empty() && !text.content.is_empty() && LOOK.names.matches(name.as_bytes());
    is_named || (is_sent || is_address) && holds_secret(text)
}

/// Is there a secret that no variable and no backend gave?
fn holds_secret(text: &Text) -> bool {
    let mut found = Found::default();
    let meets = |one: &Range<usize>, two: &Range<usize>| one.start < two.end && two.start < one.end;
    let is_given = |span: &Range<usize>| text.splices.iter().any(|splice| meets(span, &splice.result));
    LOOK.scanner.scan(text.content.as_bytes(), &mut found).iter().any(|found| !is_given(&found.span))
}
