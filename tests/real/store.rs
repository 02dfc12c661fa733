//! What the tests ask a server, past the agent: by the `curl` command, which knows TLS as well.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::lines;

/// The administrator that the servers' scripts create.
pub(crate) const USER: &str = "agent";
pub(crate) const PASSWORD: &str = "agent-secret";

/// A server's interface.
pub(crate) struct Store {
    pub(crate) address: String,
    pub(crate) authority: Option<PathBuf>,
    pub(crate) is_open: bool,
}

/// What it answered; status 0 where it did not.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Store {
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None)
    }

    /// Sends a request that must succeed.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Value {
        self.must("PUT", path, body)
    }

    /// Sends a request that must succeed.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.must("POST", path, body)
    }

    /// How many documents `index` has now; 0 where it cannot say.
    pub(crate) fn count(&self, index: &str) -> u64 {
        self.ask("POST", &format!("/{index}/_refresh"), None);
        self.get(&format!("/{index}/_count")).body["count"].as_u64().unwrap_or(0)
    }

    /// Fails unless `index` has each of the lines `0..count` exactly once.
    pub(crate) fn assert_has_each_once(&self, index: &str, count: u64) {
        assert_eq!(self.count(index), count, "documents in `{index}`");
        let twice = json!({ "field": lines::NUMBER, "min_doc_count": 2 });
        let query = json!({ "size": 0, "aggs": {
            "of": { "stats": { "field": lines::NUMBER } },
            "twice": { "terms": twice },
        } });
        let found = &self.post(&format!("/{index}/_search"), &query)["aggregations"];
        assert_eq!(found["twice"]["buckets"], json!([]), "lines that are in `{index}` more than once");
        // As many numbers as lines, all different and in the range: each of them.
        assert_eq!(found["of"]["count"].as_u64(), Some(count));
        assert_eq!((found["of"]["min"].as_f64(), found["of"]["max"].as_f64()), (Some(0.0), Some((count - 1) as f64)));
    }

    fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.ask(method, path, Some(body));
        assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.body);
        reply.body
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "30", "--write-out", "\n%{http_code}", "--request", method]);
        if !self.is_open {
            curl.args(["--user", &format!("{USER}:{PASSWORD}")]);
        }
        if let Some(authority) = &self.authority {
            curl.arg("--cacert").arg(authority);
        }
        if body.is_some() {
            curl.args(["--header", "Content-Type: application/json", "--data-binary", "@-"]);
        }
        curl.arg(format!("{}{path}", self.address)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut curl = curl.spawn().expect("the command `curl` is installed");
        let text = body.map_or_else(String::new, Value::to_string);
        curl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = String::from_utf8(curl.wait_with_output().unwrap().stdout).unwrap();
        let (body, status) = output.rsplit_once('\n').unwrap();
        Reply { status: status.parse().unwrap(), body: serde_json::from_str(body).unwrap_or_default() }
    }
}
