//! The scrub that records go through where they are shown to a person or leave before a `scrub` of the pipeline.

use super::scrub::{Profile, Scrubber};
use crate::component::meters::{Families, Label};
use crate::component::transform::Transform;

/// Text of a person (a condition, a name, a path) as it may stand in our own log: what a `scrub` of the profile `default`
/// leaves of it.
pub fn protected(text: &str) -> String {
    let label = Label { id: "protection".to_owned(), kind: "transform", type_name: "scrub" };
    let mut out = Vec::new();
    Scrubber::of_profile(Profile::Default, Families::default().meters(&label)).line(text.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A `scrub` of the profile `default`, which counts into no figures.
pub fn protection() -> Box<dyn Transform> {
    let label = Label { id: "protection".to_owned(), kind: "transform", type_name: "scrub" };
    Box::new(Scrubber::of_profile(Profile::Default, Families::default().meters(&label)))
}
