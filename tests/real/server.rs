//! Real servers: installed once, started for the tests that need them, ended with the test process.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{LazyLock, Mutex};

use tempfile::TempDir;

use crate::store::Store;
use crate::wait_for;

/// What runs, and how its door is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Elasticsearch 8 with users and API keys.
    ElasticsearchBasic,
    /// The same behind TLS.
    ElasticsearchTls,
    /// OpenSearch 2, open to all.
    OpenSearch,
    /// The engine of ClickHouse 26 behind its HTTP interface, open to all unless a setting says `--password=...`.
    ClickHouse,
}

/// One that all tests may use which do not disturb it.
pub(crate) fn shared(kind: Kind) -> &'static Server {
    static BASIC: LazyLock<Server> = LazyLock::new(|| Server::start(Kind::ElasticsearchBasic, &[]));
    static TLS: LazyLock<Server> = LazyLock::new(|| Server::start(Kind::ElasticsearchTls, &[]));
    static OPEN: LazyLock<Server> = LazyLock::new(|| Server::start(Kind::OpenSearch, &[]));
    static CLICKHOUSE: LazyLock<Server> = LazyLock::new(|| Server::start(Kind::ClickHouse, &[]));
    match kind {
        Kind::ClickHouse => &CLICKHOUSE,
        Kind::ElasticsearchBasic => &BASIC,
        Kind::ElasticsearchTls => &TLS,
        Kind::OpenSearch => &OPEN,
    }
}

/// A server that runs.
pub(crate) struct Server {
    kind: Kind,
    settings: Vec<String>,
    home: PathBuf,
    dir: TempDir,
    port: u16,
    leash: Mutex<Option<Child>>,
}

impl Server {
    /// Starts one with `settings` of its own (`NAME=VALUE`) and waits until it answers.
    pub(crate) fn start(kind: Kind, settings: &[&str]) -> Self {
        let server = Self {
            kind,
            settings: settings.iter().map(ToString::to_string).collect(),
            home: install(kind.name()),
            dir: tempfile::tempdir().unwrap(),
            port: free_port(),
            leash: Mutex::new(None),
        };
        open_to_all(server.dir.path());
        server.run();
        server
    }

    /// The server's interface.
    pub(crate) fn store(&self) -> Store {
        let (scheme, host) = match self.kind {
            Kind::ElasticsearchTls => ("https", "localhost"),
            _ => ("http", "127.0.0.1"),
        };
        Store {
            address: format!("{scheme}://{host}:{}", self.port),
            authority: self.authority(),
            is_open: self.is_open(),
        }
    }

    /// The certificate of the authority to trust, behind TLS.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        (self.kind == Kind::ElasticsearchTls).then(|| self.config("ca.pem"))
    }

    /// A file of the server's configuration.
    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.dir.path().join("state/config").join(name)
    }

    /// Does it let everyone in?
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.kind, Kind::OpenSearch | Kind::ClickHouse)
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&self) {
        let mut leash = self.leash.lock().unwrap().take().unwrap();
        drop(leash.stdin.take());
        leash.wait().unwrap();
    }

    /// Starts it, with the data it has, and waits until it answers.
    pub(crate) fn run(&self) {
        let log = File::options().append(true).create(true).open(self.log()).unwrap();
        let mut command = Command::new(scripts().join("leash.sh"));
        command.arg(self.home.join(self.kind.script())).arg(self.dir.path().join("state")).arg(self.port.to_string());
        command.args(&self.settings);
        command.envs(self.kind.secure().map(|value| ("ES_SECURE", value)));
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        *self.leash.lock().unwrap() = Some(command.spawn().unwrap());
        let is_ready = || self.store().get(self.kind.ready()).status == 200;
        wait_for("the server to answer", || is_ready().then_some(()), || fs::read_to_string(self.log()).unwrap());
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ElasticsearchBasic | Self::ElasticsearchTls => "elasticsearch",
            Self::OpenSearch => "opensearch",
            Self::ClickHouse => "clickhouse",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::ElasticsearchBasic | Self::ElasticsearchTls => "es.sh",
            Self::OpenSearch => "os.sh",
            Self::ClickHouse => "ch.sh",
        }
    }

    /// What answers 200 when it is ready.
    fn ready(self) -> &'static str {
        match self {
            Self::ElasticsearchBasic | Self::ElasticsearchTls | Self::OpenSearch => "/_cluster/health",
            Self::ClickHouse => "/ping",
        }
    }

    fn secure(self) -> Option<&'static str> {
        match self {
            Self::ElasticsearchBasic => Some("basic"),
            Self::ElasticsearchTls => Some("tls"),
            Self::OpenSearch | Self::ClickHouse => None,
        }
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/servers")
}

fn install(name: &str) -> PathBuf {
    let output = Command::new(scripts().join("install.sh")).arg(name).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cannot install {name}: {complaint}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// Started by root the servers run as another user, who must reach their folder.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A port that is free, and the next one too: that is where nodes talk to each other. Below those that the kernel gives
/// to connections (32768 and up by default), or one of them would take it before the server does.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let pair = || {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id() as u16);
        let first = 20_000 + turn % 6_000 * 2;
        (is_free(first) && is_free(first + 1)).then_some(first)
    };
    wait_for("two free ports", pair, String::new)
}
