//! The net under all other care: values of secrets that this process knows, replaced by stars in whatever it prints.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{LazyLock, PoisonError, RwLock};

/// What stands for a secret.
pub const STARS: &str = "***";
/// Bytes of the shortest value that is looked for: a shorter one is part of any word, and a text without it says nothing.
const SHORTEST: usize = 4;

/// Longest first, so that a secret that is part of another does not spoil it.
static KNOWN: LazyLock<RwLock<Vec<String>>> = LazyLock::new(RwLock::default);

/// Remembers a value that must not be printed, for as long as the process lives.
pub fn conceal(value: &str) {
    let json = serde_json::Value::from(value).to_string();
    let escaped = value.escape_debug().to_string();
    let forms: BTreeSet<_> = [value, json.trim_matches('"'), &escaped].map(str::to_owned).into();
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        if form.len() >= SHORTEST && !known.contains(&form) {
            known.push(form);
        }
    }
    known.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

/// The text with stars for what is concealed.
pub fn masked(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.iter().fold(Cow::Borrowed(text), |text, value| {
        if text.contains(value.as_str()) { Cow::Owned(text.replace(value.as_str(), STARS)) } else { text }
    })
}

/// A writer of whole texts, each written with stars for what is concealed.
#[derive(Debug)]
pub struct Masked<W>(pub W);

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(masked(text).as_bytes())?,
            Err(_) => self.0.write_all(masked(&String::from_utf8_lossy(bytes)).as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_concealed_is_not_written_in_any_form() {
        conceal("hunter2-\"mask\"");
        conceal("hunter2-\"mask\"-longer");
        conceal("ab");
        assert_eq!(masked("x hunter2-\"mask\"-longer y"), "x *** y");
        assert_eq!(masked(r#"{"why":"hunter2-\"mask\""}"#), r#"{"why":"***"}"#);
        assert_eq!(masked("cabin"), "cabin", "a short one is not looked for");
        let mut out = Masked(Vec::new());
        out.write_all(b"log hunter2-\"mask\" \xff\n").unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "log *** \u{fffd}\n");
    }
}
