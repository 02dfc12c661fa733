//! How much a program may make of one record: neither a careless nor a hostile one takes the memory or the time of all.
//!
//! What a run reads and what its functions give is counted as it goes, on the thread that runs it. Beyond an allowance
//! the run stops with an error, which no `??` of the program undoes. Operators make nothing but of what was read, so
//! they need no count of their own; `bounded` gives those that multiply a bound.

use std::cell::Cell;

use vrl::compiler::ExpressionError;
use vrl::diagnostic::Span;
use vrl::value::Value;

/// Tests come to the end of the bounds sooner.
const SHARE: u64 = if cfg!(test) { 16 } else { 1 };
/// Bytes that a run may read and make in all: about a second of work.
const ALL: u64 = (256 << 20) / SHARE;
/// Bytes of the largest value, and of what a record may become.
pub(super) const LARGEST: u64 = (16 << 20) / SHARE;
/// Levels of the deepest value. A record has at most 128; whatever walks a value calls itself for each.
const DEEPEST: usize = 256;
/// What a value counts besides its text, in bytes.
const VALUE: u64 = 16;
/// What a call counts besides its result: a loop over nothing takes time, too.
const CALL: u64 = 256;

const WORKED: &str = "the program does too much with one record: at most 256 MiB are read and made";
const TOO_LARGE: &str = "the program makes a value of more than 16 MiB";
const TOO_DEEP: &str = "the program makes a value that nests deeper than 256 levels";

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(ALL) };
    static STOPPED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// A run begins.
pub(super) fn begin() {
    LEFT.set(ALL);
    STOPPED.set(None);
}

/// Why the run had to stop, if it had to.
pub(super) fn stopped() -> Option<&'static str> {
    STOPPED.get()
}

/// Counts a value that is read.
pub(super) fn read(value: &Value) -> Result<(), ExpressionError> {
    weigh(value).and_then(spend).map_err(stop)
}

/// Counts what a call gave.
pub(super) fn called(value: &Value) -> Result<(), ExpressionError> {
    weigh(value).and_then(|bytes| spend(bytes + CALL)).map_err(stop)
}

/// Is what a program leaves, beside so many bytes, too large or too deep? Gives the bytes of both.
pub(super) fn fits_with(value: &Value, others: u64) -> Result<u64, &'static str> {
    let sum = others + weigh(value)?;
    if sum <= LARGEST { Ok(sum) } else { Err(TOO_LARGE) }
}

/// The size of a text that does not exist yet.
pub(super) fn fits_text(bytes: u64) -> Result<(), ExpressionError> {
    if bytes <= LARGEST { Ok(()) } else { Err(stop(TOO_LARGE)) }
}

/// The levels of a value that does not exist yet.
pub(super) fn fits_levels(levels: usize) -> Result<(), ExpressionError> {
    if levels <= DEEPEST { Ok(()) } else { Err(stop(TOO_DEEP)) }
}

fn spend(bytes: u64) -> Result<(), &'static str> {
    if let Some(why) = stopped() {
        return Err(why);
    }
    let left = LEFT.get().checked_sub(bytes).ok_or(WORKED)?;
    LEFT.set(left);
    Ok(())
}

/// Ends the run. `abort` is what no function wraps into words of its own.
fn stop(why: &'static str) -> ExpressionError {
    STOPPED.set(Some(stopped().unwrap_or(why)));
    ExpressionError::Abort { span: Span::default(), message: Some(why.to_owned()) }
}

/// The bytes of a value; looks no further than the largest.
fn weigh(value: &Value) -> Result<u64, &'static str> {
    match value {
        Value::Bytes(text) if text.len() as u64 <= LARGEST => Ok(VALUE + text.len() as u64),
        Value::Bytes(_) => Err(TOO_LARGE),
        Value::Object(_) | Value::Array(_) => {
            let mut sum = 0;
            add(value, 0, &mut sum)?;
            Ok(sum)
        }
        _ => Ok(VALUE),
    }
}

fn add(value: &Value, depth: usize, sum: &mut u64) -> Result<(), &'static str> {
    if depth > DEEPEST {
        return Err(TOO_DEEP);
    }
    *sum += VALUE;
    match value {
        Value::Bytes(text) => *sum += text.len() as u64,
        Value::Array(items) => items.iter().try_for_each(|item| add(item, depth + 1, sum))?,
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            *sum += name.len() as u64;
            add(member, depth + 1, sum)
        })?,
        _ => {}
    }
    if *sum > LARGEST { Err(TOO_LARGE) } else { Ok(()) }
}
