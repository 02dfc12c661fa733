//! What records say of themselves where `enrich` says otherwise, kept under `claimed`: of a line or an object as
//! `claimed.NAME` in an object, of an OTLP record as an attribute of that name.

use std::borrow::Cow;

use crate::event::{Editor, View, json};

/// What claims stand under.
const CLAIMED: &str = "claimed";

/// Keeps claims, or does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims {
    pub(super) are_kept: bool,
}

impl Claims {
    /// The member `key` is about to be `value` (JSON text), or to go: what the record says there is kept, unless it says
    /// the same.
    pub(super) fn keep(self, records: &mut Editor<'_>, index: usize, (key, value): (&str, Option<&[u8]>)) {
        if !self.are_kept {
            return;
        }
        let record = records.get(index);
        let Some(claim) = claim(record, key).filter(|claim| Some(&**claim) != value) else { return };
        let (claim, is_otlp) = (claim.into_owned(), record.form().is_otlp());
        if is_otlp {
            let name = format!("{CLAIMED}.{key}");
            return records.set_member(index, name.as_bytes(), |out| out.extend_from_slice(&claim));
        }
        let known = record.member(CLAIMED.as_bytes()).filter(|known| known.starts_with(b"{"));
        let known = known.map_or_else(|| b"{}".to_vec(), Cow::into_owned);
        let at = [json::Segment::Field(key.as_bytes())];
        records.set_member(index, CLAIMED.as_bytes(), |out| json::splice_set(&known, &at, &claim, out));
    }
}

/// What the record itself says: its member, or what its peer says of its resource. What its origin brings is no claim.
fn claim<'a>(record: View<'a>, key: &str) -> Option<Cow<'a, [u8]>> {
    if record.shares(key.as_bytes()) {
        return None;
    }
    let of_resource = || record.resource_attribute(key.as_bytes()).map(Cow::Owned);
    record.member(key.as_bytes()).or_else(of_resource)
}
