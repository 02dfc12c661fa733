//! What requests tell besides their bodies, as members and metadata of the records.

use std::net::SocketAddr;

use glob::Pattern;
use hyper::http::request::Parts;

use super::intake::Rules;
use crate::component::row::Problem;
use crate::event::Shared;

/// Headers that programs may read of every record: `%traceparent`, `%correlation_id`.
const ALWAYS: [(&str, &str); 2] = [("traceparent", "traceparent"), ("x-correlation-id", "correlation_id")];
/// Headers that no pattern finds: they hold what nobody else is to see.
const PRIVATE: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
/// Members that a request adds at most.
const MOST_MEMBERS: usize = 64;
/// Bytes of a value that are kept.
const LONGEST: usize = 8 << 10;

/// Which headers and parameters become members.
#[derive(Debug, Default)]
pub(super) struct Names {
    headers: Vec<Name>,
    parameters: Vec<Name>,
}

/// A name as it is written, or a pattern of names.
#[derive(Debug)]
enum Name {
    Exact(String),
    Like(Pattern),
}

impl Name {
    fn of(written: &str) -> Self {
        let pattern = written.contains('*').then(|| Pattern::new(&literal(written)).ok()).flatten();
        pattern.map_or_else(|| Self::Exact(written.to_owned()), Self::Like)
    }

    const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// The key that a value of this name gets.
    fn key<'a>(&'a self, name: &'a str, is_equal: impl Fn(&str, &str) -> bool) -> Option<&'a str> {
        match self {
            Self::Exact(written) => is_equal(written, name).then_some(written),
            Self::Like(pattern) => {
                let any_case = glob::MatchOptions { case_sensitive: !is_equal("a", "A"), ..Default::default() };
                pattern.matches_with(name, any_case).then_some(name)
            }
        }
    }
}

/// A pattern in which only `*` has a meaning.
fn literal(written: &str) -> String {
    written.split('*').map(Pattern::escape).collect::<Vec<_>>().join("*")
}

impl Names {
    pub(super) fn new(headers: &[String], parameters: &[String]) -> Self {
        let names = |written: &[String]| written.iter().map(|name| Name::of(name)).collect();
        Self { headers: names(headers), parameters: names(parameters) }
    }

    /// Names that nothing can have.
    pub(super) fn check(setting: &str, names: &[String]) -> Vec<Problem> {
        let empty = names.iter().enumerate().filter(|(_, name)| name.is_empty());
        empty.map(|(at, _)| Problem::new(format!("{setting}[{at}]"), "expected a name, found nothing")).collect()
    }
}

/// The members that all records of a request get.
pub(super) fn members(rules: &Rules, parts: &Parts, peer: SocketAddr) -> Vec<Shared> {
    let mut members = Vec::new();
    let mut put = |key: &str, value: &str| {
        if members.len() < MOST_MEMBERS && !members.iter().any(|member: &Shared| &*member.key == key) {
            members.push(Shared::string(key, &value[..value.floor_char_boundary(LONGEST)]));
        }
    };
    if let Some(key) = &rules.path_key {
        put(key, parts.uri.path());
    }
    if let Some(key) = &rules.host_key {
        put(key, &peer.ip().to_string());
    }
    for (name, value) in &parts.headers {
        let known = rules.names.headers.iter().filter(|known| known.is_exact() || !PRIVATE.contains(&name.as_str()));
        let keys = known.filter_map(|known| known.key(name.as_str(), str::eq_ignore_ascii_case));
        keys.for_each(|key| put(key, &String::from_utf8_lossy(value.as_bytes())));
    }
    if !rules.names.parameters.is_empty() {
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let keys = rules.names.parameters.iter().filter_map(|known| known.key(&name, str::eq));
            keys.for_each(|key| put(key, &value));
        }
    }
    members
}

/// What programs may read of every record, and no sink writes.
pub(super) fn metadata(parts: &Parts) -> Vec<Shared> {
    let known = ALWAYS.iter().filter_map(|(header, key)| Some((parts.headers.get(*header)?.to_str().ok()?, key)));
    known.map(|(value, key)| Shared::string(key, &value[..value.floor_char_boundary(LONGEST)])).collect()
}
