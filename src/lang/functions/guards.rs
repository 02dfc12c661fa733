//! Functions that no program can name: [`bounded`](crate::lang::bounded) puts them around what needs a bound.

use std::io::{Read, sink};

use vrl::compiler::function::Example;
use vrl::compiler::prelude::*;

use crate::lang::allowance::{self, LARGEST};
use crate::lang::bounded::MOST_INDEX;

/// Around a variable: counts what is read.
pub(in crate::lang) const READ: &str = "(read)";
/// Around a factor: text is repeated as often as the second argument says, or not at all.
pub(in crate::lang) const FACTOR: &str = "(factor)";
/// Around a factor: how often a text of so many bytes is repeated.
pub(in crate::lang) const COUNT: &str = "(count)";

/// Around a block of LZ4 that begins with its size.
const PREPENDED: &str = "(lz4)";
/// Around an object whose keys are split by a separator of the program.
const KEYED: &str = "(keyed)";

/// The largest inputs whose output no ratio of the format makes too large: that of deflate is 1032.
const SMALL: u64 = LARGEST / 1032;

/// What a guard looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    Read,
    Factor,
    Count,
    /// Indexes in a path.
    Path,
    /// Bytes of a buffer.
    Size,
    /// Compressed data, by what it decompresses to.
    Gzip,
    Zlib,
    Zstd,
    Snappy,
    Lz4,
    /// Keys that become levels, at dots or at any character.
    Dotted,
    Keyed,
    /// Text whose brackets or tags are levels.
    Brackets,
    Tags,
}

const ALL: [(&str, Guard); 14] = [
    (READ, Guard::Read),
    (FACTOR, Guard::Factor),
    (COUNT, Guard::Count),
    ("(path)", Guard::Path),
    ("(size)", Guard::Size),
    ("(gzip)", Guard::Gzip),
    ("(zlib)", Guard::Zlib),
    ("(zstd)", Guard::Zstd),
    ("(snappy)", Guard::Snappy),
    (PREPENDED, Guard::Lz4),
    ("(dotted)", Guard::Dotted),
    (KEYED, Guard::Keyed),
    ("(brackets)", Guard::Brackets),
    ("(tags)", Guard::Tags),
];

/// The arguments of functions that have a guard.
const ARGUMENTS: [(&str, &str, &str); 10] = [
    ("set", "path", "(path)"),
    ("decode_lz4", "buf_size", "(size)"),
    ("decode_lz4", "value", PREPENDED),
    ("decode_gzip", "value", "(gzip)"),
    ("decode_zlib", "value", "(zlib)"),
    ("decode_zstd", "value", "(zstd)"),
    ("decode_snappy", "value", "(snappy)"),
    // These call themselves for each level, whatever the stack holds.
    ("unflatten", "value", "(dotted)"),
    ("parse_ruby_hash", "value", "(brackets)"),
    ("parse_xml", "value", "(tags)"),
];

/// All guards.
pub(super) fn all() -> impl Iterator<Item = Box<dyn Function>> {
    ALL.into_iter().map(|(name, guard)| Box::new(Named { name, guard }) as Box<dyn Function>)
}

/// Is it the name of a guard?
pub(super) fn is_guard(name: &str) -> bool {
    name.starts_with('(')
}

/// The guard of an argument of a call that has arguments for `all` these parameters.
pub(in crate::lang) fn of_argument(
    function: &str,
    keyword: &str,
    all: &[Option<&'static str>],
) -> Option<&'static str> {
    let argument = ARGUMENTS.iter().find(|(name, argument, _)| *name == function && *argument == keyword);
    let guard = argument.map(|(_, _, guard)| *guard);
    if function == "unflatten" && all.contains(&Some("separator")) {
        return guard.map(|_| KEYED);
    }
    guard.filter(|guard| *guard != PREPENDED || all.contains(&Some("prepended_size")))
}

#[derive(Clone, Copy, Debug)]
struct Named {
    name: &'static str,
    guard: Guard,
}

impl Function for Named {
    fn identifier(&self) -> &'static str {
        self.name
    }

    fn usage(&self) -> &'static str {
        "Bounds what a program makes."
    }

    fn category(&self) -> &'static str {
        "Guard"
    }

    fn return_kind(&self) -> u16 {
        kind::ANY
    }

    fn parameters(&self) -> &'static [Parameter] {
        const PARAMETERS: &[Parameter] = &[
            Parameter::required("value", kind::ANY, "What is looked at."),
            Parameter::optional("number", kind::INTEGER, "Its bound."),
        ];
        PARAMETERS
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(&self, state: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let number = arguments.optional_literal("number", state)?.and_then(|number| number.as_integer());
        Ok(Box::new(Guarded { guard: self.guard, number, inner: arguments.required("value") }))
    }
}

#[derive(Clone, Debug)]
struct Guarded {
    guard: Guard,
    number: Option<i64>,
    inner: Box<dyn Expression>,
}

impl Expression for Guarded {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.inner.resolve(ctx)?;
        self.look(&value)?;
        Ok(value)
    }

    fn resolve_constant(&self, state: &TypeState) -> Option<Value> {
        self.inner.resolve_constant(state)
    }

    fn type_info(&self, state: &TypeState) -> TypeInfo {
        self.inner.type_info(state)
    }
}

impl Guarded {
    fn look(&self, value: &Value) -> Result<(), ExpressionError> {
        match (self.guard, value) {
            (Guard::Read, _) => allowance::read(value),
            (Guard::Factor, Value::Bytes(text)) => {
                let times = self.number.ok_or("text is repeated by a number that is not written in the program")?;
                allowance::fits_text(u64::try_from(times).unwrap_or(0).saturating_mul(text.len() as u64))
            }
            (Guard::Count, Value::Integer(times)) => {
                let length = self.number.unwrap_or(1);
                allowance::fits_text(u64::try_from(times.saturating_mul(length)).unwrap_or(0))
            }
            (Guard::Path, Value::Array(steps)) => match steps.iter().find(|step| is_far(step)) {
                Some(index) => Err(format!("the index {index} is too large: at most {MOST_INDEX}").into()),
                None => Ok(()),
            },
            (Guard::Size, Value::Integer(bytes)) => allowance::fits_text(u64::try_from(*bytes).unwrap_or(u64::MAX)),
            (Guard::Dotted, _) => allowance::fits_levels(levels(value, &|key| 1 + key.matches('.').count())),
            (Guard::Keyed, _) => allowance::fits_levels(levels(value, &|key| 1 + key.len())),
            (Guard::Brackets, Value::Bytes(text)) => allowance::fits_levels(brackets(text)),
            (Guard::Tags, Value::Bytes(text)) => allowance::fits_levels(tags(text)),
            (guard, Value::Bytes(data)) => decoded(guard, data).map_or(Ok(()), allowance::fits_text),
            _ => Ok(()),
        }
    }
}

fn is_far(step: &Value) -> bool {
    matches!(step, Value::Integer(index) if index.unsigned_abs() > MOST_INDEX.unsigned_abs() as u64)
}

/// The size of what `data` decompresses to, or a little more than the largest; none if that cannot be told, or need not.
fn decoded(guard: Guard, data: &[u8]) -> Option<u64> {
    let most = |decoder: &mut dyn Read| std::io::copy(&mut decoder.take(LARGEST + 1), &mut sink()).ok();
    let is_small = data.len() as u64 <= SMALL;
    match guard {
        Guard::Gzip if !is_small => most(&mut flate2::read::MultiGzDecoder::new(data)),
        Guard::Zlib if !is_small => most(&mut flate2::read::ZlibDecoder::new(data)),
        Guard::Zstd => most(&mut zstd::Decoder::new(data).ok()?),
        Guard::Snappy => Some(varint(data)),
        Guard::Lz4 => data.first_chunk().map(|size| u64::from(u32::from_le_bytes(*size))),
        _ => None,
    }
}

/// The length that Snappy data begins with.
fn varint(data: &[u8]) -> u64 {
    let bytes = data.iter().take(5).enumerate();
    let mut length = 0;
    for (at, byte) in bytes {
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    length
}

/// The levels of an object once each key is as many as `of` says.
fn levels(value: &Value, of: &impl Fn(&str) -> usize) -> usize {
    let Value::Object(members) = value else { return 0 };
    members.iter().map(|(key, member)| of(key) + levels(member, of)).max().unwrap_or(0)
}

/// The most brackets that are open at once. Those inside of texts count, too.
fn brackets(text: &[u8]) -> usize {
    most_open(text.iter().map(|byte| match byte {
        b'{' | b'[' | b'(' => 1,
        b'}' | b']' | b')' => -1,
        _ => 0,
    }))
}

/// The most tags that are open at once.
fn tags(text: &[u8]) -> usize {
    most_open(text.windows(2).map(|pair| match pair {
        b"</" | b"/>" => -1,
        [b'<', next] if !b"!?".contains(next) => 1,
        _ => 0,
    }))
}

fn most_open(steps: impl Iterator<Item = i32>) -> usize {
    let (mut open, mut most) = (0_i64, 0);
    for step in steps {
        open = (open + i64::from(step)).max(0);
        most = most.max(open);
    }
    usize::try_from(most).unwrap_or(usize::MAX)
}
