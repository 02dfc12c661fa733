//! Keyed hashes: the same value gives the same token, and nobody without the key can tell which value it was.
//!
//! A token is `hmac:ID:HASH`: the id of the key, and 16 bytes of HMAC-SHA256 over the detector's name, a zero byte
//! and the value, in base64url. The name keeps a telephone number and an account with the same digits apart. Values
//! are made alike first, so that `8 (916) 123-45-67` and `+79161234567` are one.
//!
//! A plain hash would not do: there are few enough telephone numbers to try them all.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Kind;
use crate::component::auth::Secret;
use crate::component::clock;

/// Bytes of the shortest key: as many as the hash has.
pub(super) const FEWEST: usize = 32;
/// Bytes of the longest key file.
const MOST: u64 = 64 << 10;
/// Bytes of the hash that a token shows.
const SHOWN: usize = 16;
/// Characters of these in base64url.
const SHOWN_TEXT: usize = 22;
/// Nanoseconds between two looks at the key files.
const INTERVAL: i64 = 2_000_000_000;

/// A key for `action = "hash"`. One of `file`, `env` and `value`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The key's name in tokens, such as `2026q4`; a fingerprint of the key if not set.
    pub(super) id: Option<String>,
    /// File with the key, at least 32 bytes; read again when it changes. A line end at its end is no part of the key.
    pub(super) file: Option<PathBuf>,
    /// Environment variable with the key, at least 32 bytes.
    pub(super) env: Option<String>,
    /// The key itself, at least 32 bytes; write `${NAME}` here, never the key.
    pub(super) value: Option<Secret>,
}

impl KeySettings {
    /// What is wrong with the settings, without looking at the key.
    pub(super) fn fault(&self) -> Option<String> {
        let ways = [self.file.is_some(), self.env.is_some(), self.value.is_some()];
        if ways.into_iter().filter(|is_set| *is_set).count() != 1 {
            return Some("expected one of `file`, `env` and `value`".to_owned());
        }
        if self.value.as_ref().is_some_and(|value| value.reveal().len() < FEWEST) {
            return Some(format!("the key is too short, expected at least {FEWEST} bytes"));
        }
        let is_name = |id: &String| {
            (1..=32).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let id = self.id.as_ref().filter(|id| !is_name(id))?;
        Some(format!("`{id}` is no id, expected 1 to 32 letters, digits, `-`, `_`, `.`"))
    }

    fn read(&self) -> Result<Key, String> {
        let bytes = match (&self.file, &self.env, &self.value) {
            (Some(file), ..) => read_file(file)?,
            (_, Some(name), _) => {
                std::env::var(name).map_err(|_| format!("the variable `{name}` is not set"))?.into_bytes()
            }
            (_, _, Some(value)) => value.reveal().as_bytes().to_vec(),
            _ => return Err("no key is named".to_owned()),
        };
        if bytes.len() < FEWEST {
            return Err(format!("the key has {} bytes, expected at least {FEWEST}", bytes.len()));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let id = self.id.clone().unwrap_or_else(|| URL_SAFE_NO_PAD.encode(&hmac::sign(&key, b"id\0").as_ref()[..6]));
        Ok(Key { prefix: format!("hmac:{id}:").into_bytes(), key })
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    let fault = |error: std::io::Error| format!("cannot read the key `{}`: {error}", file.display());
    if fs::metadata(file).map_err(fault)?.len() > MOST {
        return Err(format!("`{}` is longer than any key", file.display()));
    }
    let mut bytes = fs::read(file).map_err(fault)?;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

struct Key {
    /// `hmac:ID:`
    prefix: Vec<u8>,
    key: hmac::Key,
}

/// The active keys. The first writes; tokens of all are left as they are.
pub(super) struct Keys {
    settings: Vec<KeySettings>,
    current: ArcSwap<Vec<Key>>,
    /// What the files looked like when they were read.
    seen: AtomicU64,
    next_look: AtomicI64,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Keys {
    /// Reads the keys.
    pub(super) fn new(settings: Vec<KeySettings>) -> Result<Self, String> {
        let seen = look(&settings);
        let keys: Vec<Key> = settings.iter().map(KeySettings::read).collect::<Result<_, _>>()?;
        let current = ArcSwap::from_pointee(keys);
        Ok(Self { settings, current, seen: AtomicU64::new(seen), next_look: AtomicI64::new(clock::now() + INTERVAL) })
    }

    /// Reads the keys again if it is time to look and a file has changed. An error leaves the old keys in use.
    pub(super) fn renew(&self) -> Result<(), String> {
        let now = clock::now();
        let next = self.next_look.load(Ordering::Relaxed);
        let is_mine =
            self.next_look.compare_exchange(next, now + INTERVAL, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if now < next || !is_mine {
            return Ok(());
        }
        self.renew_now()
    }

    fn renew_now(&self) -> Result<(), String> {
        let seen = look(&self.settings);
        if seen == self.seen.load(Ordering::Acquire) {
            return Ok(());
        }
        let keys: Vec<Key> = self.settings.iter().map(KeySettings::read).collect::<Result<_, _>>()?;
        self.current.store(keys.into());
        self.seen.store(seen, Ordering::Release);
        Ok(())
    }

    /// Appends the token of a value of this kind.
    pub(super) fn write(&self, kind: Option<Kind>, value: &[u8], out: &mut Vec<u8>) {
        if let Some(key) = self.current.load().first() {
            key.write(kind, value, out);
        }
    }

    /// The tokens of a value under each key, the one that writes first.
    pub(super) fn tokens(&self, kind: Option<Kind>, value: &[u8]) -> Vec<String> {
        let token = |key: &Key| {
            let mut out = Vec::new();
            key.write(kind, value, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        self.current.load().iter().map(token).collect()
    }

    /// Does a token of one of the keys stand around `at` in `text`, up to `end` at least?
    pub(super) fn is_token(&self, text: &[u8], at: usize, end: usize) -> bool {
        let is_hash = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        self.current.load().iter().any(|key| {
            let length = key.prefix.len() + SHOWN_TEXT;
            (at.saturating_sub(length - 1)..=at).rev().any(|start| {
                let Some(token) = text.get(start..start + length) else { return false };
                end <= start + length && token.starts_with(&key.prefix) && token[key.prefix.len()..].iter().all(is_hash)
            })
        })
    }
}

impl Key {
    fn write(&self, kind: Option<Kind>, value: &[u8], out: &mut Vec<u8>) {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind.map_or("value", Kind::name).as_bytes());
        context.update(&[0]);
        context.update(&alike(kind, value));
        let tag = context.sign();
        out.extend_from_slice(&self.prefix);
        let mut text = [0; SHOWN_TEXT];
        let written = URL_SAFE_NO_PAD.encode_slice(&tag.as_ref()[..SHOWN], &mut text).unwrap_or(0);
        out.extend_from_slice(&text[..written]);
    }
}

/// What two spellings of one value have in common.
fn alike(kind: Option<Kind>, value: &[u8]) -> Vec<u8> {
    let digits = || value.iter().copied().filter(u8::is_ascii_digit);
    match kind {
        Some(Kind::Email) => {
            let at = memchr::memrchr(b'@', value).unwrap_or(value.len());
            let domain = String::from_utf8_lossy(&value[at..]).to_lowercase();
            [&value[..at], domain.as_bytes()].concat()
        }
        Some(Kind::Phone) => {
            let encoded = value.strip_prefix(b"%2B").or(value.strip_prefix(b"%2b"));
            let mut number: Vec<u8> = match encoded {
                Some(rest) => rest.iter().copied().filter(u8::is_ascii_digit).collect(),
                None => digits().collect(),
            };
            if number.len() == 11 && number[0] == b'8' && !value.starts_with(b"+") {
                number[0] = b'7';
            }
            number
        }
        Some(Kind::PaymentCard | Kind::Ssn | Kind::Snils | Kind::Inn | Kind::Ogrn | Kind::PassportRu) => {
            digits().collect()
        }
        Some(Kind::Iban) => value.iter().copied().filter(|byte| *byte != b' ').collect(),
        Some(Kind::MacAddress) => {
            value.iter().filter(|byte| byte.is_ascii_hexdigit()).map(u8::to_ascii_lowercase).collect()
        }
        Some(Kind::Ipv6) => {
            let parsed = std::str::from_utf8(value).ok().and_then(|text| text.parse::<std::net::Ipv6Addr>().ok());
            parsed.map_or_else(|| value.to_vec(), |address| address.to_string().into_bytes())
        }
        _ => value.to_vec(),
    }
}

/// A mark of the files as they are: it changes when one of them is changed or put in the place of another.
fn look(settings: &[KeySettings]) -> u64 {
    let marks = settings.iter().filter_map(|key| key.file.as_ref()).map(|file| {
        fs::metadata(file).map_or([0; 5], |about| {
            [about.dev(), about.ino(), about.size(), about.mtime().cast_unsigned(), about.mtime_nsec().cast_unsigned()]
        })
    });
    marks
        .flatten()
        .fold(0xCBF2_9CE4_8422_2325, |hash, part| (hash ^ part).wrapping_mul(0x0100_0000_01B3).rotate_left(29))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: Option<&str>, file: &Path) -> KeySettings {
        KeySettings { id: id.map(str::to_owned), file: Some(file.to_owned()), env: None, value: None }
    }

    fn token(keys: &Keys, kind: Kind, value: &str) -> String {
        keys.tokens(Some(kind), value.as_bytes()).remove(0)
    }

    #[test]
    fn a_token_is_the_hash_that_others_compute() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
        let keys = Keys::new(vec![key(Some("k1"), &file)]).unwrap();
        // printf 'email\0ann@example.com' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        assert_eq!(token(&keys, Kind::Email, "ann@EXAMPLE.com"), "hmac:k1:rP_D8s6RSwPyUX9EstkKMA");
        assert_eq!(token(&keys, Kind::Email, "ann@example.com"), token(&keys, Kind::Email, "ann@EXAMPLE.com"));
        assert_ne!(token(&keys, Kind::Email, "Ann@example.com"), token(&keys, Kind::Email, "ann@example.com"));
        let phones = ["8 (916) 123-45-67", "+79161234567", "%2B79161234567", "+7 916 123 45 67"];
        let tokens: Vec<String> = phones.iter().map(|phone| token(&keys, Kind::Phone, phone)).collect();
        assert!(tokens.iter().all(|other| *other == tokens[0]), "{tokens:?}");
        assert_ne!(token(&keys, Kind::Phone, "7707083893"), token(&keys, Kind::Inn, "7707083893"));
        let text = format!("x {} y", tokens[0]);
        assert!(keys.is_token(text.as_bytes(), 2, 2 + tokens[0].len()) && keys.is_token(text.as_bytes(), 9, 12));
        assert!(!keys.is_token(text.as_bytes(), 2, 3 + tokens[0].len()));
        assert!(!keys.is_token(b"hmac:k2:0123456789012345678901", 0, 30));
        assert_eq!(format!("{keys:?}"), "***");
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, [b'a'; 32]).unwrap();
        let keys = Keys::new(vec![key(None, &file)]).unwrap();
        let first = token(&keys, Kind::Email, "a@b.cd");
        assert_eq!(keys.renew_now(), Ok(()));
        assert_eq!(token(&keys, Kind::Email, "a@b.cd"), first);
        let other = folder.path().join("other");
        fs::write(&other, [b'b'; 33]).unwrap();
        fs::rename(&other, &file).unwrap();
        assert_eq!(keys.renew_now(), Ok(()));
        let second = token(&keys, Kind::Email, "a@b.cd");
        assert_ne!(second.split(':').nth(1), first.split(':').nth(1), "another key has another id");
        fs::write(&file, "short").unwrap();
        assert!(keys.renew_now().unwrap_err().contains("expected at least 32"));
        fs::remove_file(&file).unwrap();
        assert!(keys.renew_now().is_err());
        assert_eq!(token(&keys, Kind::Email, "a@b.cd"), second, "the old key stays in use");
        assert!(Keys::new(vec![key(None, &file)]).is_err());
    }
}
