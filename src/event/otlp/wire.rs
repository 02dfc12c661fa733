//! The wire format of protocol buffers: <https://protobuf.dev/programming-guides/encoding/>.

use std::ops::Range;

/// Why bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A field ends behind the end of its message.
    #[error("a field is cut short")]
    Truncated,
    /// A varint of more than ten bytes, or of more than 64 bits.
    #[error("a number is longer than 64 bits")]
    Varint,
    /// A field's number is 0 or beyond what a tag may hold.
    #[error("a field has no valid number")]
    Number,
    /// A wire type that OTLP does not use: groups, or none of the format's own.
    #[error("field {0} has an unknown wire type")]
    WireType(u32),
    /// A known field with a wire type that is not its own.
    #[error("field {1} of {0} has the wrong wire type")]
    WrongType(&'static str, u32),
    /// Messages are nested too deep.
    #[error("values are nested more than {0} deep")]
    Deep(u32),
    /// An id of the wrong length.
    #[error("`{0}` of {1} has {2} bytes")]
    Id(&'static str, &'static str, usize),
    /// A span without a valid trace id or span id.
    #[error("`{0}` of a span is missing or all zeros")]
    NoId(&'static str),
    /// A message that may be there once is there twice.
    #[error("{0} is there twice")]
    Twice(&'static str),
    /// A record in JSON had a value of a type that its field cannot have.
    #[error("a value is none that its field can have")]
    Unreadable,
    /// The data of a metric is in a field that is not known.
    #[error("field {0} of a metric is no known kind of data")]
    Data(u32),
    /// Records and what they share are more than a request of this length needs: their tables would be many times as
    /// large as the request.
    #[error("more than {0} records, scopes and metrics, most of them empty")]
    Many(usize),
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 5.
    Fixed32(u32),
    /// Wire type 2: a string, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// Where it begins in its message, tag included.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Field<'_> {
    /// Where the bytes of a length-delimited value stand in the message.
    pub fn bytes_at(&self) -> Range<usize> {
        match self.value {
            Value::Bytes(bytes) => self.end - bytes.len()..self.end,
            _ => self.end..self.end,
        }
    }
}

/// The fields of a message, in the order in which they stand. After a fault there are no more.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Those of the message `bytes`.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self::from(bytes, 0)
    }

    /// Those from `at` on.
    pub fn from(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Those of a message that has been checked.
    pub fn checked(bytes: &'a [u8]) -> impl Iterator<Item = Field<'a>> + Clone {
        Self::of(bytes).map_while(Result::ok)
    }

    #[inline]
    fn field(&mut self) -> Result<Field<'a>, Fault> {
        let start = self.at;
        let tag = self.varint()?;
        let number =
            u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number)).ok_or(Fault::Number)?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Value::Bytes(self.sized()?),
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Fault::WireType(number)),
        };
        Ok(Field { number, value, start, end: self.at })
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Fault> {
        let (value, len) = varint(&self.bytes[self.at..])?;
        self.at += len;
        Ok(value)
    }

    #[inline]
    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], Fault> {
        let bytes = *self.bytes[self.at..].first_chunk().ok_or(Fault::Truncated)?;
        self.at += LEN;
        Ok(bytes)
    }

    #[inline]
    fn sized(&mut self) -> Result<&'a [u8], Fault> {
        let len = usize::try_from(self.varint()?).map_err(|_| Fault::Truncated)?;
        let bytes = self.bytes[self.at..].get(..len).ok_or(Fault::Truncated)?;
        self.at += len;
        Ok(bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Fault>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.bytes.len();
        }
        Some(field)
    }
}

/// The number that `bytes` begin with, and how many of them it takes.
#[inline]
pub fn varint(bytes: &[u8]) -> Result<(u64, usize), Fault> {
    match bytes {
        [one, ..] if *one < 0x80 => Ok((u64::from(*one), 1)),
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &[u8]) -> Result<(u64, usize), Fault> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if at == 9 && bits > 1 {
            return Err(Fault::Varint);
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, at + 1));
        }
    }
    Err(if bytes.len() < 10 { Fault::Truncated } else { Fault::Varint })
}

/// Appends a number.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
pub fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 2, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Begins a length-delimited field; its bytes follow, and [`close`] writes their length.
pub fn open(number: u32, out: &mut Vec<u8>) -> usize {
    put_varint(u64::from(number) << 3 | 2, out);
    // Most lengths take one byte.
    out.push(0);
    out.len()
}

/// Ends the field whose bytes begin at `start`.
pub fn close(start: usize, out: &mut Vec<u8>) {
    let mut len = out.len() - start;
    if len >= 0x80 {
        let (mut bytes, mut count) = ([0; 10], 0);
        while len >= 0x80 {
            bytes[count] = len as u8 | 0x80;
            len >>= 7;
            count += 1;
        }
        bytes[count] = len as u8;
        out.splice(start - 1..start, bytes[..=count].iter().copied());
    } else {
        out[start - 1] = len as u8;
    }
}

/// Undoes the zigzag of `sint32` and `sint64`.
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
