//! Settings that belong to no component.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::enrichment::EnrichmentTable;
use super::global_scrub::GlobalScrub;
use crate::component::row::{About, Problem};
use crate::component::size::{ByteSize, Share};

use super::secret::Backend;
use super::teams::TeamSettings;

/// Settings of the process.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Globals {
    /// Where positions, buffers and dead letters are kept; one process at a time.
    pub data_dir: PathBuf,
    /// Bytes of records the process may hold at once; by default a quarter of what the cgroup or the machine has, at
    /// most 512 MiB.
    pub memory_limit: Option<ByteSize>,
    /// What of the file system of `data_dir` is others': with a smaller share of its bytes or inodes free, disk buffers
    /// and dead letters are full. The kubelet evicts pods below 10 %.
    #[schemars(extend("default" = "15%"))]
    pub min_free: Share,
    /// The door for probes and metrics.
    pub api: Option<ApiSettings>,
    /// What every record goes through first, before any other step, queue, disk or eye.
    pub scrub: Option<GlobalScrub>,
    /// Where secrets come from, by name: `SECRET[NAME.key]`.
    #[schemars(extend("default" = serde_json::json!({})))]
    pub secret: BTreeMap<String, Backend>,
    /// The folder of the teams: each folder in it is a team with `*.toml` of its own.
    pub teams_dir: Option<PathBuf>,
    /// What a team may use, by its name; `*` is for teams without a table of their own.
    #[schemars(extend("default" = serde_json::json!({})))]
    pub teams: BTreeMap<String, TeamSettings>,
    /// Seconds that records in hand have to arrive after SIGTERM.
    #[schemars(range(min = 0.0, max = 86400.0))]
    pub graceful_shutdown_limit_secs: f64,
    /// Tables that programs look things up in, by name.
    pub enrichment_tables: BTreeMap<String, EnrichmentTable>,
}

impl Default for Globals {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/levada"),
            memory_limit: None,
            min_free: Share(0.15),
            api: None,
            scrub: None,
            secret: BTreeMap::new(),
            teams_dir: None,
            teams: BTreeMap::new(),
            graceful_shutdown_limit_secs: 60.0,
            enrichment_tables: BTreeMap::new(),
        }
    }
}

impl Globals {
    /// What the schema cannot tell of the root table.
    pub(in crate::config) fn check(settings: &toml::Table) -> Vec<Problem> {
        let written = settings.get("api").and_then(|api| api.get("address")).and_then(toml::Value::as_str);
        let problem = written.and_then(|text| match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => None,
            Ok(_) => {
                let message = "anyone who can reach this machine can read health and metrics here";
                let open = Problem::new("api.address", message).about(About::Door);
                Some(Problem { is_warning: true, ..open.help("`127.0.0.1` keeps it to this machine") })
            }
            Err(_) => Some(Problem::new("api.address", "expected an IP address and a port, such as `127.0.0.1:8686`")),
        });
        let globals: Option<Self> = settings.clone().try_into().ok();
        let Some(Self { scrub, secret, enrichment_tables, .. }) = globals else { return problem.into_iter().collect() };
        let of_backends = secret.iter().flat_map(|(name, backend)| backend.check(&format!("secret.{name}")));
        let of_tables = enrichment_tables.iter().flat_map(|(name, table)| table.check(name));
        let of_scrub = scrub.iter().flat_map(GlobalScrub::check);
        problem.into_iter().chain(of_scrub).chain(of_backends).chain(of_tables).collect()
    }
}

/// The door for probes and metrics: read-only, no content, no paths.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// Address and port to listen on.
    #[schemars(with = "String")]
    pub address: SocketAddr,
}
