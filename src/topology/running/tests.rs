//! Reload: what did not change does not notice, what goes ends by itself, what fails changes nothing.

use std::fs::{self, OpenOptions};
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::component::health::State;
use crate::component::meters::Families;
use crate::component::source::Running;
use crate::config::{Component, Memory, Plan, Rules, Shelves, load_texts};
use crate::delivery::settings::BufferSettings;
use crate::delivery::test_tls::Pki;
use crate::diagnostic::{Color, render_report};
use crate::event::{Budget, Outcome};
use crate::topology::DataDir;

mod held;
mod panics;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// A topology over a folder of its own.
struct Stage {
    folder: TempDir,
    topology: Topology,
    _data_dir: DataDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&folder.path().join("state")).unwrap();
        let topology = Topology::idle(&data_dir, Families::default(), Budget::new(64 << 20));
        Self { folder, topology, _data_dir: data_dir }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A source of this id over the file `NAME.log`, with `more` settings.
    fn source(&self, id: &str, more: &str) -> String {
        let include = self.path(&format!("{id}.log"));
        format!("[sources.{id}]\ntype = 'file'\ninclude = ['{include}']\nglob_minimum_cooldown_ms = 10\n{more}\n")
    }

    fn write(&self, id: &str, lines: &str) {
        let path = self.path(&format!("{id}.log"));
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(lines.as_bytes()).unwrap();
    }

    fn apply(&mut self, text: &str) {
        self.topology.apply(&plan(text)).unwrap();
    }

    /// How many records the sink has sent.
    fn sent(&self, id: &str) -> u64 {
        self.topology.ground.context(&self.topology.sinks[id].made_of.component).meters.sent_events()
    }

    async fn sends(&self, id: &str, count: u64) {
        until(|| self.sent(id) >= count).await;
    }
}

fn sink(id: &str, inputs: &str, more: &str) -> String {
    format!("[sinks.{id}]\ntype = 'blackhole'\ninputs = [{inputs}]\n{more}\n")
}

fn plan(text: &str) -> Plan {
    let memory = Memory { default_limit: 512 << 20 };
    let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &memory };
    let loaded = load_texts([("levada.toml", text)], rules);
    let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
    loaded.plan.unwrap_or_else(|| panic!("{shown}"))
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it comes to an end")
}

/// Waits for what other threads do: nothing tells of it, so it is looked at again and again.
async fn until(is_met: impl Fn() -> bool) {
    let met = async {
        while !is_met() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(met).await;
}

fn lines(path: &str) -> Vec<String> {
    fs::read_to_string(Path::new(path)).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_does_not_notice() {
    let mut stage = Stage::new();
    let (app, out) = (stage.source("app", ""), sink("out", "'app'", ""));
    stage.apply(&format!("{app}{out}"));
    let tasks = |stage: &Stage| (stage.topology.sources["app"].task.id(), stage.topology.sinks["out"].task.id());
    let (before, queue) = (tasks(&stage), stage.topology.sinks["out"].queue.clone());
    stage.apply(&format!("{app}{out}{}", sink("more", "'app'", "")));
    assert_eq!(tasks(&stage), before);
    assert!(Arc::ptr_eq(&stage.topology.sinks["out"].queue, &queue));
    stage.write("app", "one\n");
    stage.sends("out", 1).await;
    stage.sends("more", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_sink_takes_its_queue_over() {
    let mut stage = Stage::new();
    let app = stage.source("app", "");
    stage.apply(&format!("{app}{}", sink("out", "'app'", "")));
    let (task, queue) = (stage.topology.sinks["out"].task.id(), stage.topology.sinks["out"].queue.clone());
    stage.write("app", "one\n");
    stage.sends("out", 1).await;
    stage.apply(&format!("{app}{}", sink("out", "'app'", "buffer.max_size = 1048576")));
    assert_ne!(stage.topology.sinks["out"].task.id(), task);
    assert!(Arc::ptr_eq(&stage.topology.sinks["out"].queue, &queue));
    stage.write("app", "two\n");
    stage.sends("out", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_goes_on_where_the_old_one_was() {
    let mut stage = Stage::new();
    let out = sink("out", "'app'", "");
    stage.apply(&format!("{}{out}", stage.source("app", "")));
    stage.write("app", "one\n");
    stage.sends("out", 1).await;
    stage.apply(&format!("{}{out}", stage.source("app", "max_line_bytes = 100")));
    stage.write("app", "two\n");
    stage.sends("out", 2).await;
    let Stage { topology, folder, .. } = stage;
    let meters = topology.ground.context(&topology.sinks["out"].made_of.component).meters;
    let left = within(topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
    assert_eq!(meters.sent_events(), 2, "no line is read twice in {folder:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_source_ends() {
    let mut stage = Stage::new();
    let (app, out) = (stage.source("app", ""), sink("out", "'*'", ""));
    stage.apply(&format!("{app}{}{out}", stage.source("other", "")));
    until(|| stage.topology.roster.is_ready()).await;
    let stop = stage.topology.sources["other"].stop.clone();
    stage.apply(&format!("{app}{out}"));
    assert!(stop.is_requested());
    let ids: Vec<String> = stage.topology.roster.members().iter().map(|member| member.id.clone()).collect();
    assert_eq!(ids, ["app", "out"]);
    until(|| stage.topology.alive.count() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_of_a_removed_sink_closes_though_lanes_are_idle() {
    let mut stage = Stage::new();
    let (app, out) = (stage.source("app", ""), sink("out", "'app'", ""));
    stage.apply(&format!("{app}{out}{}", sink("gone", "'app'", "")));
    stage.write("app", "one\n");
    stage.sends("out", 1).await;
    stage.sends("gone", 1).await;
    let queue = stage.topology.sinks["gone"].queue.clone();
    stage.apply(&format!("{app}{out}"));
    assert!(within(queue.take(1)).await.is_none(), "closed and empty");
    stage.write("app", "two\n");
    stage.sends("out", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_changes_nothing() {
    let mut stage = Stage::new();
    let (app, out) = (stage.source("app", ""), sink("out", "'app'", ""));
    stage.apply(&format!("{app}{out}"));
    let chain = stage.topology.sources["app"].chain.load_full();
    let task = stage.topology.sinks["out"].task.id();
    let no_folder = stage.path("file");
    fs::write(&no_folder, "").unwrap();
    let bad = stage.source("bad", &format!("data_dir = '{no_folder}'"));
    let changed = sink("out", "'*'", "buffer.max_size = 1048576");
    let error = stage.topology.apply(&plan(&format!("{app}{changed}{bad}"))).unwrap_err();
    assert_eq!((error.id.as_str(), error.why.contains(&no_folder)), ("bad", true), "{error}");
    assert!(Arc::ptr_eq(&stage.topology.sources["app"].chain.load_full(), &chain));
    assert_eq!(stage.topology.sinks["out"].task.id(), task);
    assert_eq!(stage.topology.roster.members().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_all_sources_have_started() {
    let mut stage = Stage::new();
    assert!(!stage.topology.roster.is_ready());
    stage.apply(&format!("{}{}", stage.source("app", ""), sink("out", "'app'", "")));
    until(|| stage.topology.roster.is_ready()).await;
    stage.write("app", "one\n");
    stage.sends("out", 1).await;
    until(|| stage.topology.roster.members().iter().all(|member| member.health.state() == State::Running)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_reloads_under_load_lose_and_repeat_nothing() {
    const RELOADS: usize = 200;
    let mut stage = Stage::new();
    let target = stage.path("out.txt");
    let plans: Vec<String> = (0..4)
        .map(|turn| {
            let app = stage.source("app", "");
            let step = format!("[transforms.mark]\ntype = 'enrich'\ninputs = ['app']\nfields.turn = {turn}\n");
            let out = format!(
                "[sinks.out]\ntype = 'file'\ninputs = ['mark']\npath = '{target}'\nencoding.codec = 'text'\n\
                 idle_timeout_secs = {}\n",
                turn + 1
            );
            let aside = if turn % 2 == 0 { sink("aside", "'app'", "") } else { String::new() };
            format!("{app}{step}{out}{aside}")
        })
        .collect();
    stage.apply(&plans[0]);
    for turn in 0..RELOADS {
        stage.write("app", &format!("{turn} a\n{turn} b\n"));
        stage.apply(&plans[turn % plans.len()]);
    }
    until(|| lines(&target).len() >= 2 * RELOADS).await;
    let Stage { topology, folder, .. } = stage;
    let left = within(topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
    let expected: Vec<String> = (0..RELOADS).flat_map(|turn| [format!("{turn} a"), format!("{turn} b")]).collect();
    assert_eq!(lines(&target), expected, "in order, each once, in {folder:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_whose_refused_records_are_read_does_not_hold_its_own_door_open() {
    let mut stage = Stage::new();
    let step = "[transforms.mark]\ntype = 'enrich'\ninputs = ['app']\nfields.n = 1\n";
    let (out, refused) = (sink("out", "'mark'", ""), sink("refused", "'out.dead_letter'", ""));
    stage.apply(&format!("{}{step}{out}{refused}", stage.source("app", "")));
    stage.write("app", "one\n");
    stage.sends("out", 1).await;
    let left = within(stage.topology.shut_down(Instant::now() + Duration::from_secs(10))).await;
    assert_eq!(left, Leftover::default());
}

/// A sink that takes nothing before it is told to.
struct Gate(Arc<Notify>, BufferSettings);

impl Drain for Gate {
    fn run(self: Box<Self>, bench: Bench, _: Stop) -> Running {
        Box::pin(async move {
            self.0.notified().await;
            while let Some(batches) = bench.queue.take(1 << 20).await {
                for batch in batches {
                    bench.meters.sent(batch.len(), 0);
                    batch.settle(Outcome::Delivered);
                }
            }
        })
    }

    fn buffer(&self) -> &BufferSettings {
        &self.1
    }
}

impl Stage {
    /// Applies `text` with a gate in the place of the sink `id`.
    fn apply_with_gate(&mut self, text: &str, id: &str) -> Arc<Notify> {
        let open = Arc::new(Notify::new());
        let gate = open.clone();
        let guest: Guest = Box::new(|_| Box::new(Gate(gate, BufferSettings::default())));
        self.topology.apply_with(&plan(text), &mut HashMap::from([(id.to_owned(), guest)])).unwrap();
        open
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_comes_back_waits_for_the_end_of_the_one_before() {
    let mut stage = Stage::new();
    let (app, other, out) = (stage.source("app", ""), stage.source("other", ""), sink("out", "'*'", ""));
    let open = stage.apply_with_gate(&format!("{app}{other}{out}"), "out");
    stage.write("app", "one\n");
    until(|| stage.topology.sinks["out"].queue.bytes() > 0).await;
    stage.apply(&format!("{other}{out}"));
    stage.apply(&format!("{app}{other}{out}"));
    assert_eq!(stage.topology.sources["app"].health.state(), State::Starting, "the old one has a record in hand");
    // Away and back once more, while it waits.
    stage.apply(&format!("{other}{out}"));
    stage.apply(&format!("{app}{other}{out}"));
    open.notify_one();
    until(|| stage.topology.sources["app"].health.state() == State::Running).await;
    stage.write("app", "two\n");
    stage.sends("out", 2).await;
    let meters = stage.topology.ground.context(&stage.topology.sinks["out"].made_of.component).meters;
    let left = within(stage.topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!((left, meters.sent_events()), (Leftover::default(), 2), "no line is read twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_comes_back_takes_the_queue_of_the_one_before() {
    let mut stage = Stage::new();
    let (app, out, back) = (stage.source("app", ""), sink("out", "'app'", ""), sink("back", "'app'", ""));
    let _shut = stage.apply_with_gate(&format!("{app}{out}{back}"), "back");
    let queue = stage.topology.sinks["back"].queue.clone();
    stage.write("app", "one\n");
    until(|| queue.bytes() > 0).await;
    stage.apply(&format!("{app}{out}"));
    stage.apply(&format!("{app}{out}{back}"));
    assert!(Arc::ptr_eq(&stage.topology.sinks["back"].queue, &queue));
    stage.sends("back", 1).await;
    stage.write("app", "two\n");
    stage.sends("back", 2).await;
    assert_eq!(stage.sent("out"), 2, "nothing had to be offered again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_changed_is_a_change_and_a_certificate_is_none() {
    let (mut stage, pki) = (Stage::new(), Pki::new());
    let (program, authority) = (stage.path("mark.vrl"), pki.file("ca.pem"));
    fs::write(&program, ".mark = 1").unwrap();
    let step = format!("[transforms.mark]\ntype = 'remap'\ninputs = ['app']\nfile = '{program}'\n");
    let web = format!(
        "[sinks.web]\ntype = 'http'\ninputs = ['mark']\nuri = 'https://127.0.0.1:9'\ntls.ca_file = '{authority}'\n"
    );
    let text = format!("{}{step}{}{web}", stage.source("app", ""), sink("out", "'mark'", ""));
    stage.apply(&text);
    let ids = |stage: &Stage| {
        let topology = &stage.topology;
        let step = Arc::as_ptr(&topology.steps["mark"].built.transform).addr();
        (step, topology.sinks["web"].task.id(), topology.sinks["out"].task.id(), topology.sources["app"].task.id())
    };
    let first = ids(&stage);
    stage.apply(&text);
    assert_eq!(ids(&stage), first);
    let kept = stage.topology.steps["mark"].built.transform.clone();
    fs::write(&program, ".mark = 2").unwrap();
    stage.apply(&text);
    let second = ids(&stage);
    assert!(second.0 != first.0, "the program");
    assert_eq!((second.1, second.2, second.3), (first.1, first.2, first.3));
    fs::copy(pki.file("client.pem"), &authority).unwrap();
    stage.apply(&text);
    let third = ids(&stage);
    assert_eq!(third, second, "the sink sees it by itself");
    drop(kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_has_finished_is_not_named_beside_one_that_has_not() {
    let mut stage = Stage::new();
    let target = stage.path("out.txt");
    let file = format!("[sinks.out]\ntype = 'file'\ninputs = ['app']\npath = '{target}'\nencoding.codec = 'text'\n");
    let text = format!("{}{file}{}", stage.source("app", ""), sink("stuck", "'app'", ""));
    let _shut = stage.apply_with_gate(&text, "stuck");
    stage.write("app", "one\n");
    until(|| lines(&target) == ["one"] && stage.topology.sinks["stuck"].queue.bytes() > 0).await;
    until(|| stage.topology.sinks["out"].in_hand.sum().0 == 0).await;
    // As a lane holds it that has not ended.
    let _open = stage.topology.sinks["out"].entry.door.clone();
    let left = within(stage.topology.shut_down(Instant::now())).await;
    let named = |id: &str| left.components.iter().any(|late| late == id);
    assert!(named("stuck") && !named("out"), "{left:?}");
}
