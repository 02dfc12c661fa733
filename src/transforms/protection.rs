//! The scrub that records go through where they are shown to a person or leave before a `scrub` of the pipeline.

use super::scrub::{Profile, Scrubber};
use crate::component::meters::{Families, Label};
use crate::component::transform::Transform;

/// A `scrub` of the profile `default`, which counts into no figures.
pub fn protection() -> Box<dyn Transform> {
    let label = Label { id: "protection".to_owned(), kind: "transform", type_name: "scrub" };
    Box::new(Scrubber::of_profile(Profile::Default, Families::default().meters(&label)))
}
