//! Values that a telling name is given in plain text: `password=x`, `"token": "x"`, `"token" => "x"`, `?sig=x`,
//! `--password x`, `пароль: x1`.
//!
//! Names are the key names of the step, whole, or what stands behind the last dot (`db.password=x`); of names in
//! the style of variables the end tells too (`POSTGRES_PASSWORD=x`, `PGPASSWORD=x`, `dbPassword=x`), and a number behind
//! it does not matter (`password2=x`). Behind a bare
//! `name:` only what looks like a secret is taken (six characters, one of them no letter), since `invalid token:
//! unexpected end` is prose. Behind the name of a header that authorises, what follows the scheme is taken.

mod value;

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr2_iter;
use memchr::memmem::Finder;

use super::keys::{
    GLUED_ENDINGS, HEADER_NAMES, KeyNames, QUERY_NAMES, STRONG_ENDINGS, Tails, tells_by_end, without_number,
};
use super::word::{is_mixed, is_word};
use value::{Value, credentials, flag_value, rest_of_line, value_behind};

/// Bytes of the longest name that is looked at.
const NAME: usize = 64;
/// Characters a value must have behind a bare `name:` or a name of which only the end tells.
const FEWEST: usize = 6;
/// Names whose value is the rest of the line.
const WHOLE_LINE: [&[u8]; 2] = [b"cookie", b"set-cookie"];
/// Words that name how a header proves, not what with.
const SCHEMES: [&[u8]; 6] = [b"bearer", b"basic", b"digest", b"token", b"negotiate", b"apikey"];

static DASHES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"--"));

/// What a name is.
type Role = u8;
/// One of the key names of the step.
const OWN: Role = 1;
/// It tells of a parameter of a query.
const QUERY: Role = 1 << 1;
/// It tells at the end of another name.
const STRONG: Role = 1 << 2;
/// It tells at the end of a name in capitals.
const GLUED: Role = 1 << 3;
/// A header that authorises.
const HEADER: Role = 1 << 4;

/// The names that are looked for: one search tells all that a name is.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    names: KeyNames,
    /// By the number of the name.
    roles: Vec<Role>,
    tails: Tails,
    strong_tails: Tails,
    /// Bytes that can stand before the sign behind a name.
    lasts: Box<[bool; 256]>,
}

/// What gives a value to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A parameter of a query or a form.
    Query,
    /// Any other.
    Text,
}

/// A name in front of a sign.
struct Name {
    span: Range<usize>,
    is_quoted: bool,
    /// Is it known as a whole, or does its end tell?
    is_whole: bool,
    is_header: bool,
    form: Form,
}

impl Assigned {
    /// For these key names.
    pub(super) fn new(names: &KeyNames) -> Self {
        let table = |names: &[&str]| KeyNames::new(names).expect("the table is sound");
        let [query, strong, glued, headers] = [QUERY_NAMES, STRONG_ENDINGS, GLUED_ENDINGS, HEADER_NAMES].map(table);
        let sets = [(names, OWN), (&query, QUERY), (&strong, STRONG), (&glued, GLUED), (&headers, HEADER)];
        let all = KeyNames::union(sets.map(|(set, _)| set));
        let mut roles = vec![0; all.len()];
        for (set, role) in sets {
            all.shared_with(set).for_each(|place| roles[place] |= role);
        }
        let tails = Tails::of([names, &query, &strong, &glued]);
        let strong_tails = Tails::of([&strong, &glued]);
        let mut lasts = Box::new(std::array::from_fn(|byte| byte > 0x7F || b"\"' _-.".contains(&(byte as u8))));
        for last in all.lasts().filter(u8::is_ascii) {
            lasts[usize::from(last)] = true;
            lasts[usize::from(last.to_ascii_uppercase())] = true;
        }
        Self { names: all, roles, tails, strong_tails, lasts }
    }

    /// Does the name in front of the sign at `at` tell?
    #[inline]
    pub(super) fn tells(&self, text: &[u8], at: usize) -> bool {
        let Some(last) = text[..at].last() else { return false };
        let may_end = self.lasts[usize::from(*last)] || (last.is_ascii_digit() && is_numbered(&text[..at]));
        may_end && self.name_before(text, at).is_some()
    }

    /// Do the two dashes at `at` begin the name of a flag that tells, with its value in the next word?
    pub(super) fn is_flag(&self, text: &[u8], at: usize) -> bool {
        self.flag(text, at).is_some()
    }

    /// Shows the span of each value and how it is given: those behind a sign in order, then those of flags. The first
    /// sign or flag that tells is at `from` or behind.
    pub(super) fn for_each(&self, text: &[u8], from: usize, mut each: impl FnMut(Range<usize>, Form)) {
        let mut floor = 0;
        for at in memchr2_iter(b'=', b':', &text[from..]).map(|offset| from + offset) {
            if at < floor {
                continue;
            }
            let Some(name) = self.name_before(text, at) else { continue };
            if let Some(span) = value_of(text, &name, at) {
                floor = span.end;
                each(span, name.form);
            }
        }
        floor = 0;
        for at in DASHES.find_iter(&text[from..]).map(|offset| from + offset) {
            if at >= floor
                && let Some(end) = self.flag(text, at)
                && let Some(span) = flag_value(text, end)
            {
                floor = span.end;
                each(span, Form::Text);
            }
        }
    }

    /// The name that ends before the sign at `at`, if it tells.
    fn name_before(&self, text: &[u8], at: usize) -> Option<Name> {
        let (end, is_quoted) = match text[..at] {
            [.., b'\\', b'"' | b'\''] => (at - 2, true),
            [.., b'"' | b'\''] => (at - 1, true),
            [.., b'\\', b'"' | b'\'', b' '] if text[at] == b'=' => (at - 3, true),
            [.., b'"' | b'\'', b' '] if text[at] == b'=' => (at - 2, true),
            [.., b' '] if text[at] == b'=' => (at - 1, false),
            _ => (at, false),
        };
        let word = self.word(&text[..end])?;
        let span = end - word.len()..end;
        let word = if self.is_own(word) { word } else { without_number(word) };
        let is_query = text[at] == b'=' && matches!(text[..span.start].last(), Some(b'?' | b'&'));
        let (role, tail) = (self.role(word), tail(word));
        let tail_role = if tail.len() < word.len() { self.role(tail) } else { role };
        let is_whole = (role | tail_role) & OWN != 0 || (is_query && role & QUERY != 0);
        let is_header = (role | tail_role) & HEADER != 0;
        let form = if is_query { Form::Query } else { Form::Text };
        (is_whole || self.ends_strong(word)).then_some(Name { span, is_quoted, is_whole, is_header, form })
    }

    /// The word that `text` ends with, if a name may end there, with a number behind it or not.
    fn word<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let may_end = self.tails.fit(text) || {
            let name = without_number(text);
            name.len() < text.len() && self.tails.fit(name)
        };
        let length = || text.iter().rev().take(NAME).take_while(|byte| is_name(**byte)).count();
        may_end.then(|| &text[text.len() - length()..])
    }

    /// Is the word, or what stands behind its last dot, a name as it stands?
    fn is_own(&self, word: &[u8]) -> bool {
        !word.last().is_some_and(u8::is_ascii_digit) || self.role(word) != 0 || self.role(tail(word)) != 0
    }

    /// What a name is as a whole.
    fn role(&self, word: &[u8]) -> Role {
        self.names.place(word).map_or(0, |place| self.roles[place])
    }

    /// Where the name of the flag whose dashes are at `at` ends, if it tells and no sign follows.
    fn flag(&self, text: &[u8], at: usize) -> Option<usize> {
        let start = at + 2;
        let length = text[start..].iter().take(NAME).take_while(|byte| is_name(**byte)).count();
        let end = start + length;
        let is_followed = matches!(text.get(end), Some(b' ' | b'"' | b'\''));
        let tells = |word: &[u8]| self.tails.fit(word) && (self.role(word) & OWN != 0 || self.ends_strong(word));
        (is_followed && (tells(&text[start..end]) || tells(without_number(&text[start..end])))).then_some(end)
    }

    /// Does the name end with a word that tells?
    fn ends_strong(&self, word: &[u8]) -> bool {
        let wanted = |is_part| if is_part { STRONG } else { GLUED };
        self.strong_tails.fit(word) && tells_by_end(word, |end, is_part| self.role(end) & wanted(is_part) != 0)
    }
}

/// The value behind the sign at `at`.
fn value_of(text: &[u8], name: &Name, at: usize) -> Option<Range<usize>> {
    let word = &text[name.span.clone()];
    if WHOLE_LINE.iter().any(|line| line.eq_ignore_ascii_case(word)) {
        return rest_of_line(text, at + 1);
    }
    let [is_arrow, is_compared] = [b"=>", b"=="].map(|sign| text[at..].starts_with(sign));
    let Value { span, has_quotes } = value_behind(text, at + 1 + usize::from(is_arrow || is_compared), name.form)?;
    if is_compared && !has_quotes {
        return None;
    }
    if !has_quotes
        && name.is_header
        && let Some(span) = credentials(text, &span)
    {
        return Some(span);
    }
    let value = &text[span.clone()];
    let is_bare = text[at] == b':' && !name.is_quoted;
    let is_plain = !has_quotes
        && (SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(value))
            || matches!(value, b"null" | b"true" | b"false" | b"nil" | b"None"));
    let is_taken = if is_bare && !has_quotes { looks_secret(value) } else { name.is_whole || value.len() >= FEWEST };
    (is_taken && !is_plain).then_some(span)
}

/// What stands behind the last dot.
fn tail(word: &[u8]) -> &[u8] {
    word.iter().rposition(|byte| *byte == b'.').map_or(word, |dot| &word[dot + 1..])
}

/// Does the number that the text ends with stand behind a name, and is no part of a time?
fn is_numbered(text: &[u8]) -> bool {
    without_number(text).last().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_' || !byte.is_ascii())
}

fn is_name(byte: u8) -> bool {
    is_word(byte) || !byte.is_ascii()
}

/// Long enough, and no word?
fn looks_secret(value: &[u8]) -> bool {
    value.len() >= FEWEST && (value.iter().any(|byte| !byte.is_ascii_alphabetic()) || is_mixed(value))
}

#[cfg(test)]
mod tests;
