use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use super::*;
use crate::buffer::MinFree;

fn shown() -> Shown {
    let families = Families::default();
    let figures = Figures::new(families.registry(), MinFree::new(Path::new("/")));
    Shown { roster: Roster::default(), families, figures }
}

/// What the door answers to `head`, as text.
async fn ask(address: SocketAddr, head: &'static str) -> String {
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    asked.await.unwrap()
}

async fn open() -> Door {
    Door::open(SocketAddr::from(([127, 0, 0, 1], 0)), shown()).await.unwrap()
}

#[tokio::test]
async fn answers_probes_and_metrics() {
    let door = open().await;
    assert!(ask(door.address(), "GET /livez").await.starts_with("HTTP/1.1 200"));
    assert!(ask(door.address(), "GET /readyz").await.starts_with("HTTP/1.1 503"), "nothing runs");
    let health = ask(door.address(), "GET /health").await;
    assert!(health.ends_with(r#"{"status":"running","version":"0.1.0","components":[]}"#), "{health}");
    let metrics = ask(door.address(), "GET /metrics").await;
    for name in [
        "levada_build_info{version=",
        "levada_config_last_reload_successful{team=\"\"} 1",
        "process_open_fds ",
        "levada_data_dir_free_ratio 0.",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
}

#[tokio::test]
async fn changes_nothing_and_knows_four_pages() {
    let door = open().await;
    let refusal = ask(door.address(), "POST /livez").await;
    assert!(refusal.starts_with("HTTP/1.1 405") && refusal.contains("allow: GET, HEAD"), "{refusal}");
    assert!(ask(door.address(), "GET /config").await.starts_with("HTTP/1.1 404"));
    assert!(ask(door.address(), "HEAD /metrics").await.ends_with("\r\n\r\n"), "no body");
}

#[tokio::test]
async fn an_address_in_use_is_an_error_and_a_dropped_door_frees_it() {
    let door = open().await;
    let second = Door::open(door.address(), shown()).await;
    assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let address = door.address();
    drop(door);
    // The listener goes with its task, as soon as the runtime looks at it.
    while TcpStream::connect(address).is_ok() {
        tokio::task::yield_now().await;
    }
}
