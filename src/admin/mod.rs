//! The doors. The one for probes and metrics, `[api] address`, serves `/livez`, `/readyz`, `/health` and `/metrics`; it changes nothing and shows neither records nor paths.
//! [`Door`] listens, `page` answers, [`Figures`] are those of the process as a whole. The other one, [`Control`], is a
//! socket in the state folder for the agent's own user: it reloads, shows records, files, buffers and dead letters, sends these again, pauses sources. [`Sight`] is what
//! there is to see of sources that follow files, and `why` says why the logs of one are absent: both also where no agent runs.

mod control;
mod door;
mod figures;
mod letters;
mod page;
mod sight;
mod why;

pub use control::{
    Ask, BufferOf, Control, Controls, DumpRequest, Latency, LettersRequest, PauseDone, PauseRequest, ReloadRequest,
    Reloaded, SOCKET, Status, StatusOf, TapRequest, Verified, VerifyRequest, buffers,
};
pub use door::{Door, Shown};
pub use figures::Figures;
pub use letters::{ReplayRequest, Replayed, Sum};
pub use sight::{FilesOf, PositionsOf, SetDone, SetRequest, Sight, files, positions, set};
pub use why::{Cause, Finding, Subject, Why, WhyFile, why};
