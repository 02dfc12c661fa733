//! Work beside the task of a component: on a thread of its own, or where it may take long. What is logged there is logged
//! for the component, and a panic there is one of the component.

use std::io;
use std::panic::resume_unwind;
use std::thread::Builder;

use tokio::task::{JoinHandle, spawn_blocking};
use tracing::Span;

/// Does `work` on a thread that may be busy for long.
pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn_blocking(within(work))
}

/// What such work gives. When the whole runtime ends this does not come back.
///
/// # Panics
///
/// If the work did.
pub async fn done<T>(work: JoinHandle<T>) -> T {
    match work.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

/// Does `work` on a thread of its own, and waits until it ends.
///
/// # Errors
///
/// There is no thread to be had.
///
/// # Panics
///
/// If `work` does.
pub async fn on_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let work = within(work);
    let work = move || {
        let _ended = ended;
        work();
    };
    let thread = Builder::new().name(name.to_owned()).spawn(work)?;
    // An error is how the channel tells that the thread is at its end.
    drop(end.await);
    thread.join().unwrap_or_else(|panic| resume_unwind(panic));
    Ok(())
}

/// `work`, for another thread, in the span of whoever asks for it.
pub fn within<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let span = Span::current();
    move || span.in_scope(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_thread_is_one_of_whoever_waits() {
        on_thread("well", || ()).await.unwrap();
        let waiting = tokio::spawn(on_thread("panics", || panic!("as the test says")));
        let panic = waiting.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"as the test says"));
    }
}
