//! Figures of buffers, beyond their bytes.

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::LABELS;

/// The families.
#[derive(Debug)]
pub(super) struct BufferFamilies {
    discarded: IntCounterVec,
    events: IntGaugeVec,
    rereads: IntCounterVec,
    passed: IntCounterVec,
    corrupted: IntCounterVec,
    lost: IntCounterVec,
    quarantined: IntGaugeVec,
    fsync_errors: IntCounterVec,
    full_in: GaugeVec,
    orphans: IntGauge,
}

/// Those of one disk buffer.
#[derive(Clone, Debug)]
pub struct BufferMeters {
    events: IntGauge,
    rereads: IntCounter,
    passed: IntCounter,
    corrupted: IntCounter,
    lost: IntCounter,
    quarantined: IntGauge,
    fsync_errors: IntCounter,
    full_in: Gauge,
}

impl BufferFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str| {
            let family = IntCounterVec::new(Opts::new(name, help), &LABELS).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let gauge = |name: &str, help: &str| {
            let family = IntGaugeVec::new(Opts::new(name, help), &LABELS).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let full_in =
            Opts::new("levada_buffer_full_seconds", "Seconds until the disk buffer is full, as it grows now.");
        let full_in = GaugeVec::new(full_in, &LABELS).expect("names are constants");
        registry.register(Box::new(full_in.clone())).expect("each name once");
        let orphans = IntGauge::new("levada_orphaned_buffers", "Disk buffers with records that no sink has.");
        let orphans = orphans.expect("names are constants");
        registry.register(Box::new(orphans.clone())).expect("each name once");
        Self {
            orphans,
            discarded: counter("levada_buffer_discarded_events_total", "Records dropped because the buffer was full."),
            events: gauge("levada_buffer_events", "Records in the disk buffer that have no outcome."),
            rereads: counter("levada_buffer_reread_events_total", "Records read again that the disk buffer had."),
            passed: counter(
                "levada_buffer_passed_events_total",
                "Records that the sink was done with before the disk buffer had to write them.",
            ),
            corrupted: counter("levada_buffer_corrupted_bytes_total", "Bytes of the disk buffer that were damaged."),
            lost: counter("levada_buffer_lost_frames_total", "Frames of the disk buffer that were damaged or missing."),
            quarantined: gauge(
                "levada_buffer_quarantined_byte_size",
                "Damaged bytes of the disk buffer that are kept.",
            ),
            fsync_errors: counter("levada_buffer_fsync_errors_total", "Syncs of the disk buffer that failed."),
            full_in,
        }
    }

    /// Records were dropped because a buffer was full.
    pub(super) fn discarded(&self, labels: &[&str], events: usize) {
        self.discarded.with_label_values(labels).inc_by(events as u64);
    }

    /// So many disk buffers have no sink.
    pub(super) fn orphans(&self, buffers: usize) {
        self.orphans.set(buffers as i64);
    }

    /// Those of the component with these labels: from now on they are shown.
    pub(super) fn of_disk(&self, labels: &[&str]) -> BufferMeters {
        BufferMeters {
            events: self.events.with_label_values(labels),
            rereads: self.rereads.with_label_values(labels),
            passed: self.passed.with_label_values(labels),
            corrupted: self.corrupted.with_label_values(labels),
            lost: self.lost.with_label_values(labels),
            quarantined: self.quarantined.with_label_values(labels),
            fsync_errors: self.fsync_errors.with_label_values(labels),
            full_in: self.full_in.with_label_values(labels),
        }
    }
}

impl BufferMeters {
    /// So many records have no outcome.
    pub fn events(&self, events: u64) {
        self.events.set(events as i64);
    }

    /// Records came again that are stored.
    pub fn rereads(&self, events: usize) {
        self.rereads.inc_by(events as u64);
    }

    /// The sink was done with records before they were written.
    pub fn passed(&self, events: usize) {
        self.passed.inc_by(events as u64);
    }

    /// Bytes are not what was written.
    pub fn corrupted(&self, bytes: u64) {
        self.corrupted.inc_by(bytes);
    }

    /// Frames are damaged or missing.
    pub fn lost(&self, frames: usize) {
        self.lost.inc_by(frames as u64);
    }

    /// So many damaged bytes are kept.
    pub fn quarantined(&self, bytes: u64) {
        self.quarantined.set(bytes as i64);
    }

    /// A sync failed.
    pub fn fsync_failed(&self) {
        self.fsync_errors.inc();
    }

    /// Seconds until it is full; infinite where it does not grow.
    pub fn full_in(&self, seconds: f64) {
        self.full_in.set(seconds);
    }

    /// How many records were left out since they are stored, so far.
    #[cfg(test)]
    pub(crate) fn reread_events(&self) -> u64 {
        self.rereads.get()
    }

    /// How many records the sink was done with before they were written, so far.
    #[cfg(test)]
    pub(crate) fn passed_events(&self) -> u64 {
        self.passed.get()
    }

    /// How many bytes were damaged, and how many frames are lost, so far.
    #[cfg(test)]
    pub(crate) fn damage(&self) -> (u64, u64) {
        (self.corrupted.get(), self.lost.get())
    }
}
