//! The scrub that records go through where they are shown to a person or leave before a `scrub` of the pipeline.

use super::scrub::{Profile, Scrubber};
use crate::component::meters::{Families, Label};
use crate::component::transform::Transform;

/// Text of a person (a condition, a name, a path) as it may stand in our own log: what a `scrub` of the profile `default`
/// leaves of it.
pub fn protected(text: &str) -> String {
    let label = Label { id: "protection".to_owned(), kind: "transform", type_name: "scrub" };
    let mut scrubber = Scrubber::of_profile(Profile::Default, Families::default().meters(&label));
    let mut out = Vec::new();
    if scrubber.line(text.as_bytes(), &mut out) { String::from_utf8_lossy(&out).into_owned() } else { text.to_owned() }
}

/// A `scrub` of the profile `default`, which counts into no figures.
pub fn protection() -> Box<dyn Transform> {
    let label = Label { id: "protection".to_owned(), kind: "transform", type_name: "scrub" };
    Box::new(Scrubber::of_profile(Profile::Default, Families::default().meters(&label)))
}

#[cfg(test)]
mod tests {
    use super::protected;

    #[test]
    fn a_text_stays_but_for_what_is_nobodys_business() {
        assert_eq!(protected(".n == 1 && .service == \"cart\""), ".n == 1 && .service == \"cart\"");
        let condition = ".mail == \"ann@example.com\" || .password == \"hunter2\"";
        assert_eq!(protected(condition), ".mail == \"[REDACTED]\" || .password == \"[REDACTED]\"");
    }
}
