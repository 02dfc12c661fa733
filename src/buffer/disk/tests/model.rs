//! A disk that does the worst a disk may do, by a seed.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use rustix::io::Errno;

use crate::buffer::disk::storage::{Create, Disk, Handle};

/// What is lost or kept of a write that was not synced.
const PAGE: usize = 64;

/// A clone is the same disk.
#[derive(Clone)]
pub(super) struct Model(Arc<Mutex<World>>);

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// The machine stops at this operation, counted from now.
    pub(super) crash_in: Option<u32>,
    /// One of so many operations fails; 0: none.
    pub(super) errors: u32,
    /// One of so many syncs fails, and what was to be synced may be lost; 0: none.
    pub(super) bad_syncs: u32,
    /// Bytes there are.
    pub(super) capacity: Option<u64>,
}

struct World {
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// Changes of names since the folder was synced.
    renames: Vec<Rename>,
    nodes: HashMap<u64, Node>,
    next: u64,
    rng: Rng,
    faults: Faults,
    has_crashed: bool,
    free: f64,
}

#[derive(Clone)]
enum Rename {
    Put(String, u64),
    Gone(String),
}

#[derive(Clone, Default)]
struct Node {
    durable: Vec<u8>,
    current: Vec<u8>,
    /// Since the last sync.
    dirty: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Truncate(len) => to.resize(*len as usize, 0),
            Self::Write(offset, bytes) => {
                let (start, end) = (*offset as usize, *offset as usize + bytes.len());
                to.resize(to.len().max(end), 0);
                to[start..end].copy_from_slice(bytes);
            }
        }
    }

    /// What is left of it when the power goes.
    fn remains(self, rng: &mut Rng, mood: u8) -> Vec<Self> {
        let lives = |rng: &mut Rng| match mood {
            0 => false,
            1 => true,
            _ => rng.bool(),
        };
        match self {
            Self::Truncate(_) => {
                if lives(rng) {
                    vec![self]
                } else {
                    Vec::new()
                }
            }
            Self::Write(offset, bytes) => {
                let pages = bytes.chunks(PAGE).enumerate().filter(|_| lives(rng));
                pages.map(|(at, page)| Self::Write(offset + (at * PAGE) as u64, page.to_vec())).collect()
            }
        }
    }
}

impl Model {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: Vec::new(),
            nodes: HashMap::new(),
            next: 0,
            rng: Rng::with_seed(seed),
            faults: Faults::default(),
            has_crashed: false,
            free: 1.0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this goes wrong.
    pub(super) fn arm(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    pub(super) fn set_free(&self, free: f64) {
        self.lock().free = free;
    }

    pub(super) fn has_crashed(&self) -> bool {
        self.lock().has_crashed
    }

    /// The power goes and comes back.
    pub(super) fn crash(&self) {
        let world = &mut *self.lock();
        let mood = world.rng.u8(0..4);
        for node in world.nodes.values_mut() {
            for change in std::mem::take(&mut node.dirty) {
                change.remains(&mut world.rng, mood).iter().for_each(|change| change.apply(&mut node.durable));
            }
            node.current = node.durable.clone();
        }
        let kept = world.rng.usize(0..=world.renames.len());
        for rename in world.renames.drain(..).take(kept) {
            rename.apply(&mut world.durable_names);
        }
        world.names = world.durable_names.clone();
        (world.has_crashed, world.faults) = (false, Faults::default());
    }

    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        let world = self.lock();
        world.names.values().map(|node| world.nodes[node].current.len() as u64).sum()
    }

    /// All names.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// Changes a file behind the log's back, durably.
    pub(super) fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.lock();
        let id = world.names[name];
        let node = world.nodes.get_mut(&id).unwrap();
        change(&mut node.current);
        (node.durable, node.dirty) = (node.current.clone(), Vec::new());
    }

    /// Takes a file away behind the log's back.
    pub(super) fn lose(&self, name: &str) {
        let mut world = self.lock();
        world.names.remove(name);
        world.durable_names.remove(name);
    }
}

impl Rename {
    fn apply(&self, to: &mut BTreeMap<String, u64>) {
        match self {
            Self::Put(name, node) => _ = to.insert(name.clone(), *node),
            Self::Gone(name) => _ = to.remove(name),
        }
    }
}

impl World {
    /// Each operation begins here: it may be the last.
    fn step(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.faults.crash_in {
            self.has_crashed |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.has_crashed {
            return Err(io::Error::other("the machine has stopped"));
        }
        if self.faults.errors > 0 && self.rng.u32(0..self.faults.errors) == 0 {
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    fn rename(&mut self, rename: Rename) {
        rename.apply(&mut self.names);
        self.renames.push(rename);
    }

    fn total(&self) -> u64 {
        self.names.values().map(|node| self.nodes[node].current.len() as u64).sum()
    }
}

impl Disk for Model {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut world = self.lock();
        world.step()?;
        Ok(world.names.iter().map(|(name, node)| (name.clone(), world.nodes[node].current.len() as u64)).collect())
    }

    fn open(&self, name: &str, create: Create) -> io::Result<Box<dyn Handle>> {
        let mut world = self.lock();
        world.step()?;
        let node = match (world.names.get(name).copied(), create) {
            (Some(_), Create::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, Create::No) => return Err(io::ErrorKind::NotFound.into()),
            (Some(node), Create::No) => node,
            (None, Create::New) => {
                world.next += 1;
                let node = world.next;
                world.nodes.insert(node, Node::default());
                world.rename(Rename::Put(name.to_owned(), node));
                node
            }
        };
        Ok(Box::new(Opened(self.clone(), node)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.lock();
        world.step()?;
        let node = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        world.rename(Rename::Put(to.to_owned(), node));
        world.rename(Rename::Gone(from.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.lock();
        world.step()?;
        if !world.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.rename(Rename::Gone(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut world = self.lock();
        world.step()?;
        world.renames.clear();
        world.durable_names = world.names.clone();
        Ok(())
    }

    fn free(&self) -> io::Result<f64> {
        let free = self.lock().free;
        // Not a number: the file system does not tell.
        if free.is_nan() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(free) }
    }
}

/// An open file of the model.
struct Opened(Model, u64);

impl Handle for Opened {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut world = self.0.lock();
        world.step()?;
        let bytes = world.nodes[&self.1].current.get(offset as usize..).unwrap_or_default();
        let len = bytes.len().min(into.len());
        into[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let world = &mut *self.0.lock();
        world.step()?;
        // A write may be short, and one that fails may have done a part.
        let mut len = if world.rng.u8(0..4) == 0 { world.rng.usize(1..=bytes.len()) } else { bytes.len() };
        if let Some(capacity) = world.faults.capacity {
            let free = capacity.saturating_sub(world.total()) as usize;
            len = len.min(free);
            if free == 0 {
                return Err(Errno::NOSPC.into());
            }
        }
        let node = world.nodes.get_mut(&self.1).unwrap();
        let change = Change::Write(offset, bytes[..len].to_vec());
        change.apply(&mut node.current);
        node.dirty.push(change);
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let world = &mut *self.0.lock();
        world.step()?;
        let is_bad = world.faults.bad_syncs > 0 && world.rng.u32(0..world.faults.bad_syncs) == 0;
        let node = world.nodes.get_mut(&self.1).unwrap();
        for change in std::mem::take(&mut node.dirty) {
            // After a failure the pages count as clean: what was lost is not written by a later sync.
            let done = if is_bad { change.remains(&mut world.rng, 2) } else { vec![change] };
            for change in done {
                change.apply(&mut node.durable);
            }
        }
        if is_bad { Err(Errno::IO.into()) } else { Ok(()) }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut world = self.0.lock();
        world.step()?;
        let node = world.nodes.get_mut(&self.1).unwrap();
        let change = Change::Truncate(len);
        change.apply(&mut node.current);
        node.dirty.push(change);
        Ok(())
    }
}
