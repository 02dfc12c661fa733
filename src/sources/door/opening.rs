//! The first bytes of a connection, by which HTTP/1.1 and HTTP/2 are told apart: they have to come in time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Length of the HTTP/2 preface (RFC 9113, 3.4). Before it is there no other clock runs.
const PREFACE: usize = 24;

/// A connection whose first bytes have a deadline: reading fails with `TimedOut` where they are not there by then.
pub(super) struct Opening<S> {
    stream: S,
    /// Until the first bytes are there.
    waits: Option<Wait>,
}

struct Wait {
    left: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Opening<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now() + patience));
        Self { stream, waits: Some(Wait { left: PREFACE, deadline }) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, out);
        let Some(wait) = &mut self.waits else { return read };
        if read.is_pending() {
            ready!(wait.deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        wait.left = wait.left.saturating_sub(out.filled().len() - before);
        if wait.left == 0 {
            self.waits = None;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What reading comes to after so many bytes came, and an hour.
    async fn after(sent: usize) -> Option<io::ErrorKind> {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(&vec![b'P'; sent]).await.unwrap();
        let mut opening = Opening::new(server, Duration::from_secs(30));
        let mut read = Vec::new();
        let ended = tokio::time::timeout(Duration::from_hours(1), opening.read_to_end(&mut read)).await;
        assert_eq!(read.len(), sent);
        ended.ok().map(|ended| ended.unwrap_err().kind())
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_begin_loses_the_seat() {
        assert_eq!(after(0).await, Some(io::ErrorKind::TimedOut));
        assert_eq!(after(PREFACE - 1).await, Some(io::ErrorKind::TimedOut));
        assert_eq!(after(PREFACE).await, None);
    }
}
