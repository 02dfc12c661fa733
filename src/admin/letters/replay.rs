//! A replay: letters go to a sink again as the records they were. Those that arrive are taken out of the folder.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::{CHUNK, Judge, Judged};
use crate::component::outlet::Inlet;
use crate::config::Kind;
use crate::delivery::{DeadLetters, Letter, Lines};
use crate::event::{Batch, Outcome, Receipt, Resolution, Resolve};
use crate::topology::{Member, Roster};

/// What to send again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// The sink that gets them.
    pub to: String,
    /// Whose letters; those of the sink itself if it is not said.
    #[serde(default)]
    pub from: Option<String>,
    /// A VRL condition on letters as they are shown: scrubbed, with a member `dead_letter`.
    #[serde(default)]
    pub condition: Option<String>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

/// How far a replay is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that were gone through.
    pub done_bytes: u64,
    /// Letters that are meant.
    pub selected: u64,
    /// Those that arrived, or are durable in the sink's disk buffer.
    pub delivered: u64,
    /// Those that were refused again: they are new letters.
    pub refused: u64,
    /// Those that did not arrive, and stay.
    pub kept: u64,
    /// Lines that are no letters that can be sent; they stay.
    pub unreadable: u64,
    /// Letters on which the condition failed; they stay.
    pub failed: u64,
    /// Why it ended before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Is this the last word?
    pub is_over: bool,
}

/// What a replay works with.
pub(in crate::admin) struct Replay {
    pub(in crate::admin) letters: Arc<DeadLetters>,
    pub(in crate::admin) roster: Roster,
    pub(in crate::admin) to: String,
    /// None while it is at work elsewhere.
    pub(in crate::admin) judge: Option<Judge>,
    pub(in crate::admin) is_dry: bool,
    /// Nobody else sends letters meanwhile; not asked for where it only counts.
    pub(in crate::admin) turn: Option<OwnedMutexGuard<()>>,
}

/// Some letters on their way: the numbers of their lines, and what comes of them.
type OnTheWay = (Vec<usize>, oneshot::Receiver<Resolution>);

/// Sends letters again and tells how far it is, to the end or until nobody listens; what is under way then is waited for.
pub(in crate::admin) async fn replay(mut of: Replay, tell: mpsc::Sender<Replayed>) {
    let _alone = of.turn.take();
    let mut done = Replayed::default();
    if let Err(why) = run(&mut of, &mut done, &tell).await {
        done.why = Some(why);
    }
    done.is_over = true;
    // Whoever asked may have gone.
    drop(tell.send(done).await);
}

async fn run(of: &mut Replay, done: &mut Replayed, tell: &mpsc::Sender<Replayed>) -> Result<(), String> {
    let (letters, is_dry) = (of.letters.clone(), of.is_dry);
    let files = blocking(move || if is_dry { letters.list() } else { letters.seal() }).await?;
    done.bytes = files.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
    for path in files {
        file(of, path, (done, tell)).await?;
    }
    Ok(())
}

/// Sends the letters of one file; the file is written anew when all of them have an outcome.
async fn file(
    of: &mut Replay,
    path: PathBuf,
    (done, tell): (&mut Replayed, &mpsc::Sender<Replayed>),
) -> Result<(), String> {
    let opened = path.clone();
    let opened = blocking(move || Lines::of(&opened).and_then(|lines| Ok((lines.file()?, lines)))).await;
    let Ok((read, lines)) = opened else { return Ok(()) };
    let mut under_way = Vec::new();
    let sent = send_all(of, lines, &mut under_way, (done, tell)).await;
    // What is on its way arrives, however this ended: else it would be sent once more.
    let settled = settle((of.letters.clone(), path, read), under_way, done).await;
    sent.and(settled)
}

/// Sends the letters of a file as the sink has room, to the end of the file or until nobody listens.
async fn send_all(
    of: &mut Replay,
    mut lines: Lines,
    under_way: &mut Vec<OnTheWay>,
    (done, tell): (&mut Replayed, &mpsc::Sender<Replayed>),
) -> Result<(), String> {
    let deaf = || "nobody listens".to_owned();
    while let Some(judge) = of.judge.take() {
        let is_dry = of.is_dry;
        let chosen = blocking(move || choose(judge, lines, is_dry));
        let (judge, back, chosen) = chosen.await?;
        (of.judge, lines) = (Some(judge), back);
        let Some(Chosen { numbers, batch, counts, bytes }) = chosen else { break };
        done.selected += counts[0];
        done.unreadable += counts[1];
        done.failed += counts[2];
        done.done_bytes += bytes;
        if !numbers.is_empty() && !is_dry {
            let outcome = tokio::select! {
                outcome = send(&of.roster, &of.to, batch) => outcome?,
                () = tell.closed() => return Err(deaf()),
            };
            under_way.push((numbers, outcome));
        }
        tell.send(done.clone()).await.map_err(|_| deaf())?;
    }
    Ok(())
}

/// Letters of one read that are to be sent.
struct Chosen {
    /// The numbers of their lines.
    numbers: Vec<usize>,
    batch: Batch,
    /// Letters that are meant, lines that are no letters, letters on which the condition failed.
    counts: [u64; 3],
    /// Bytes of all lines that were read.
    bytes: u64,
}

/// Reads on; nothing at the end of the file. For a thread that may be busy.
fn choose(mut judge: Judge, mut lines: Lines, is_dry: bool) -> io::Result<(Judge, Lines, Option<Chosen>)> {
    let chunk = lines.take(CHUNK)?;
    if chunk.is_empty() {
        return Ok((judge, lines, None));
    }
    let bytes = chunk.iter().map(|(_, line)| line.len() as u64 + 1).sum();
    let Judged { letters, unreadable, failed, .. } = judge.judge(&chunk);
    let counts = [letters.len() as u64, unreadable as u64, failed as u64];
    let (numbers, letters): (Vec<_>, Vec<_>) = letters.into_iter().unzip();
    let (batch, places) = if is_dry { Default::default() } else { Letter::records(&letters) };
    let numbers: Vec<usize> = places.into_iter().map(|at| numbers[at]).collect();
    Ok((judge, lines, Some(Chosen { numbers, batch, counts, bytes })))
}

/// Has the sink take a batch, when it has room.
async fn send(roster: &Roster, to: &str, mut batch: Batch) -> Result<oneshot::Receiver<Resolution>, String> {
    let (told, outcome) = oneshot::channel();
    batch.answer_to(Receipt::new(Arc::new(Told(Mutex::new(Some(told)))), 0));
    let inlet = inlet(roster, to)?;
    Offering { inlet, batch: Some(batch) }.done().await;
    Ok(outcome)
}

/// Waits for what became of letters of one file, and takes those out of it that have an outcome elsewhere.
async fn settle(
    (letters, path, read): (Arc<DeadLetters>, PathBuf, File),
    under_way: Vec<OnTheWay>,
    done: &mut Replayed,
) -> Result<(), String> {
    let mut gone = Vec::new();
    for (numbers, outcome) in under_way {
        match outcome.await {
            // What is refused again is durable as a new letter by now.
            Ok(Resolution { worst: Outcome::Delivered | Outcome::DeadLettered, dropped: 0, dead_lettered, .. }) => {
                done.refused += dead_lettered;
                done.delivered += (numbers.len() as u64).saturating_sub(dead_lettered);
                gone.extend(numbers);
            }
            _ => done.kept += numbers.len() as u64,
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    blocking(move || letters.forget(&path, &read, &gone)).await
}

/// The way into the sink.
fn inlet(roster: &Roster, id: &str) -> Result<Arc<dyn Inlet>, String> {
    let members = roster.members();
    let sink = members.iter().find(|member| member.kind == Kind::Sink && member.id == id);
    let gone = || format!("the sink `{id}` has ended: what was not sent is still here");
    sink.and_then(Member::inlet).ok_or_else(gone)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| format!("cannot work in the folder of dead letters: {error}")),
        Err(_) => Err("an internal error, see the agent's log".to_owned()),
    }
}

/// Who is told what became of a batch.
struct Told(Mutex<Option<oneshot::Sender<Resolution>>>);

impl Resolve for Told {
    fn resolved(&self, _: u64, resolution: Resolution) {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever asked may have gone.
        told.map(|told| told.send(resolution));
    }
}

/// A batch that waits for room; one that waits no more leaves the line.
struct Offering {
    inlet: Arc<dyn Inlet>,
    batch: Option<Batch>,
}

impl Offering {
    async fn done(mut self) {
        poll_fn(|cx| {
            let Some(batch) = self.batch.take() else { return Poll::Ready(()) };
            match self.inlet.offer(batch, cx.waker()) {
                Ok(()) => Poll::Ready(()),
                Err(batch) => {
                    self.batch = Some(batch);
                    Poll::Pending
                }
            }
        })
        .await;
    }
}

impl Drop for Offering {
    fn drop(&mut self) {
        if let Some(batch) = &self.batch {
            self.inlet.give_up(batch);
        }
    }
}
