//! The source over a folder as the kubelet lays it out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::place::{Place, Pod, restarts};
use super::pods::{Own, Pods};
use super::*;
use crate::component::meters::Meters;
use crate::component::row::Settings;
use crate::component::signal::Stop;
use crate::component::source::Source;
use crate::component::test_kit::{Catcher, context};
use crate::event::StreamKey;
use crate::sources::file::search::Search;
use crate::sources::file::source::FileSource;
use crate::sources::file::tests::{QUICK, append};

const UID: &str = "0f7e0c1e-8a3b-4c5d-9e6f-112233445566";

/// A node's folder of logs, and the state of a source.
struct Node {
    folder: tempfile::TempDir,
    settings: String,
}

struct Running {
    meters: Meters,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Node {
    fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pods")).unwrap();
        Self { folder, settings: settings.to_owned() }
    }

    fn path(&self, of: &str) -> PathBuf {
        self.folder.path().join("pods").join(of)
    }

    /// Writes to a log, as `shop_web-1/app/0.log`.
    fn write(&self, log: &str, text: &str) {
        let (pod, rest) = log.split_once('/').unwrap();
        let path = self.path(&format!("{pod}_{UID}/{rest}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        append(&path, text.as_bytes());
    }

    fn settings(&self) -> KubernetesLogsSettings {
        let settings = format!("logs_dir = '{}'\n{}", self.path("").display(), self.settings);
        let settings: KubernetesLogsSettings = toml::from_str(&settings).unwrap();
        assert_eq!(settings.check(), []);
        settings
    }

    fn start(&self, outlet: &Catcher) -> Running {
        let settings = self.settings();
        let (_, context) = context(&self.folder.path().join("state"), 16 << 20);
        let meters = context.meters.clone();
        let search = Box::new(Pods::beside(Own::default(), &settings));
        let source = FileSource::with_pace(search, settings.tailing(&context).unwrap(), (&context, QUICK)).unwrap();
        let stop = Stop::default();
        let running = Box::new(source).run(Arc::new(outlet.clone()), stop.clone());
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let thread = std::thread::spawn(move || runtime().block_on(running));
        Running { meters, stop, thread }
    }
}

impl Running {
    fn stop(self) {
        self.stop.request(Instant::now() + Duration::from_secs(30));
        self.thread.join().unwrap();
    }
}

fn line(stream: &str, tag: &str, text: &str) -> String {
    format!("2026-11-21T01:30:00.000000001Z {stream} {tag} {text}\n")
}

fn records(outlet: &Catcher) -> Vec<Value> {
    outlet.caught().iter().map(|caught| serde_json::from_slice(&caught.json).unwrap()).collect()
}

#[test]
fn records_have_the_fields_of_vector() {
    let (node, outlet) = (Node::with(""), Catcher::default());
    node.write("shop_web-1/app/3.log", &line("stderr", "F", "hello"));
    let running = node.start(&outlet);
    outlet.wait_for(1);
    running.stop();
    let expected = serde_json::json!({
        "message": "hello",
        "timestamp": "2026-11-21T01:30:00.000000001Z",
        "stream": "stderr",
        "source_type": "kubernetes_logs",
        "file": node.path(&format!("shop_web-1_{UID}/app/3.log")),
        "kubernetes": {
            "pod_namespace": "shop", "pod_name": "web-1", "pod_uid": UID, "container_name": "app", "container_restart_count": 3,
        },
    });
    assert_eq!(records(&outlet), [expected]);
}

#[test]
fn json_keeps_its_own_members() {
    let (node, outlet) = (Node::with("decoding.codec = 'json'"), Catcher::default());
    node.write("shop_web-1/app/0.log", &line("stdout", "P", "{\"file\":\"own\","));
    node.write("shop_web-1/app/0.log", &line("stdout", "F", "\"timestamp\":\"x\"}"));
    let running = node.start(&outlet);
    outlet.wait_for(1);
    running.stop();
    let record = &records(&outlet)[0];
    assert_eq!(
        (&record["file"], &record["timestamp"], &record["stream"]),
        (&"own".into(), &"x".into(), &"stdout".into())
    );
    assert_eq!(record["kubernetes"]["pod_name"], "web-1");
    assert!(record.get("source_type").is_none() && record.get("message").is_none());
}

#[test]
fn only_what_is_meant_is_read() {
    let settings = "exclude_namespaces = ['kube-*']\ninclude_pods = ['web-*']\nexclude_containers = ['istio-proxy']\n\
                    exclude_paths_glob_patterns = ['**/9.log']";
    let (node, outlet) = (Node::with(settings), Catcher::default());
    for log in
        ["kube-system_web-1/app/0.log", "shop_db-1/app/0.log", "shop_web-1/istio-proxy/0.log", "shop_web-1/app/9.log"]
    {
        node.write(log, &line("stdout", "F", log));
    }
    for odd in
        ["not-a-pod/app/0.log", &format!("shop_web-2_{UID}/app/notes.txt"), &format!("shop_web-2_{UID}/app/0.log.tmp")]
    {
        fs::create_dir_all(node.path(odd).parent().unwrap()).unwrap();
        append(&node.path(odd), line("stdout", "F", odd).as_bytes());
    }
    node.write("shop_web-1/app/0.log", &line("stdout", "F", "meant"));
    let running = node.start(&outlet);
    outlet.wait_for_line("meant");
    node.write("shop_web-3/app/0.log", &line("stdout", "F", "new"));
    outlet.wait_for_line("new");
    running.stop();
    assert_eq!(outlet.lines(), ["meant", "new"]);
}

#[test]
fn a_lost_state_repeats_records_under_their_identities() {
    let (node, outlet) = (Node::with(""), Catcher::default());
    node.write("shop_web-1/app/0.log", &(line("stdout", "F", "one") + &line("stderr", "F", "two")));
    let running = node.start(&outlet);
    outlet.wait_for(2);
    running.stop();
    fs::remove_dir_all(node.folder.path().join("state")).unwrap();
    let running = node.start(&outlet);
    outlet.wait_for(4);
    running.stop();
    let identities: Vec<_> = outlet.caught().iter().map(|caught| caught.identity).collect();
    assert_eq!(identities[..2], identities[2..]);
}

#[test]
fn a_restart_within_a_chain_repeats_nothing_and_loses_nothing() {
    let (node, outlet) = (Node::with(""), Catcher::default());
    let log = "shop_web-1/app/0.log";
    node.write(log, &(line("stdout", "P", "one, ") + &line("stderr", "F", "error 1") + &line("stdout", "P", "two, ")));
    let running = node.start(&outlet);
    outlet.wait_for(1);
    running.stop();
    node.write(log, &(line("stderr", "F", "error 2") + &line("stdout", "F", "three")));
    let running = node.start(&outlet);
    outlet.wait_for(3);
    assert_eq!(running.meters.error_count("line_without_end"), 0);
    running.stop();
    assert_eq!(outlet.lines(), ["error 1", "error 2", "one, two, three"]);
}

/// Rotates a log as the kubelet does: it is renamed, then the runtime opens a new one.
fn rotate(node: &Node, log: &str) {
    let (pod, rest) = log.split_once('/').unwrap();
    let path = node.path(&format!("{pod}_{UID}/{rest}"));
    fs::rename(&path, path.with_extension("log.20261121-013000")).unwrap();
}

#[test]
fn a_line_goes_on_in_the_next_log_also_after_a_failure_and_a_restart() {
    let log = "shop_web-1/app/0.log";
    for how in ["rotated", "failed", "restarted"] {
        let (node, outlet) = (Node::with(""), Catcher::default());
        let mut running = node.start(&outlet);
        node.write(log, &(line("stderr", "F", "before") + &line("stdout", "P", "one, ")));
        outlet.wait_for_line("before");
        rotate(&node, log);
        match how {
            "failed" => outlet.fail_next(1),
            "restarted" => {
                running.stop();
                running = node.start(&outlet);
            }
            _ => {}
        }
        let next = line("stderr", "F", "between") + &line("stdout", "F", "two") + &line("stdout", "F", "next");
        node.write(log, &next.replace("01:30:00", "01:31:00"));
        outlet.wait_for_line("next");
        assert_eq!(running.meters.error_count("line_without_end"), 0);
        running.stop();
        assert_eq!(outlet.lines(), ["before", "between", "one, two", "next"], "{how}");
        let identities: Vec<_> = outlet.caught().iter().map(|caught| caught.identity).collect();
        assert_ne!(identities[2].stream, identities[3].stream, "it is a record of the log where it began");
        // All is done: nothing comes again.
        let again = node.start(&outlet);
        node.write(log, &line("stdout", "F", "last"));
        outlet.wait_for_line("last");
        again.stop();
        assert_eq!(outlet.lines().len(), 5, "{how}");
    }
}

#[test]
fn traces_are_joined_beside_the_other_output() {
    let (node, outlet) = (Node::with("multiline.preset = 'java'\nmultiline.timeout_ms = 10"), Catcher::default());
    let text = [("stdout", "boom"), ("stderr", "noise"), ("stdout", "\tat a.B.c(B.java:1)"), ("stdout", "next")];
    let text: String = text.iter().map(|(stream, text)| line(stream, "F", text)).collect();
    node.write("shop_web-1/app/0.log", &text);
    let running = node.start(&outlet);
    outlet.wait_for(3);
    running.stop();
    let mut lines = outlet.lines();
    lines.sort();
    assert_eq!(lines, ["boom\n\tat a.B.c(B.java:1)", "next", "noise"]);
}

#[test]
fn the_agents_own_pod_is_left_out() {
    let settings = Node::with("").settings();
    let finds = |own: Own, node: &Node| {
        let settings = node.settings();
        let pods = Pods::beside(own, &settings);
        pods.find(&pods.folders()).paths.len()
    };
    assert!(settings.exclude_self);
    let node = Node::with("");
    node.write("ops_levada-x/agent/0.log", "x");
    node.write("shop_levada-x/app/0.log", "x");
    let own = |uid: Option<&str>, namespace: Option<&str>, name: Option<&str>| {
        let [uid, namespace, name] = [uid, namespace, name].map(|text| text.map(str::to_owned));
        Own { uid, namespace, name }
    };
    assert_eq!(finds(Own::default(), &node), 2);
    assert_eq!(finds(own(None, Some("ops"), Some("levada-x")), &node), 1);
    assert_eq!(finds(own(None, None, Some("levada-x")), &node), 2, "a name alone may be another's");
    assert_eq!(finds(own(Some(UID), None, None), &node), 0);
}

#[test]
fn a_folder_that_is_not_mounted_is_a_fault_with_the_next_step() {
    let settings: KubernetesLogsSettings = toml::from_str("logs_dir = '/nowhere/pods'").unwrap();
    let pods = Pods::beside(Own::default(), &settings);
    let listing = pods.find(&pods.folders());
    assert_eq!(listing.paths, Vec::<PathBuf>::new());
    assert!(
        matches!(&listing.faults[..], [(path, why)] if path.ends_with("pods") && why.to_string().contains("mount"))
    );
}

#[test]
fn pods_and_namespaces_have_rates_of_their_own() {
    let settings = "pod_bytes_per_sec = '1MiB'\nnamespace_bytes_per_sec = '8MiB'";
    let pods = Pods::beside(Own::default(), &toml::from_str(settings).unwrap());
    let limits = |log: &str| pods.rate_limits(Path::new(&format!("/var/log/pods/shop_web-1_{UID}/{log}")));
    let expected = [(format!("pod {UID}"), 1 << 20), ("namespace shop".to_owned(), 8 << 20)];
    assert_eq!(limits("app/0.log"), expected);
    assert_eq!(limits("proxy/1.log"), expected, "its containers share it");
}

#[test]
fn what_a_pod_writes_beyond_its_rate_is_dropped_and_counted_and_another_pod_is_read() {
    let settings = "pod_bytes_per_sec = 300\nwhen_exceeded = 'drop'\nmax_read_bytes = 300";
    let (node, outlet) = (Node::with(settings), Catcher::default());
    let noise = line("stdout", "F", "noise").repeat(1000);
    // Both containers of the pod share its rate.
    node.write("shop_loud-1/app/0.log", &noise);
    node.write("shop_loud-1/side/0.log", &noise);
    let quiet = node.path("shop_quiet-1_11111111-8a3b-4c5d-9e6f-112233445566/app/0.log");
    fs::create_dir_all(quiet.parent().unwrap()).unwrap();
    append(&quiet, line("stdout", "F", "quiet").as_bytes());
    let running = node.start(&outlet);
    outlet.wait_for_line("quiet");
    let throttled = || running.meters.discarded_events(crate::component::reason::Reason::Throttled) as usize;
    let deadline = Instant::now() + Duration::from_mins(1);
    while outlet.lines().len() + throttled() < 2001 {
        assert!(Instant::now() < deadline, "{} came, {} were dropped", outlet.lines().len(), throttled());
        std::thread::yield_now();
    }
    running.stop();
    assert_eq!(outlet.lines().iter().filter(|line| *line == "quiet").count(), 1);
}

#[test]
fn what_a_path_tells() {
    let path = format!("/var/log/pods/kube-system_etcd-node-1_{}/etcd/12.log.20261121-013000", "a".repeat(32));
    let place = Place::parse(Path::new(&path)).unwrap();
    let pod = Pod { namespace: "kube-system", name: "etcd-node-1", uid: &"a".repeat(32) };
    assert_eq!(place, Place { pod, container: "etcd", restarts: 12 });
    assert_eq!(Place::parse(Path::new(&format!("{path}.gz"))), Some(place), "also when it was compressed");
    for (name, expected) in [
        ("0.log", Some(0)),
        ("0.log.", None),
        ("0.log.gz", None),
        ("0.log.20261121-013000.gz", None),
        ("x.log", None),
        (".log", None),
    ] {
        assert_eq!(restarts(name), expected, "{name}");
    }
    assert_eq!((Pod::parse("a_b"), Pod::parse("a__c"), Pod::parse("a_b_c_d")), (None, None, None));
}

#[test]
fn a_key_is_made_of_the_log_alone() {
    let key = |path: &str, first: &str| Place::parse(Path::new(path)).unwrap().key(first.as_bytes());
    let log = format!("/var/log/pods/shop_web-1_{UID}/app/0.log");
    let line = line("stdout", "F", "hello");
    let known = key(&log, &line).unwrap();
    assert_eq!(known, StreamKey(0x5a32_3c33_ffe9_83dc_783b_b031_6faf_b751), "the same in every build");
    assert_eq!(key(&log.replace("/var/log/pods", "/mnt"), &line), Some(known), "wherever it is mounted");
    assert_eq!(key(&log, &format!("{line}and more\n")), Some(known));
    assert_eq!(key(&format!("{log}.20261121-013000"), &line), Some(known), "also when it was rotated");
    let others = [log.replace("0.log", "1.log"), log.replace("/app/", "/db/"), log.replace("0f7e", "0f7f")];
    assert!(others.iter().all(|other| key(other, &line) != Some(known)));
    assert_ne!(key(&log, &line.replace("00.000000001", "00.000000002")), Some(known));
    let long = line.replace('\n', &"x".repeat(300));
    assert_eq!(key(&log, &long), key(&log, &format!("{long}yz\n")), "its first bytes are enough");
    assert_ne!(key(&log, &line.replace('\n', ".\n")), Some(known), "of the same nanosecond");
    assert_eq!((key(&log, ""), key(&log, "plain text\n"), key(&log, "2026-11-21T01:3")), (None, None, None));
}

#[test]
fn rules_that_leave_a_log_out_are_named() {
    use crate::component::inspect::Meant;

    let node = Node::with(
        "exclude_namespaces = ['kube-*']\ninclude_containers = ['app']\nexclude_paths_glob_patterns = ['**/9.log']",
    );
    let own = Own { uid: None, namespace: Some("shop".into()), name: Some("levada".into()) };
    let pods = Pods::beside(own, &node.settings());
    let excluded = |rule: &str| Meant::Excluded(rule.to_owned());
    let table = [
        ("shop_web_0f/app/0.log", Meant::Yes(format!("`{}`", pods.wanted()))),
        ("kube-system_dns_0f/app/0.log", excluded("`exclude_namespaces` = `kube-*`")),
        ("shop_web_0f/side/0.log", excluded("`include_containers`, of which none fits `side`")),
        ("shop_web_0f/app/9.log", excluded("`exclude_paths_glob_patterns` = `**/9.log`")),
        ("shop_levada_0f/app/0.log", excluded("`exclude_self`: this is the agent's own pod")),
    ];
    for (path, expected) in table {
        assert_eq!(pods.meant(&node.path(path)), expected, "{path}");
    }
    for path in ["shop_web_0f/app/out.txt", "shop_web_0f/0.log"] {
        assert!(matches!(pods.meant(&node.path(path)), Meant::No { nearest: Some(_) }), "{path}");
    }
    assert_eq!(pods.pod_folders(), [node.path("").components().collect::<PathBuf>()]);
}
