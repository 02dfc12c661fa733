//! What a source lets people see: of the one that runs, also after another took its place because of a panic.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::component::inspect::Inspect;
use crate::component::source::Source;

/// A view of one source; a clone shows the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight(Arc<ArcSwapOption<Arc<dyn Inspect>>>);

impl Sight {
    /// From now on it shows this one.
    pub(super) fn shows(&self, source: &dyn Source) {
        self.0.store(source.inspect().map(Arc::new));
    }

    /// What is to be seen, if it follows files.
    pub(super) fn get(&self) -> Option<Arc<dyn Inspect>> {
        self.0.load().as_deref().cloned()
    }
}
