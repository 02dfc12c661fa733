//! Who may send.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::digest::{Digest, SHA256, digest};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::auth::Secret;

/// Credentials that senders must show.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "strategy", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::sources) enum HttpAuth {
    /// Name and password (RFC 7617).
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token (RFC 6750).
    Bearer {
        /// The token.
        token: Secret,
    },
}

impl HttpAuth {
    /// The scheme, and what stands behind it in `Authorization`.
    fn expected(&self) -> (&'static str, String) {
        match self {
            Self::Basic { username, password } => {
                ("Basic", STANDARD.encode(format!("{username}:{}", password.reveal())))
            }
            Self::Bearer { token } => ("Bearer", token.reveal().to_owned()),
        }
    }
}

/// Lets in who shows the right credentials. It keeps but a hash of them, and comparing hashes tells nobody how much of a
/// guess was right.
pub(in crate::sources) struct Keeper {
    scheme: &'static str,
    hash: Digest,
}

impl Keeper {
    pub(in crate::sources) fn new(auth: &HttpAuth) -> Self {
        let (scheme, expected) = auth.expected();
        Self { scheme, hash: digest(&SHA256, expected.as_bytes()) }
    }

    /// The scheme it asks for, as `WWW-Authenticate` tells it.
    pub(in crate::sources) const fn scheme(&self) -> &'static str {
        self.scheme
    }

    pub(in crate::sources) fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some((scheme, credentials)) = shown.split_once(' ') else { return false };
        // Schemes are compared without case (RFC 9110, 11.1).
        scheme.eq_ignore_ascii_case(self.scheme)
            && digest(&SHA256, credentials.trim().as_bytes()).as_ref() == self.hash.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn admits(auth: &str, shown: &str) -> bool {
        let auth: HttpAuth = toml::from_str(auth).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(shown).unwrap())]);
        Keeper::new(&auth).admits(&headers)
    }

    #[test]
    fn only_the_right_credentials_are_let_in() {
        let basic = "strategy = 'basic'\nusername = 'Aladdin'\npassword = 'open sesame'";
        // The example of RFC 7617, 2.
        assert!(admits(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(admits(basic, "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        for wrong in
            ["", "Basic", "Basic ", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
        {
            assert!(!admits(basic, wrong), "{wrong}");
        }
        let bearer = "strategy = 'bearer'\ntoken = 'mF_9.B5f-4.1JqM'";
        assert!(admits(bearer, "Bearer mF_9.B5f-4.1JqM") && !admits(bearer, "Bearer mF_9.B5f-4.1Jq"));
        assert!(!Keeper::new(&toml::from_str(bearer).unwrap()).admits(&HeaderMap::new()));
    }
}
