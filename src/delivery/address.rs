//! Addresses of HTTP destinations, headers and fail-over, for every sink that speaks HTTP.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Uri;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use crate::component::auth::Auth;
use crate::component::row::{About, Problem};

/// Reads the address in `setting`: `http` or `https`, a host, no credentials, no field of a record.
pub fn address(setting: &str, text: &str) -> Result<Uri, Problem> {
    if text.contains("{{") {
        let message = format!("`{text}` holds a template: records do not choose where they are sent");
        return Err(Problem::new(setting, message).help("write one sink for each address, behind a `route`"));
    }
    if holds_credentials(text) {
        let problem = Problem::new(setting, "holds credentials").about(About::Form);
        return Err(problem.help("put them into `auth`, where nothing prints them"));
    }
    let parsed = text.parse::<Uri>().ok();
    let uri = parsed.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    let Some(uri) = uri else {
        let message = format!("`{text}` is no address: expected `http://host:port` or `https://...`");
        return Err(Problem::new(setting, message));
    };
    Ok(uri)
}

/// Has the address a user or a password, whatever stands in brackets: `http://user:SECRET[backend.key]@host`?
fn holds_credentials(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let mut open = false;
    let authority = rest.bytes().take_while(|byte| {
        open = (open || *byte == b'[') && *byte != b']';
        open || !b"/?#".contains(byte)
    });
    authority.into_iter().any(|byte| byte == b'@')
}

/// The headers of each request: those of the setting `request.headers`, and what `auth` says.
pub fn headers(settings: &BTreeMap<String, String>, auth: Option<&Auth>) -> Result<HeaderMap, Problem> {
    let mut headers: HeaderMap = settings.iter().map(header).collect::<Result<_, _>>()?;
    if let Some(auth) = auth {
        headers.insert(AUTHORIZATION, authorization(auth)?);
    }
    Ok(headers)
}

/// The faults of all of them.
pub fn header_problems(settings: &BTreeMap<String, String>, auth: Option<&Auth>) -> Vec<Problem> {
    let named = settings.iter().filter_map(|pair| header(pair).err());
    auth.and_then(|auth| authorization(auth).err()).into_iter().chain(named).collect()
}

fn authorization(auth: &Auth) -> Result<HeaderValue, Problem> {
    auth.header().map_err(|why| Problem::new("auth", why))
}

fn header((name, value): (&String, &String)) -> Result<(HeaderName, HeaderValue), Problem> {
    let at = || format!("request.headers.{name}");
    let read = HeaderName::try_from(name).map_err(|_| Problem::new(at(), format!("`{name}` is no header name")))?;
    if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&read) {
        return Err(Problem::new(at(), format!("`{name}` is set by the request itself")));
    }
    if value.contains("{{") {
        let message =
            format!("`{name}` holds a template: a request has many records, and headers are the same for all");
        return Err(Problem::new(at(), message));
    }
    let value = HeaderValue::try_from(value)
        .map_err(|_| Problem::new(at(), format!("`{name}` holds characters that no header may carry")))?;
    Ok((read, value))
}

/// Escapes text for a part of an URI (RFC 3986, clause 2.1).
pub fn escape(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Several addresses of one destination: one is used until it fails, then the next.
#[derive(Debug)]
pub struct Endpoints<T> {
    all: Vec<T>,
    current: AtomicUsize,
}

impl<T> Endpoints<T> {
    /// All of them.
    pub fn all(&self) -> &[T] {
        &self.all
    }

    /// `all` must not be empty.
    pub fn new(all: Vec<T>) -> Self {
        Self { all, current: AtomicUsize::new(0) }
    }

    /// The one to use now, and its turn for [`failed`](Self::failed).
    pub fn pick(&self) -> (usize, &T) {
        let turn = self.current.load(Ordering::Acquire);
        (turn, &self.all[turn % self.all.len()])
    }

    /// The one of this turn did not work. Several requests that failed in one turn move on once.
    pub fn failed(&self, turn: usize) {
        let _moved = self.current.compare_exchange(turn, turn.wrapping_add(1), Ordering::AcqRel, Ordering::Acquire);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_http_without_credentials_or_templates() {
        assert_eq!(address("uri", "https://host:9200/base").unwrap().path(), "/base");
        for bad in ["host:9200", "ftp://host", "/path", "http://u:p@host", "http://{{ host }}/x", "http://", ""] {
            assert!(address("uri", bad).is_err(), "{bad}");
        }
        for user in ["u:SECRET[v.app/db]", "SECRET[s.user]", "u@[::1]"] {
            let fault = address("uri", &format!("https://{user}@host/x")).unwrap_err();
            assert_eq!((fault.message.as_str(), fault.about), ("holds credentials", About::Form), "{user}");
        }
        assert!(address("uri", "http://[::1]:9200/a@b?c=d@e").is_ok());
        let fault = address("uri", "http://elastic:secret@host").unwrap_err();
        assert!(!fault.message.contains("secret"), "a fault is printed");
    }

    #[test]
    fn headers_are_checked() {
        let one = |name: &str, value: &str| headers(&[(name.to_owned(), value.to_owned())].into(), None);
        assert_eq!(one("X-Tenant", "a").unwrap()["x-tenant"], "a");
        for (name, value) in [("a b", "x"), ("Content-Length", "1"), ("host", "x"), ("x", "a\nb")] {
            assert_eq!(one(name, value).unwrap_err().setting, format!("request.headers.{name}"));
        }
    }

    #[test]
    fn requests_that_fail_together_move_on_once() {
        let endpoints = Endpoints::new(vec!["a", "b"]);
        let (turn, first) = endpoints.pick();
        endpoints.failed(turn);
        endpoints.failed(turn);
        assert_eq!((*first, *endpoints.pick().1), ("a", "b"));
        endpoints.failed(endpoints.pick().0);
        assert_eq!(*endpoints.pick().1, "a");
    }
}
