//! Copying records out of their block, so that a few of them do not keep all of it alive.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::batch::Batch;
use super::otlp::{Head, Range};
use super::record::{IN_ARENA, NONE, Record};
use super::tables::{Edit, Span, Tables, Target};
use super::view::View;

/// Records are copied out of blocks of which they are less than one part in so many.
const SPARSE: usize = 4;

impl Batch {
    /// Are less than a quarter of its blocks' bytes those of its records, and of what these share?
    pub fn is_sparse(&self) -> bool {
        let total: usize = self.tables.blocks.iter().map(Bytes::len).sum();
        let mut alive = 0;
        let mut shared = [Range::default(), Range::default()];
        // Most batches are whole: a quarter of their records tells.
        for record in self.records.iter().filter(|record| record.block != IN_ARENA) {
            alive += record.len as usize;
            if record.form.is_otlp() {
                let head = &self.tables.heads[record.members as usize];
                // Records of one resource stand together.
                for (known, new) in shared.iter_mut().zip([head.resource, head.scope]) {
                    if *known != new {
                        alive += (new.end - new.start) as usize;
                        *known = new;
                    }
                }
            }
            if alive * SPARSE >= total {
                return false;
            }
        }
        total > 0
    }

    /// Takes the bytes of its records out, if they are in one block: to be put elsewhere, and back with
    /// [`put_block`](Self::put_block) before anybody looks at a record.
    pub(crate) fn take_block(&mut self) -> Option<Bytes> {
        let tables = Arc::make_mut(&mut self.tables);
        match &mut tables.blocks[..] {
            [block] => Some(std::mem::take(block)),
            _ => None,
        }
    }

    /// Puts back what [`take_block`](Self::take_block) has given.
    pub(crate) fn put_block(&mut self, block: Bytes) {
        Arc::make_mut(&mut self.tables).blocks = vec![block];
    }

    /// The same records over tables and a block of their own, which hold nothing else.
    #[must_use]
    pub fn compact(self) -> Self {
        self.rewritten(|_, record, out| out.extend_from_slice(record.text()))
    }

    /// The same records over tables and a block of their own; `write` appends the message that each OTLP record is then,
    /// given its number. Other records keep their bytes.
    #[must_use]
    pub fn rewritten(mut self, mut write: impl FnMut(usize, View<'_>, &mut Vec<u8>)) -> Self {
        let mut records = Vec::with_capacity(self.records.len());
        let size = self.records.iter().map(|record| record.len as usize).sum();
        let mut fresh = Fresh { text: Vec::with_capacity(size), ..Fresh::default() };
        for (number, record) in self.records.iter().enumerate() {
            let start = fresh.text.len();
            if record.form.is_otlp() {
                write(number, View { tables: &self.tables, record }, &mut fresh.text);
            } else {
                fresh.text.extend_from_slice(self.tables.text(record));
            }
            records.push(fresh.adopt(record, start, &self.tables));
        }
        let Fresh { mut tables, text, .. } = fresh;
        // Nothing is kept that no record has: what is held for long is counted by its length.
        tables.blocks.push(Bytes::from(text.into_boxed_slice()));
        tables.origins.clone_from(&self.tables.origins);
        self.records = records;
        self.tables = tables.into();
        self
    }
}

/// Tables in the making, with the bytes that their block will have.
#[derive(Default)]
struct Fresh {
    tables: Tables,
    text: Vec<u8>,
    /// The heads that were taken over, by their old numbers.
    heads: HashMap<u32, u32>,
    /// What heads share that was copied, by its block and where it stood there: many scopes have one resource.
    ranges: HashMap<(u16, u32), Range>,
}

impl Fresh {
    /// Takes a record over whose bytes have been written, from `start` on.
    fn adopt(&mut self, record: &Record, start: usize, from: &Tables) -> Record {
        let len = (self.text.len() - start) as u32;
        let mut own = Record { block: 0, start: start as u32, len, edits: NONE, ..*record };
        if record.form.is_otlp() {
            own.members = self.head((record.members, record.block), from);
        } else {
            own.members = self.tables.members.len() as u32;
            self.tables.members.extend_from_slice(from.members(record));
        }
        for edit in from.edits(record) {
            let target = match edit.target {
                Target::New(key) => Target::New(self.copy(from, key)),
                own @ Target::Own(_) => own,
            };
            let value = edit.value.map(|value| self.copy(from, value));
            self.tables.chain(&mut own, Edit { target, value, ..*edit });
        }
        own
    }

    /// The new number of what OTLP messages share.
    fn head(&mut self, (old, block): (u32, u16), from: &Tables) -> u32 {
        if let Some(known) = self.heads.get(&old) {
            return *known;
        }
        let head = from.heads[old as usize];
        let mut own = Head {
            resource: self.range(head.resource, block, from),
            resource_schema_url: self.range(head.resource_schema_url, block, from),
            scope: self.range(head.scope, block, from),
            scope_schema_url: self.range(head.scope_schema_url, block, from),
            metric: None,
        };
        own.metric = head.metric.map(|metric| self.copy(from, metric));
        let number = self.tables.heads.len() as u32;
        self.tables.heads.push(own);
        self.heads.insert(old, number);
        number
    }

    /// Where a message of the block stands now. Two that begin at one place are the same, unless one is empty.
    fn range(&mut self, range: Range, block: u16, from: &Tables) -> Range {
        if range.start == range.end {
            return Range::default();
        }
        let text = &mut self.text;
        *self.ranges.entry((block, range.start)).or_insert_with(|| {
            let start = text.len();
            text.extend_from_slice(range.of(&from.blocks[usize::from(block)]));
            Range::from(start..text.len())
        })
    }

    fn copy(&mut self, from: &Tables, span: Span) -> Span {
        self.tables.append(|out| out.extend_from_slice(from.span(span)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Origin, Outcome, Path, Receipt, Resolution, Resolve, Seen, Shared, StreamKey};

    struct Nobody;
    impl Resolve for Nobody {
        fn resolved(&self, _: u64, _: Resolution) {}
    }

    /// A batch of these lines, JSON where they are JSON.
    fn batch(lines: &[String]) -> Batch {
        let origin = Origin::new(StreamKey(7)).with(&[Shared::string("host", "h1"), Shared::string("a", "shared")]);
        let mut batch = Batch::new(lines.concat().into(), Arc::new(origin), Receipt::new(Arc::new(Nobody), 0));
        let mut start = 0;
        for line in lines {
            let seen = Seen { position: start as u64, time: 1 };
            let mut filler = batch.fill();
            if filler.json(start, line.len(), seen).is_err() {
                filler.text(start, line.len(), seen);
            }
            start += line.len();
        }
        batch
    }

    fn written(batch: &Batch) -> Vec<(String, String)> {
        let write = |view: crate::event::View<'_>| {
            let mut json = Vec::new();
            view.write_json(&mut json);
            (String::from_utf8(json).unwrap(), view.identity().id())
        };
        batch.iter().map(write).collect()
    }

    fn change(batch: &mut Batch, (at, what, key): (usize, u8, String)) {
        let path = Path::parse(&format!(".{key}")).unwrap();
        let index = at % batch.len();
        let mut records = batch.edit();
        match what {
            0 => _ = records.remove(index, &path),
            1 => _ = records.replace(index, format!(r#"{{"{key}":[1],"b":2}}"#).as_bytes()),
            2 => _ = records.rename(index, &path, &Path::parse(".new").unwrap()),
            _ => records.set(index, &path, b"\"set\""),
        }
    }

    fn line() -> impl Strategy<Value = String> {
        let members = prop::collection::vec(("[a-d]", 0..100_u32), 0..5);
        let json = members.prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        prop_oneof![json, "[ -~]{0,40}"]
    }

    proptest! {
        #[test]
        fn a_compact_batch_writes_the_same(
            lines in prop::collection::vec(line(), 1..12),
            changes in prop::collection::vec((any::<usize>(), 0..5_u8, "[a-d]"), 0..12),
            kept in any::<u16>(),
            later in prop::collection::vec((any::<usize>(), 0..5_u8, "[a-d]"), 0..6),
        ) {
            let mut batch = batch(&lines);
            for wanted in changes {
                change(&mut batch, wanted);
            }
            let mut some = batch.select(|at| kept >> (at % 16) & 1 == 1);
            let mut compact = some.clone().compact();
            prop_assert_eq!(written(&compact), written(&some));
            prop_assert!(!compact.is_sparse() || compact.records.iter().all(|record| record.len == 0));
            // Its tables are sound: it can be changed as the other.
            if !some.is_empty() {
                for wanted in later {
                    change(&mut some, wanted.clone());
                    change(&mut compact, wanted);
                }
                prop_assert_eq!(written(&compact), written(&some));
            }
        }
    }

    #[test]
    fn sparse_is_less_than_a_quarter() {
        let lines = ["a", "b", "c", "d"].map(|letter| letter.repeat(100)).to_vec();
        let whole = batch(&lines);
        assert!(!whole.is_sparse() && !whole.select(|at| at == 3).is_sparse());
        let lines = ["a", "b", "c", "d", "e"].map(|letter| letter.repeat(100)).to_vec();
        let one = batch(&lines).select(|at| at == 3);
        assert!(one.is_sparse());
        let light = one.clone().compact();
        assert!(light.weight() < one.weight() && !light.is_sparse());
        light.settle(Outcome::Delivered);
    }
}
