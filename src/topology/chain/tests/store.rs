//! A destination that stores each id once, and misbehaves as told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use super::model::Trouble;
use crate::component::sink::{Answer, Encoder, Partition, Payload, Refusal, Sending, Sink, Verdict};
use crate::event::View;

/// A record as it came: path, stream, position, mark.
pub(super) type Came = (u32, u8, u64, char);

pub(super) struct Store {
    pub(super) is_first: bool,
    pub(super) is_ordered: bool,
    pub(super) troubles: Mutex<VecDeque<Trouble>>,
    pub(super) kept: Mutex<Kept>,
}

/// What it has, by identity, and the order in which it came.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) by_id: BTreeMap<String, Came>,
    pub(super) order: Vec<Came>,
}

impl Store {
    /// Stores a record; says so if it is not simply stored.
    fn store(&self, (id, came): &(String, Came)) -> Option<Verdict> {
        if self.is_first && came.3 == 'r' {
            return Some(Verdict::Rejected { code: "r".into(), why: "as it says".into() });
        }
        let mut kept = self.kept.lock().unwrap();
        if kept.by_id.insert(id.clone(), *came).is_some() {
            return Some(Verdict::AlreadyThere);
        }
        kept.order.push(*came);
        None
    }

    fn store_all(&self, records: &[(String, Came)]) -> Vec<(usize, Verdict)> {
        records.iter().enumerate().filter_map(|(at, record)| Some((at, self.store(record)?))).collect()
    }

    fn answer(&self, records: &[(String, Came)]) -> Option<Answer> {
        let trouble = self.troubles.lock().unwrap().pop_front().unwrap_or(Trouble::None);
        let why = || "trouble".to_owned();
        Some(match trouble {
            Trouble::Retry => Answer::Retry { why: why(), after: None },
            Trouble::Hold => Answer::Hold { why: why() },
            Trouble::Split if records.len() > 1 => Answer::Split,
            Trouble::Lost if !self.is_ordered => {
                self.store_all(records);
                panic!("lost with its request");
            }
            Trouble::Stall => {
                self.store_all(records);
                return None;
            }
            Trouble::Partial => {
                let half = records.len() / 2;
                let mut verdicts = self.store_all(&records[..half]);
                verdicts.extend((half..records.len()).map(|at| (at, Verdict::Retry { why: why() })));
                Answer::Partial(verdicts)
            }
            Trouble::HoldSome => {
                let held = if self.is_ordered { records.len() } else { 1 };
                let mut verdicts: Vec<_> = (0..held).map(|at| (at, Verdict::Hold { why: why() })).collect();
                let others = self.store_all(&records[held..]);
                verdicts.extend(others.into_iter().map(|(at, verdict)| (at + held, verdict)));
                Answer::Partial(verdicts)
            }
            Trouble::None | Trouble::Split | Trouble::Lost => Answer::Partial(self.store_all(records)),
        })
    }
}

impl Sink for Store {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(Lines)
    }

    fn send(&self, request: Payload) -> Sending<'_> {
        let text = String::from_utf8(request.body.to_vec()).unwrap();
        let records: Vec<_> = text.lines().map(read).collect();
        assert_eq!(records.len(), request.records);
        Box::pin(async move {
            match self.answer(&records) {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }

    fn is_ordered(&self) -> bool {
        self.is_ordered
    }
}

/// A line for each record: id, path, text.
struct Lines;

impl Encoder for Lines {
    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal> {
        let text = std::str::from_utf8(record.text()).unwrap();
        if text.ends_with('e') {
            return Err(Refusal { code: "e", why: "as it says".into() });
        }
        let identity = record.identity();
        body.extend_from_slice(format!("{} {} {text}\n", identity.id(), identity.path).as_bytes());
        Ok(0)
    }
}

fn read(line: &str) -> (String, Came) {
    let (id, rest) = line.split_once(' ').unwrap();
    let (path, text) = rest.split_once(' ').unwrap();
    let (stream, position, mark) = read_text(text);
    (id.to_owned(), (path.parse().unwrap(), stream, position, mark))
}

/// The text of a record, such as `1 7 x`.
pub(super) fn read_text(text: &str) -> (u8, u64, char) {
    let parts: Vec<_> = text.split(' ').collect();
    (parts[0].parse().unwrap(), parts[1].parse().unwrap(), parts[2].chars().next().unwrap())
}
