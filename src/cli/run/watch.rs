//! `--watch-config`: reloads when a file that the configuration is made of holds something else. The kernel tells of
//! changes in the folders, also where a link in the path is pointed elsewhere (as Kubernetes swaps a `ConfigMap`); a look
//! every ten seconds is the net. What counts are contents: a file that is written again as it was changes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::admin::{Ask, ReloadRequest};
use crate::config::{self, Files, Input};

/// How often to look without having been told.
const NET: Duration = Duration::from_secs(10);
/// A change is looked at when nothing more came for so long.
const CALM: Duration = Duration::from_millis(300);
/// Or after this time, if changes go on and on.
const STORM: Duration = Duration::from_secs(3);

/// Watches `paths` and the files that they led to (`inputs`), until the agent ends.
pub(super) async fn watch(paths: Vec<PathBuf>, inputs: Vec<Input>, asks: mpsc::Sender<Ask>) {
    let (told, mut events) = mpsc::channel(1);
    let known = Seen::of(config::documents(&paths), inputs);
    let mut watched = Watched { paths, known, folders: BTreeSet::new(), watcher: watcher(told) };
    watched.follow();
    loop {
        settle(&mut events).await;
        let Some(now) = watched.changed().await else { continue };
        let (answer, answered) = oneshot::channel();
        if asks.send(Ask::Reload(ReloadRequest::default(), answer)).await.is_err() {
            return;
        }
        let Ok(reloaded) = answered.await else { return };
        watched.known = now.with(reloaded.inputs);
        watched.follow();
    }
}

/// What files held.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// The configuration itself: more or fewer of them is a change.
    documents: Vec<Input>,
    /// What it names: programs, certificates.
    named: Vec<Input>,
}

impl Seen {
    /// The documents as they were read: one that was changed since is a change.
    fn of(mut documents: Vec<Input>, inputs: Vec<Input>) -> Self {
        for document in &mut documents {
            if let Some(read) = inputs.iter().find(|input| input.path == document.path) {
                document.clone_from(read);
            }
        }
        Self { documents, named: Vec::new() }.with(inputs)
    }

    /// With the files that a reload read. What was seen before it stays as it was seen: what is written while the
    /// reload goes on is a change again.
    fn with(mut self, inputs: Vec<Input>) -> Self {
        if inputs.is_empty() {
            // The reload ended early: nothing is known of what it read.
            return self;
        }
        let is_known = |input: &Input, known: &[Input]| known.iter().any(|other| other.path == input.path);
        self.named.retain(|named| is_known(named, &inputs));
        for input in inputs {
            if !is_known(&input, &self.documents) && !is_known(&input, &self.named) {
                self.named.push(input);
            }
        }
        self
    }

    /// The same files as they are now.
    fn again(&self, paths: &[PathBuf]) -> Self {
        let files = Files::default();
        let named = self.named.iter().map(|input| files.input(&input.path)).collect();
        Self { documents: config::documents(paths), named }
    }
}

fn watcher(told: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let tell = move |_| {
        let _is_told_already = told.try_send(());
    };
    let made = notify::recommended_watcher(tell);
    made.map_err(|error| tracing::warn!(%error, "the kernel tells of no changes: looking every ten seconds")).ok()
}

/// Waits for a change and for the calm after it, or for the time of a look.
async fn settle(events: &mut mpsc::Receiver<()>) {
    let net = Instant::now() + NET;
    tokio::select! {
        Some(()) = events.recv() => {}
        () = sleep_until(net) => return,
    }
    let latest = Instant::now() + STORM;
    while timeout_at((Instant::now() + CALM).min(latest), events.recv()).await.is_ok_and(|event| event.is_some()) {}
}

struct Watched {
    paths: Vec<PathBuf>,
    known: Seen,
    folders: BTreeSet<PathBuf>,
    watcher: Option<RecommendedWatcher>,
}

impl Watched {
    /// What the files hold now, if that is not what is known.
    async fn changed(&self) -> Option<Seen> {
        let (paths, known) = (self.paths.clone(), self.known.clone());
        let look = move || Some(known.again(&paths)).filter(|now| *now != known);
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// Has the kernel tell of changes in the folders of all files.
    fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let inputs = self.known.documents.iter().chain(&self.known.named).map(|input| input.path.as_path());
        let files = inputs.chain(self.paths.iter().map(PathBuf::as_path));
        for folder in files.flat_map(folders) {
            // One that is not there yet is seen by the net.
            if !self.folders.contains(&folder) && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(folder);
            }
        }
    }
}

/// Where a change of `path` shows: its folder, or itself if it is one; and the folder of what it leads to.
fn folders(path: &Path) -> Vec<PathBuf> {
    let of = |path: &Path| match path.parent() {
        _ if path.is_dir() => path.to_owned(),
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut folders = vec![of(path)];
    folders.extend(path.canonicalize().ok().map(|target| of(&target)));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn contents_count_and_not_times() {
        let folder = tempfile::tempdir().unwrap();
        let (config, program) = (folder.path().join("a.toml"), folder.path().join("p.vrl"));
        fs::write(&config, "x = 1").unwrap();
        fs::write(&program, ".a = 1").unwrap();
        let paths = [folder.path().to_owned()];
        let known = Seen::of(config::documents(&paths), vec![Files::default().input(&program)]);
        fs::write(&program, ".a = 1").unwrap();
        assert_eq!(known.again(&paths), known);
        fs::write(&program, ".a = 2").unwrap();
        let changed = known.again(&paths);
        assert_ne!(changed, known);
        fs::write(folder.path().join("b.toml"), "").unwrap();
        assert_ne!(changed.again(&paths), changed, "one more file");
        let read = config::documents(&paths);
        fs::write(&config, "x = 2").unwrap();
        let late = Seen::of(config::documents(&paths), read);
        assert_ne!(late.again(&paths), late, "a change between the start and the first look");
    }

    #[test]
    fn a_link_is_watched_at_both_ends() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("data");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("a.toml"), "").unwrap();
        std::os::unix::fs::symlink(real.join("a.toml"), folder.path().join("a.toml")).unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(folders(&root.join("a.toml")), [root.clone(), root.join("data")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_one_change() {
        let (told, mut events) = mpsc::channel(1);
        let storm = tokio::spawn(async move {
            for _ in 0..100 {
                let _full = told.try_send(());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            told
        });
        let begun = Instant::now();
        settle(&mut events).await;
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
        let _open = storm.await.unwrap();
        assert!(events.try_recv().is_err());
    }
}
