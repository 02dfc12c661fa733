//! How a sink says who it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A value that must not be seen: it prints as `***`, cannot be serialised, and its schema marks it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    /// `writeOnly` is how a schema says that a value is not to be shown.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

impl Secret {
    /// The value itself, for the wire.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Credentials of an HTTP sink.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "strategy", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// Name and password (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token (RFC 6750).
    Bearer {
        /// The token.
        token: Secret,
    },
    /// An Elasticsearch API key: base64 of `id:key`, as the server gives it in `encoded`.
    ApiKey {
        /// The encoded key.
        key: Secret,
    },
}

impl Auth {
    /// The value of `Authorization`, marked so that nothing prints it.
    pub fn header(&self) -> Result<HeaderValue, String> {
        let text = match self {
            Self::Basic { user, password } => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal())))
            }
            Self::Bearer { token } => format!("Bearer {}", token.reveal()),
            Self::ApiKey { key } => format!("ApiKey {}", key.reveal()),
        };
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| "`auth` holds characters that no header may carry".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }
}
