//! The other side of the control socket: how verbs talk to the running agent.

use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use memchr::memchr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use super::files::Files;
use crate::admin::SOCKET;
use crate::config::{Loaded, Plan};

/// Which agent is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Which {
    #[command(flatten)]
    pub(super) files: Files,
    /// The state folder of the running agent; else the `data_dir` of its configuration.
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
}

/// A connection to the running agent.
pub(super) struct Agent {
    path: PathBuf,
}

impl Which {
    /// The agent's socket, as the arguments or the configuration say.
    pub(super) fn agent(&self) -> Result<Agent, String> {
        if let Some(folder) = &self.data_dir {
            return Ok(Agent { path: folder.join(SOCKET) });
        }
        let loaded = self.files.load();
        if let Some(folder) = &loaded.data_dir {
            return Ok(Agent { path: folder.join(SOCKET) });
        }
        let faults = loaded.faults();
        let why = faults.diagnostics().first().map_or("it has faults", |fault| fault.message.as_str());
        let next = "name the agent's configuration by `--config`, or its state folder by `--data-dir`";
        Err(format!("the configuration does not tell where the agent is: {why}; {next}"))
    }

    /// What an agent would run, and its state folder, for a verb that does without one.
    pub(super) fn plan(&self) -> Result<(Plan, PathBuf), String> {
        let Loaded { plan, data_dir, .. } = self.files.load();
        let plan = plan.ok_or("no agent listens, and the configuration has faults: `levada validate` shows them")?;
        let folder = self.data_dir.clone().or(data_dir).ok_or("the configuration names no `data_dir`")?;
        Ok((plan, folder))
    }
}

/// A runtime for one conversation.
pub(super) fn runtime() -> Result<Runtime, String> {
    Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())
}

impl Agent {
    /// Does one listen?
    pub(super) fn is_there(&self) -> bool {
        std::os::unix::net::UnixStream::connect(&self.path).is_ok()
    }

    /// Asks for a value.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        self.whole(self.send(Method::GET, path, Bytes::new()).await?).await
    }

    /// Asks for something to be done.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, String> {
        self.whole(self.open(path, body).await?).await
    }

    /// Asks for something whose answer goes on for a while.
    pub(super) async fn open(&self, path: &str, body: &impl Serialize) -> Result<Response<Incoming>, String> {
        let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        let response = self.send(Method::POST, path, body.into()).await?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let why = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Err(String::from_utf8_lossy(&why).trim_end().to_owned())
    }

    /// Asks for something whose answer is lines.
    pub(super) async fn lines(&self, path: &str, body: &impl Serialize) -> Result<Lines, String> {
        Ok(Lines { body: self.open(path, body).await?.into_body(), rest: Vec::new() })
    }

    async fn whole<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, String> {
        let text = response.into_body().collect().await.map_err(|error| self.lost(&error))?.to_bytes();
        serde_json::from_slice(&text).map_err(|error| format!("the agent answers what is not understood here: {error}"))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, String> {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| {
            let path = self.path.display();
            format!("no agent listens at `{path}` ({error}); is it running, as this user, with this `data_dir`?")
        })?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.lost(&error))?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "levada");
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        sender.send_request(request).await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &hyper::Error) -> String {
        format!("the agent at `{}` ended the conversation: {error}", self.path.display())
    }
}

/// The lines of an answer, as they come.
pub(super) struct Lines {
    body: Incoming,
    rest: Vec<u8>,
}

impl Lines {
    /// The next line, without its end; none at the end of the answer.
    pub(super) async fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(end) = memchr(b'\n', &self.rest) {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| format!("the agent ended: {error}"))?;
            self.rest.extend(frame.into_data().unwrap_or_default());
        }
    }
}
