//! `POST /tap`: the records that pass an edge, as they pass.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Body, Caller, Controls, refusal};
use crate::lang::{TimeZone, compile_condition};
use crate::topology::{Shown, Side, Tapped, Wanted};
use crate::transforms::{protected, protection};

/// The longest look.
const LONGEST: Duration = Duration::from_hours(24);

/// What to look at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TapRequest {
    /// A component, or one of its outputs (`ID.PORT`).
    pub edge: String,
    /// What goes into it, instead of what comes out.
    #[serde(default)]
    pub input: bool,
    /// A VRL condition on records as they are shown: scrubbed.
    #[serde(default)]
    pub condition: Option<String>,
    /// How many records.
    #[serde(default)]
    pub count: Option<u64>,
    /// How long, in seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
}

/// Answers with a line for each record, `{"record": ...}`, one where the condition fails for the first time, `{"why": ...}`,
/// and at the end one that says how many could not be shown, and on how many the condition failed:
/// `{"missed": 0, "failed": 0}`.
pub(super) fn tap(controls: &Controls, request: TapRequest, caller: Caller) -> Response<Body> {
    let condition = match request.condition.as_deref().map(|text| compile_condition(text, TimeZone::default())) {
        None => None,
        Some(Ok(condition)) => Some(condition),
        Some(Err(faults)) => {
            let pictures: Vec<_> = faults.iter().map(|fault| fault.rendered.trim_end().to_owned()).collect();
            let why = format!("the condition does not compile\n{}", pictures.join("\n"));
            return refusal(StatusCode::BAD_REQUEST, &why);
        }
    };
    let TapRequest { edge, input, count, seconds, .. } = request;
    let (uid, pid) = (caller.uid, caller.pid);
    let (told, condition_told) = (protected(&edge), request.condition.as_deref().map(protected));
    tracing::info!(act = "tap", edge = told, input, condition = condition_told, uid, pid, "audit: records are shown");
    let side = if input { Side::In } else { Side::Out };
    let tapped = controls.taps.open(Wanted { edge, side, condition, scrub: protection() });
    let time = seconds
        .filter(|seconds| seconds.is_finite())
        .map_or(LONGEST, |seconds| Duration::from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())));
    let end = Box::pin(sleep_until(Instant::now() + time));
    Response::new(Look { tapped: Some(tapped), left: count.unwrap_or(u64::MAX), end }.boxed_unsync())
}

/// The body: it ends with the time, with the last record that was wanted, or when the client goes.
struct Look {
    tapped: Option<Tapped>,
    left: u64,
    end: Pin<Box<Sleep>>,
}

impl HttpBody for Look {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let is_over = self.left == 0;
        let Some(tapped) = &mut self.tapped else { return Poll::Ready(None) };
        let (missed, failed) = (tapped.missed(), tapped.failed());
        let record = if is_over { Poll::Ready(None) } else { tapped.records.poll_recv(cx) };
        match record {
            Poll::Ready(Some(Shown::Failed(why))) => {
                let line = serde_json::json!({ "why": why }).to_string() + "\n";
                return Poll::Ready(Some(Ok(Frame::data(line.into()))));
            }
            Poll::Ready(Some(Shown::Record(record))) => {
                self.left -= 1;
                let line = [b"{\"record\":".as_slice(), &record, b"}\n"].concat();
                return Poll::Ready(Some(Ok(Frame::data(line.into()))));
            }
            Poll::Pending if self.end.as_mut().poll(cx).is_pending() => return Poll::Pending,
            _ => {}
        }
        self.tapped = None;
        Poll::Ready(Some(Ok(Frame::data(format!("{{\"missed\":{missed},\"failed\":{failed}}}\n").into()))))
    }
}
