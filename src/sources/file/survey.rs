//! What a person asked of the threads of a source: each answers between two turns, so that nothing is kept for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long the threads may take: one that reads from a file system that hangs does not answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Answers that are gathered from several threads. Threads hold it weakly: nobody answers who has gone.
#[derive(Debug)]
pub(super) struct Survey<T> {
    answers: Mutex<Answers<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Answers<T> {
    given: Vec<T>,
    missing: usize,
}

impl<T> Survey<T> {
    /// A survey of so many threads.
    pub(super) fn of(threads: usize) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(Answers { given: Vec::new(), missing: threads }), changed: Condvar::new() })
    }

    /// What one thread answers, if anyone still waits for it.
    pub(super) fn answer(survey: &Weak<Self>, answer: impl FnOnce() -> Vec<T>) {
        let Some(survey) = survey.upgrade() else { return };
        let given = answer();
        let mut answers = survey.lock();
        answers.given.extend(given);
        answers.missing = answers.missing.saturating_sub(1);
        survey.changed.notify_all();
    }

    /// Waits until all have answered, or the patience ends; tells how many have not.
    pub(super) fn wait(&self) -> (Vec<T>, usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut answers = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if answers.missing == 0 || left.is_zero() {
                return (std::mem::take(&mut answers.given), answers.missing);
            }
            answers = self.changed.wait_timeout(answers, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Answers<T>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_answers_are_gathered_and_none_is_made_for_nobody() {
        let survey = Survey::of(2);
        let threads: Vec<_> = [1, 2]
            .map(|number| {
                let survey = Arc::downgrade(&survey);
                std::thread::spawn(move || Survey::answer(&survey, || vec![number]))
            })
            .into();
        let (mut given, missing) = survey.wait();
        given.sort_unstable();
        assert_eq!((given, missing), (vec![1, 2], 0));
        for thread in threads {
            thread.join().unwrap();
        }
        let gone = Arc::downgrade(&survey);
        drop(survey);
        Survey::answer(&gone, || panic!("nobody waits"));
    }
}
