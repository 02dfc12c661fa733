//! The listener: a few connections at a time, each short.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::figures::Figures;
use super::page;
use crate::component::meters::Families;
use crate::topology::Roster;

/// Connections served at once; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 32;
/// How long a client may take for the head of a request, and so how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the kernel refused a connection (no descriptors left), so that the refusal is not a busy loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// What there is to show.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Who runs, and how each is.
    pub roster: Roster,
    /// What each component counts.
    pub families: Families,
    /// What the process counts.
    pub figures: Figures,
}

/// An open door; it closes when dropped.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Door {
    /// Listens on `address` and serves what is `shown`.
    ///
    /// # Errors
    /// If the address cannot be listened on, such as one that is in use.
    pub async fn open(address: SocketAddr, shown: Shown) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(serve(listener, Arc::new(shown))) })
    }

    /// The address as bound: with the port the kernel chose, if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shown: Arc<Shown>) {
    let mut connections = JoinSet::new();
    loop {
        // Both arms are cancel-safe.
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, shown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, shown: Arc<Shown>) {
    let answer = service_fn(move |request| {
        let answer = page::answer(&request, &shown);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
