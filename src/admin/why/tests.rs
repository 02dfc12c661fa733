use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::component::inspect::{FileReport, FileState, Inspect, Meant, Pod, Position, Verdict, Wish};
use crate::component::pause::Paused;
use crate::topology::Inspected;

/// A source that means `*.log` in its folder, but for `x.log`.
#[derive(Clone, Debug, Default)]
struct Fake {
    folder: PathBuf,
    files: Vec<FileReport>,
    positions: Vec<Position>,
    ignore_older_secs: Option<u64>,
}

impl Inspect for Fake {
    fn files(&self) -> Vec<FileReport> {
        self.files.clone()
    }

    fn judge(&self, path: &Path) -> Verdict {
        let is_log = path.starts_with(&self.folder) && path.extension().is_some_and(|end| end == "log");
        let meant = match path.file_name().and_then(|name| name.to_str()) {
            Some("x.log") if is_log => Meant::Excluded("`exclude` = `x.log`".into()),
            _ if is_log => Meant::Yes("`include` = `*.log`".into()),
            _ => Meant::No { nearest: Some(("`include` = `*.log`".into(), "it is no `.log`".into())) },
        };
        Verdict { meant, ignore_older_secs: self.ignore_older_secs, look_every: Duration::from_secs(5) }
    }

    fn pod_folders(&self) -> Vec<PathBuf> {
        vec![self.folder.join("pods")]
    }

    fn positions(&self) -> Result<Vec<Position>, String> {
        Ok(self.positions.clone())
    }

    fn set(&self, _: &Wish) -> Result<Position, String> {
        Err("it is not asked for".into())
    }
}

/// A folder with a source over it.
struct Scene {
    _folder: tempfile::TempDir,
    root: PathBuf,
    fake: Fake,
    paused: Option<Paused>,
    discarded: Vec<(String, String, u64)>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["a.log", "x.log", "a.txt"] {
            fs::write(root.join(name), "0123456789").unwrap();
        }
        let fake = Fake { folder: root.clone(), ..Fake::default() };
        Self { _folder: folder, root, fake, paused: None, discarded: Vec::new() }
    }

    /// `a.log` as its source reports it.
    fn report(&mut self, state: FileState, offset: u64) -> &mut FileReport {
        let path = self.root.join("a.log");
        let about = fs::metadata(&path).unwrap();
        self.fake.files.push(FileReport {
            path: path.display().to_string(),
            device: about.dev(),
            inode: about.ino(),
            size: 10,
            offset,
            delivered: offset,
            lag_bytes: 10 - offset,
            state,
            ..FileReport::default()
        });
        self.fake.files.last_mut().unwrap()
    }

    fn ask(&self, subject: &Subject, is_live: bool) -> Why {
        let inspect = Arc::new(self.fake.clone());
        let source = Inspected { id: "app".into(), paused: self.paused, inspect };
        why(subject, &[Sight { source, discarded: self.discarded.clone() }], is_live)
    }

    fn path(&self, name: &str, is_live: bool) -> Why {
        self.ask(&Subject::Path(self.root.join(name)), is_live)
    }
}

fn causes(why: &Why) -> Vec<Cause> {
    why.files.iter().flat_map(|file| &file.findings).map(|finding| finding.cause).collect()
}

fn words(why: &Why) -> String {
    let each = why.files.iter().flat_map(|file| &file.findings);
    let words = each.map(|finding| [finding.text.as_str(), finding.next.as_deref().unwrap_or_default()].join("; "));
    words.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_that_no_source_reads_is_told_by_which_rule() {
    let mut scene = Scene::new();
    symlink("/nowhere/x", scene.root.join("link.log")).unwrap();
    let table = [
        ("a.txt", Cause::NotIncluded, "`include` = `*.log` comes nearest: it is no `.log`"),
        ("x.log", Cause::Excluded, "left out by `exclude` = `x.log`"),
        ("b.log", Cause::Missing, "there is no file"),
        ("gone/b.log", Cause::NotMounted, "there is no folder"),
        ("link.log", Cause::NotMounted, "mount `/nowhere` into the agent"),
        ("a.log", Cause::NotDiscovered, "the next look comes within 5.0 s"),
    ];
    for (name, cause, text) in table {
        let why = scene.path(name, true);
        assert!(causes(&why) == [cause] && words(&why).contains(text), "{name}: {why:?}");
        assert!(why.is_kept());
    }
    assert_eq!(causes(&scene.path("none.txt", true)), [Cause::NotIncluded, Cause::Missing]);
    scene.fake.ignore_older_secs = Some(60);
    let old = std::time::SystemTime::UNIX_EPOCH;
    fs::File::options().append(true).open(scene.root.join("a.log")).unwrap().set_modified(old).unwrap();
    assert_eq!(causes(&scene.path("a.log", true)), [Cause::TooOld]);
    let nobody = why(&Subject::Path("/a".into()), &[], true);
    assert!(words(&nobody).contains("no source follows files"));
}

#[test]
fn a_file_that_is_read_is_told_how_far() {
    let table = [
        (FileState::Quiet, 10, Cause::Delivered, "all of its"),
        (FileState::Reading, 4, Cause::Behind, "6 bytes not read"),
        (FileState::WaitsForRoom, 4, Cause::Waits, "`levada top`"),
        (FileState::WaitsForMemory, 4, Cause::Waits, "`memory_limit`"),
        (FileState::RateLimited, 4, Cause::Waits, "its rate limit is reached"),
        (FileState::Abandoned, 4, Cause::Abandoned, "`levada_abandoned_bytes_total`"),
        (FileState::Failed, 4, Cause::Failed, "`levada status`"),
        (FileState::Silent, 4, Cause::Silent, "does not answer"),
        (FileState::Paused, 4, Cause::Paused, "`levada resume app`"),
        (FileState::Finished, 10, Cause::Finished, "read to its end and closed"),
        (FileState::Found, 0, Cause::NotDiscovered, "before its key is on the disk"),
        (FileState::LeftOut, 0, Cause::LeftOut, "found, and left out"),
        (FileState::Unreadable, 0, Cause::Unreadable, "cannot be read: busy"),
    ];
    for (state, offset, cause, text) in table {
        let mut scene = Scene::new();
        scene.report(state, offset).last_error = (state == FileState::Unreadable).then(|| "busy".into());
        let why = scene.path("a.log", true);
        let is_said = words(&why).contains(text) || cause == Cause::Delivered;
        assert!(causes(&why) == [cause] && is_said, "{state:?}: {why:?}");
        assert_eq!(why.is_kept(), !matches!(cause, Cause::Delivered | Cause::Finished));
    }
}

#[test]
fn what_steps_and_sinks_dropped_is_told_beside() {
    let mut scene = Scene::new();
    scene.report(FileState::Quiet, 10);
    scene.discarded = vec![("drop_debug".into(), "filtered".into(), 7)];
    let why = scene.path("a.log", true);
    assert_eq!(causes(&why), [Cause::Delivered, Cause::Discarded]);
    assert!(words(&why).contains("`drop_debug`: 7 filtered") && !why.is_kept());
}

#[test]
fn a_file_by_another_path_is_found_by_where_it_lies() {
    let mut scene = Scene::new();
    scene.report(FileState::Quiet, 10);
    symlink("a.log", scene.root.join("other.txt")).unwrap();
    assert_eq!(causes(&scene.path("other.txt", true)), [Cause::Delivered]);
    // Another file has taken the path since that one was finished.
    scene.fake.files[0] = FileReport { inode: 0, state: FileState::Finished, ..scene.fake.files[0].clone() };
    assert_eq!(causes(&scene.path("a.log", true)), [Cause::NotDiscovered]);
}

#[test]
fn without_an_agent_the_settings_and_the_folder_tell() {
    let mut scene = Scene::new();
    assert!(words(&scene.path("a.log", false)).contains("nothing of its 10 bytes was delivered"));
    let about = fs::metadata(scene.root.join("a.log")).unwrap();
    let position = Position { device: about.dev(), inode: about.ino(), offset: 4, ..Position::default() };
    scene.fake.positions = vec![position];
    scene.paused = Some(Paused::default());
    let why = scene.path("a.log", false);
    assert_eq!(causes(&why), [Cause::Paused, Cause::NoAgent]);
    assert!(words(&why).contains("6 bytes of 10 bytes are left to read"), "{why:?}");
}

#[test]
fn pods_are_told_of_file_by_file() {
    let mut scene = Scene::new();
    let pod = |wanted: &str| Subject::Pod(wanted.to_owned());
    let nowhere = scene.ask(&pod("cart"), true);
    assert_eq!(causes(&nowhere), [Cause::NotMounted], "the folder of pods is not there");
    let folder = scene.root.join("pods/shop_cart-7d_0c1d/app");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("0.log"), "x").unwrap();
    fs::write(folder.join("0.log.tmp"), "x").unwrap();
    for wanted in ["cart", "shop/cart", "shop/cart-7d"] {
        let why = scene.ask(&pod(wanted), true);
        assert_eq!(causes(&why), [Cause::NotDiscovered], "{wanted}");
        assert!(why.files[0].subject.ends_with("app/0.log"));
    }
    let none = scene.ask(&pod("basket"), true);
    assert!(causes(&none) == [Cause::NoPod] && words(&none).contains("kubectl get pods"), "{none:?}");
    // Its folder is gone, and the agent still has the file.
    fs::remove_dir_all(&folder).unwrap();
    let gone = scene.report(FileState::Reading, 4);
    gone.pod = Some(Pod { namespace: "shop".into(), name: "cart-7d".into(), container: "app".into() });
    (gone.inode, gone.is_deleted, gone.path) = (0, true, folder.join("0.log").display().to_string());
    assert_eq!(causes(&scene.ask(&pod("cart"), true)), [Cause::Behind]);
}
