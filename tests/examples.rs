//! Every pipeline in `examples/`, run on logs of the `Go2Asia` flows: what arrives is what its first lines promise.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use levada::component::meters::{Families, Label};
use levada::config::{self, Memory, Plan, Rules, Shelves};
use levada::event::Budget;
use levada::sources::demo_logs::Flows;
use levada::topology::{DataDir, Leftover, Topology};
use serde_json::Value;

use crate::peer::{Documents, Peer};

/// Long enough for anything that is going to happen.
const PATIENCE: Duration = Duration::from_mins(1);
/// Lines of the flows that each example gets.
const LINES: usize = 6_000;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The plan of a file, which must be without fault and without warning.
fn plan(file: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Plan {
    let memory = Memory { default_limit: 256 << 20 };
    let loaded = config::load(&[file.to_owned()], Rules { catalogue: &Shelves, environment, budget: &memory });
    let shown = levada::diagnostic::render_report(&loaded.faults(), &loaded.sources, levada::diagnostic::Color::Never);
    assert_eq!(shown, "", "{}", file.display());
    loaded.plan.unwrap()
}

/// Logs that the services have written.
struct Logs {
    folder: tempfile::TempDir,
    lines: Vec<String>,
}

/// The folder of a container's log below that of a node's.
const POD: &str = "web-7d9f_0f7e0c1e-8a3b-4c5d-9e6f-112233445566/app";

impl Logs {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut flows = Flows::new(10);
        let mut lines = Vec::new();
        let mut files: BTreeMap<&str, String> = BTreeMap::new();
        for number in 0..LINES as i64 {
            let mut line = String::new();
            let service = flows.write_next(1_772_600_000_000_000_000 + number * 1_000_000, &mut line);
            files.entry(service).or_default().extend([line.as_str(), "\n"]);
            lines.push(line);
        }
        for line in more {
            files.entry("more").or_default().extend([line, "\n"]);
            lines.push((*line).to_owned());
        }
        for (service, text) in files {
            fs::write(folder.path().join(format!("{service}.log")), text).unwrap();
        }
        Self { folder, lines }
    }

    /// The records of those lines that are JSON and of which `is_it` holds.
    fn records(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let records = self.lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        records.filter(|record| is_it(record)).collect()
    }

    /// Runs an example on them, to the end; gives what arrived.
    async fn run(&self, name: &str) -> Documents {
        let peer = Peer::start();
        let state = tempfile::tempdir().unwrap();
        let environment = |name: &str| match name {
            "LEVADA_INCLUDE" => Some(format!("{}/*.log", self.folder.path().display())),
            "LEVADA_LOGS_DIR" => Some(self.folder.path().join("pods").display().to_string()),
            "LEVADA_DATA_DIR" => Some(state.path().display().to_string()),
            "ELASTICSEARCH_URL" => Some(peer.url()),
            "LEVADA_LABELS" => Some(self.folder.path().join("labels").display().to_string()),
            "LEVADA_OWNERS" => Some(example("owners.csv").display().to_string()),
            "LEVADA_TEAMS_DIR" => Some(example("p2/teams").display().to_string()),
            _ => None,
        };
        let plan = plan(&example(name), &environment);
        let data_dir = DataDir::open(state.path()).unwrap();
        let families = Families::default();
        let mut topology = Topology::idle(&data_dir, families.clone(), Budget::new(64 << 20));
        topology.apply(&plan).unwrap();
        let of = |type_name| families.meters(&Label { id: "services".into(), kind: "source", type_name });
        let sources = ["file", "kubernetes_logs"].map(of);
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let all_read = async {
            while sources.iter().map(|source| source.received_events() as usize).sum::<usize>() < self.lines.len() {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, all_read).await.expect("all lines are read");
        assert_eq!(topology.shut_down(Instant::now() + PATIENCE).await, Leftover::default());
        assert!(!state.path().join("dead_letters").exists(), "{name}: there are dead letters");
        peer.look(|world| world.stored.clone())
    }
}

/// All documents of the indices whose names begin so.
fn of_index<'a>(documents: &'a Documents, prefix: &str) -> Vec<&'a Value> {
    let matching = documents.iter().filter(|(index, _)| index.starts_with(prefix));
    matching.flat_map(|(_, documents)| documents.values()).collect()
}

fn assert_no_personal_data(documents: &Documents) {
    for document in documents.values().flat_map(|index| index.values()) {
        let text = document.to_string();
        let found = ["anna.petrova", "linh.nguyen", "mei-ling", "4111 1111 1111", "5555-5555", "eyJhbGci"];
        let found: Vec<_> = found.iter().filter(|data| text.contains(**data)).collect();
        assert!(found.is_empty(), "{found:?} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_each_service_has_its_index() {
    let logs = Logs::new(&[]);
    let documents = logs.run("g1-stdout-to-elasticsearch.toml").await;
    let arrived: usize = documents.values().map(BTreeMap::len).sum();
    assert_eq!(arrived, logs.lines.len());
    for service in Flows::services() {
        let expected = logs.records(|record| record["service"] == *service).len();
        let found = of_index(&documents, &format!("go2asia-logs-{service}-2026.03.04"));
        assert_eq!(found.len(), expected, "{service}");
        assert!(found.iter().all(|document| document["service"] == *service));
    }
    let unnamed = of_index(&documents, "go2asia-logs-unnamed-");
    assert!(!unnamed.is_empty() && unnamed.iter().all(|document| document["message"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn p2_teams_get_what_is_theirs_and_scrubbed() {
    let logs = Logs::new(&[]);
    let documents = logs.run("p2/platform/levada.toml").await;
    let events = |event: &str| logs.records(|record| record["event"] == event).len();
    let failures = of_index(&documents, "team-vouchers-failures-").len();
    let searches = of_index(&documents, "team-guides-searches-").len();
    assert!(failures > 0 && searches > 0);
    assert_eq!((failures, searches), (events("voucher_purchase_failure"), events("guru_geo_search")));
    assert_eq!(of_index(&documents, "platform-archive-").len(), logs.lines.len());
    assert_no_personal_data(&documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_service_cannot_forge_where_it_runs() {
    let logs =
        Logs::new(&[r#"{"service":"quest","env":"dev","pod_name":"mine","region":"moon","message":"+66 2 123 4567"}"#]);
    let documents = logs.run("g3-enrich-and-scrub.toml").await;
    let all = of_index(&documents, "go2asia-logs-");
    assert_eq!(all.len(), logs.lines.len());
    for document in all {
        let place = [&document["env"], &document["pod_name"], &document["region"]];
        assert_eq!(place, ["production", "local", "ap-southeast-1"], "{document}");
        assert!(!document.to_string().contains("+66 2"), "{document}");
    }
    assert_no_personal_data(&documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn o5_clients_and_orders_are_tokens() {
    let logs = Logs::new(&[
        r#"{"service":"shop","order_id":4711,"message":"SUBMITTED by ann@example.com","client":{"email":"ann@EXAMPLE.com"}}"#,
        r#"{"service":"mes","order_id":"4711","message":"PRICE_CALCULATED, told ann@example.com, card 4111 1111 1111 1111"}"#,
    ]);
    let documents = logs.run("o5-no-personal-data.toml").await;
    let of = |service: &str| {
        let all = of_index(&documents, "shop-logs-");
        all.into_iter().find(|document| document["service"] == service).expect("it arrived")
    };
    let (shop, mes) = (of("shop"), of("mes"));
    let order = shop["order_id"].as_str().unwrap();
    assert!(order.starts_with("hmac:2026q4:") && order.len() == 34, "{order}");
    assert_eq!(shop["order_id"], mes["order_id"]);
    let client = shop["message"].as_str().unwrap().strip_prefix("SUBMITTED by ").unwrap();
    assert_eq!(mes["message"], format!("PRICE_CALCULATED, told {client}, card **** **** **** 1111"));
    assert_eq!(shop["client"]["email"], "***", "a telling name has its own action");
    assert_no_personal_data(&documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn g10_one_correlation_id_finds_the_whole_flow() {
    let logs = Logs::new(&[]);
    let documents = logs.run("g10-quest-and-reward.toml").await;
    let [rewards, security, rest] =
        ["go2asia-rewards-", "go2asia-security-", "go2asia-logs-"].map(|prefix| of_index(&documents, prefix));
    let events = ["quest_completed", "reward_calculated", "points_credited", "nft_awarded"];
    for (step, event) in events.iter().enumerate() {
        let found: Vec<_> = rewards.iter().filter(|document| document["event"] == *event).collect();
        assert_eq!(found.len(), logs.records(|record| record["event"] == *event).len(), "{event}");
        assert!(found.iter().all(|document| document["step"] == step + 1));
    }
    assert_eq!(security.len(), logs.records(|record| record["log_type"] == "security").len());
    let awarded = rewards.iter().find(|document| {
        let is_same = |other: &&&Value| other["correlation_id"] == document["correlation_id"];
        document["event"] == "nft_awarded" && security.iter().filter(is_same).count() == 2
    });
    let awarded = awarded.expect("a flow that is whole");
    let whole = rewards.iter().filter(|other| other["correlation_id"] == awarded["correlation_id"]);
    assert_eq!(whole.count(), 4);
    assert!(rest.iter().all(|document| document["level"] != "debug" && document["log_type"] != "security"));
    assert_no_personal_data(&documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn g11_failed_purchases_stand_apart() {
    let logs = Logs::new(&[]);
    let documents = logs.run("g11-premium-voucher.toml").await;
    let failed = logs.records(|record| record["event"] == "voucher_purchase_failure").len();
    let [all, failures] = ["go2asia-vouchers-", "go2asia-voucher-failures-"].map(|prefix| of_index(&documents, prefix));
    assert!(failed > 0);
    assert_eq!(failures.len(), failed);
    assert_eq!(all.iter().filter(|document| document["failed"] == true).count(), failed);
    for event in ["voucher_purchase_started", "voucher_purchase_success", "reward_dispatched"] {
        let expected = logs.records(|record| record["event"] == event).len();
        assert_eq!(all.iter().filter(|document| document["event"] == event).count(), expected, "{event}");
    }
    assert_no_personal_data(&documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn g12_what_is_slow_is_kept_and_of_the_quick_a_tenth() {
    let logs = Logs::new(&[]);
    let documents = logs.run("g12-geo-search.toml").await;
    let all = of_index(&documents, "go2asia-geo-");
    let count = |event: &str, is_slow: bool| {
        all.iter().filter(|document| document["event"] == event && document["is_slow"] == is_slow).count()
    };
    let is_search = |record: &Value| record["event"] == "guru_geo_search";
    let latency = |record: &Value| record["guru_geo_search_latency_ms"].as_u64();
    let slow = logs.records(|record| is_search(record) && latency(record) > Some(2_000)).len();
    let quick = logs.records(|record| is_search(record) && latency(record) <= Some(2_000)).len();
    let timeouts = logs.records(|record| record["event"] == "geo_provider_timeout").len();
    assert!(slow > 0 && timeouts > 0);
    assert_eq!((count("guru_geo_search", true), count("geo_provider_timeout", true)), (slow, timeouts));
    let kept = count("guru_geo_search", false);
    assert!(kept > 0 && kept < quick / 4, "{kept} of {quick} quick searches are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn g13_errors_of_the_gateway_and_security_logs() {
    let logs = Logs::new(&[]);
    let documents = logs.run("g13-blockchain-incident.toml").await;
    let [errors, security] =
        ["go2asia-blockchain-errors-", "go2asia-security-"].map(|prefix| of_index(&documents, prefix));
    let is_error = |record: &Value| record["service"] == "blockchain_gateway_service" && record["level"] == "error";
    assert_eq!(errors.len(), logs.records(is_error).len());
    assert_eq!(security.len(), logs.records(|record| record["log_type"] == "security").len());
    let is_failed = |document: &&&Value| document["event"] == "chain_transaction_failed";
    let both = errors.iter().filter(is_failed).count();
    assert!(both > 0);
    assert_eq!(security.iter().filter(is_failed).count(), both);
    assert!(errors.iter().any(|document| document["incident_key"] == "polygon-chain_rpc_error"));
    assert!(!errors.is_empty() && errors.iter().all(|document| document["trace_id"].is_string()));
    assert_no_personal_data(&documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_an_event_is_stored_once() {
    let event = |id: u32, more: &str| format!("{{\"event_id\":\"e{}\",\"event\":\"ride\"{more}}}", id % 40);
    let twice: Vec<String> = (0..100).map(|id| event(id, if id < 40 { "" } else { ",\"again\":true" })).collect();
    let logs = Logs::new(&twice.iter().map(String::as_str).collect::<Vec<_>>());
    let documents = logs.run("f2-events-once.toml").await;
    let all = of_index(&documents, "gofuture-events-");
    assert_eq!(all.len(), 40);
    assert!(all.iter().all(|document| document["again"].is_null()), "the first of each");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_a_stack_trace_are_one_record() {
    let trace =
        ["ERROR it broke", "java.lang.Error: x", "  at a.b(C.java:1)", "Caused by: y", "  at d.e(F.java:2)", "INFO on"];
    let logs = Logs::new(&trace);
    let documents = logs.run("multiline-and-calm.toml").await;
    let all = of_index(&documents, "app-logs-");
    let found: Vec<_> = all.iter().filter(|document| document["message"].to_string().contains("Caused by")).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["message"], trace[1..5].join("\n"));
    assert!(found[0]["timestamp_end"].is_string());
    assert!(all.len() < logs.lines.len(), "each file has its threshold");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_of_pods_go_to_the_index_of_their_namespace() {
    let logs = Logs::new(&[]);
    let framed = |line: &String| format!("2026-03-04T05:06:07.{:09}Z stdout F {line}\n", line.len());
    for (namespace, lines) in [("guides", &logs.lines[..]), ("kube-system", &logs.lines[..10])] {
        let folder = logs.folder.path().join(format!("pods/{namespace}_{POD}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("0.log"), lines.iter().map(framed).collect::<String>()).unwrap();
    }
    let documents = logs.run("kubernetes-traces.toml").await;
    let all = of_index(&documents, "pods-guides-2026.03.04");
    assert_eq!((all.len(), documents.len()), (logs.lines.len(), 1));
    assert!(
        all.iter().all(|document| document["kubernetes"]["pod_name"] == "web-7d9f" && document["stream"] == "stdout")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_and_the_labels_of_the_pod_give_members() {
    let logs = Logs::new(&[]);
    fs::write(logs.folder.path().join("labels"), "app=\"go2asia\"\n").unwrap();
    let documents = logs.run("enrich-from-files.toml").await;
    let all = of_index(&documents, "go2asia-logs-");
    assert_eq!(all.len(), logs.lines.len());
    let owned: Vec<_> = all.iter().filter(|document| document["service"] == "blockchain_gateway_service").collect();
    assert!(!owned.is_empty());
    for document in owned {
        let told = (&document["team"], &document["tier"], &document["pod_labels"]["app"]);
        assert_eq!(told, (&Value::from("chain"), &Value::from(1), &Value::from("go2asia")), "{document}");
    }
    assert!(all.iter().any(|document| document["team"].is_null() && document["tier"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn g6_one_correlation_id_finds_what_services_spell_differently() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let logs = Logs::new(&[
        r#"{"service":"bff","correlationId":"c-1","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#,
        r#"{"service":"quest","correlation_id":"c-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
        r#"{"service":"guru","event":"http_request"}"#,
    ]);
    let documents = logs.run("g6-one-correlation-id.toml").await;
    let all = of_index(&documents, "go2asia-logs-");
    let found = all.iter().filter(|document| document["correlation_id"] == "c-1" && document["trace_id"] == trace);
    assert_eq!(found.count(), 2);
    let is_flow = |record: &Value| record["correlation_id"].is_string();
    let kept = all.iter().filter(|document| document["correlation_id"].is_string()).count();
    assert_eq!(kept, logs.records(is_flow).len() + 1, "one more has it now");
    let lost = of_index(&documents, "go2asia-uncorrelated-");
    assert!(lost.iter().any(|document| document["service"] == "guru"));
    assert_eq!(all.len() + lost.len(), logs.lines.len());
    assert_no_personal_data(&documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn a8_the_warehouse_sees_pseudonyms() {
    let logs = Logs::new(&[
        r#"{"user_id":"u-17","birth_date":"1990-02-03","client_ip":"203.0.113.77","note":"told anna.petrova@example.com"}"#,
        r#"{"log_type":"data_access","reader":"e.silva","subject_id":"u-17","purpose":"ticket 4711"}"#,
    ]);
    let documents = logs.run("a8-pseudonyms.toml").await;
    let [rows, access] = ["warehouse-events-", "data-access-"].map(|prefix| of_index(&documents, prefix));
    assert_eq!((rows.len(), access.len()), (logs.lines.len() - 1, 1));
    assert_eq!((&access[0]["reader"], &access[0]["purpose"]), (&Value::from("e.silva"), &Value::from("ticket 4711")));
    let row = rows.iter().find(|row| row["birth_year"] == "1990").expect("it arrived");
    assert!(row["user_id"].as_str().unwrap().starts_with("hmac:2026q4:"), "{row}");
    assert_eq!((&row["client_ip"], &row["birth_date"]), (&Value::from("203.0.113.0"), &Value::Null));
    assert!(documents.values().flat_map(|index| index.values()).all(|document| !document.to_string().contains("u-17")));
    assert_no_personal_data(&documents);
}

/// The certificate of an authority, in PEM form.
pub(crate) fn authority() -> String {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn the_shipped_configuration_and_every_example_are_without_fault() {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.crt");
    fs::write(&ca_file, authority()).unwrap();
    let environment = |name: &str| (name == "CA_FILE").then(|| ca_file.display().to_string());
    for shipped in ["config/levada.toml", "config/kubernetes.toml", "config/otlp.toml"] {
        plan(&Path::new(env!("CARGO_MANIFEST_DIR")).join(shipped), &|_| None);
    }
    let examples = fs::read_dir(example("")).unwrap().map(|entry| entry.unwrap().path());
    let examples: Vec<PathBuf> = examples.filter(|path| path.extension().is_some_and(|is| is == "toml")).collect();
    for path in &examples {
        plan(path, &environment);
    }
    assert!(examples.len() >= 7);
}
