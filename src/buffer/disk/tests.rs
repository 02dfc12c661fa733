mod ahead;
mod corpus;
mod kit;
mod model;
mod repair;
mod scenarios;
mod simulation;
mod turns;
mod windows;

use crate::component::meters::{Families, Meters};
use crate::component::test_kit::meters;

/// Figures that nobody looks at.
fn unseen() -> Meters {
    Families::default().meters(meters().label())
}
