//! Values that a telling name is given in plain text: `password=x`, `"token": "x"`, `?sig=x`, `пароль: x1`.
//!
//! Names are the key names of the step, whole, or what stands behind the last dot (`db.password=x`); of names in
//! the style of variables the end tells too (`POSTGRES_PASSWORD=x`). Behind a bare `name:` only what looks like a
//! secret is taken (six characters, one of them no letter), since `invalid token: unexpected end` is prose.

use std::ops::Range;

use memchr::memchr2_iter;

use super::keys::{KeyNames, QUERY_NAMES, STRONG_ENDINGS};

/// Bytes of the longest name that is looked at.
const NAME: usize = 64;
/// Characters a value must have behind a bare `name:` or a name of which only the end tells.
const FEWEST: usize = 6;
/// Names whose value is the rest of the line.
const WHOLE_LINE: [&[u8]; 2] = [b"cookie", b"set-cookie"];
/// Words that name how a header proves, not what with.
const SCHEMES: [&[u8]; 6] = [b"bearer", b"basic", b"digest", b"token", b"negotiate", b"apikey"];

/// Names and where in the list of detectors their matches count.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    names: KeyNames,
    query: KeyNames,
    strong: KeyNames,
    endings: Box<[bool; 256]>,
}

/// What gives a value to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A parameter of a query or a form.
    Query,
    /// Any other.
    Text,
}

impl Assigned {
    /// For these key names.
    pub(super) fn new(names: KeyNames) -> Self {
        let query = KeyNames::new(QUERY_NAMES).expect("the table is sound");
        let strong = KeyNames::new(STRONG_ENDINGS).expect("the table is sound");
        let mut endings = names.endings();
        for (byte, ends) in endings.iter_mut().enumerate() {
            *ends |= query.endings()[byte] || strong.endings()[byte];
        }
        Self { names, query, strong, endings }
    }

    /// Shows the span of each value and how it is given, in order and without overlap.
    pub(super) fn for_each(&self, text: &[u8], mut each: impl FnMut(Range<usize>, Form)) {
        let mut floor = 0;
        for at in memchr2_iter(b'=', b':', text) {
            if at < floor || at == 0 {
                continue;
            }
            let Some(name) = self.name_before(text, at) else { continue };
            if let Some((span, form)) = self.value(text, &name, at) {
                floor = span.end;
                each(span, form);
            }
        }
    }

    /// The name that ends before the sign at `at`.
    fn name_before(&self, text: &[u8], at: usize) -> Option<Name> {
        let (end, is_quoted) = match text[..at] {
            [.., b'\\', b'"' | b'\''] => (at - 2, true),
            [.., b'"' | b'\''] => (at - 1, true),
            [.., b' '] if text[at] == b'=' => (at - 1, false),
            _ => (at, false),
        };
        let last = *text.get(end.checked_sub(1)?)?;
        if !self.endings[usize::from(last)] {
            return None;
        }
        let length = text[..end].iter().rev().take(NAME).take_while(|byte| is_name(**byte)).count();
        Some(Name { span: end - length..end, is_quoted })
    }

    /// The value behind the sign at `at`, if the name tells.
    fn value(&self, text: &[u8], name: &Name, at: usize) -> Option<(Range<usize>, Form)> {
        let word = &text[name.span.clone()];
        let is_query = text[at] == b'=' && matches!(text[..name.span.start].last(), Some(b'?' | b'&'));
        let form = if is_query { Form::Query } else { Form::Text };
        let tail = word.iter().rposition(|byte| *byte == b'.').map_or(word, |dot| &word[dot + 1..]);
        let is_whole = self.names.matches(word) || self.names.matches(tail) || (is_query && self.query.matches(word));
        if !is_whole && !self.ends_strong(word) {
            return None;
        }
        if WHOLE_LINE.iter().any(|line| line.eq_ignore_ascii_case(word)) {
            return rest_of_line(text, at + 1).map(|span| (span, form));
        }
        let (span, has_quotes) = value_behind(text, at + 1, form)?;
        let value = &text[span.clone()];
        let is_bare = text[at] == b':' && !name.is_quoted;
        let looks_secret = value.len() >= FEWEST && value.iter().any(|byte| !byte.is_ascii_alphabetic());
        let is_plain = !has_quotes
            && (SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(value))
                || matches!(value, b"null" | b"true" | b"false" | b"nil" | b"None"));
        let is_taken = if is_bare && !has_quotes { looks_secret } else { is_whole || value.len() >= FEWEST };
        (is_taken && !is_plain).then_some((span, form))
    }

    fn ends_strong(&self, word: &[u8]) -> bool {
        let starts = word.iter().enumerate().filter(|(_, byte)| matches!(byte, b'_' | b'-')).map(|(at, _)| at + 1);
        starts.into_iter().any(|start| self.strong.matches(&word[start..]))
    }
}

struct Name {
    span: Range<usize>,
    is_quoted: bool,
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}

/// The value that begins behind blanks at `from`, without its quotes, and whether it has any.
fn value_behind(text: &[u8], from: usize, form: Form) -> Option<(Range<usize>, bool)> {
    let start = from + text[from..].iter().take(2).take_while(|byte| **byte == b' ').count();
    let (quote, start) = match text[start..] {
        [b'\\', quote @ (b'"' | b'\''), ..] => (Some(quote), start + 2),
        [quote @ (b'"' | b'\'' | b'`'), ..] => (Some(quote), start + 1),
        [b'[' | b'(', ..] => (None, start + 1),
        _ => (None, start),
    };
    let ends = |byte: u8| match quote {
        Some(quote) => byte == quote || byte == b'\n',
        None => ends_value(byte, form),
    };
    let length = text[start..].iter().take_while(|byte| !ends(**byte)).count();
    // The backslash of an escaped quote is no part.
    let length = if quote.is_some() && text[start..start + length].ends_with(b"\\") { length - 1 } else { length };
    (length > 0 && !text[start..].starts_with(b"//") && text[start] != b'=')
        .then_some((start..start + length, quote.is_some()))
}

fn ends_value(byte: u8, form: Form) -> bool {
    let always = byte <= b' ' || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b'&' | b')' | b']');
    always || matches!((form, byte), (Form::Query, b'#') | (Form::Text, b',' | b';' | b'}' | b'{' | b'|'))
}

/// The rest of the line behind blanks, or up to a quote.
fn rest_of_line(text: &[u8], from: usize) -> Option<Range<usize>> {
    let start = from + text[from..].iter().take_while(|byte| matches!(byte, b' ' | b'"')).count();
    let length = text[start..].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\'')).count();
    (length > 0).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(&str, Form)> {
        let mut found = Vec::new();
        Assigned::new(KeyNames::default()).for_each(text.as_bytes(), |span, form| found.push((&text[span], form)));
        found
    }

    #[test]
    fn values_of_telling_names_are_found() {
        for (text, value) in [
            ("login password=hunter2 ok", "hunter2"),
            ("password = hunter2", "hunter2"),
            (r#"body {"password":"hunter 2"}"#, "hunter 2"),
            (r#"body {\"password\":\"hunter2\"}"#, "hunter2"),
            ("{'api-key': 'k'}", "k"),
            ("spring.datasource.password=x1", "x1"),
            ("POSTGRES_PASSWORD=hunter2", "hunter2"),
            ("map[password:[hunter2]]", "hunter2"),
            ("пароль=тайна;", "тайна"),
            ("Пароль: тайна1", "тайна1"),
            ("password: hunter2", "hunter2"),
            ("Cookie: sid=abc; theme=dark", "sid=abc; theme=dark"),
            ("pin=1234,", "1234"),
        ] {
            assert_eq!(all(text), [(value, Form::Text)], "{text}");
        }
        for (text, value) in
            [("GET /x?token=abc&y=1", "abc"), ("/x?a=1&sig=ab%2Fc HTTP", "ab%2Fc"), ("?api_key=k#top", "k")]
        {
            assert_eq!(all(text), [(value, Form::Query)], "{text}");
        }
    }

    #[test]
    fn prose_and_other_names_are_left() {
        for text in [
            "invalid token: unexpected end",
            "password == x",
            "password=",
            "tokens=5",
            "max_token=5",
            "key=value",
            "code=7",
            "Authorization: Bearer abc",
            "token://x",
            r#""password":null"#,
            "a=b",
            "=x",
            "secret: none",
            "12:30:45",
        ] {
            assert!(all(text).is_empty(), "{text}: {:?}", all(text));
        }
    }
}
