//! What sources that listen have in common: `settings` of a door, `listen` (connections), `body` (what is read), `auth`
//! (who may send), `desk` (from a body to the queues and back to the answer).

mod answer;
mod auth;
mod body;
mod desk;
mod listen;
mod opening;
mod settings;

pub(super) use answer::Answer;
pub(super) use auth::{HttpAuth, Keeper};
pub(super) use body::{Encoding, Fault};
pub(super) use desk::{Desk, Draft, Manner, Trouble};
pub(super) use listen::{Answers, Door, run};
pub(super) use settings::{Acknowledgements, Keepalive, exposed};
