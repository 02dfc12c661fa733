//! From a checked plan to running tasks: `build` makes components, `compile` joins the stateless ones into chains,
//! `running` starts, swaps and ends them; `keepers` does so for stateful steps, each of which is a `keeper`. Only this room knows ids and edges, and only it starts components.

mod alive;
mod build;
mod chain;
mod changes;
mod compile;
mod door;
mod entry;
mod guard;
mod inspect;
mod keeper;
mod keepers;
mod leftover;
mod pauses;
mod probe;
mod retired;
mod revive;
mod roster;
mod running;
mod running_sink;
mod running_source;
mod sight;
mod suspect;
mod tables;
mod tap;
mod trial;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::buffer::MinFree;
use crate::component::meters::Families;
use crate::delivery::DeadLetters;
use crate::event::Budget;
use crate::lang::Tables;

pub use build::BuildError;
#[cfg(test)]
pub(crate) use build::fault;
pub use changes::{Change, What};
pub use inspect::{Inspected, inspect};
pub use leftover::Leftover;
pub use pauses::Pauses;
pub use probe::{Probed, probe};
pub use roster::{Member, Roster, Standing};
pub use running::{Guest, Topology};
pub use tap::{Shown, Side, Tapped, Taps, Wanted};
pub use trial::{Emitted, Trial};

/// The folder that is this process's alone.
#[derive(Debug)]
pub struct DataDir {
    path: Arc<Path>,
    min_free: MinFree,
    /// Holds the lock.
    _lock: File,
}

impl DataDir {
    /// Makes the folder (mode 0700) and locks it against other processes.
    pub fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| format!("cannot make the folder `{shown}`: {error}"))?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(|error| format!("cannot write in the folder `{shown}`: {error}"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(
            |error| match error {
                rustix::io::Errno::WOULDBLOCK => {
                    format!("the folder `{shown}` is in use by another process: two would repeat and lose records")
                }
                other => format!("cannot lock the folder `{shown}`: {other}"),
            },
        )?;
        Ok(Self { min_free: MinFree::new(path), path: path.into(), _lock: lock })
    }
}

impl DataDir {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What of its file system is others'.
    pub fn min_free(&self) -> MinFree {
        self.min_free.clone()
    }
}

impl Topology {
    /// Nothing runs yet; [`apply`](Self::apply) starts a plan.
    pub fn idle(data_dir: &DataDir, families: Families, budget: Budget) -> Self {
        let dead_letters =
            Arc::new(DeadLetters::new(data_dir.path.join("dead_letters")).with_min_free(data_dir.min_free()));
        Self::new(
            build::Ground {
                families,
                budget,
                data_dir: data_dir.path.clone(),
                min_free: data_dir.min_free(),
                taps: Taps::default(),
                tables: Tables::default(),
                pauses: Pauses::open(&data_dir.path),
            },
            dead_letters,
        )
    }
}
