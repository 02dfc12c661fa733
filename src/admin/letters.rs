//! Dead letters, for people: how many of what, what they hold, and their way to a sink again.

mod replay;
mod sum;

use crate::component::transform::{Ports, Transform};
use crate::delivery::{Letter, Line, mark};
use crate::event::Batch;
use crate::lang::{Condition, Runner, TimeZone, compile_condition};
use crate::transforms::protection;

pub(super) use replay::{Replay, replay};
pub use replay::{ReplayRequest, Replayed};
pub use sum::Sum;
pub(super) use sum::sums;

/// Bytes of letters that are read at once.
pub(super) const CHUNK: usize = 1 << 20;

/// Which letters are meant.
pub(super) struct Judge {
    component: Option<String>,
    condition: Option<Condition>,
    runner: Runner,
    scrub: Box<dyn Transform>,
}

/// Letters of one read, judged.
#[derive(Default)]
pub(super) struct Judged<'a> {
    /// Those that are meant, and the numbers of their lines.
    pub(super) letters: Vec<(usize, Letter<'a>)>,
    /// They as people may see them, with a member that tells why they are here.
    pub(super) shown: Batch,
    /// Lines that are no letters.
    pub(super) unreadable: usize,
    /// Letters on which the condition failed: they are not meant.
    pub(super) failed: usize,
}

impl Judge {
    /// Letters of this component, or of all, that meet this condition. A fault is drawn for people.
    pub(super) fn new(component: Option<String>, condition: Option<&str>) -> Result<Self, String> {
        let drawn = |faults: Vec<crate::lang::Fault>| {
            let pictures: Vec<_> = faults.iter().map(|fault| fault.rendered.trim_end().to_owned()).collect();
            pictures.join("\n")
        };
        let compiled = condition.map(|text| compile_condition(text, TimeZone::default()).map_err(drawn));
        let condition = compiled.transpose()?;
        Ok(Self { component, condition, runner: Runner::new(), scrub: protection() })
    }

    /// Judges lines as people may see them: scrubbed.
    pub(super) fn judge<'a>(&mut self, lines: &'a [Line]) -> Judged<'a> {
        let (mut numbers, mut letters, mut unreadable) = (Vec::new(), Vec::new(), 0);
        for (number, line) in lines {
            match Letter::read(line) {
                None => unreadable += 1,
                Some(letter) if self.component.as_ref().is_some_and(|id| *id != letter.component) => drop(letter),
                Some(letter) => {
                    numbers.push(*number);
                    letters.push(letter);
                }
            }
        }
        let (mut shown, places) = Letter::records(&letters);
        unreadable += letters.len() - places.len();
        let told = |at: usize| {
            let Letter { component, code, reason, .. } = &letters[places[at]];
            [&**component, &**code, &**reason]
        };
        mark(&mut shown, told);
        self.scrub.apply(&mut shown, &mut Ports::default());
        let (meant, failed) = self.select(&shown);
        let mut is_meant = vec![false; letters.len()];
        for at in &meant {
            is_meant[places[*at as usize]] = true;
        }
        let shown = shown.pick(meant.into_iter());
        let all = numbers.into_iter().zip(letters).zip(is_meant);
        let letters = all.filter(|(_, is_meant)| *is_meant).map(|(letter, _)| letter).collect();
        Judged { letters, shown, unreadable, failed }
    }

    /// The records that meet the condition, and on how many it failed.
    fn select(&mut self, shown: &Batch) -> (Vec<u32>, usize) {
        let Some(condition) = &self.condition else { return ((0..shown.len() as u32).collect(), 0) };
        let (mut meant, mut failed) = (Vec::new(), 0);
        for (at, record) in shown.iter().enumerate() {
            match self.runner.check(condition, &record) {
                Ok(true) => meant.push(at as u32),
                Ok(false) => {}
                Err(_) => failed += 1,
            }
        }
        (meant, failed)
    }
}
