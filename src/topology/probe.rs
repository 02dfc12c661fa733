//! Whether the destinations of a plan are there and take our credentials. Nothing runs, and no record is sent.

use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::build::Ground;
use super::pauses::Pauses;
use super::tap::Taps;
use crate::buffer::MinFree;
use crate::component::meters::Families;
use crate::config::Plan;
use crate::delivery::http::REFUSES;
use crate::event::Budget;
use crate::lang::Tables;

/// How long a destination has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a destination said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The sink.
    pub id: String,
    /// What it said, or why it cannot be used.
    pub answer: Result<String, String>,
    /// Was it asked with all secrets? Those of commands are not there.
    pub has_credentials: bool,
}

/// Asks all destinations at once. A sink that has nobody to ask is not among the answers.
pub async fn probe(plan: &Plan) -> Vec<Probed> {
    let (families, budget, taps) = (Families::default(), Budget::new(usize::MAX), Taps::default());
    let ground = Ground {
        families,
        budget,
        data_dir: Path::new("").into(),
        min_free: MinFree::new(Path::new("")),
        taps,
        tables: Tables::default(),
        pauses: Pauses::default(),
    };
    let mut asked = JoinSet::new();
    let mut answers = Vec::new();
    for component in &plan.sinks {
        let id = component.id.clone();
        let has_credentials = !component.section.has_stand_in("");
        let mut component = component.clone();
        if component.section.has_stand_in("auth") {
            // A password that is none would count as a failed login.
            component.section.settings.remove("auth");
        }
        match ground.sink(&component, &plan.files) {
            Err(error) => answers.push(Probed { id, answer: Err(error.why), has_credentials }),
            Ok(drain) => {
                asked.spawn(async move {
                    let question = drain.probe()?;
                    let late = || Err(format!("no answer within {} s", PATIENCE.as_secs()));
                    let answer = timeout(PATIENCE, question).await.unwrap_or_else(|_| late());
                    let answer = if has_credentials { answer } else { answer.or_else(is_there) };
                    Some(Probed { id, answer, has_credentials })
                });
            }
        }
    }
    while let Some(done) = asked.join_next().await {
        answers.extend(done.ok().flatten());
    }
    answers.sort_by(|one, other| one.id.cmp(&other.id));
    answers
}

/// Without credentials a destination that asks for some is there.
fn is_there(why: String) -> Result<String, String> {
    if why.contains(REFUSES) { Ok(why.replace(REFUSES, "it asks for credentials")) } else { Err(why) }
}
