//! The node job, as the benches share it: log lines of a service, and the steps that carry them to a request's body.
#![allow(dead_code, reason = "no bench needs all of it")]

mod job;
mod logs;

pub(crate) use job::Job;
pub(crate) use logs::logs;
