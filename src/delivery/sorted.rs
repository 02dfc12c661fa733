//! The records of a request, sorted by what the destination said of each.

use super::request::Load;
use crate::component::sink::Verdict;

/// Why a record is refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) code: String,
    pub(crate) why: String,
}

/// What an answer per record comes to; loads may be empty.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(crate) stored: Load,
    pub(crate) again: Told,
    pub(crate) held: Told,
    pub(crate) rejected: Load,
    /// As many as records are rejected.
    pub(crate) whys: Vec<Why>,
}

/// Records with the first reason that was given for any of them.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) load: Load,
    pub(crate) why: String,
}

impl Sorted {
    /// Sorts `load` by verdicts on its records (by their place); those not named are stored.
    pub(crate) fn new(load: &Load, mut verdicts: Vec<(usize, Verdict)>) -> Self {
        verdicts.sort_by_key(|(at, _)| *at);
        // Of two verdicts on one record the first counts; the second must not hide those on later records.
        verdicts.dedup_by_key(|(at, _)| *at);
        let mut verdicts = verdicts.into_iter().peekable();
        let mut sorted = Self::default();
        for (at, item) in load.items.iter().enumerate() {
            let side = match verdicts.next_if(|(about, _)| *about == at).map(|(_, verdict)| verdict) {
                None | Some(Verdict::AlreadyThere) => &mut sorted.stored,
                Some(Verdict::Retry { why }) => sorted.again.with(why),
                Some(Verdict::Hold { why }) => sorted.held.with(why),
                Some(Verdict::Rejected { code, why }) => {
                    sorted.whys.push(Why { code, why });
                    &mut sorted.rejected
                }
            };
            side.adopt(load, *item);
        }
        sorted
    }
}

impl Told {
    fn with(&mut self, why: String) -> &mut Load {
        if self.load.is_empty() {
            self.why = why;
        }
        &mut self.load
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::share::Share;
    use crate::event::test_kit::{Ledger, batch};
    use std::sync::Arc;

    fn lines(load: &Load) -> String {
        load.views().map(|view| String::from_utf8_lossy(view.text()).into_owned()).collect()
    }

    fn load(lines: &[&str]) -> Load {
        let share = Share::new(batch(&Arc::new(Ledger::default()), lines));
        let mut load = Load::default();
        (0..lines.len() as u32).for_each(|record| load.push(&share, record, 0));
        load
    }

    #[test]
    fn each_record_goes_where_its_verdict_says() {
        let retry = |why: &str| Verdict::Retry { why: why.into() };
        let rejected = |code: &str| Verdict::Rejected { code: code.into(), why: "no".into() };
        let verdicts = vec![
            (5, rejected("late")),
            (1, retry("busy")),
            (2, rejected("early")),
            (3, Verdict::Hold { why: "forbidden".into() }),
            (4, Verdict::AlreadyThere),
            (6, retry("full")),
        ];
        let sorted = Sorted::new(&load(&["a", "b", "c", "d", "e", "f", "g", "h"]), verdicts);
        assert_eq!(lines(&sorted.stored), "aeh");
        assert_eq!((lines(&sorted.again.load), sorted.again.why.as_str()), ("bg".into(), "busy"));
        assert_eq!((lines(&sorted.held.load), sorted.held.why.as_str()), ("d".into(), "forbidden"));
        assert_eq!(lines(&sorted.rejected), "cf");
        assert_eq!(sorted.whys.iter().map(|why| why.code.as_str()).collect::<Vec<_>>(), ["early", "late"]);
    }

    #[test]
    fn a_record_named_twice_does_not_hide_verdicts_on_later_ones() {
        let retry = || Verdict::Retry { why: "busy".into() };
        let sorted = Sorted::new(&load(&["a", "b", "c"]), vec![(0, retry()), (0, retry()), (2, retry())]);
        assert_eq!((lines(&sorted.again.load), lines(&sorted.stored)), ("ac".into(), "b".into()));
    }

    #[test]
    fn verdicts_on_records_that_are_not_there_change_nothing() {
        let sorted = Sorted::new(&load(&["a"]), vec![(7, Verdict::Retry { why: "busy".into() })]);
        assert_eq!(lines(&sorted.stored), "a");
    }
}
