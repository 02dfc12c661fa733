//! The configuration that verbs work with.

use std::path::{Path, PathBuf};

use crate::component::machine;
use crate::config::{self, LastGood, Loaded, Memory, Plan, Rules, Shelves};
use crate::diagnostic::Code;

/// Where packages put the configuration.
const DEFAULT: &str = "/etc/levada/levada.toml";

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Files {
    /// Configuration: files, folders (their `*.toml`) and patterns; may be given several times.
    #[arg(short, long, value_name = "PATH", num_args = 1.., default_value = DEFAULT)]
    pub(super) config: Vec<PathBuf>,
}

/// The same for verbs that only look at it, which take the paths also without `--config`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Given {
    /// The same as `--config`.
    #[arg(value_name = "PATH", conflicts_with = "config")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    files: Files,
}

impl Given {
    pub(super) fn files(&self) -> Files {
        if self.paths.is_empty() { self.files.clone() } else { Files { config: self.paths.clone() } }
    }
}

impl Files {
    /// Reads and checks the configuration. Opens no socket, runs no command and reads no data.
    pub(super) fn load(&self) -> Loaded {
        self.load_by(config::load)
    }

    /// The same, with the secrets that can be had without running a command.
    pub(super) fn load_to_probe(&self) -> Loaded {
        self.load_by(config::load_to_probe)
    }

    /// The same, with the secrets that it refers to.
    pub(super) fn load_to_run(&self, before: Option<&LastGood>) -> Loaded {
        self.load_by(|paths, rules| config::load_to_run(paths, rules, before))
    }

    /// Reads and checks a configuration that ran before.
    pub(super) fn load_kept(kept: &LastGood) -> Loaded {
        with_rules(|rules| config::load_kept(kept, rules))
    }

    /// Has a team of `plan` fall back whose component cannot be built; see [`Loaded::fall_back`].
    pub(super) fn fall_back(loaded: &mut Loaded, plan: &mut Plan, team: &str) {
        with_rules(|rules| loaded.fall_back(plan, team, rules));
    }

    fn load_by(&self, load: impl FnOnce(&[PathBuf], Rules<'_>) -> Loaded) -> Loaded {
        let mut loaded = with_rules(|rules| load(&self.config, rules));
        if self.config == [Path::new(DEFAULT)] {
            // Most likely the very first call.
            loaded.report.advise(Code::NoFile, "`levada demo` shows a pipeline at work without any configuration");
        }
        loaded
    }
}

/// By what this process knows: its component types, its environment, its memory.
fn with_rules<T>(load: impl FnOnce(Rules<'_>) -> T) -> T {
    let memory = Memory { default_limit: machine::default_memory_limit() };
    let environment = |name: &str| std::env::var(name).ok();
    load(Rules { catalogue: &Shelves, environment: &environment, budget: &memory })
}
