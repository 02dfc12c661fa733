//! What ClickHouse says of an insert. The code of its exception tells what to do, not the status of the reply: a row
//! that cannot be read is 400 or 500, and so is a server that is too busy.
//!
//! Codes and names are those of `src/Common/ErrorCodes.cpp` of ClickHouse 26.9.

use crate::component::sink::Answer;
use crate::delivery::http::Reply;

/// The header that carries the code.
const CODE_HEADER: &str = "x-clickhouse-exception-code";
/// Where the text of an exception begins; its code follows.
const BEGINS: &str = "Code: ";
/// How the text of an exception says that a row is at fault.
const AT_ROW: &str = "(at row ";
/// `TOO_MANY_PARTS` is also said of one insert that would make too many of them, which no pause mends.
const TOO_MANY_IN_ONE: &str = "single INSERT block";
/// Characters of an exception that a dead letter quotes.
const QUOTED: usize = 500;

/// Codes of a server that is too busy, cannot reach its like, or does not know the outcome; those from 1000 on are of
/// the libraries beneath it.
const BUSY: [u16; 24] = [
    159, 160, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 254, 285, 286, 319, 364, 394, 425, 439, 999, 1000,
    1001, 1002,
];
/// Codes of rows that cannot be read, or that a column or a constraint does not take.
const DATA: [u16; 29] = [
    6, 9, 16, 20, 25, 26, 27, 33, 38, 41, 43, 53, 69, 70, 72, 117, 128, 130, 131, 321, 349, 376, 407, 441, 467, 469,
    675, 676, 691,
];

/// An exception of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) code: u16,
    /// All that was said. It may quote rows: only dead letters show it.
    text: String,
}

/// What an exception asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// An earlier attempt of ours won.
    There,
    /// Later, or the outcome is unknown: the same again.
    Busy,
    /// The whole sink waits for a person.
    Door(&'static str),
    /// This table waits for a person.
    Table(&'static str),
    /// Too much for one insert; nothing of it was stored.
    TooLarge,
    /// Some row cannot be taken; nothing of the insert was stored.
    Data,
}

impl Exception {
    /// The exception in `reply`, if there is one: also in a reply that began as a success.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        let text = String::from_utf8_lossy(&reply.body);
        let told = reply.headers.get(CODE_HEADER).and_then(|code| code.to_str().ok()?.trim().parse().ok());
        let at = text.find(BEGINS);
        let written = || text[at? + BEGINS.len()..].split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        let code = told.or_else(written)?;
        Some(Self { code, text: text[at.unwrap_or(0)..].to_owned() })
    }

    /// What to do about it. `status` decides where the code is none that is known here.
    pub(super) fn class(&self, status: u16) -> Class {
        match self.code {
            389 => Class::There,
            252 if self.text.contains(TOO_MANY_IN_ONE) => Class::TooLarge,
            229 | 396 => Class::TooLarge,
            192..=195 | 516 => Class::Door("check `auth`"),
            201 => Class::Door("the user's quota is used up"),
            62 | 73 | 115 => Class::Door("this server does not know what the sink asks for: it may be too old"),
            164 | 452 => Class::Door("the user may not change settings: its profile must not be `readonly = 1`"),
            60 => Class::Table("create the table"),
            81 => Class::Table("create the database"),
            291 | 497 => Class::Table("the user may not write there: `GRANT INSERT`"),
            48 | 218 => Class::Table("it takes no inserts"),
            code if BUSY.contains(&code) => Class::Busy,
            code if DATA.contains(&code) || self.text.contains(AT_ROW) => Class::Data,
            _ if (400..500).contains(&status) => Class::Door("this is no fault of a row"),
            _ => Class::Busy,
        }
    }

    /// May the table have got other columns since we looked? `NO_SUCH_COLUMN_IN_TABLE`, `TYPE_MISMATCH`,
    /// `INCORRECT_DATA`.
    pub(super) fn is_about_columns(&self) -> bool {
        matches!(self.code, 16 | 53 | 117)
    }

    /// Code and name, fit for the log.
    pub(super) fn named(&self) -> String {
        match self.name() {
            Some(name) => format!("ClickHouse answers code {} ({name})", self.code),
            None => format!("ClickHouse answers code {}", self.code),
        }
    }

    /// What was said, for a dead letter.
    pub(super) fn quote(&self) -> String {
        let text = self.text.split(" (version ").next().unwrap_or_default().trim();
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTED).collect()
    }

    /// The name of the code: what stands last in brackets, in capitals.
    fn name(&self) -> Option<&str> {
        let is_name = |text: &&str| {
            text.len() > 2 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        let inside = self.text.split('(').skip(1).filter_map(|rest| rest.split_once(')').map(|(inside, _)| inside));
        inside.filter(is_name).last()
    }
}

/// What a reply without an exception means.
pub(super) fn plain(reply: &Reply) -> Answer {
    match reply.status.as_u16() {
        200..=299 if reply.body.trim_ascii().is_empty() => Answer::Delivered,
        200..=299 => Answer::Retry {
            why: format!("the endpoint answers {} with a text: is it ClickHouse?", reply.status),
            after: None,
        },
        // A proxy in front of the server does not judge rows.
        400 | 402..=499 if !matches!(reply.status.as_u16(), 408 | 413 | 425 | 429) => Answer::Hold {
            why: format!("the endpoint answers {} without an exception: is it ClickHouse?", reply.status),
        },
        _ => reply.class(),
    }
}

#[cfg(test)]
mod tests;
