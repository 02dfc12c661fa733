//! The `kubernetes_logs` source: the logs of the containers on this node, as the kubelet lays them out.
//!
//! **Delivery.** As of `file`: at least once, a position moves only over records that all required sinks have resolved. The
//! stream keys are made of what the log itself tells, so that identities survive the loss of all positions. **Order.** Kept within an output
//! (`stdout`, `stderr`) of a container. **Limits.** Metadata is what the path tells (`metadata = "path"`): no request is made to the API
//! server, no rights are needed. A line is cut at `max_line_bytes`, however many pieces the runtime made of it.
//!
//! Reading order: [`KubernetesLogsSettings`]; `place` (what a path tells); `pods` (which files there are).

mod place;
mod pods;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::{KubernetesLogsSettings, Metadata};
