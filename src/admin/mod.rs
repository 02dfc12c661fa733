//! The doors. The one for probes and metrics, `[api] address`, serves `/livez`, `/readyz`, `/health` and `/metrics`; it changes nothing and shows neither records nor paths.
//! [`Door`] listens, `page` answers, [`Figures`] are those of the process as a whole. The other one, [`Control`], is a
//! socket in the state folder for the agent's own user: it reloads, and shows records.

mod control;
mod door;
mod figures;
mod page;

pub use control::{Ask, Control, Controls, ReloadRequest, Reloaded, SOCKET, Status, StatusOf, TapRequest};
pub use door::{Door, Shown};
pub use figures::Figures;
