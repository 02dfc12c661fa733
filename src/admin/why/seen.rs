//! The sources as they stand, gathered once for one answer.

use crate::component::inspect::{FileReport, Inspect, Position};
use crate::component::pause::Paused;

use crate::admin::sight::Sight;

/// A source, and how its files stand.
pub(super) struct SeenSource<'s> {
    pub(super) id: &'s str,
    pub(super) paused: Option<Paused>,
    pub(super) inspect: &'s dyn Inspect,
    /// Of an agent that runs.
    pub(super) files: Vec<FileReport>,
    pub(super) positions: Vec<Position>,
    pub(super) discarded: &'s [(String, String, u64)],
}

/// All of them.
pub(super) struct Seen<'s> {
    pub(super) sources: Vec<SeenSource<'s>>,
    pub(super) is_live: bool,
}

impl<'s> Seen<'s> {
    pub(super) fn of(sights: &'s [Sight], is_live: bool) -> Self {
        let of = |sight: &'s Sight| {
            let inspect = &*sight.source.inspect;
            SeenSource {
                id: &sight.source.id,
                paused: sight.source.paused,
                files: if is_live { inspect.files() } else { Vec::new() },
                // Those that cannot be read are none: the source says so itself when it starts.
                positions: inspect.positions().unwrap_or_default(),
                discarded: &sight.discarded,
                inspect,
            }
        };
        Self { sources: sights.iter().map(of).collect(), is_live }
    }
}
