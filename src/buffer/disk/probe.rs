//! What must hold for any bytes: for the fuzz target, and for the corpus in the tests.

use bytes::Bytes;

use super::frame::{HEAD, Head};
use super::payload::{self, Layout};
use super::segment;
use crate::event::otlp::Writer;

/// Reads `data` as everything that the log reads; it gives records or an error.
#[cfg_attr(not(fuzzing), allow(unreachable_pub, reason = "the fuzz target calls it"))]
pub fn probe(data: &[u8]) {
    let _segment = segment::Head::read(data);
    let data = Bytes::copy_from_slice(data);
    let texts = payload::decode(Layout::Texts, &data).ok();
    let messages = payload::decode(Layout::Messages, &data).ok();
    let framed = Head::read(&data).ok().and_then(|head| head.batch(&data.slice(HEAD..)).ok());
    let mut writer = Writer::default();
    for batch in [texts, messages, framed].into_iter().flatten() {
        for record in batch.iter() {
            let mut json = Vec::new();
            record.write_json(&mut json);
            let _time = record.time();
            let _sent = writer.read(record).is_ok();
        }
        let mut again = Vec::new();
        payload::encode(&batch, &mut again);
        let back = payload::decode(Layout::of(&batch), &Bytes::from(again)).expect("what was encoded is decoded");
        assert_eq!(back.len(), batch.len());
    }
}
