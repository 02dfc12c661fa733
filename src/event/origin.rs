//! Origins: what the records of one file, peer or connection have in common, rendered once.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use super::json;

/// Names a stream that positions count in; 128 bits, never used for two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey(pub u128);

impl StreamKey {
    /// A key for a stream nobody has seen before.
    ///
    /// Of the system's randomness, by way of the keys that `std` hashes with: a generator seeded with the time since
    /// boot gives equal keys on nodes that start alike, and an equal key is a lost record.
    pub fn random() -> Self {
        let half = || u128::from(RandomState::new().build_hasher().finish());
        Self((half() << 64) | half())
    }
}

/// A member that all records of an origin share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Decoded key.
    pub key: Box<str>,
    /// JSON text of the value.
    pub value: Box<[u8]>,
}

impl Shared {
    /// A member whose value is the string `text`.
    pub fn string(key: &str, text: &str) -> Self {
        let mut value = Vec::new();
        json::quote(text.as_bytes(), &mut value);
        Self { key: key.into(), value: value.into() }
    }
}

/// What records have in common: the stream their positions count in, and the members and metadata they share.
///
/// A shared member hides a member of the same name in the record's own bytes, so a service cannot forge it; an
/// edit of a record hides the shared member.
#[derive(Debug)]
pub struct Origin {
    stream: StreamKey,
    members: Vec<Shared>,
    metadata: Vec<Shared>,
    timestamp_keys: Arc<[Box<str>]>,
    rendered: Vec<u8>,
    keys: u64,
}

impl Origin {
    /// An origin without members.
    pub fn new(stream: StreamKey) -> Self {
        let timestamp_keys = Arc::new([]);
        Self { stream, members: vec![], metadata: vec![], timestamp_keys, rendered: vec![], keys: 0 }
    }

    /// With `metadata`, which `%name` reads and no sink writes.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Vec<Shared>) -> Self {
        self.metadata = metadata;
        self
    }

    /// With the names of the members that may tell a record's time, tried in order.
    #[must_use]
    pub fn with_timestamp_keys(mut self, keys: Arc<[Box<str>]>) -> Self {
        self.timestamp_keys = keys;
        self
    }

    /// With these members; one that is there already is replaced.
    #[must_use]
    pub fn with(mut self, members: &[Shared]) -> Self {
        for member in members {
            self.members.retain(|old| old.key != member.key);
            self.members.push(member.clone());
        }
        self.render();
        self
    }

    /// The same stream and metadata with other members.
    #[must_use]
    pub fn derive(&self, members: &[Shared]) -> Self {
        let derived = Self {
            stream: self.stream,
            metadata: self.metadata.clone(),
            timestamp_keys: self.timestamp_keys.clone(),
            ..Self::new(self.stream)
        };
        derived.with(members)
    }

    /// The same with more members, for records of another stream.
    #[must_use]
    pub fn branch(&self, stream: StreamKey, more: &[Shared]) -> Self {
        let members = self.members.clone();
        Self { members, ..self.in_stream(stream) }.with(more)
    }

    /// The metadata, and the names of members that tell the time, for records of another stream.
    #[must_use]
    pub(super) fn in_stream(&self, stream: StreamKey) -> Self {
        let (metadata, timestamp_keys) = (self.metadata.clone(), self.timestamp_keys.clone());
        Self { metadata, timestamp_keys, ..Self::new(stream) }
    }

    fn render(&mut self) {
        self.rendered.clear();
        self.keys = 0;
        for member in &self.members {
            if !self.rendered.is_empty() {
                self.rendered.push(b',');
            }
            member.write(&mut self.rendered);
            self.keys |= json::key_bit(member.key.as_bytes());
        }
    }

    /// The stream that positions of these records count in.
    pub fn stream(&self) -> StreamKey {
        self.stream
    }

    /// The shared members, in the order they are written.
    pub fn members(&self) -> &[Shared] {
        &self.members
    }

    /// JSON text of the shared member `key`.
    pub fn member(&self, key: &[u8]) -> Option<&[u8]> {
        if self.keys & json::key_bit(key) == 0 {
            return None;
        }
        find(&self.members, key)
    }

    /// JSON text of the metadata `key`.
    pub fn metadata(&self, key: &[u8]) -> Option<&[u8]> {
        find(&self.metadata, key)
    }

    /// All metadata.
    pub fn all_metadata(&self) -> &[Shared] {
        &self.metadata
    }

    pub(crate) fn timestamp_keys(&self) -> &[Box<str>] {
        &self.timestamp_keys
    }

    /// All members as `"key":value,...`, ready to be spliced into an object.
    pub(crate) fn rendered(&self) -> &[u8] {
        &self.rendered
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }
}

impl Shared {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        json::quote(self.key.as_bytes(), out);
        out.push(b':');
        out.extend_from_slice(&self.value);
    }
}

fn find<'a>(members: &'a [Shared], key: &[u8]) -> Option<&'a [u8]> {
    members.iter().find(|member| member.key.as_bytes() == key).map(|member| &*member.value)
}
