//! `vault`: one secret of the key-value engine, version 2; its members are the keys.

mod renewal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Method, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Answer, Answers};
use crate::component::auth::Secret;
use crate::component::files::Files;
use crate::component::mask;
use crate::component::row::Problem;
use crate::component::tls::TlsSettings;
use crate::delivery::address::address;
use crate::delivery::http::Client;

pub use renewal::keep_token;

/// Settings of a Vault.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {
    /// Address of the server, such as `https://vault:8200`.
    pub endpoint: String,
    /// Where the engine is mounted.
    #[serde(default = "mount")]
    pub mount: String,
    /// The secret in it, such as `teams/logging`.
    #[schemars(length(min = 1))]
    pub path: String,
    /// The namespace, where the server has them.
    pub namespace: Option<String>,
    /// Who we are.
    pub auth: VaultAuth,
    /// TLS.
    #[serde(default)]
    pub tls: TlsSettings,
    /// Seconds that all requests together may take; of those that renew a token, each.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 300))]
    pub timeout: u64,
}

/// How we say who we are.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "strategy", rename_all = "snake_case", deny_unknown_fields)]
pub enum VaultAuth {
    /// A token; one that can be renewed is, while the agent runs.
    Token {
        /// The token.
        token: Secret,
    },
    /// The service account of the pod; each time the secrets are fetched a new token, which is given back at once.
    Kubernetes {
        /// The role in Vault.
        role: String,
        /// Where the login is mounted.
        #[serde(default = "kubernetes")]
        mount: String,
        /// The file with the token of the service account.
        #[serde(default = "jwt_file")]
        jwt_file: PathBuf,
    },
}

fn mount() -> String {
    "secret".to_owned()
}

fn kubernetes() -> String {
    "kubernetes".to_owned()
}

fn jwt_file() -> PathBuf {
    PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token")
}

const fn timeout() -> u64 {
    10
}

impl VaultSettings {
    pub(super) fn check(&self, setting: &str) -> Vec<Problem> {
        let mut problems = self.tls.check(&format!("{setting}.tls"));
        problems.extend(self.tls.idle(&format!("{setting}.tls"), [self.endpoint.as_str()]));
        problems.extend(address(&format!("{setting}.endpoint"), &self.endpoint).err());
        problems
    }

    fn late(&self) -> String {
        format!("Vault at `{}` did not answer within {} s", self.endpoint, self.timeout)
    }
}

pub(super) fn ask(settings: &VaultSettings, keys: &BTreeSet<String>, files: &Files) -> Answers {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let limit = Duration::from_secs(settings.timeout);
    let asked = async { tokio::time::timeout(limit, fetch(settings, keys, files)).await };
    runtime.block_on(asked).map_err(|_| settings.late())?
}

async fn fetch(settings: &VaultSettings, keys: &BTreeSet<String>, files: &Files) -> Answers {
    let vault = Vault::new(settings, files)?;
    match &settings.auth {
        VaultAuth::Token { token } => vault.read(token.reveal(), keys).await,
        VaultAuth::Kubernetes { role, mount, jwt_file } => {
            let jwt = std::fs::read_to_string(jwt_file)
                .map_err(|error| format!("cannot read `{}`: {error}", jwt_file.display()))?;
            let login = json!({ "role": role, "jwt": jwt.trim() });
            let answer = vault.call(None, (Method::POST, &format!("auth/{mount}/login")), Some(&login)).await?;
            let token = answer["auth"]["client_token"].as_str().ok_or("Vault gave no token after the login")?;
            mask::conceal(token);
            let answers = vault.read(token, keys).await;
            if let Err(why) = vault.call(Some(token), (Method::POST, "auth/token/revoke-self"), None).await {
                tracing::debug!(why, "cannot give a token of Vault back: it ends by itself");
            }
            answers
        }
    }
}

/// A server.
struct Vault<'s> {
    settings: &'s VaultSettings,
    client: Client,
}

impl<'s> Vault<'s> {
    fn new(settings: &'s VaultSettings, files: &Files) -> Result<Self, String> {
        Ok(Self { settings, client: Client::new(settings.tls.renewed(files, None)?) })
    }

    /// The members of the secret that are asked for.
    async fn read(&self, token: &str, keys: &BTreeSet<String>) -> Answers {
        let VaultSettings { mount, path, .. } = self.settings;
        let answer = self.call(Some(token), (Method::GET, &format!("{mount}/data/{path}")), None).await?;
        let held = answer["data"]["data"]
            .as_object()
            .ok_or_else(|| format!("`{path}` is no secret of a key-value engine of version 2, or it is deleted"))?;
        let answer = |key: &String| -> Answer {
            match held.get(key) {
                Some(Json::String(value)) => Ok(value.clone()),
                Some(value @ (Json::Number(_) | Json::Bool(_))) => Ok(value.to_string()),
                Some(_) => Err(format!("in `{path}` of Vault it is no text")),
                None => Err(format!("`{path}` of Vault does not have it")),
            }
        };
        Ok(keys.iter().map(|key| (key.clone(), answer(key))).collect::<BTreeMap<_, _>>())
    }

    async fn call(&self, token: Option<&str>, request: (Method, &str), body: Option<&Json>) -> Result<Json, String> {
        let (method, path) = request;
        let VaultSettings { endpoint, namespace, .. } = self.settings;
        let uri = format!("{}/v1/{path}", endpoint.trim_end_matches('/'));
        let body = body.map(Json::to_string).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(&uri).header("X-Vault-Request", "true");
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token).map_err(|_| "the token holds what no header may carry")?;
            value.set_sensitive(true);
            request = request.header("X-Vault-Token", value);
        }
        if let Some(namespace) = namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| format!("`{uri}` is no address"))?;
        let limit = Duration::from_secs(self.settings.timeout);
        let sent = tokio::time::timeout(limit, self.client.send(request)).await.map_err(|_| self.settings.late())?;
        let reply = sent.map_err(|why| format!("cannot ask Vault at `{endpoint}`: {why}"))?;
        match reply.status.as_u16() {
            200..=299 => Ok(serde_json::from_slice(&reply.body).unwrap_or_default()),
            404 => Err(format!("Vault at `{endpoint}` has nothing under `{path}`")),
            403 => Err(format!("Vault at `{endpoint}` refuses `{path}`: the token or its policy does not allow it")),
            status => Err(format!("Vault at `{endpoint}` answers {status} to `{path}`")),
        }
    }
}

#[cfg(test)]
mod tests;
