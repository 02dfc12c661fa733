//! Why a record did not arrive: one enum for the whole program, so that nothing leaves uncounted.

/// A reason in `component_discarded_events_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A `filter` condition was false.
    Filtered,
    /// A `sample` transform did not choose it.
    Sampled,
    /// A `throttle` had let enough of its key pass.
    Throttled,
    /// A `dedupe` knew one like it that arrived.
    Duplicate,
    /// It became part of another record, which went on in its stead.
    Merged,
    /// A program asked for it with `abort`.
    Aborted,
    /// A program failed on it and `drop_on_error` is set.
    ProgramFailed,
    /// No route matched and nothing reads `_unmatched`.
    Unrouted,
    /// The buffer was full and its policy is `drop_newest`.
    BufferFull,
    /// Refused for good; it is a dead letter.
    Rejected,
    /// The destination refused some records of a request for good and did not say which.
    RefusedUnnamed,
    /// Its sender had been told that it is queued; then the process ended, or its sink went, before it arrived.
    Abandoned,
    /// Dead letters reached their bound, or could not be written.
    DeadLetterLost,
    /// A sink whose acknowledgements nobody waits for failed on it.
    Unacknowledged,
    /// A `blackhole` or another end that keeps nothing by design.
    Discarded,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Filtered,
        Self::Sampled,
        Self::Throttled,
        Self::Duplicate,
        Self::Merged,
        Self::Aborted,
        Self::ProgramFailed,
        Self::Unrouted,
        Self::BufferFull,
        Self::Rejected,
        Self::RefusedUnnamed,
        Self::Abandoned,
        Self::DeadLetterLost,
        Self::Unacknowledged,
        Self::Discarded,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filtered => "filtered",
            Self::Sampled => "sampled",
            Self::Throttled => "throttled",
            Self::Duplicate => "duplicate",
            Self::Merged => "merged",
            Self::Aborted => "aborted",
            Self::ProgramFailed => "program_failed",
            Self::Unrouted => "unrouted",
            Self::BufferFull => "buffer_full",
            Self::Rejected => "rejected",
            Self::RefusedUnnamed => "refused_unnamed",
            Self::Abandoned => "abandoned",
            Self::DeadLetterLost => "dead_letter_lost",
            Self::Unacknowledged => "unacknowledged",
            Self::Discarded => "discarded",
        }
    }

    /// Did the configuration ask for it?
    pub const fn is_intentional(self) -> bool {
        !matches!(self, Self::ProgramFailed | Self::Rejected | Self::RefusedUnnamed | Self::DeadLetterLost)
    }
}
