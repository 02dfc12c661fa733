//! Figures of sources that follow files. Names are Vector's where it has the figure; never a file as a label.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Why bytes of a file were given up before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// The file was truncated, and no copy of what it held was found.
    Truncated,
    /// It was deleted, and `max_deleted_open_files` or `max_deleted_open_bytes` was reached.
    DeletedLimit,
    /// It was rotated, and `rotate_wait_secs` were over.
    RotateWait,
    /// It is compressed and damaged, or ends too early.
    Damaged,
    /// It was gone when it was looked for again, an hour ago: nobody had it open, or the process had ended.
    Gone,
}

impl Abandoned {
    const ALL: [Self; 5] = [Self::Truncated, Self::DeletedLimit, Self::RotateWait, Self::Damaged, Self::Gone];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::DeletedLimit => "deleted_limit",
            Self::RotateWait => "rotate_wait",
            Self::Damaged => "damaged",
            Self::Gone => "gone",
        }
    }
}

#[derive(Debug)]
pub(super) struct FileFamilies {
    counters: [IntCounterVec; COUNTERS.len()],
    gauges: [IntGaugeVec; GAUGES.len()],
    abandoned: IntCounterVec,
}

const COUNTERS: [(&str, &str); 7] = [
    ("levada_files_added_total", "Files that are followed from their beginning, or their end."),
    ("levada_files_resumed_total", "Files that are followed from a position that was kept."),
    ("levada_files_unwatched_total", "Files that are gone and no longer followed."),
    ("levada_files_deleted_total", "Files that were deleted because `remove_after_secs` were over."),
    ("levada_file_rotations_total", "Files that were renamed while they were followed."),
    ("levada_file_truncations_total", "Files that were truncated while they were followed."),
    ("levada_file_hole_bytes_total", "Bytes of holes that truncation left in files and that were passed over."),
];

const GAUGES: [(&str, &str); 8] = [
    ("levada_open_files", "Files that are open."),
    ("levada_files_waiting", "Files that are found and wait for descriptors."),
    ("levada_deleted_open_files", "Deleted files that are open because they are not read to their end."),
    ("levada_deleted_open_bytes", "Bytes on disk that deleted open files hold."),
    ("levada_file_lag_bytes", "Bytes in all files that are not read yet."),
    ("levada_file_lag_max_bytes", "Bytes that are not read yet in the file that has most of them."),
    ("levada_file_lag_max_seconds", "Age of the oldest bytes that were seen and are not read yet."),
    (
        "levada_discovery_polling",
        "1 where the kernel does not tell of changes, so that they are looked for more often.",
    ),
];

/// The figures of one source; a clone counts into the same ones.
#[derive(Clone, Debug)]
pub struct FileMeters {
    /// Files that are followed from their beginning, or their end.
    pub added: IntCounter,
    /// Files that are followed from a position that was kept.
    pub resumed: IntCounter,
    /// Files that are gone and no longer followed.
    pub unwatched: IntCounter,
    /// Files that were deleted after they were read.
    pub deleted: IntCounter,
    /// Files that were renamed while they were followed.
    pub rotations: IntCounter,
    /// Files that were truncated while they were followed.
    pub truncations: IntCounter,
    /// Bytes of holes that were passed over.
    pub hole_bytes: IntCounter,
    /// Files that are open.
    pub open: IntGauge,
    /// Files that are found and wait for descriptors.
    pub waiting: IntGauge,
    /// Deleted files that are open.
    pub deleted_open: IntGauge,
    /// Bytes on disk that these hold.
    pub deleted_open_bytes: IntGauge,
    /// Bytes in all files that are not read yet.
    pub lag_bytes: IntGauge,
    /// Bytes that are not read yet in the file that has most of them.
    pub lag_max_bytes: IntGauge,
    /// Age in seconds of the oldest bytes that were seen and are not read yet.
    pub lag_max_seconds: IntGauge,
    /// Does the kernel not tell of changes?
    pub polling: IntGauge,
    abandoned: [IntCounter; Abandoned::ALL.len()],
}

impl FileFamilies {
    pub(super) fn new(registry: &Registry, labels: &[&str]) -> Self {
        let counter = |(name, help): (&str, &str), more: &[&str]| {
            let family =
                IntCounterVec::new(Opts::new(name, help), &[labels, more].concat()).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let gauge = |(name, help): (&str, &str)| {
            let family = IntGaugeVec::new(Opts::new(name, help), labels).expect("names are constants");
            registry.register(Box::new(family.clone())).expect("each name once");
            family
        };
        let abandoned = ("levada_abandoned_bytes_total", "Bytes of files that were given up before they were read.");
        Self {
            counters: COUNTERS.map(|of| counter(of, &[])),
            gauges: GAUGES.map(gauge),
            abandoned: counter(abandoned, &["reason"]),
        }
    }

    pub(super) fn meters(&self, values: &[&str]) -> FileMeters {
        let [added, resumed, unwatched, deleted, rotations, truncations, hole_bytes] =
            self.counters.each_ref().map(|family| family.with_label_values(values));
        let [open, waiting, deleted_open, deleted_open_bytes, lag_bytes, lag_max_bytes, lag_max_seconds, polling] =
            self.gauges.each_ref().map(|family| family.with_label_values(values));
        let abandoned =
            Abandoned::ALL.map(|reason| self.abandoned.with_label_values(&[values, &[reason.name()]].concat()));
        FileMeters {
            added,
            resumed,
            unwatched,
            deleted,
            rotations,
            truncations,
            hole_bytes,
            open,
            waiting,
            deleted_open,
            deleted_open_bytes,
            lag_bytes,
            lag_max_bytes,
            lag_max_seconds,
            polling,
            abandoned,
        }
    }
}

impl FileMeters {
    /// Bytes of a file are given up before they were read.
    pub fn abandoned(&self, reason: Abandoned, bytes: u64) {
        self.abandoned[reason as usize].inc_by(bytes);
    }

    /// How many bytes were given up so far, for every reason.
    pub fn abandoned_bytes(&self) -> u64 {
        self.abandoned.iter().map(IntCounter::get).sum()
    }
}
