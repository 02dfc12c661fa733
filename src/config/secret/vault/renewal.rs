//! A token that ends is renewed at half of its time, for as long as the agent runs.

use std::time::Duration;

use hyper::Method;

use super::{Vault, VaultAuth, VaultSettings};
use crate::component::files::Files;

/// The pause after a renewal that failed, and the shortest between two.
const PAUSE: Duration = Duration::from_secs(10);

/// Renews the token of a Vault until it cannot be renewed any further. A login makes a token anew each time: of that there
/// is nothing to renew.
pub async fn keep_token(settings: VaultSettings, files: Files) {
    let VaultAuth::Token { token } = &settings.auth else { return };
    let vault = match Vault::new(&settings, &files) {
        Ok(vault) => vault,
        Err(why) => return tracing::warn!(why, "cannot renew the token of Vault"),
    };
    loop {
        let pause = match vault.renew(token.reveal()).await {
            Ok(Some(half)) => half.max(PAUSE),
            Ok(None) => return,
            Err(why) => {
                tracing::warn!(why, "cannot renew the token of Vault: a reload will not get secrets when it has ended");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

impl Vault<'_> {
    /// Renews the token, if that can be. Gives half of its time; none if there is nothing to renew.
    pub(super) async fn renew(&self, token: &str) -> Result<Option<Duration>, String> {
        let about = self.call(Some(token), (Method::GET, "auth/token/lookup-self"), None).await?;
        let about = &about["data"];
        if about["ttl"].as_u64().unwrap_or_default() == 0 {
            // A root token, or a service token without an end.
            return Ok(None);
        }
        if about["renewable"] != true {
            let ttl_secs = about["ttl"].as_u64();
            tracing::warn!(ttl_secs, "the token of Vault ends and cannot be renewed");
            return Ok(None);
        }
        let renewed = self.call(Some(token), (Method::POST, "auth/token/renew-self"), None).await?;
        let seconds = renewed["auth"]["lease_duration"].as_u64().unwrap_or_default();
        Ok(Some(Duration::from_secs(seconds) / 2))
    }
}
