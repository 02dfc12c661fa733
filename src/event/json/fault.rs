//! What is wrong with a text that is not JSON, and where.

use std::fmt;

/// The first thing wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset in bytes from the text's first byte.
    pub at: usize,
    /// What was expected there.
    pub kind: FaultKind,
}

/// What was expected where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The text's first byte does not open an object, or there is none; the rest was not looked at.
    NotAnObject,
    /// The text is over before its value is.
    UnexpectedEnd,
    /// No value begins here.
    ExpectedValue,
    /// No key begins here.
    ExpectedKey,
    /// A key without its colon.
    ExpectedColon,
    /// Neither a comma nor the end of the object follows.
    ExpectedCommaOrBrace,
    /// Neither a comma nor the end of the array follows.
    ExpectedCommaOrBracket,
    /// A digit is missing: after `-`, `.`, `e`, or after the exponent's sign.
    ExpectedDigit,
    /// A number begins with a zero that another digit follows.
    LeadingZero,
    /// A byte below 0x20 inside a string.
    ControlCharacter,
    /// A backslash with something else than `"\/bfnrtu` behind it.
    UnknownEscape,
    /// Fewer than four hexadecimal digits behind `\u`.
    ExpectedHex,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// Something else than whitespace follows the value.
    TrailingBytes,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// More containers inside one another than [`super::MAX_DEPTH`].
    TooDeep,
    /// More members in the outermost object than [`super::MAX_MEMBERS`].
    TooManyMembers,
    /// More bytes than offsets can count.
    TooLong,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "expected an object, found something that does not begin with `{`",
            Self::UnexpectedEnd => "expected more, found the end of the text",
            Self::ExpectedValue => {
                "expected a value: an object, an array, a string, a number, `true`, `false` or `null`"
            }
            Self::ExpectedKey => "expected a key in double quotes",
            Self::ExpectedColon => "expected `:` after the key",
            Self::ExpectedCommaOrBrace => "expected `,` or `}` after the member",
            Self::ExpectedCommaOrBracket => "expected `,` or `]` after the element",
            Self::ExpectedDigit => "expected a digit to continue the number",
            Self::LeadingZero => "expected a number without leading zeros",
            Self::ControlCharacter => "expected a control character inside a string to be escaped",
            Self::UnknownEscape => "expected one of `\"`, `\\`, `/`, `b`, `f`, `n`, `r`, `t`, `u` after a backslash",
            Self::ExpectedHex => "expected four hexadecimal digits after `\\u`",
            Self::LoneSurrogate => "expected both halves of a surrogate pair, found one",
            Self::TrailingBytes => "expected nothing but whitespace after the value",
            Self::InvalidUtf8 => "expected UTF-8, found other bytes",
            Self::TooDeep => "expected at most 128 containers inside one another",
            Self::TooManyMembers => "expected fewer members in the outermost object",
            Self::TooLong => "expected at most 4294967295 bytes in one text",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.kind, self.at)
    }
}

impl std::error::Error for Fault {}
