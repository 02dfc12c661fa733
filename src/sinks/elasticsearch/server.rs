//! What the server is, asked once: only some versions know the parameter that keeps documents out of error messages,
//! and an unknown parameter is refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::delivery::http::{Client, Reply};

/// How long the question may take; the records do not wait longer for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first version that can leave documents out of its errors.
const HIDES_SINCE: (u16, u16) = (8, 18);

/// What is known of the server. Nodes of one cluster are taken to be alike.
#[derive(Default)]
pub(super) struct Server {
    build: OnceCell<Build>,
    refuses_hiding: AtomicBool,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Build {
    Elasticsearch {
        major: u16,
        minor: u16,
    },
    OpenSearch,
    /// It would not say.
    #[default]
    Unknown,
}

#[derive(Deserialize)]
struct Root {
    version: Version,
}

#[derive(Deserialize)]
struct Version {
    number: String,
    #[serde(default)]
    distribution: String,
}

impl Server {
    /// The server's build. Asks with `question` (`GET /`) until there is an answer; one that it will not give is
    /// no fault: a key may be restricted to writing.
    pub(super) async fn build(&self, client: &Client, question: Request<Full<Bytes>>) -> Build {
        let asked = self.build.get_or_try_init(|| async {
            match timeout(PATIENCE, client.send(question)).await {
                Ok(Ok(reply)) => Ok(Build::of(&reply)),
                Ok(Err(_)) | Err(_) => Err(()),
            }
        });
        asked.await.copied().unwrap_or_default()
    }

    /// The build, if it is known already.
    pub(super) fn known(&self) -> Option<Build> {
        self.build.get().copied()
    }

    /// Can documents be kept out of its error messages?
    pub(super) fn hides_source(&self, build: Build) -> bool {
        let knows = matches!(build, Build::Elasticsearch { major, minor } if (major, minor) >= HIDES_SINCE);
        knows && !self.refuses_hiding.load(Ordering::Relaxed)
    }

    /// It does not know the parameter after all.
    pub(super) fn refused_hiding(&self) {
        self.refuses_hiding.store(true, Ordering::Relaxed);
    }
}

impl Build {
    fn of(reply: &Reply) -> Self {
        if !reply.status.is_success() {
            return Self::Unknown;
        }
        let Ok(root) = serde_json::from_slice::<Root>(&reply.body) else { return Self::Unknown };
        if root.version.distribution == "opensearch" {
            return Self::OpenSearch;
        }
        let mut numbers = root.version.number.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Self::Elasticsearch { major, minor },
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::StatusCode;

    fn build(status: u16, body: &'static str) -> Build {
        let status = StatusCode::from_u16(status).unwrap();
        Build::of(&Reply { status, headers: hyper::HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) })
    }

    #[test]
    fn builds_are_told_apart_and_silence_is_no_fault() {
        let elastic =
            build(200, r#"{"name":"n","version":{"number":"8.19.1","build_flavor":"default"},"tagline":"x"}"#);
        assert_eq!(elastic, Build::Elasticsearch { major: 8, minor: 19 });
        let open = build(200, r#"{"version":{"distribution":"opensearch","number":"2.19.0"}}"#);
        assert_eq!(open, Build::OpenSearch);
        for (status, body) in [(403, "{}"), (200, "hello"), (200, "{}"), (200, r#"{"version":{"number":"x"}}"#)] {
            assert_eq!(build(status, body), Build::Unknown, "{body}");
        }
    }

    #[test]
    fn documents_are_hidden_where_the_server_can() {
        let server = Server::default();
        let hides = |major, minor| server.hides_source(Build::Elasticsearch { major, minor });
        assert!(hides(8, 18) && hides(9, 0));
        assert!(!hides(8, 17) && !hides(7, 17) && !server.hides_source(Build::OpenSearch));
        server.refused_hiding();
        assert!(!server.hides_source(Build::Elasticsearch { major: 9, minor: 1 }));
    }
}
