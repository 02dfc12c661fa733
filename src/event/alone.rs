//! A batch of a single record that no source has offered: for trying programs, conditions and pipelines.

use std::sync::Arc;

use super::json::Fault;
use super::{Batch, Origin, Receipt, Resolution, Resolve, Seen, StreamKey};

/// Is told of receipts that no source waits for.
struct Nobody;

impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

impl Batch {
    /// One raw line. Lines with different positions are different records.
    pub fn of_line(text: &[u8], seen: Seen) -> Self {
        let mut batch = Self::empty_over(text);
        batch.fill().text(0, text.len(), seen);
        batch
    }

    /// One JSON object. Objects with different positions are different records.
    pub fn of_object(text: &[u8], seen: Seen) -> Result<Self, Fault> {
        let mut batch = Self::empty_over(text);
        batch.fill().json(0, text.len(), seen)?;
        Ok(batch)
    }

    fn empty_over(text: &[u8]) -> Self {
        let receipt = Receipt::new(Arc::new(Nobody), 0);
        Self::new(text.to_vec().into(), Arc::new(Origin::new(StreamKey(0))), receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Seen};

    #[test]
    fn a_record_alone_is_json_or_a_line() {
        let json = |batch: Batch| {
            let mut out = Vec::new();
            batch.get(0).write_json(&mut out);
            String::from_utf8(out).unwrap()
        };
        let text = br#"{"a" :1}"#;
        let seen = Seen { position: 3, time: 7 };
        assert_eq!(json(Batch::of_object(text, seen).unwrap()), r#"{"a" :1}"#);
        let line = json(Batch::of_line(text, seen));
        assert_eq!(line, r#"{"message":"{\"a\" :1}","timestamp":"1970-01-01T00:00:00.000000007Z"}"#);
        assert!(Batch::of_object(b"a line", seen).is_err());
    }
}
