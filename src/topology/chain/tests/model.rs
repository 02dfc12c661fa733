//! What a case is made of, and what must become of its records.

use std::collections::BTreeMap;

/// What a destination does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// Stores nothing, asks for another time.
    Retry,
    /// Stores all and takes the request down with it.
    Lost,
    Split,
    /// Stores the first half.
    Partial,
    Hold,
    /// Holds the first record; of a sink that keeps order, all.
    HoldSome,
    /// Stores all and never answers.
    Stall,
}

/// What becomes of a record at a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Stored,
    /// Refused there: a dead letter of that sink.
    Refused,
    /// It does not get there.
    Elsewhere,
}

/// A line of steps, and sinks behind its end. With a step and two sinks the last sink reads the source itself; with
/// two steps the first one routes every third position straight to the first sink.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) steps: usize,
    pub(super) sinks: usize,
    pub(super) is_ordered: bool,
}

/// One run. A record is a mark: `f` is filtered by a step, `p` makes it panic, `x` is refused by it, `e` cannot be
/// encoded, `r` is refused by the first sink's destination.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) layout: Layout,
    /// Stream and marks.
    pub(super) batches: Vec<(u8, Vec<u8>)>,
    /// What each destination does with its first requests.
    pub(super) troubles: Vec<Trouble>,
    pub(super) max_events: usize,
    pub(super) max_size: usize,
}

/// A record: stream, position, mark.
pub(super) type Row = (u8, u64, char);

/// Outcomes that receipts count: delivered, dropped, dead-lettered.
pub(super) type Counts = (u64, u64, u64);

impl Layout {
    /// The sink that reads the source beside the steps.
    pub(super) fn direct(self) -> Option<usize> {
        (self.steps > 0 && self.sinks > 1).then(|| self.sinks - 1)
    }

    pub(super) fn is_routed(self, position: u64) -> bool {
        self.steps > 1 && position % 3 == 0
    }

    /// What becomes of the record at each sink.
    pub(super) fn fates(self, (_, position, mark): Row) -> Vec<Fate> {
        (0..self.sinks).map(|sink| self.fate(sink, position, mark)).collect()
    }

    fn fate(self, sink: usize, position: u64, mark: char) -> Fate {
        let is_direct = self.direct() == Some(sink);
        let stops = match mark {
            'p' => self.steps > 0,
            'f' | 'x' => self.steps > 0 && !is_direct,
            _ => false,
        };
        if stops || (!is_direct && sink > 0 && self.is_routed(position)) {
            return Fate::Elsewhere;
        }
        match mark {
            'e' => Fate::Refused,
            'r' if sink == 0 => Fate::Refused,
            _ => Fate::Stored,
        }
    }

    /// How many dead letters the record makes.
    pub(super) fn letters(self, row: Row) -> usize {
        let of_step = usize::from(self.steps > 0 && matches!(row.2, 'p' | 'x'));
        of_step + self.count(row, Fate::Refused)
    }

    fn count(self, row: Row, wanted: Fate) -> usize {
        self.fates(row).into_iter().filter(|fate| *fate == wanted).count()
    }
}

impl Case {
    /// All records; positions count within their stream.
    pub(super) fn records(&self) -> Vec<Row> {
        let mut next: BTreeMap<u8, u64> = BTreeMap::new();
        let mut rows = Vec::new();
        for (stream, marks) in &self.batches {
            let position = next.entry(*stream).or_default();
            for mark in marks {
                rows.push((*stream, *position, char::from(*mark)));
                *position += 1;
            }
        }
        rows
    }

    /// How many records the steps drop.
    pub(super) fn dropped(&self) -> u64 {
        let is_dropped = |row: &Row| self.layout.steps > 0 && row.2 == 'f';
        self.records().iter().filter(|row| is_dropped(row)).count() as u64
    }

    /// What the receipts must tell together.
    pub(super) fn settled(&self) -> Counts {
        let rows = self.records();
        let stored: usize = rows.iter().map(|row| self.layout.count(*row, Fate::Stored)).sum();
        let letters: usize = rows.iter().map(|row| self.layout.letters(*row)).sum();
        (stored as u64, self.dropped(), letters as u64)
    }
}
