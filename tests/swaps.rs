//! Reloads while records flow: a process, folders that are swapped as Kubernetes does it, and writers of their own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::control::Site;
use crate::peer::{Peer, World};
use crate::wait;

/// Swaps of the whole configuration.
const SWAPS: usize = 500;
/// Teams that break at once.
const BROKEN: usize = 50;
/// Between two records of a writer.
const PACE: Duration = Duration::from_millis(2);

/// Writes one number after the other, on a thread of its own, until it is asked how many that were.
struct Writer {
    stop: SyncSender<()>,
    thread: JoinHandle<u64>,
}

impl Writer {
    fn start(mut write: impl FnMut(u64) + Send + 'static) -> Self {
        let (stop, stopped) = sync_channel(0);
        let thread = thread::spawn(move || {
            let mut number = 0;
            while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                write(number);
                number += 1;
            }
            number
        });
        Self { stop, thread }
    }

    fn end(self) -> u64 {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

/// Appends numbers to a log that the agent tails.
fn logs(site: &Site) -> Writer {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(site.path("logs/a.log")).unwrap();
    Writer::start(move |number| writeln!(file, "{{\"n\":{number}}}").unwrap())
}

/// Posts numbers to the agent, all over one connection.
fn posts(port: u16) -> Writer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    Writer::start(move |number| {
        let body = format!("{{\"n\":{number}}}");
        let head = format!("POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert_ne!(answers.read_until(b'\n', &mut head).unwrap(), 0, "the connection was ended");
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        answers.read_exact(&mut body).unwrap();
    })
}

/// Points `conf/levada.toml` at a new folder with `configuration`, as Kubernetes updates a `ConfigMap`.
fn swap(conf: &Path, number: usize, configuration: &str) {
    let fresh = format!("..{number}");
    fs::create_dir(conf.join(&fresh)).unwrap();
    fs::write(conf.join(&fresh).join("levada.toml"), configuration).unwrap();
    let link = conf.join("..data_tmp");
    symlink(&fresh, &link).unwrap();
    fs::rename(&link, conf.join("..data")).unwrap();
    if number == 0 {
        symlink("..data/levada.toml", conf.join("levada.toml")).unwrap();
    } else {
        fs::remove_dir_all(conf.join(format!("..{}", number - 1))).unwrap();
    }
}

/// The pipeline whose step `marked` changes, beside it what stays: a door and a sink that keeps its connection.
fn configuration(site: &Site, (peer, port): (&Peer, u16), mark: &str) -> String {
    format!(
        "{}[sources.door]\ntype = 'http_server'\naddress = '127.0.0.1:{port}'\npath = '/in'\ndecoding.codec = 'json'\n\
         [sinks.posted]\ntype = 'file'\ninputs = ['door']\npath = '{}'\nencoding.codec = 'json'\n\
         [sinks.kept]\ntype = 'elasticsearch'\ninputs = ['app']\nendpoints = ['{}']\nbulk.index = 'logs'\n\
         batch.timeout_secs = 0.05\nrequest.concurrency = 1\n",
        site.pipeline(mark),
        site.shown("posted"),
        peer.url(),
    )
}

/// Which stream the source keeps a position of, and how far that is delivered; none before there is one.
fn position(site: &Site) -> Option<(String, u64)> {
    let shown = String::from_utf8(site.verb(&["positions", "ls", "--json"]).stdout).ok()?;
    let position: serde_json::Value = serde_json::from_str(shown.lines().next()?).ok()?;
    Some((position["stream_key"].as_str()?.to_owned(), position["offset"].as_u64()?))
}

/// How many reloads a log tells of: some of them as repetitions.
fn reloads(log: &str) -> usize {
    let lines = log.lines().filter(|line| line.contains("what the reload changed"));
    lines.map(|line| line.split_once("repeated=").map_or(1, |(_, times)| times.trim().parse().unwrap())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_swaps_under_load_lose_and_repeat_nothing_and_leave_alone_what_stays() {
    let (site, peer) = (Site::new(), Peer::start());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let conf = site.path("conf");
    fs::create_dir(&conf).unwrap();
    let says = |mark: &str| configuration(&site, (&peer, port), mark);
    swap(&conf, 0, &says("0"));
    site.start(&["--watch-config"]);
    site.until_it_listens().await;
    wait::until("the door", || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
    let (logged, posted) = (logs(&site), posts(port));
    peer.wait("the first records", |world| world.len() > 0).await;
    wait::until("a position", || position(&site).is_some()).await;
    let (connections, stream) = (peer.look(|world| world.connections), position(&site).unwrap().0);
    for number in 1..=SWAPS {
        // One in five has a fault.
        let text = if number % 5 == 3 { "[sinks.out]\ntype = 'fil'\n".to_owned() } else { says(&number.to_string()) };
        swap(&conf, number, &text);
        // So that many are seen, and many at once.
        if number % 50 == 0 {
            let mark = format!("\"mark\":\"{number}\"");
            wait::until("a reload", || fs::read_to_string(site.path("out")).is_ok_and(|text| text.contains(&mark)))
                .await;
        }
    }
    let (logged, posted) = (logged.end(), posted.end());
    peer.wait_for_all(logged).await;
    wait::until("everything", || {
        site.arrived().len() as u64 == logged && site.numbers("posted").len() as u64 == posted
    })
    .await;
    for (id, records) in [("app", logged), ("kept", logged), ("door", posted), ("posted", posted)] {
        let component = site.status_of(id);
        assert_eq!((&component["received_events"], &component["state"]), (&records.into(), &"running".into()), "{id}");
    }
    assert_eq!(peer.look(|world| world.connections), connections, "the sink keeps its connection");
    let end = fs::metadata(site.path("logs/a.log")).unwrap().len();
    wait::until("the position of the same stream at its end", || position(&site) == Some((stream.clone(), end))).await;
    site.end();
    for (name, records) in [("out", logged), ("posted", posted)] {
        let numbers = site.numbers(name);
        assert!(numbers.values().all(|count| *count == 1) && numbers.len() as u64 == records, "{name}: each once");
    }
    let log = site.log();
    let reloads = reloads(&log);
    assert!((10..=SWAPS).contains(&reloads), "{reloads} reloads");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("sinks.") || line.contains("sources.")).collect();
    assert!(told.is_empty(), "unchanged components do not notice: {told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_broken_teams_change_nothing_for_the_others() {
    let (site, peer) = (Site::new(), Peer::start());
    fs::create_dir(site.path("conf")).unwrap();
    fs::create_dir_all(site.path("teams/good")).unwrap();
    let platform =
        format!("teams_dir = '{}'\n{}[teams.'*']\nexports = ['marked']\n", site.shown("teams"), site.pipeline("one"));
    fs::write(site.path("conf/levada.toml"), platform).unwrap();
    let team = |of: &str, sink: &str| fs::write(site.path(&format!("teams/{of}/its.toml")), sink).unwrap();
    let url = peer.url();
    let good = format!(
        "[sinks.own]\ntype = 'elasticsearch'\ninputs = ['marked']\nendpoints = ['{url}']\nbulk.index = 'logs'\n\
         batch.timeout_secs = 0.05\nrequest.concurrency = 1\n"
    );
    team("good", &good);
    site.start(&["--watch-config"]);
    site.until_it_listens().await;
    let logged = logs(&site);
    peer.wait("the first records", |world: &World| world.len() > 0).await;
    let connections = peer.look(|world| world.connections);
    for number in 0..BROKEN {
        fs::create_dir(site.path(&format!("teams/broken{number}"))).unwrap();
        let fault =
            ["[sinks.own]\ntype = = 1\n", "[sinks.own]\ntype = 'none'\n", "[secret.x]\ntype = 'file'\n"][number % 3];
        team(&format!("broken{number}"), fault);
    }
    let faulty = || {
        let status: serde_json::Value = serde_json::from_slice(&site.verb(&["status", "--json"]).stdout).unwrap();
        status["faulty_teams"].as_array().map_or(0, Vec::len)
    };
    wait::until("word of all that are broken", || faulty() == BROKEN).await;
    let seen = peer.look(World::len);
    peer.wait("records after that", |world| world.len() > seen).await;
    for number in 0..BROKEN {
        fs::remove_dir_all(site.path(&format!("teams/broken{number}"))).unwrap();
    }
    wait::until("word that none is broken", || faulty() == 0).await;
    let logged = logged.end();
    peer.wait_for_all(logged).await;
    wait::until("everything", || site.arrived().len() as u64 == logged).await;
    assert_eq!(site.status_of("good.own")["received_events"], logged);
    assert_eq!(peer.look(|world| world.connections), connections, "the sink keeps its connection");
    site.end();
    assert!(site.arrived().values().all(|count| *count == 1), "each once");
    let log = site.log();
    let mut told = log.lines().filter(|line| line.contains("what the reload changed"));
    assert!(told.all(|line| line.contains("changes=\"\"") || line.contains("changes= ")), "{log}");
}
