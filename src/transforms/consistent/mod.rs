//! Consistent probability sampling, as OpenTelemetry has it:
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>.
//!
//! A trace has a random number R of 56 bits, a share is a threshold T, and a span stays if R is not below T. Whoever
//! samples by it at whatever place keeps the same traces, and those of a smaller share are among those of a larger one.
//! The threshold stands in the span's `tracestate`, so that those who count know how many spans one stands for.

mod threshold;
pub(super) mod trace_state;

pub(super) use threshold::{Randomness, Threshold};
