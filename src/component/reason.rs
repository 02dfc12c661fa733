//! Why a record did not arrive: one enum for the whole program, so that nothing leaves uncounted.

/// A reason in `component_discarded_events_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A `filter` condition was false.
    Filtered,
    /// A `sample` transform did not choose it.
    Sampled,
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
    /// Dead letters reached their bound, or could not be written.
    DeadLetterLost,
    /// A `blackhole` or another end that keeps nothing by design.
    Discarded,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Filtered,
        Self::Sampled,
        Self::Aborted,
        Self::ProgramFailed,
        Self::Unrouted,
        Self::BufferFull,
        Self::Rejected,
        Self::DeadLetterLost,
        Self::Discarded,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filtered => "filtered",
            Self::Sampled => "sampled",
            Self::Aborted => "aborted",
            Self::ProgramFailed => "program_failed",
            Self::Unrouted => "unrouted",
            Self::BufferFull => "buffer_full",
            Self::Rejected => "rejected",
            Self::DeadLetterLost => "dead_letter_lost",
            Self::Discarded => "discarded",
        }
    }

    /// Did the configuration ask for it?
    pub const fn is_intentional(self) -> bool {
        !matches!(self, Self::ProgramFailed | Self::Rejected | Self::DeadLetterLost)
    }
}
