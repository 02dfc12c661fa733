//! The agent: a real topology of a real configuration, over folders that go with the test.

use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use levada::component::health::State;
use levada::component::meters::Families;
use levada::config::{Memory, Plan, Rules, Shelves, load_texts};
use levada::diagnostic::{Color, render_report};
use levada::event::Budget;
use levada::topology::{DataDir, Leftover, Topology};
use tempfile::TempDir;

use crate::wait;

const MEMORY: usize = 64 << 20;

/// Folders for logs and state; agents come and go over them.
pub(crate) struct Site(TempDir);

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(site.logs()).unwrap();
        site
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.0.path().join("logs")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(name)
    }

    /// Appends records with these numbers to a log.
    pub(crate) fn write(&self, name: &str, numbers: Range<u64>) {
        let stem = name.trim_end_matches(".log");
        let line = |number| format!("{{\"n\":{number},\"file\":\"{stem}\"}}\n");
        self.append(name, &numbers.map(line).collect::<String>());
    }

    /// Appends text to a log.
    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.log(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Starts an agent with this configuration.
    pub(crate) fn start(&self, text: &str) -> Agent {
        self.start_within(MEMORY, text)
    }

    /// Starts an agent with this configuration and this much memory, in bytes.
    pub(crate) fn start_within(&self, memory: usize, text: &str) -> Agent {
        let budget = Budget::new(memory);
        let families = Families::default();
        let data_dir = DataDir::open(&self.0.path().join("state")).unwrap();
        let mut topology = Topology::idle(&data_dir, families.clone(), budget.clone());
        topology.apply(&plan(text)).unwrap();
        let letters = self.0.path().join("state/dead_letters");
        Agent { topology, families, budget, _data_dir: data_dir, letters }
    }
}

/// The plan of a configuration without faults, however full the disk under the tests is.
pub(crate) fn plan(text: &str) -> Plan {
    let text = if text.contains("min_free") { text.to_owned() } else { format!("min_free = '0%'\n{text}") };
    let memory = Memory { default_limit: MEMORY as u64 };
    let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &memory };
    let loaded = load_texts([("test.toml", text.as_str())], rules);
    let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
    loaded.plan.unwrap_or_else(|| panic!("{shown}"))
}

/// A source that reads `PATTERN` of the site's logs.
pub(crate) fn source(site: &Site, id: &str, pattern: &str) -> String {
    let include = site.log(pattern);
    format!(
        "[sources.{id}]\ntype = 'file'\ninclude = ['{}']\ndecoding.codec = 'json'\nglob_minimum_cooldown_ms = 50\n",
        include.display()
    )
}

/// A sink that asks for little patience; `more` are lines of its own.
pub(crate) fn sink(id: &str, input: &str, url: &str, more: &str) -> String {
    format!(
        "[sinks.{id}]\ntype = 'elasticsearch'\ninputs = ['{input}']\nendpoints = ['{url}']\nbulk.index = 'logs'\n\
         batch.timeout_secs = 0.02\nrequest.retry_initial_backoff_secs = 0.01\nrequest.retry_max_duration_secs = 0.1\n\
         {more}\n"
    )
}

/// All logs into one sink.
pub(crate) fn pipeline(site: &Site, url: &str, more: &str) -> String {
    source(site, "app", "*.log") + &sink("out", "app", url, more)
}

/// What runs.
pub(crate) struct Agent {
    topology: Topology,
    families: Families,
    pub(crate) budget: Budget,
    _data_dir: DataDir,
    letters: PathBuf,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) component: String,
    pub(crate) code: String,
    pub(crate) reason: String,
    pub(crate) number: Option<u64>,
}

impl Agent {
    /// Applies another configuration; gives the reason if it is refused.
    pub(crate) fn reload(&mut self, text: &str) -> Result<(), String> {
        self.topology.apply(&plan(text)).map_err(|error| format!("{error}: {}", error.why))
    }

    /// Ends it; what is in hand may arrive until then.
    pub(crate) async fn stop(self, patience: Duration) -> Leftover {
        self.topology.shut_down(Instant::now() + patience).await
    }

    /// How the sink `id` is.
    pub(crate) fn health(&self, id: &str) -> State {
        self.topology.roster().health(id).unwrap()
    }

    /// Waits until the sink `id` is in trouble; gives the reason.
    pub(crate) async fn wait_for_trouble(&self, id: &str) -> String {
        wait::until("trouble", || matches!(self.health(id), State::Degraded { .. })).await;
        match self.health(id) {
            State::Degraded { why, .. } => why,
            other => panic!("it is {other:?} by now"),
        }
    }

    /// Waits until the sink `id` is well.
    pub(crate) async fn wait_for_health(&self, id: &str) {
        wait::until("health", || self.health(id) == State::Running).await;
    }

    /// A counter or gauge of the component `id`, summed over other labels; `label` picks one value of one of them.
    pub(crate) fn figure(&self, name: &str, id: &str, label: Option<(&str, &str)>) -> u64 {
        let families = self.families.registry().gather();
        let Some(family) = families.iter().find(|family| family.name() == name) else { return 0 };
        let fits = |metric: &&prometheus::proto::Metric| {
            let has = |name: &str, value: &str| {
                metric.get_label().iter().any(|pair| pair.name() == name && pair.value() == value)
            };
            has("component_id", id) && label.is_none_or(|(name, value)| has(name, value))
        };
        let value =
            |metric: &prometheus::proto::Metric| metric.get_counter().get_value() + metric.get_gauge().get_value();
        family.get_metric().iter().filter(fits).map(value).sum::<f64>() as u64
    }

    /// Records that were discarded for `reason`.
    pub(crate) fn discarded(&self, id: &str, reason: &str) -> u64 {
        self.figure("levada_component_discarded_events_total", id, Some(("reason", reason)))
    }

    /// The dead letters.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        read_letters(&self.letters)
    }

    /// All that is in the dead-letter folder, as it stands there.
    pub(crate) fn letters_text(&self) -> String {
        let entries = std::fs::read_dir(&self.letters).unwrap();
        entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    /// Waits until there are so many dead letters.
    pub(crate) async fn wait_for_letters(&self, count: usize) -> Vec<Letter> {
        wait::until("dead letters", || self.letters().len() >= count).await;
        self.letters()
    }
}

fn read_letters(folder: &Path) -> Vec<Letter> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let text: String = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let read = |line: &str| {
        // The last line may be half written at this moment.
        let letter: serde_json::Value = serde_json::from_str(line).ok()?;
        let field = |name: &str| letter[name].as_str().unwrap().to_owned();
        let payload: serde_json::Value = serde_json::from_str(&field("payload")).unwrap();
        Some(Letter {
            component: field("component"),
            code: field("code"),
            reason: field("reason"),
            number: payload["n"].as_u64(),
        })
    };
    text.lines().filter_map(read).collect()
}
