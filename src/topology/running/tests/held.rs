//! Stateful steps under reload and stop: what they hold is never lost, and goes on where nothing changed.

use super::*;

fn reduce(more: &str) -> String {
    format!(
        "[transforms.whole]\ntype = 'reduce'\ninputs = ['app']\nmerge_strategies.message = 'concat_raw'\n\
         expire_after_ms = 86400000\n{more}\n"
    )
}

fn file_sink(stage: &Stage) -> String {
    let target = stage.path("out.txt");
    format!("[sinks.out]\ntype = 'file'\ninputs = ['whole']\npath = '{target}'\nencoding.codec = 'text'\n")
}

/// Records that came to the step.
fn taken(stage: &Stage) -> u64 {
    let step = stage.topology.keepers.made_of("whole").expect("it runs");
    stage.topology.ground.context(step).meters.received_events()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_unchanged_step_holds_survives_a_reload() {
    let mut stage = Stage::new();
    let plan = |stage: &Stage, more: &str| {
        format!("{}{}{}{more}", stage.source("app", ""), reduce("ends_when = '.message == \"c\"'"), file_sink(stage))
    };
    stage.apply(&plan(&stage, ""));
    stage.write("app", "a\n");
    until(|| taken(&stage) >= 1).await;
    stage.apply(&plan(&stage, &sink("aside", "'whole'", "")));
    stage.write("app", "b\nc\n");
    until(|| lines(&stage.path("out.txt")) == ["abc"]).await;
    stage.sends("aside", 1).await;
    let ids: Vec<String> = stage.topology.roster.members().iter().map(|member| member.id.clone()).collect();
    assert_eq!(ids, ["app", "whole", "aside", "out"]);
    let left = within(stage.topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_step_gives_out_what_it_holds_and_the_new_one_goes_on_with_its_queue() {
    let mut stage = Stage::new();
    let plan = |stage: &Stage, step: &str| format!("{}{step}{}", stage.source("app", ""), file_sink(stage));
    stage.apply(&plan(&stage, &reduce("")));
    stage.write("app", "a\nb\n");
    until(|| taken(&stage) >= 2).await;
    stage.apply(&plan(&stage, &reduce("max_events = 2")));
    until(|| lines(&stage.path("out.txt")) == ["ab"]).await;
    stage.write("app", "c\nd\n");
    until(|| lines(&stage.path("out.txt")) == ["ab", "cd"]).await;
    let left = within(stage.topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_step_gives_out_what_it_holds() {
    let mut stage = Stage::new();
    let held = format!("{}{}{}", stage.source("app", ""), reduce(""), file_sink(&stage));
    stage.apply(&held);
    stage.write("app", "a\nb\n");
    until(|| taken(&stage) >= 2).await;
    stage.apply(&format!("{}{}", stage.source("app", ""), file_sink(&stage).replace("'whole'", "'app'")));
    until(|| lines(&stage.path("out.txt")) == ["ab"]).await;
    stage.write("app", "c\n");
    until(|| lines(&stage.path("out.txt")) == ["ab", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_what_is_held_arrive_and_commits_its_positions() {
    let mut stage = Stage::new();
    let plan = format!("{}{}{}", stage.source("app", ""), reduce(""), file_sink(&stage));
    stage.apply(&plan);
    stage.write("app", "a\nb\n");
    until(|| taken(&stage) >= 2).await;
    let Stage { topology, folder, _data_dir: data_dir } = stage;
    let left = within(topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
    let topology = Topology::idle(&data_dir, Families::default(), Budget::new(64 << 20));
    let mut stage = Stage { topology, folder, _data_dir: data_dir };
    assert_eq!(lines(&stage.path("out.txt")), ["ab"]);
    stage.apply(&plan);
    stage.write("app", "c\n");
    until(|| taken(&stage) >= 1).await;
    let target = stage.path("out.txt");
    within(stage.topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(lines(&target), ["ab", "c"], "what had arrived is not read again, in {:?}", stage.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_reloads_of_a_changing_step_lose_and_repeat_nothing() {
    const RELOADS: usize = 100;
    let mut stage = Stage::new();
    let plans: Vec<String> = (0..3)
        .map(|turn| {
            let step = reduce(&format!("max_events = {}", turn + 2));
            format!("{}{step}{}", stage.source("app", ""), file_sink(&stage))
        })
        .collect();
    stage.apply(&plans[0]);
    for turn in 0..RELOADS {
        stage.write("app", &format!("<{turn}>\n<{turn}>\n"));
        stage.apply(&plans[turn % plans.len()]);
    }
    let seen = |path: &str| lines(path).concat().matches('<').count();
    let target = stage.path("out.txt");
    until(|| taken(&stage) >= 2 * RELOADS as u64).await;
    let Stage { topology, folder, .. } = stage;
    let left = within(topology.shut_down(Instant::now() + PATIENCE)).await;
    assert_eq!(left, Leftover::default());
    assert_eq!(seen(&target), 2 * RELOADS);
    let expected: String = (0..RELOADS).map(|turn| format!("<{turn}><{turn}>")).collect();
    assert_eq!(lines(&target).concat(), expected, "in order, each once, in {folder:?}");
}
