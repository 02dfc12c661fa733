//! Container logs as `conmon` writes them: with and without a container, rotated as the kubelet does it, and by its own
//! limit of size.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::tally::Tally;
use super::{need, script};
use crate::agent::Home;
use crate::{is_asked, wait_for};

/// Lines of each stream.
const LINES: u64 = 3000;
const ROTATIONS: usize = 6;
const POD: &str = "shop_checkout-7d9f8b6c5d-x2x7q_0f7e0c1e-8a3b-4c5d-9e6f-112233445566";

#[test]
fn kubelet_rotates_under_conmon() {
    if !is_asked("kubelet_rotates_under_conmon") {
        return;
    }
    need("conmon", "conmon");
    let home = Home::new();
    let log = log(&home);
    let bundle = home.as_ref().join("bundle");
    fs::create_dir_all(&bundle).unwrap();
    // Slow enough to be there until the last rotation.
    fs::write(bundle.join("cmd"), program(0.002)).unwrap();

    let agent = home.launch(&config(&home));
    let mut conmon = plain(&home, &bundle, &log);
    let output = home.as_ref().join("out.ndjson");
    agent.wait("conmon", || log.exists());
    for rotation in 0..ROTATIONS as u64 {
        let enough = rotation * (2 * LINES / ROTATIONS as u64);
        agent.wait("some lines", || Tally::read(&output).len() >= enough);
        as_the_kubelet(&log, &bundle, rotation);
    }
    assert!(conmon.wait().is_ok());
    agent.wait("all lines", || Tally::read(&output).len() >= 2 * LINES);
    agent.stop();
    Tally::read(&output).assert_is(&[("stderr", LINES), ("stdout", LINES)]);
}

#[test]
fn conmon_replaces_the_file_at_its_own_limit() {
    if !is_asked("conmon_replaces_the_file_at_its_own_limit") {
        return;
    }
    need("conmon", "conmon");
    need("runc", "runc");
    need("busybox", "busybox-static");
    let home = Home::new();
    let log = log(&home);
    let agent = home.launch(&config(&home));
    // It drops the old file at once: only who holds it reads it, so the writer leaves seconds to look.
    let folder = home.as_ref().join("container");
    let status = Command::new(script("container.sh")).arg(&folder).arg(&log).args(["200000", &program(0.002)]).status();
    assert!(status.unwrap().success());
    let output = home.as_ref().join("out.ndjson");
    agent.wait("all lines", || Tally::read(&output).len() >= 2 * LINES);
    agent.stop();
    Tally::read(&output).assert_is(&[("stderr", LINES), ("stdout", LINES)]);
}

/// Both streams, numbered, with a pause in seconds after each pair. Every hundredth line is longer than one read of
/// conmon, so it comes in parts.
fn program(pause: f64) -> String {
    format!(
        "long=x; for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do long=$long$long; done\n\
         i=0; while [ $i -lt {LINES} ]; do\n\
         [ $((i % 100)) = 7 ] && text=$long || text=short\n\
         echo \"{{\\\"stream_name\\\":\\\"stdout\\\",\\\"seq\\\":$i,\\\"message\\\":\\\"$text\\\"}}\"\n\
         echo \"{{\\\"stream_name\\\":\\\"stderr\\\",\\\"seq\\\":$i,\\\"message\\\":\\\"$text\\\"}}\" >&2\n\
         sleep {pause}; i=$((i + 1)); done\n"
    )
}

fn log(home: &Home) -> PathBuf {
    let folder = home.as_ref().join("pods").join(POD).join("app");
    fs::create_dir_all(&folder).unwrap();
    folder.join("0.log")
}

/// Starts conmon with a runtime that runs plain processes.
fn plain(home: &Home, bundle: &Path, log: &Path) -> Child {
    let exits = home.as_ref().join("exits");
    fs::create_dir_all(&exits).unwrap();
    let mut command = Command::new("conmon");
    command.args(["--sync", "-c", "app", "-u", "app", "-n", "app", "--log-level", "error", "-r"]);
    command.arg(script("plain-runtime.sh")).arg("-b").arg(bundle);
    command.arg("-p").arg(bundle.join("pid")).arg("-P").arg(bundle.join("conmon.pid"));
    for option in ["--exit-dir", "--persist-dir", "--socket-dir-path"] {
        command.arg(option).arg(&exits);
    }
    command.arg("-l").arg(format!("k8s-file:{}", log.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The kubelet's order: what was rotated before is compressed, then the log is renamed, then the runtime reopens.
/// <https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/logs/container_log_manager.go>
fn as_the_kubelet(log: &Path, bundle: &Path, rotation: u64) {
    let rotated = |number: u64| log.with_file_name(format!("0.log.20261121-{number:06}"));
    if let Some(previous) = rotation.checked_sub(1).map(rotated) {
        let [part, packed] = [".tmp", ".gz"].map(|end| PathBuf::from(format!("{}{end}", previous.display())));
        let packing = Command::new("gzip").arg("-c").arg(&previous).output().unwrap();
        fs::write(&part, packing.stdout).unwrap();
        fs::rename(part, packed).unwrap();
        fs::remove_file(previous).unwrap();
    }
    fs::rename(log, rotated(rotation)).unwrap();
    let control = bundle.join("ctl");
    fs::File::options().write(true).open(control).unwrap().write_all(b"2 0 0\n").unwrap();
    wait_for("the runtime to open the log again", || log.exists().then_some(()), String::new);
}

fn config(home: &Home) -> String {
    format!(
        "data_dir = {:?}\n\n\
         [sources.pods]\ntype = \"kubernetes_logs\"\nlogs_dir = {:?}\ndecoding.codec = \"json\"\n\n\
         [sinks.out]\ntype = \"file\"\ninputs = [\"pods\"]\npath = {:?}\nencoding.codec = \"json\"\n",
        home.as_ref().join("data"),
        home.as_ref().join("pods"),
        home.as_ref().join("out.ndjson"),
    )
}
