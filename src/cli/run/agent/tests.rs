//! What stops an agent from starting, as a person sees it, and what a reload does and does not change.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use clap::Parser;
use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;
use crate::cli::Line;
use crate::diagnostic::{Color, render_report};

/// A configuration in a folder of its own, with `FOLDER` for that folder.
struct Desk {
    folder: TempDir,
    arguments: Run,
}

const PIPELINE: &str = "data_dir = 'FOLDER/state'\n\n[sources.app]\ntype = 'file'\ninclude = ['FOLDER/*.log']\n\n\
                        [sinks.out]\ntype = 'blackhole'\ninputs = ['app']\n";

impl Desk {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("levada.toml");
        let arguments = Line::try_parse_from(["levada".as_ref(), "--config".as_ref(), file.as_os_str()]).unwrap().run;
        let desk = Self { folder, arguments };
        desk.write(text);
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, text: &str) {
        let text = text.replace("FOLDER", &self.path().display().to_string());
        fs::write(self.path().join("levada.toml"), text).unwrap();
    }

    /// Starts; a fault is drawn.
    async fn start(&self) -> Result<Agent, String> {
        let mut loaded = self.arguments.files.load_to_run(None);
        assert!(loaded.plan.is_some(), "{}", render_report(&loaded.report, &loaded.sources, Color::Never));
        Agent::start(&mut loaded, mpsc::channel(1).0).await.ok_or_else(|| {
            let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
            let shown = shown.replace(&self.path().display().to_string(), "FOLDER");
            // An underline is as long as the folder's path, or as a port.
            shown.replace('^', "")
        })
    }

    async fn fault(&self) -> String {
        self.start().await.err().expect("it does not start")
    }
}

fn with_api(address: &str) -> String {
    format!("api.address = '{address}'\n{PIPELINE}")
}

#[tokio::test]
async fn a_folder_in_use() {
    let desk = Desk::new(PIPELINE);
    let _other = DataDir::open(&desk.path().join("state")).unwrap();
    assert_snapshot!(desk.fault().await, @r#"
    error[E027]: the folder `FOLDER/state` is in use by another process: two would repeat and lose records
     --> FOLDER/levada.toml:1:12
      |
    1 | data_dir = 'FOLDER/state'
      |             set here
      |
      = help: set `data_dir` to a folder that this user may write and no other agent uses

    1 error
    "#);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made() {
    let desk = Desk::new(PIPELINE);
    fs::write(desk.path().join("state"), "a file").unwrap();
    assert_snapshot!(desk.fault().await, @r#"
    error[E027]: cannot make the folder `FOLDER/state`: File exists (os error 17)
     --> FOLDER/levada.toml:1:12
      |
    1 | data_dir = 'FOLDER/state'
      |             set here
      |
      = help: set `data_dir` to a folder that this user may write and no other agent uses

    1 error
    "#);
}

#[tokio::test]
async fn an_address_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let fault = Desk::new(&with_api(&address)).fault().await;
    assert_snapshot!(fault.replace(&address, "ADDRESS"), @r#"
    error[E028]: cannot listen on `ADDRESS`
     --> FOLDER/levada.toml:1:15
      |
    1 | api.address = 'ADDRESS'
      |                Address already in use (os error 98)
      |
      = help: give another port, or end what listens there (`ss -ltnp` tells)

    1 error
    "#);
}

#[tokio::test]
async fn a_component_that_cannot_be_built() {
    let source = "[sources.more]\ntype = 'file'\ninclude = ['FOLDER/*.txt']\ndata_dir = 'FOLDER/levada.toml'\n";
    let shown = Desk::new(&format!("{}{source}", PIPELINE.replace("'app'", "'*'"))).fault().await;
    assert_snapshot!(shown, @r#"
    error[E029]: cannot build the source `more`
      --> FOLDER/levada.toml:10:1
       |
    10 | [sources.more]
       |  cannot keep positions in `FOLDER/levada.toml/more`: Not a directory (os error 20); give `data_dir` a folder that this user may write to

    1 error
    "#);
}

#[tokio::test]
async fn files_are_judged_at_the_start_as_they_are_by_validate() {
    let sink = "[sinks.store]\ntype = 'elasticsearch'\ninputs = ['app']\nendpoints = ['https://localhost:9200']\n\
                bulk.index = 'logs'\ntls.ca_file = 'FOLDER/ca.pem'\n";
    let desk = Desk::new(&format!("{PIPELINE}{sink}"));
    let loaded = desk.arguments.files.load();
    let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
    assert!(shown.contains("levada.toml:15:15") && shown.contains("ca.pem`: No such file"), "{shown}");
    assert!(loaded.plan.is_none() && loaded.inputs().len() == 2, "both are worth watching: {:?}", loaded.inputs());
    // A reload is refused with it, and takes it when it is mended.
    desk.write(PIPELINE);
    let mut agent = desk.start().await.unwrap();
    desk.write(&format!("{PIPELINE}{sink}"));
    agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert!(agent.shown.roster.health("store").is_none());
    fs::copy(crate::delivery::test_tls::Pki::new().file("ca.pem"), desk.path().join("ca.pem")).unwrap();
    agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert!(agent.shown.roster.health("store").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_moves_the_door_and_a_failed_one_leaves_it() {
    let desk = Desk::new(&with_api("127.0.0.1:0"));
    let mut agent = desk.start().await.unwrap();
    let address = |agent: &Agent| agent.door.as_ref().map(Door::address);
    let first = address(&agent);

    desk.write(&with_api("127.0.0.2:0"));
    agent.reload(&desk.arguments, ReloadRequest::default()).await;
    let second = address(&agent);
    assert!(first.is_some() && second.is_some_and(|address| address.ip().to_string() == "127.0.0.2"));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    desk.write(&with_api(&taken.local_addr().unwrap().to_string()));
    agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert_eq!(address(&agent), second, "what is in use is not taken");

    desk.write("not toml");
    agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert_eq!(address(&agent), second);

    desk.write(PIPELINE);
    agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert_eq!(address(&agent), None);
    let metrics = prometheus::TextEncoder::new().encode_to_string(&agent.shown.families.registry().gather()).unwrap();
    assert!(metrics.contains("levada_config_reloads_total{status=\"failure\"} 2"), "{metrics}");
    assert!(metrics.contains("levada_config_reloads_total{status=\"success\"} 2"), "{metrics}");
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_names_what_changes_now_and_what_waits_for_a_start() {
    let desk = Desk::new(PIPELINE);
    let mut agent = desk.start().await.unwrap();
    let running = |agent: &Agent, path: &str| {
        agent.settings.iter().find(|setting| setting.path == path).map(|setting| setting.value.clone())
    };
    desk.write(&format!(
        "memory_limit = '300MiB'\nscrub.profile = 'strict'\n{}",
        PIPELINE.replace("FOLDER/state", "FOLDER/other")
    ));
    let told = [
        "`data_dir` waits for the next start",
        "`memory_limit` waits for the next start",
        "`[scrub] profile` changes now",
    ];
    let dry = agent.reload(&desk.arguments, ReloadRequest { dry_run: true }).await;
    assert_eq!((dry.is_good, dry.changes.as_slice()), (true, told.map(str::to_owned).as_slice()), "{}", dry.faults);
    assert_eq!(running(&agent, "scrub.profile"), None);
    let reloaded = agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert_eq!(reloaded.changes, told);
    assert_eq!(running(&agent, "scrub.profile").as_deref(), Some("\"strict\""));
    assert!(running(&agent, "data_dir").unwrap().ends_with("/state\""), "it is still the one in use");
    assert_eq!(running(&agent, "memory_limit"), None);
    let again = agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert_eq!(again.changes, told[..2], "as long as they wait");
}

#[tokio::test]
async fn a_start_with_faults_runs_what_ran_last() {
    let desk = Desk::new(&PIPELINE.replace("'blackhole'", "'blackhole'\nrate = 1"));
    let start = || async {
        let mut loaded = desk.arguments.files.load_to_run(None);
        assert!(Agent::start(&mut loaded, mpsc::channel(1).0).await.is_none());
        super::super::last_good::start(&loaded, mpsc::channel(1).0).await
    };
    assert!(start().await.is_none(), "a very first start fails");
    desk.write(&format!("graceful_shutdown_limit_secs = 7\n{PIPELINE}"));
    drop(desk.start().await.map_err(|fault| panic!("{fault}")));
    desk.write(&PIPELINE.replace("inputs = ", "inputs = = "));
    let agent = start().await.expect("it runs what ran last");
    let limit = agent.settings.iter().find(|setting| setting.path == "graceful_shutdown_limit_secs").unwrap();
    assert_eq!(limit.value, "7.0");
    let gauge = agent.shown.families.registry().gather();
    let gauge = gauge.iter().find(|family| family.name() == "levada_config_last_reload_successful").unwrap();
    assert_eq!(gauge.get_metric()[0].get_gauge().get_value().to_bits(), 0.0_f64.to_bits());
}

#[tokio::test]
async fn a_start_with_broken_tables_and_files_has_what_they_held_last() {
    let steps = "[enrichment_tables.prices]\ntype = 'file'\nfile.path = 'FOLDER/prices.csv'\n\
                 [transforms.priced]\ntype = 'remap'\ninputs = ['app']\n\
                 source = '.p = get_enrichment_table_record!(\"prices\", { \"id\": .id })'\n\
                 [transforms.labelled]\ntype = 'enrich'\ninputs = ['priced']\nfiles.labels.path = 'FOLDER/labels'\n";
    let desk = Desk::new(&format!("{}{steps}", PIPELINE.replace("'app'", "'labelled'")));
    let shown = desk.fault().await;
    assert!(shown.contains("error[E029]: cannot build the enrichment table `prices`"), "{shown}");
    assert!(
        shown.contains("FOLDER/levada.toml:12:13") && shown.contains("FOLDER/prices.csv`: No such file"),
        "{shown}"
    );
    let loaded = desk.arguments.files.load();
    let warned = render_report(&loaded.report, &loaded.sources, Color::Never);
    assert!(loaded.plan.is_some() && warned.contains("warning[") && warned.contains("levada.toml:12:13"), "{warned}");
    let put = |prices: &str, labels: &str| {
        fs::write(desk.path().join("prices.csv"), prices).unwrap();
        fs::write(desk.path().join("labels"), labels).unwrap();
    };
    put("id,price\n1,2\n", "blue");
    drop(desk.start().await.map_err(|fault| panic!("{fault}")));
    let loaded = desk.arguments.files.load();
    assert!(!render_report(&loaded.report, &loaded.sources, Color::Never).contains("prices.csv"));
    // A column is gone that a program looks up; a row is broken; the files are gone.
    put("name,price\n1,2\n", "blue");
    drop(desk.start().await.map_err(|fault| panic!("{fault}")));
    put("id,price\n1\n", "blue");
    drop(desk.start().await.map_err(|fault| panic!("{fault}")));
    fs::remove_file(desk.path().join("prices.csv")).unwrap();
    fs::remove_file(desk.path().join("labels")).unwrap();
    drop(desk.start().await.map_err(|fault| panic!("{fault}")));
    // The same where the configuration has faults, too.
    let text = fs::read_to_string(desk.path().join("levada.toml")).unwrap();
    desk.write(&text.replace("inputs = ", "inputs = = "));
    let mut loaded = desk.arguments.files.load_to_run(None);
    assert!(Agent::start(&mut loaded, mpsc::channel(1).0).await.is_none());
    let agent = super::super::last_good::start(&loaded, mpsc::channel(1).0).await.expect("it runs what ran last");
    assert!(agent.shown.roster.health("labelled").is_some());
    let metrics = prometheus::TextEncoder::new().encode_to_string(&agent.shown.families.registry().gather()).unwrap();
    assert!(
        metrics.contains("levada_enrichment_table_reloads_total{status=\"failure\",table=\"prices\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_team_with_faults_is_told_and_reloads_go_on() {
    let platform = format!("teams_dir = 'FOLDER/teams'\n[teams.'*']\nexports = ['app']\n{PIPELINE}");
    let platform = platform.replace("data_dir = 'FOLDER/state'\n", "");
    let desk = Desk::new(&format!("data_dir = 'FOLDER/state'\n{platform}"));
    let team = desk.path().join("teams/one");
    fs::create_dir_all(&team).unwrap();
    let good = "[sinks.own]\ntype = 'blackhole'\ninputs = ['app']\n";
    fs::write(team.join("one.toml"), good).unwrap();
    let mut agent = desk.start().await.unwrap();
    let runs = |agent: &Agent| agent.shown.roster.health("one.own").is_some();
    let faulty = |agent: &Agent| {
        let families = agent.shown.families.registry().gather();
        let family = families.iter().find(|family| family.name() == "levada_config_last_reload_successful").unwrap();
        let label = |metric: &prometheus::proto::Metric| metric.get_label()[0].value().to_owned();
        let stale = family.get_metric().iter().filter(|metric| metric.get_gauge().get_value() < 1.0);
        stale.map(label).collect::<Vec<_>>()
    };
    assert!(runs(&agent) && faulty(&agent).is_empty());
    fs::write(team.join("one.toml"), "[sinks.own]\ntype = = 1").unwrap();
    let reloaded = agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert!(reloaded.is_good && reloaded.changes.is_empty(), "{:?}", reloaded.changes);
    assert!(reloaded.faults.contains("error[E003]"), "{}", reloaded.faults);
    assert!(runs(&agent));
    assert_eq!(faulty(&agent), ["one"]);
    for number in 0..50 {
        let broken = desk.path().join(format!("teams/broken{number}"));
        fs::create_dir(&broken).unwrap();
        fs::write(broken.join("a.toml"), "[sinks.own]\ntype = 'none'").unwrap();
    }
    let reloaded = agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert!(reloaded.is_good && reloaded.changes.is_empty(), "{:?}", reloaded.changes);
    assert_eq!((runs(&agent), faulty(&agent).len()), (true, 51));
    for number in 0..50 {
        fs::remove_dir_all(desk.path().join(format!("teams/broken{number}"))).unwrap();
    }
    drop(agent);
    // A start finds in the state folder what ran.
    let mut agent = desk.start().await.unwrap();
    assert!(runs(&agent));
    assert_eq!(faulty(&agent), ["one"]);
    fs::write(team.join("one.toml"), good.replace("own", "new")).unwrap();
    assert!(agent.reload(&desk.arguments, ReloadRequest::default()).await.is_good);
    assert!(!runs(&agent) && faulty(&agent).is_empty());
}

#[tokio::test]
async fn a_team_that_cannot_be_built_is_what_it_was_with_the_files_it_had() {
    let platform =
        PIPELINE.replace("\n\n[sources", "\nteams_dir = 'FOLDER/teams'\n[teams.'*']\nexports = ['app']\n[sources");
    let desk = Desk::new(&platform);
    let team = desk.path().join("teams/one");
    fs::create_dir_all(&team).unwrap();
    let program = team.join("mark.vrl");
    let says = |mark: u8, more: &str| {
        fs::write(&program, format!(".mark = {mark}")).unwrap();
        let step = format!("[transforms.mark]\ntype = 'remap'\ninputs = ['app']\nfile = '{}'\n", program.display());
        let text = format!("{step}[sinks.own]\ntype = 'blackhole'\ninputs = ['mark']\n{more}");
        fs::write(team.join("one.toml"), text).unwrap();
    };
    says(1, "");
    let mut agent = desk.start().await.unwrap();
    let runs = |agent: &Agent| agent.shown.roster.health("one.own").is_some();
    assert!(runs(&agent));
    says(2, "buffer.max_size = 1048576\n[sinks.more]\ntype = 'blackhole'\ninputs = ['mark']\n");
    crate::topology::fault::set(Some("one.own"));
    let reloaded = agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert!(reloaded.is_good && reloaded.faults.contains("error[E029]: cannot build the sink `one.own`"));
    assert_eq!(reloaded.changes, Vec::<String>::new(), "neither settings nor files are others");
    assert!(runs(&agent) && agent.shown.roster.health("one.more").is_none());
    let before = agent.kept.clone();
    // What it was does not fit a platform any more that exports nothing.
    desk.write(&platform.replace("['app']\n[sources", "[]\n[sources"));
    let reloaded = agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert_eq!((reloaded.is_good, runs(&agent)), (true, false), "{}", reloaded.faults);
    assert_eq!(reloaded.changes, ["`[teams.*] exports` changes now", "- sinks.one.own", "- transforms.one.mark"]);
    assert_ne!(agent.kept, before);
    // The platform is mended: what was kept of it in the state folder is gone, and what it says now can be built.
    crate::topology::fault::set(None);
    desk.write(&platform);
    let reloaded = agent.reload(&desk.arguments, ReloadRequest::default()).await;
    assert!(reloaded.is_good && runs(&agent) && reloaded.faults.is_empty(), "{}", reloaded.faults);
}
