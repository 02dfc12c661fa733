//! Settings that doors have in common; names are Vector's.

use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::row::{About, Problem};

/// When senders are answered.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::sources) struct Acknowledgements {
    /// When their records have arrived where the sinks send them, not when they are queued.
    pub(in crate::sources) enabled: bool,
}

/// How long connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::sources) struct Keepalive {
    /// Seconds after which a connection is ended with the requests in hand, so that clients behind a balancer spread anew.
    #[schemars(range(min = 1.0, max = 86_400.0))]
    max_connection_age_secs: f64,
    /// The part of that by which the age of each differs, so that not all come again at once.
    #[schemars(range(min = 0.0, max = 1.0))]
    max_connection_age_jitter_factor: f64,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { max_connection_age_secs: 300.0, max_connection_age_jitter_factor: 0.1 }
    }
}

impl Keepalive {
    /// How old a connection may become, another one each time.
    pub(super) fn age(self) -> Duration {
        let jitter = self.max_connection_age_jitter_factor * (2.0 * fastrand::f64() - 1.0);
        Duration::from_secs_f64(self.max_connection_age_secs * (1.0 + jitter))
    }
}

/// The warning that anyone in the network can send records to `address`, which `setting` tells.
pub(in crate::sources) fn exposed(setting: &str, address: SocketAddr, has_keeper: bool) -> Option<Problem> {
    let message = "anyone who can reach this machine can send records here";
    let problem = Problem::new(setting, message).about(About::Door);
    let help = "`auth` asks senders who they are, `127.0.0.1` keeps it to this machine; in a pod, a network policy tells who \
                may send";
    (!address.ip().is_loopback() && !has_keeper).then(|| Problem { is_warning: true, ..problem.help(help) })
}
