//! What must hold for any bytes: for the fuzz target, and for the corpus in the tests.

use bytes::Bytes;

use super::frame::{HEAD, Head};
use super::payload;
use super::segment;

/// Reads `data` as everything that the log reads; it gives records or an error.
#[cfg_attr(not(fuzzing), allow(unreachable_pub, reason = "the fuzz target calls it"))]
pub fn probe(data: &[u8]) {
    let _segment = segment::Head::read(data);
    let data = Bytes::copy_from_slice(data);
    let batches =
        [payload::decode(&data).ok(), Head::read(&data).ok().and_then(|head| head.batch(&data.slice(HEAD..)).ok())];
    for batch in batches.into_iter().flatten() {
        for record in batch.iter() {
            let mut json = Vec::new();
            record.write_json(&mut json);
            let _time = record.time();
        }
        let mut again = Vec::new();
        payload::encode(&batch, &mut again);
        let back = payload::decode(&Bytes::from(again)).expect("what was encoded is decoded");
        assert_eq!(back.len(), batch.len());
    }
}
