//! What is said of a pod: its files, those that are followed and those that are there.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::WhyFile;
use super::causes::{Cause, Finding};
use super::look::Look;
use super::path::findings;
use super::seen::Seen;
use crate::component::inspect::Pod;

/// Where the kubelet has the logs of pods.
const PODS: &str = "/var/log/pods";
/// Files that are told of.
const MOST: usize = 100;

/// What is said of each file of the pods that `wanted` means, or why there is none.
pub(super) fn files(wanted: &str, seen: &Seen<'_>) -> Vec<WhyFile> {
    let followed = seen.sources.iter().flat_map(|source| &source.files);
    let followed = followed.filter(|file| file.pod.as_ref().is_some_and(|pod| pod.is_meant_by(wanted)));
    let mut paths: BTreeSet<PathBuf> = followed.map(|file| PathBuf::from(&file.path)).collect();
    let mut folders: BTreeSet<PathBuf> = seen.sources.iter().flat_map(|source| source.inspect.pod_folders()).collect();
    if folders.is_empty() {
        folders.insert(PODS.into());
    }
    let mut silent = Vec::new();
    for folder in &folders {
        match logs(folder, wanted) {
            Ok(found) => paths.extend(found),
            Err(error) => silent.push(closed(folder, &error)),
        }
    }
    let told = paths.iter().take(MOST);
    let mut files: Vec<_> =
        told.map(|path| WhyFile { subject: path.display().to_string(), findings: findings(path, seen) }).collect();
    if files.is_empty() {
        let findings = if silent.is_empty() { vec![nowhere(&folders)] } else { silent };
        files.push(WhyFile { subject: wanted.to_owned(), findings });
    }
    files
}

/// The logs in the folders of the pods that are meant.
fn logs(folder: &Path, wanted: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for pod in fs::read_dir(folder)?.flatten() {
        let inner = pod.path().join("container/0.log");
        if !Pod::of(&inner).is_some_and(|pod| pod.is_meant_by(wanted)) {
            continue;
        }
        let containers = fs::read_dir(pod.path()).into_iter().flatten().flatten();
        let files = containers.flat_map(|container| fs::read_dir(container.path()).into_iter().flatten().flatten());
        let paths = files.map(|file| file.path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")));
    }
    Ok(found)
}

/// A folder of pods that cannot be listed.
fn closed(folder: &Path, error: &io::Error) -> Finding {
    match Look::at(folder) {
        // It is there, and a folder: so it may not be listed.
        Look::Not(finding) if finding.cause == Cause::NotAFile => {
            let text = format!("the folder `{}` cannot be listed: {error}", folder.display());
            Finding::new(Cause::Unreadable, text).next("let the agent's user read it, such as by its group")
        }
        Look::Not(finding) => Finding {
            cause: Cause::NotMounted,
            next: Some(format!("mount `{}` of the node into the agent, read-only, at the same path", folder.display())),
            ..*finding
        },
        Look::There(_) => Finding::new(Cause::NotMounted, format!("`{}` is no folder: {error}", folder.display())),
    }
}

fn nowhere(folders: &BTreeSet<PathBuf>) -> Finding {
    let folders: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    let text = format!("no pod of such a name has a folder in {}", folders.join(", "));
    let next = "it runs on another node, has not started, or is gone: `kubectl get pods -A -o wide`";
    Finding::new(Cause::NoPod, text).next(next)
}
