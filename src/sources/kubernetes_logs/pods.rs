//! The logs below `logs_dir`: which are meant, and the members that their records share.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};
use serde_json::json;

use super::place::{self, Place, Pod};
use super::settings::KubernetesLogsSettings;
use crate::codecs::Codec;
use crate::component::inspect::Meant;
use crate::event::{Origin, Shared, StreamKey};
use crate::sources::file::search::{Listing, Search};
use crate::sources::line;

/// In paths a `*` does not cross a `/`.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// The logs of pods.
#[derive(Debug)]
pub(super) struct Pods {
    logs_dir: PathBuf,
    namespaces: Choice,
    pods: Choice,
    containers: Choice,
    paths: Choice,
    own: Own,
    pod_rate: Option<u64>,
    namespace_rate: Option<u64>,
    is_plain: bool,
    timestamp_keys: Arc<[Box<str>]>,
}

/// What is meant, of names or paths.
#[derive(Debug)]
struct Choice {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Choice {
    /// Of patterns that have been checked.
    fn new(include: &[String], exclude: &[String]) -> Self {
        let parse = |patterns: &[String]| patterns.iter().filter_map(|pattern| Pattern::new(pattern).ok()).collect();
        Self { include: parse(include), exclude: parse(exclude) }
    }

    /// The rule by which a name is left out, if there is one; the settings are called `include_` and `exclude_` and so on.
    fn refusal(&self, setting: &str, name: &str) -> Option<String> {
        if let Some(pattern) = self.exclude.iter().find(|pattern| pattern.matches_with(name, OPTIONS)) {
            return Some(format!("`exclude_{setting}` = `{pattern}`"));
        }
        (!self.takes(name)).then(|| format!("`include_{setting}`, of which none fits `{name}`"))
    }

    fn takes(&self, name: &str) -> bool {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches_with(name, OPTIONS));
        (self.include.is_empty() || fits(&self.include)) && !fits(&self.exclude)
    }
}

/// The agent's own pod: reading what it logs would make it log more.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) uid: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
}

impl Own {
    /// From the variables that the downward API is told to set.
    fn from_environment() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self { uid: read("POD_UID"), namespace: read("POD_NAMESPACE"), name: read("POD_NAME") }
    }

    fn is(&self, pod: Pod<'_>) -> bool {
        let is_named = self.name.as_deref() == Some(pod.name) && self.namespace.as_deref() == Some(pod.namespace);
        self.uid.as_deref() == Some(pod.uid) || is_named
    }
}

impl Pods {
    pub(super) fn new(settings: &KubernetesLogsSettings) -> Self {
        let own = if settings.exclude_self { Own::from_environment() } else { Own::default() };
        Self::beside(own, settings)
    }

    /// All but those of the agent's own pod.
    pub(super) fn beside(own: Own, settings: &KubernetesLogsSettings) -> Self {
        Self {
            logs_dir: std::path::absolute(&settings.logs_dir).unwrap_or_else(|_| settings.logs_dir.clone()),
            namespaces: Choice::new(&settings.include_namespaces, &settings.exclude_namespaces),
            pods: Choice::new(&settings.include_pods, &settings.exclude_pods),
            containers: Choice::new(&settings.include_containers, &settings.exclude_containers),
            paths: Choice::new(&settings.include_paths_glob_patterns, &settings.exclude_paths_glob_patterns),
            own,
            pod_rate: settings.pod_bytes_per_sec.map(|rate| rate.0),
            namespace_rate: settings.namespace_bytes_per_sec.map(|rate| rate.0),
            is_plain: settings.decoding.codec == Codec::Bytes,
            timestamp_keys: line::timestamp_keys().into(),
        }
    }

    fn takes_pod(&self, folder: &Path) -> bool {
        let Some(pod) = folder.file_name().and_then(|name| name.to_str()).and_then(Pod::parse) else { return false };
        self.namespaces.takes(pod.namespace) && self.pods.takes(pod.name) && !self.own.is(pod)
    }

    fn takes_container(&self, folder: &Path) -> bool {
        folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| self.containers.takes(name))
    }

    fn takes_log(&self, path: &Path) -> bool {
        let is_log = path.file_name().and_then(|name| name.to_str()).and_then(place::restarts).is_some();
        is_log && self.paths.takes(&path.to_string_lossy())
    }

    /// How deep below `logs_dir` a folder lies.
    fn depth(&self, folder: &Path) -> Option<usize> {
        folder.strip_prefix(&self.logs_dir).ok().map(|below| below.components().count())
    }
}

impl Search for Pods {
    fn wanted(&self) -> String {
        format!("{}/NAMESPACE_POD_UID/CONTAINER/*.log", self.logs_dir.display())
    }

    fn folders(&self) -> HashSet<PathBuf> {
        let list = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut folders = HashSet::from([self.logs_dir.clone()]);
        for pod in list(&self.logs_dir).filter(|pod| self.takes_pod(pod)) {
            folders.extend(list(&pod).filter(|container| self.takes_container(container) && container.is_dir()));
            folders.insert(pod);
        }
        folders
    }

    fn find(&self, folders: &HashSet<PathBuf>) -> Listing {
        let mut listing = Listing::default();
        for folder in folders {
            let depth = self.depth(folder);
            match fs::read_dir(folder) {
                Ok(entries) if depth == Some(2) => {
                    let paths = entries.flatten().map(|entry| entry.path());
                    listing.paths.extend(paths.filter(|path| self.takes_log(path)));
                }
                Ok(_) => {}
                // A pod that went meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound && depth != Some(0) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let why = "no such folder; mount the node's folder of pod logs here, or name it in `logs_dir`";
                    listing.faults.push((folder.clone(), io::Error::other(why)));
                }
                Err(error) => listing.faults.push((folder.clone(), error)),
            }
        }
        listing
    }

    fn meant(&self, path: &Path) -> Meant {
        let is_deep = path.parent().and_then(|container| self.depth(container)) == Some(2);
        let Some(Place { pod, container, .. }) = Place::parse(path).filter(|_| is_deep) else {
            let why = "it does not lie there as NAMESPACE_POD_UID/CONTAINER/RESTARTS.log".to_owned();
            return Meant::No { nearest: Some((format!("`logs_dir` = `{}`", self.logs_dir.display()), why)) };
        };
        if self.own.is(pod) {
            return Meant::Excluded("`exclude_self`: this is the agent's own pod".to_owned());
        }
        let shown = path.to_string_lossy();
        let choices = [
            (&self.namespaces, "namespaces", pod.namespace),
            (&self.pods, "pods", pod.name),
            (&self.containers, "containers", container),
            (&self.paths, "paths_glob_patterns", &shown),
        ];
        let refusal = choices.into_iter().find_map(|(choice, setting, name)| choice.refusal(setting, name));
        refusal.map_or_else(|| Meant::Yes(format!("`{}`", self.wanted())), Meant::Excluded)
    }

    fn pod_folders(&self) -> Vec<PathBuf> {
        vec![self.logs_dir.clone()]
    }

    fn excludes(&self, path: &Path) -> bool {
        !self.paths.takes(&path.to_string_lossy())
    }

    fn rate_limits(&self, path: &Path) -> Vec<(String, u64)> {
        let Some(Place { pod, .. }) = Place::parse(path) else { return Vec::new() };
        let of_pod = self.pod_rate.map(|rate| (format!("pod {}", pod.uid), rate));
        let of_namespace = self.namespace_rate.map(|rate| (format!("namespace {}", pod.namespace), rate));
        of_pod.into_iter().chain(of_namespace).collect()
    }

    fn origin(&self, stream: StreamKey, path: &Path) -> Arc<Origin> {
        let shown = path.to_string_lossy();
        let mut members = Vec::new();
        if self.is_plain {
            members.extend([Shared::string("file", &shown), Shared::string("source_type", "kubernetes_logs")]);
        }
        let mut metadata = json!({ "file": shown });
        if let Some(Place { pod, container, restarts }) = Place::parse(path) {
            let fields = json!({
                "container_name": container,
                "container_restart_count": restarts,
                "pod_name": pod.name,
                "pod_namespace": pod.namespace,
                "pod_uid": pod.uid,
            });
            members.push(Shared { key: "kubernetes".into(), value: fields.to_string().into_bytes().into() });
            metadata["kubernetes"] = fields;
        }
        let metadata = Shared { key: "kubernetes_logs".into(), value: metadata.to_string().into_bytes().into() };
        let origin = Origin::new(stream).with_metadata(vec![metadata]).with_timestamp_keys(self.timestamp_keys.clone());
        Arc::new(origin.with(&members))
    }

    fn key(&self, path: &Path, first: &[u8]) -> StreamKey {
        Place::parse(path).and_then(|place| place.key(first)).unwrap_or_else(StreamKey::random)
    }
}
