//! Names of indices and data streams: what Elasticsearch and OpenSearch accept.
//!
//! The rules are those of the create-index interface: lower case, at most 255 bytes, none of
//! `\ / * ? " < > | , # :` and space, and no `-`, `_` or `+` at the beginning.

/// Bytes of a name.
const MAX_BYTES: usize = 255;
/// Characters no name may have.
const REFUSED: [char; 13] = ['\\', '/', '*', '?', '"', '<', '>', '|', ',', '#', ':', ' ', '+'];

/// What is wrong with a name, if anything.
pub(super) fn check(name: &str) -> Result<(), String> {
    check_part(name)?;
    if name.is_empty() || name == "." || name == ".." {
        return Err(format!("`{name}` is no name of an index"));
    }
    if name.len() > MAX_BYTES {
        return Err(format!("a name of {} bytes is too long for an index, {MAX_BYTES} are allowed", name.len()));
    }
    if name.starts_with(['-', '_']) {
        return Err(format!("`{name}` begins with `-` or `_`: no index may"));
    }
    Ok(())
}

/// What is wrong with a part of a name.
pub(super) fn check_part(part: &str) -> Result<(), String> {
    if let Some(found) = part.chars().find(|c| REFUSED.contains(c) || c.is_control()) {
        return Err(format!("`{}` holds `{}`: no index may", part.escape_debug(), found.escape_debug()));
    }
    if part.chars().any(char::is_uppercase) {
        return Err(format!("`{part}` holds an upper-case letter: names of indices are lower case"));
    }
    Ok(())
}

/// Makes a rendered name lower case, as every index must be.
pub(super) fn lower(name: &mut String) {
    if name.is_ascii() {
        name.make_ascii_lowercase();
    } else {
        *name = name.to_lowercase();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_server_accepts() {
        for good in ["logs-2026.11.20", "a", "größe", ".hidden", "a_b-c.d"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "-a", "_all", "+a", "A", "a b", "a,b", "a*", "a:b", "a\nb", "<x>", "a/b", "a\"b"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check(&"é".repeat(127)).is_ok() && check(&"é".repeat(128)).is_err());
    }

    #[test]
    fn lowers_beyond_ascii() {
        let mut name = "Ünï-CODE".to_owned();
        lower(&mut name);
        assert_eq!(name, "ünï-code");
    }
}
