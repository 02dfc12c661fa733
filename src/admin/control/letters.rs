//! `GET /dead-letters`, `POST /dead-letters` and `POST /replay`: records that were refused for good.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Body, Caller, Controls, json, refusal};
use crate::admin::letters::{CHUNK, Judge, Judged, Replay, ReplayRequest, Replayed, Sum, replay, sums};
use crate::config::Kind;
use crate::delivery::{DeadLetters, Lines};
use crate::diagnostic::closest;
use crate::transforms::protected;

/// Lines of an answer that wait for whoever reads it.
const WAITING: usize = 64;

/// Which letters to show.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LettersRequest {
    /// Whose; all if it is not said.
    #[serde(default)]
    pub component: Option<String>,
    /// A VRL condition on letters as they are shown.
    #[serde(default)]
    pub condition: Option<String>,
    /// How many.
    #[serde(default)]
    pub count: Option<u64>,
}

/// A letter as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    time: &'a str,
    identity: &'a str,
    record: Box<RawValue>,
}

/// Sums by component and code.
pub(super) async fn list(controls: &Controls) -> Response<Body> {
    match all_sums(controls).await {
        Ok(sums) => json(&sums),
        Err(why) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}

async fn all_sums(controls: &Controls) -> Result<Vec<Sum>, String> {
    let letters = controls.letters.clone();
    let sums = spawn_blocking(move || sums(&letters)).await;
    let sums = sums.map_err(|_| "an internal error, see the agent's log".to_owned())?;
    sums.map_err(|error| format!("cannot read the folder of dead letters: {error}"))
}

/// Answers with a line for each letter, scrubbed.
pub(super) fn show(controls: &Controls, request: &LettersRequest, caller: Caller) -> Response<Body> {
    let judge = match Judge::new(request.component.clone(), request.condition.as_deref()) {
        Ok(judge) => judge,
        Err(why) => return refusal(StatusCode::BAD_REQUEST, &why),
    };
    let told = |text: &Option<String>| text.as_deref().map(protected);
    let (component, condition, Caller { uid, pid }) = (told(&request.component), told(&request.condition), caller);
    tracing::info!(act = "dead-letters", component, condition, uid, pid, "audit: records are shown");
    let (tell, lines) = mpsc::channel(WAITING);
    let (letters, count) = (controls.letters.clone(), request.count.unwrap_or(u64::MAX));
    // It ends when nobody reads, by the closed channel.
    spawn_blocking(move || show_all(&letters, judge, (count, &tell)));
    Response::new(Told { lines }.boxed_unsync())
}

/// Shows letters until so many were shown, or nobody reads.
fn show_all(letters: &DeadLetters, mut judge: Judge, (mut left, tell): (u64, &mpsc::Sender<Bytes>)) -> Option<()> {
    for path in letters.list().ok()? {
        let Ok(mut lines) = Lines::of(&path) else { continue };
        loop {
            let chunk = lines.take(CHUNK).ok()?;
            if chunk.is_empty() {
                break;
            }
            let Judged { letters, shown, .. } = judge.judge(&chunk);
            for ((_, letter), record) in letters.iter().zip(shown.iter()) {
                left = left.checked_sub(1)?;
                let mut text = Vec::new();
                record.write_json(&mut text);
                let record = RawValue::from_string(String::from_utf8_lossy(&text).into_owned()).ok()?;
                let shown = Shown { time: &letter.time, identity: &letter.identity, record };
                tell.blocking_send((serde_json::to_string(&shown).ok()? + "\n").into()).ok()?;
            }
        }
    }
    Some(())
}

/// Answers with a line each time it is further, and one at the end.
pub(super) async fn again(controls: &Controls, request: ReplayRequest, caller: Caller) -> Response<Body> {
    let from = request.from.clone().unwrap_or_else(|| request.to.clone());
    let judge = match ready(controls, &request, &from).await {
        Ok(judge) => judge,
        Err((status, why)) => return refusal(status, &why),
    };
    let ReplayRequest { to, condition, dry_run, .. } = request;
    let turn = if dry_run { None } else { controls.letters.turn() };
    if turn.is_none() && !dry_run {
        return refusal(StatusCode::CONFLICT, "another replay is under way: wait for its end, or end it with Ctrl-C");
    }
    let Caller { uid, pid } = caller;
    let (condition, told) = (condition.as_deref().map(protected), (protected(&from), protected(&to)));
    tracing::info!(
        act = "replay",
        from = told.0,
        to = told.1,
        condition,
        dry_run,
        uid,
        pid,
        "audit: dead letters are sent again"
    );
    let (tell, mut told) = mpsc::channel::<Replayed>(WAITING);
    let (letters, roster) = (controls.letters.clone(), controls.shown.roster.clone());
    let work = replay(Replay { letters, roster, to, judge: Some(judge), is_dry: dry_run, turn }, tell);
    let (write, lines) = mpsc::channel(WAITING);
    // When nobody reads it sends no more, and waits for what is under way.
    tokio::spawn(async move {
        let listen = async move {
            let next = async |told: &mut mpsc::Receiver<Replayed>| {
                tokio::select! {
                    line = told.recv() => line,
                    () = write.closed() => None,
                }
            };
            while let Some(line) = next(&mut told).await {
                let line = serde_json::to_string(&line).unwrap_or_default() + "\n";
                if write.send(line.into()).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(work, listen);
    });
    Response::new(Told { lines }.boxed_unsync())
}

/// What stands in the way of a replay, with the next step.
async fn ready(controls: &Controls, request: &ReplayRequest, from: &str) -> Result<Judge, (StatusCode, String)> {
    let members = controls.shown.roster.members();
    let is_sink = |id: &str| members.iter().any(|member| member.kind == Kind::Sink && member.id == id);
    let to = &request.to;
    if !is_sink(to) {
        let sinks: Vec<_> =
            members.iter().filter(|member| member.kind == Kind::Sink).map(|member| &*member.id).collect();
        let hint = closest(to, sinks.iter().copied())
            .map_or_else(|| format!("there are {}", sinks.join(", ")), |id| format!("did you mean `{id}`?"));
        let why = format!(
            "no sink `{to}` runs; {hint}. The letters of a sink that is gone go to another with \
             `levada replay --from {from} --to ID`"
        );
        return Err((StatusCode::NOT_FOUND, why));
    }
    let judge = Judge::new(Some(from.to_owned()), request.condition.as_deref());
    let judge = judge.map_err(|why| (StatusCode::BAD_REQUEST, why))?;
    let sums = all_sums(controls).await.map_err(|why| (StatusCode::INTERNAL_SERVER_ERROR, why))?;
    if sums.iter().any(|sum| sum.component == from) {
        return Ok(judge);
    }
    let others: std::collections::BTreeSet<_> = sums.iter().map(|sum| sum.component.as_str()).collect();
    let others: Vec<_> = others.into_iter().collect();
    let hint = if others.is_empty() {
        "there are none at all".to_owned()
    } else {
        format!("there are some of {}: `levada replay --from ID --to {to}`", others.join(", "))
    };
    Err((StatusCode::NOT_FOUND, format!("there are no dead letters of `{from}`; {hint}")))
}

/// The body: lines as they come. What writes them learns that it is dropped by the closed channel.
pub(super) struct Told {
    pub(super) lines: mpsc::Receiver<Bytes>,
}

impl HttpBody for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.lines.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
