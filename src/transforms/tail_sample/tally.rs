//! What is counted per trace and record, and told of once a batch.

use super::traces::Trigger;
use crate::component::meters::SamplingMeters;

/// What became of a record that came late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Kept,
    Dropped,
    /// Its trace had been dropped, and is kept from now on.
    Flipped,
}

impl Late {
    const ALL: [(Self, &str); 3] = [(Self::Kept, "kept"), (Self::Dropped, "dropped"), (Self::Flipped, "flipped")];
}

/// Counts since it was told of them.
#[derive(Default)]
pub(super) struct Tally {
    kept: [u64; Trigger::ALL.len()],
    dropped: [u64; Trigger::ALL.len()],
    late: [u64; Late::ALL.len()],
}

impl Tally {
    pub(super) fn decided(&mut self, is_kept: bool, trigger: Trigger) {
        let counts = if is_kept { &mut self.kept } else { &mut self.dropped };
        counts[trigger as usize] += 1;
    }

    pub(super) fn late(&mut self, late: Late) {
        self.late[late as usize] += 1;
    }

    /// Tells of them and begins anew.
    pub(super) fn tell(&mut self, meters: &SamplingMeters) {
        for (decision, counts) in [("kept", &mut self.kept), ("dropped", &mut self.dropped)] {
            for trigger in Trigger::ALL {
                let count = std::mem::take(&mut counts[trigger as usize]);
                if count > 0 {
                    meters.decided(decision, trigger.name(), count);
                }
            }
        }
        for (late, name) in Late::ALL {
            let count = std::mem::take(&mut self.late[late as usize]);
            if count > 0 {
                meters.late(name, count);
            }
        }
    }
}
