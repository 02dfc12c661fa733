//! Where lines go: a layer for `tracing` that says whose each is, and holds floods back.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::flood::{Floods, Said};
use super::line::{Form, Line};
use super::owner::Owner;

/// The log; a clone writes to the same.
#[derive(Clone)]
pub(in crate::cli) struct Journal(Arc<Inner>);

struct Inner {
    form: Form,
    desk: Mutex<Desk>,
    /// Rings when there will be something to tell.
    counted: Notify,
    /// Of this process: what others write cannot be made to look the same.
    keys: RandomState,
}

/// Held to write: lines come out whole, and in order.
struct Desk {
    out: Box<dyn Write + Send>,
    floods: Floods,
}

impl Journal {
    pub(super) fn new(form: Form, out: impl Write + Send + 'static) -> Self {
        let desk = Mutex::new(Desk { out: Box::new(out), floods: Floods::default() });
        Self(Arc::new(Inner { form, desk, counted: Notify::new(), keys: RandomState::new() }))
    }

    /// Tells of repetitions when their time has come, as long as it is polled.
    pub(in crate::cli) async fn tell_repetitions(self) {
        loop {
            let due = self.desk().floods.next_due();
            match due {
                Some(due) => sleep_until(due).await,
                // What was counted before this wait rings, too.
                None => self.0.counted.notified().await,
            }
            let mut desk = self.desk();
            let told = desk.floods.due(Instant::now());
            self.write(&mut desk, &told);
        }
    }

    /// Tells of all repetitions: nothing more will come.
    pub(in crate::cli) fn end(&self) {
        let mut desk = self.desk();
        let told = desk.floods.end(Instant::now());
        self.write(&mut desk, &told);
    }

    fn say(&self, line: &Line) {
        let text = line.write(self.0.form);
        if line.is_audit() {
            return put(&mut self.desk(), &text);
        }
        let mut hasher = self.0.keys.build_hasher();
        line.identify(&mut hasher);
        let mut desk = self.desk();
        let Said { repeated, is_new, is_second } = desk.floods.come(line, hasher.finish(), Instant::now());
        self.write(&mut desk, &repeated);
        if is_new {
            put(&mut desk, &text);
        }
        drop(desk);
        if is_second {
            self.0.counted.notify_one();
        }
    }

    fn write(&self, desk: &mut Desk, lines: &[Line]) {
        for line in lines {
            put(desk, &line.write(self.0.form));
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.desk().floods.len()
    }
}

/// Whoever does not read the log does not hear of it either.
fn put(desk: &mut Desk, text: &str) {
    let _unread = desk.out.write_all(text.as_bytes());
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Journal {
    fn on_new_span(&self, span: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let (Some(owner), Some(span)) = (Owner::of(span), context.span(id)) {
            span.extensions_mut().insert(owner);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // From the innermost span outwards.
        let mut scope = context.event_scope(event).into_iter().flatten();
        let owner = scope.find_map(|span| span.extensions().get::<Owner>().cloned());
        self.say(&Line::of(event, owner));
    }
}
