//! The scrubs that stand outside the pipeline: the global `[scrub]` before everything that a source sends, and, where
//! only a later step scrubs, one before whatever leaves a chain ahead of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::build::BuildError;
use super::chain::Shared;
use crate::component::meters::{Families, Label, Meters};
use crate::component::transform::{Ports, Transform};
use crate::config::{GlobalScrub, Globals, Plan};
use crate::event::Batch;
use crate::transforms::protection;
use crate::transforms::scrub::Scrubber;

/// What a plan asks for.
pub(super) struct Guards {
    global: Option<(GlobalScrub, Scrubber)>,
    exit: Shared,
}

impl Guards {
    /// The guards of `plan`; an error is why a key cannot be read.
    pub(super) fn of(plan: &Plan) -> Result<Self, BuildError> {
        let failed = |why: String| BuildError { kind: "setting", id: "scrub".to_owned(), why };
        let globals: Globals = plan.globals.read().map_err(|refused| failed(refused.message))?;
        let label = Label { id: "scrub".to_owned(), kind: "transform", type_name: "scrub" };
        let build = |scrub: GlobalScrub| {
            let meters = Families::default().meters(&label);
            let scrubber = Scrubber::new(&scrub.settings().map_err(&failed)?, meters).map_err(&failed)?;
            Ok((scrub, scrubber))
        };
        Ok(Self { global: globals.scrub.map(build).transpose()?, exit: Arc::new(Mutex::new(protection())) })
    }

    /// What the records of the source `id` go through first; it counts into `meters`.
    pub(super) fn of_source(&self, id: &str, meters: &Meters) -> Option<Shared> {
        let (scrub, scrubber) = self.global.as_ref()?;
        let is_exempt = scrub.exempt.iter().any(|exempt| exempt == id);
        let guard = || Box::new(scrubber.for_component(meters.clone())) as Box<dyn Transform>;
        (!is_exempt).then(|| Arc::new(Mutex::new(guard())))
    }

    /// What records go through that leave ahead of a `scrub`.
    pub(super) fn exit(&self) -> Shared {
        self.exit.clone()
    }
}

/// Records as they may leave a chain: scrubbed, if a step that would have done it is still ahead.
pub(super) fn leaving(exit: Option<&Shared>, mut batch: Batch) -> Batch {
    if let Some(scrub) = exit {
        scrub.lock().unwrap_or_else(PoisonError::into_inner).apply(&mut batch, &mut Ports::default());
    }
    batch
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::test_kit::{Ledger, batch};

    #[test]
    fn what_leaves_ahead_of_a_scrub_is_scrubbed() {
        let ledger = Arc::new(Ledger::default());
        let text = |exit: Option<&Shared>| {
            let left = leaving(exit, batch(&ledger, &["mail to ines@mail.example.org"]));
            let mut json = Vec::new();
            left.get(0).write_json(&mut json);
            String::from_utf8(json).unwrap()
        };
        let exit: Shared = Arc::new(Mutex::new(protection()));
        assert!(text(Some(&exit)).contains("mail to [REDACTED]"));
        assert!(text(None).contains("mail to ines@mail.example.org"));
    }
}
