//! The ways into a sink: its queue, or the disk buffer in front of that.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::build::Ground;
use super::door::Door;
use crate::buffer::{DiskBuffer, DiskOptions, Ingredients, Queue, WhenFull, inspect};
use crate::component::meters::Families;
use crate::component::outlet::Inlet;
use crate::component::size::show_size;
use crate::config::{Component, Globals, Plan};
use crate::delivery::Drain;
use crate::delivery::settings::{BufferCompression, BufferSettings};

/// How chains come to a sink.
#[derive(Clone)]
pub(super) struct Entry {
    /// For what sources send.
    pub(super) door: Arc<Door>,
    /// For what was held or refused on its way, and so may come in another order.
    pub(super) aside: Arc<Door>,
    /// None where the sink's queue is all there is.
    pub(super) disk: Option<Arc<DiskBuffer>>,
}

/// The disk buffers that are alive, by the id of their sink.
#[derive(Default)]
pub(super) struct Buffers {
    alive: HashMap<String, Weak<DiskBuffer>>,
    /// Those that were told of.
    orphans: BTreeSet<String>,
    /// What each may take of the disk.
    sizes: HashMap<String, u64>,
}

impl Entry {
    /// The way for what sources send, or the other one.
    pub(super) fn inlet(&self, is_counted: bool) -> Arc<dyn Inlet> {
        if is_counted { self.door.clone() } else { self.aside.clone() }
    }
}

/// A queue in front of a sink as its settings have it.
pub(super) fn queue(component: &Component, buffer: &BufferSettings, ground: &Ground) -> Arc<Queue> {
    let meters = ground.context(component).meters;
    let (size, when_full) = bounds(buffer, ground);
    // What the queue behind a disk buffer counts is not counted twice.
    let meters = if buffer.is_disk() { Families::default().meters(meters.label()) } else { meters };
    Arc::new(Queue::new(size, when_full, meters))
}

/// What a queue in front of a sink may hold, and what it does then.
pub(super) fn bounds(buffer: &BufferSettings, ground: &Ground) -> (usize, WhenFull) {
    if buffer.is_disk() {
        return (buffer.in_memory().min(ground.budget.limit() / 4), WhenFull::Block);
    }
    (buffer.max_size(), buffer.when_full)
}

impl Buffers {
    /// What of the file system is others' has changed.
    pub(super) fn leave_free(&self, share: f64) {
        self.alive.values().filter_map(Weak::upgrade).for_each(|buffer| buffer.leave_free(share));
    }

    /// The entry of a sink with this queue. A disk buffer of its id that feeds the same queue is taken over.
    pub(super) fn entry(
        &mut self,
        component: &Component,
        (drain, queue): (&dyn Drain, &Arc<Queue>),
        ground: &Ground,
    ) -> Entry {
        let (id, taps, buffer) = (component.id.as_str(), &ground.taps, drain.buffer());
        let unasked = (!drain.is_required()).then(|| ground.context(component).meters);
        if !buffer.is_disk() {
            let door = Arc::new(Door::new(queue.clone(), id, taps.clone()).unasked(unasked));
            return Entry { aside: door.clone(), door, disk: None };
        }
        let mut known = self.alive.get(id).and_then(Weak::upgrade).filter(|known| known.feeds(queue));
        let options = DiskOptions { is_strict: drain.needs_frames(), ..options(buffer, ground) };
        loop {
            let disk = known.take().unwrap_or_else(|| start(component, (options, queue), ground));
            disk.configure(options);
            let door = |is_counted| {
                let door = Door::of_disk(&disk, is_counted, (id, taps.clone()))?;
                Some(Arc::new(door.unasked(unasked.clone())))
            };
            if let (Some(door), Some(aside)) = (door(true), door(false)) {
                self.alive.insert(id.to_owned(), Arc::downgrade(&disk));
                self.sizes.insert(id.to_owned(), options.max_size);
                return Entry { door, aside, disk: Some(disk) };
            }
        }
    }

    /// Tells of buffers that no sink of `plan` has and that hold records: they are kept until one has them again.
    pub(super) fn tell_orphans(&mut self, plan: &Plan, ground: &Ground) {
        let folder = folder(ground);
        let is_alive = |id: &str| self.alive.get(id).is_some_and(|buffer| buffer.strong_count() > 0);
        let is_orphan = |id: &String| {
            let has_sink = plan.sinks.iter().any(|sink| sink.id == *id) && is_alive(id);
            !has_sink && inspect::summary(&folder.join(id)).is_ok_and(|found| found.records > 0 || found.newer > 0)
        };
        let orphans: BTreeSet<String> =
            inspect::list(&folder).unwrap_or_default().into_iter().filter(is_orphan).collect();
        for id in orphans.difference(&self.orphans) {
            let path = folder.join(id);
            let next = "a sink of this name with `buffer.type = \"disk\"` delivers it; `levada buffer ls` lists it";
            tracing::warn!(component_id = id, folder = %path.display(), "no sink has this disk buffer: {next}");
        }
        ground.families.orphaned_buffers(orphans.len());
        self.orphans = orphans;
    }

    /// Tells if the disk buffers of `plan` together may grow beyond what the file system has for them.
    pub(super) fn tell_capacity(&mut self, plan: &Plan, ground: &Ground) {
        self.sizes.retain(|id, _| plan.sinks.iter().any(|sink| sink.id == *id));
        let sum: u64 = self.sizes.values().fold(0, |sum, size| sum.saturating_add(*size));
        let capacity = inspect::capacity(&ground.data_dir).unwrap_or(u64::MAX);
        let own = (capacity as f64 * (1.0 - ground.min_free.wanted())) as u64;
        if sum > own {
            let (sum, own) = (show_size(sum), show_size(own));
            let next =
                "they behave as full before they reach `buffer.max_size`: lower it, or give `data_dir` a larger disk";
            tracing::warn!(
                sum,
                file_system = own,
                "all disk buffers together may grow beyond their file system: {next}"
            );
        }
    }
}

fn options(buffer: &BufferSettings, ground: &Ground) -> DiskOptions {
    DiskOptions {
        max_size: buffer.max_size() as u64,
        when_full: buffer.when_full,
        is_compressed: buffer.compression == BufferCompression::Zstd,
        min_free: ground.min_free.wanted(),
        is_strict: false,
    }
}

fn start(component: &Component, (options, queue): (DiskOptions, &Arc<Queue>), ground: &Ground) -> Arc<DiskBuffer> {
    DiskBuffer::start(Ingredients {
        folder: folder(ground).join(&component.id),
        options,
        queue: queue.clone(),
        meters: ground.context(component).meters,
        budget: ground.budget.clone(),
    })
}

/// What of the file system disk buffers leave to others.
pub(super) fn min_free(plan: &Plan) -> f64 {
    plan.globals.read::<Globals>().unwrap_or_default().min_free.0
}

/// Where disk buffers are.
pub(super) fn folder(ground: &Ground) -> PathBuf {
    ground.data_dir.join(inspect::FOLDER)
}
