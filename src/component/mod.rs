//! The contracts: what a source, a transform and a sink are, and what they share.

pub mod auth;
pub mod claim;
pub mod clock;
pub(crate) mod fail;
pub mod file_meters;
pub mod files;
pub mod fresh;
pub mod health;
pub mod inspect;
pub mod keepsake;
pub mod machine;
pub mod mask;
pub mod meters;
pub mod outlet;
pub mod pause;
pub mod reason;
pub mod renewed;
pub mod row;
pub mod signal;
pub mod sink;
pub mod size;
pub mod source;
pub mod task;
#[cfg(test)]
pub(crate) mod test_kit;
pub mod tls;
pub mod tls_server;
pub mod transform;
pub mod utilization;
