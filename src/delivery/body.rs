//! Bodies of requests: large buffers that are used again, since fresh memory costs a page fault for every 4 KiB.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bodies kept for reuse.
const SPARE: usize = 2;

/// Where a sink's bodies come from and go back to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bodies(Arc<Mutex<Vec<Vec<u8>>>>);

impl Bodies {
    /// An empty body with room for `bytes`.
    pub(crate) fn take(&self, bytes: usize) -> Vec<u8> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut body = spare.unwrap_or_default();
        body.reserve(bytes);
        body
    }

    /// Takes a body back.
    pub(crate) fn give(&self, mut body: Vec<u8>) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            body.clear();
            spare.push(body);
        }
    }

    /// A body on its way; it comes back with its last reference.
    pub(crate) fn lend(&self, body: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { body, home: self.clone() })
    }
}

struct Lent {
    body: Vec<u8>,
    home: Bodies,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give(std::mem::take(&mut self.body));
    }
}
