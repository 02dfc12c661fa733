//! Files that patterns name: what the `file` source looks for, and the members it adds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::globs::Globs;
use super::search::{Listing, Search};
use super::settings::FileSettings;
use crate::codecs::Codec;
use crate::component::inspect::Meant;
use crate::component::machine;
use crate::event::{Origin, Shared, StreamKey};

/// The files that `include` names and `exclude` does not.
#[derive(Debug)]
pub(super) struct Named {
    globs: Globs,
    include: Vec<String>,
    host: String,
    file_key: Option<String>,
    host_key: Option<String>,
    is_plain: bool,
    timestamp_keys: Arc<[Box<str>]>,
}

impl Named {
    pub(super) fn new(settings: &FileSettings) -> Self {
        let [file_key, host_key] = settings.member_keys().map(|key| key.map(str::to_owned));
        Self {
            globs: Globs::new(&settings.include, &settings.exclude),
            include: settings.include.clone(),
            host: machine::host_name(),
            file_key,
            host_key,
            is_plain: settings.decoding.codec == Codec::Bytes,
            timestamp_keys: settings.timestamp_keys().into(),
        }
    }
}

impl Search for Named {
    fn wanted(&self) -> String {
        self.include.join(", ")
    }

    fn folders(&self) -> HashSet<PathBuf> {
        self.globs.folders()
    }

    fn find(&self, folders: &HashSet<PathBuf>) -> Listing {
        let (paths, faults) = self.globs.find(folders);
        Listing { paths, faults }
    }

    fn meant(&self, path: &Path) -> Meant {
        self.globs.meant(path)
    }

    fn pod_folders(&self) -> Vec<PathBuf> {
        self.globs.pod_folders()
    }

    fn excludes(&self, path: &Path) -> bool {
        self.globs.is_excluded(path)
    }

    fn origin(&self, stream: StreamKey, path: &Path) -> Arc<Origin> {
        let path = path.to_string_lossy();
        let mut members = Vec::new();
        members.extend(self.file_key.as_deref().map(|key| Shared::string(key, &path)));
        members.extend(self.host_key.as_deref().map(|key| Shared::string(key, &self.host)));
        if self.is_plain {
            members.push(Shared::string("source_type", "file"));
        }
        let file = serde_json::json!({ "path": path, "host": self.host });
        let metadata = Shared { key: "file".into(), value: file.to_string().into_bytes().into() };
        let origin = Origin::new(stream).with_metadata(vec![metadata]).with_timestamp_keys(self.timestamp_keys.clone());
        Arc::new(origin.with(&members))
    }
}
