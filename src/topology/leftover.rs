//! What is left when the process ends before everything has arrived.

/// What was still there when the time was over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Components that had not ended.
    pub components: Vec<String>,
    /// Bytes in the queue of each sink that has some.
    pub queued_bytes: Vec<(String, usize)>,
    /// What each sink had taken from its queue and not settled: records, and the bytes they keep alive.
    pub in_hand: Vec<(String, (usize, usize))>,
}

impl Leftover {
    /// Without what is nothing, in order.
    pub(super) fn tidy(&mut self) {
        self.queued_bytes.retain(|(_, bytes)| *bytes > 0);
        self.in_hand.retain(|(_, (records, _))| *records > 0);
        self.queued_bytes.sort();
        self.in_hand.sort();
        self.components.sort();
        self.components.dedup();
    }
}
