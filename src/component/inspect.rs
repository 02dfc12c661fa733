//! What a source that follows files lets people see, and set right: plain data, asked for by a person, never per record.

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A source that follows files, seen from outside. Built from settings alone it tells what it would do, and of what is
/// kept in its folder; of a source that runs it tells what that does. Every call may block for a few seconds.
pub trait Inspect: Debug + Send + Sync {
    /// Every file that is followed, or was lately, and those that cannot be.
    fn files(&self) -> Vec<FileReport>;

    /// What the settings say of the file at `path`, whether there is one or not.
    fn judge(&self, path: &Path) -> Verdict;

    /// The folders in which the kubelet's folders of pods lie, as the settings name them.
    fn pod_folders(&self) -> Vec<PathBuf>;

    /// What is kept of each file. An error is why that cannot be read.
    fn positions(&self) -> Result<Vec<Position>, String>;

    /// Has a file read from another position on, under a new stream key, since the bytes behind it were given
    /// identities before. An error says why nothing has changed.
    fn set(&self, wish: &Wish) -> Result<Position, String>;
}

/// How a file stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It cannot be opened or not be read; tried again.
    Unreadable,
    /// A batch of it failed; it goes back to what is delivered and is offered again.
    Failed,
    /// The thread that reads it does not answer.
    Silent,
    /// Its source is paused.
    Paused,
    /// A batch of it waits for room in a queue.
    WaitsForRoom,
    /// It waits for memory to be read into.
    WaitsForMemory,
    /// Its rate limit lets nothing through at the moment.
    RateLimited,
    /// What is not read of it is given up.
    Abandoned,
    /// It is found, and not read before its key is durable.
    Found,
    /// It is being read.
    #[default]
    Reading,
    /// There is nothing more to read now.
    Quiet,
    /// Read to its end and closed.
    Finished,
    /// It is found and not read as it stands: the reason tells why.
    LeftOut,
}

impl FileState {
    /// As people read it; the same word as in JSON, with spaces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Failed => "failed",
            Self::Silent => "silent",
            Self::Paused => "paused",
            Self::WaitsForRoom => "waits for room",
            Self::WaitsForMemory => "waits for memory",
            Self::RateLimited => "rate limited",
            Self::Abandoned => "abandoned",
            Self::Found => "found",
            Self::Reading => "reading",
            Self::Quiet => "quiet",
            Self::Finished => "finished",
            Self::LeftOut => "left out",
        }
    }
}

/// A file, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileReport {
    /// Where it is, or was last.
    pub path: String,
    /// Of its generation: 32 hexadecimal digits. Empty for one that has none yet.
    pub stream_key: String,
    /// The device that it lies on; 0 if it could not be looked at.
    pub device: u64,
    /// Its number there; 0 if it could not be looked at.
    pub inode: u64,
    /// Whose it is, where the path tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// Its size in bytes.
    pub size: u64,
    /// How far it is read, in bytes.
    pub offset: u64,
    /// How far it is delivered, in bytes: a restart reads on from here.
    pub delivered: u64,
    /// Bytes that are written and not read.
    pub lag_bytes: u64,
    /// For how long there have been such at least; 0 where there are none.
    pub lag_seconds: f64,
    /// How fast it was read of late.
    pub bytes_per_second: f64,
    /// How it stands.
    pub state: FileState,
    /// Is it deleted, and read on from its open descriptor?
    pub is_deleted: bool,
    /// Why it stands so, where that is more than the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A container, as the kubelet names its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The container's name.
    pub container: String,
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.container)
    }
}

impl Pod {
    /// Whose log lies at `path`: `.../NAMESPACE_POD_UID/CONTAINER/0.log` (the kubelet's `BuildContainerLogsDirectory`), or
    /// `.../POD_NAMESPACE_CONTAINER-ID.log` (its `LogSymlink`). No part of these names holds an underscore.
    pub fn of(path: &Path) -> Option<Self> {
        let name = |path: Option<&Path>| path?.file_name()?.to_str().map(str::to_owned);
        let container = path.parent();
        let folder = name(container.and_then(Path::parent));
        if let Some([namespace, pod, _]) = folder.as_deref().and_then(parts).filter(|[.., uid]| is_hex(uid)) {
            return Some(Self { namespace, name: pod, container: name(container)? });
        }
        let link = name(Some(path))?;
        let [pod, namespace, rest] = parts(link.strip_suffix(".log")?)?;
        let (container, id) = rest.rsplit_once('-')?;
        (id.len() == 64 && is_hex(id)).then(|| Self { namespace, name: pod, container: container.to_owned() })
    }

    /// Does `wanted` mean it: `NAMESPACE/POD`, or a part of the pod's name?
    pub fn is_meant_by(&self, wanted: &str) -> bool {
        match wanted.split_once('/') {
            Some((namespace, pod)) => self.namespace == namespace && self.name.contains(pod),
            None => self.name.contains(wanted),
        }
    }
}

/// Uids of pods have dashes; those of static pods have none.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn parts(name: &str) -> Option<[String; 3]> {
    let parts: Vec<_> = name.split('_').map(str::to_owned).collect();
    parts.try_into().ok().filter(|parts: &[String; 3]| parts.iter().all(|part| !part.is_empty()))
}

/// What settings say of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is meant.
    pub meant: Meant,
    /// A file that was written to longer ago is left out.
    pub ignore_older_secs: Option<u64>,
    /// How often the source looks for files.
    pub look_every: Duration,
}

/// Whether a file is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// By this rule, such as a pattern.
    Yes(String),
    /// It would be, but for this rule.
    Excluded(String),
    /// No rule means it.
    No {
        /// The rule that comes nearest, and where it differs.
        nearest: Option<(String, String)>,
    },
}

/// What is kept of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Where the file is, or was last.
    pub path: String,
    /// Of its generation: 32 hexadecimal digits.
    pub stream_key: String,
    /// The device that it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// How far it is delivered, in bytes.
    pub offset: u64,
    /// Is it followed?
    pub is_followed: bool,
    /// Nanoseconds since the Unix epoch at which nobody followed it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
}

/// Where a file is to be read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The file.
    pub path: PathBuf,
    /// The first byte.
    pub offset: u64,
    /// Also inside a line: its rest is passed over.
    #[serde(default)]
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_read_from_the_paths_that_the_kubelet_makes() {
        let id = "0123456789abcdef".repeat(4);
        let table = [
            ("/var/log/pods/shop_cart-7d_0c1d/app/3.log".to_owned(), Some("shop/cart-7d/app")),
            ("/var/log/pods/shop_cart-7d_0c1d/app/3.log.20240101-000000.gz".to_owned(), Some("shop/cart-7d/app")),
            (format!("/var/log/containers/cart-7d_shop_side-car-{id}.log"), Some("shop/cart-7d/side-car")),
            ("/var/log/containers/cart-7d_shop_side-car-12.log".to_owned(), None),
            ("/var/log/my_app_one/x/a.log".to_owned(), None),
            ("/var/log/app/a.log".to_owned(), None),
            ("/a.log".to_owned(), None),
        ];
        for (path, expected) in table {
            assert_eq!(Pod::of(Path::new(&path)).map(|pod| pod.to_string()).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_pod_is_meant_by_its_namespace_and_a_part_of_its_name() {
        let pod = Pod { namespace: "shop".into(), name: "cart-7d".into(), container: "app".into() };
        for (wanted, is_meant) in
            [("shop/cart-7d", true), ("shop/cart", true), ("cart", true), ("sho/cart", false), ("basket", false)]
        {
            assert_eq!(pod.is_meant_by(wanted), is_meant, "{wanted}");
        }
    }
}
