//! The contract of sources.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::inspect::Inspect;
use super::outlet::Outlet;
use super::signal::Stop;

/// A door where records come in. It owns its lanes and its positions. While the `pause` of its context is on it reads
/// nothing; what is in hand goes on, and receipts go on resolving.
pub trait Source: Send {
    /// What it lets people see of the files that it follows; asked for before it runs.
    fn inspect(&self) -> Option<Arc<dyn Inspect>> {
        None
    }

    /// Runs until `stop`: then it takes no more, and ends when its receipts have resolved or the deadline passes.
    /// Blocking work runs on threads of its own; the future never blocks.
    fn run(self: Box<Self>, outlet: Arc<dyn Outlet>, stop: Stop) -> Running;
}

/// A component at work.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;
