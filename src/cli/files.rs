//! The configuration that verbs work with.

use std::path::PathBuf;

use crate::component::machine;
use crate::config::{self, Loaded, Memory, Rules, Shelves};

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Files {
    /// Configuration: files, folders (their `*.toml`) and patterns; may be given several times.
    #[arg(short, long, value_name = "PATH", num_args = 1.., default_value = "/etc/levada/levada.toml")]
    pub(super) config: Vec<PathBuf>,
}

impl Files {
    /// Reads and checks the configuration. Opens no socket and reads no data.
    pub(super) fn load(&self) -> Loaded {
        let memory = Memory { default_limit: machine::default_memory_limit() };
        let environment = |name: &str| std::env::var(name).ok();
        config::load(&self.config, Rules { catalogue: &Shelves, environment: &environment, budget: &memory })
    }
}
