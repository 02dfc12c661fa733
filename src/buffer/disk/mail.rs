//! What waits for the thread of a disk buffer, and how long it may.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::ahead::Ahead;
use super::frame::runs;
use super::log::Options;
use super::parcel::Parcel;
use super::positions::Positions;
use crate::buffer::line::Line;
use crate::buffer::{Queue, WhenFull};
use crate::component::outlet::Inlet;

/// What waits for the disk at most; the group that is being written is as much again.
const PENDING: usize = 8 << 20;
/// A group goes when it has so many bytes,
const ENOUGH: usize = 1 << 20;
/// or when its first batch has waited so long: a sync for each batch would be most of the work under a light load.
const GATHER: Duration = Duration::from_millis(20);
/// As long as the sink may be done with so much before it is written.
const PATIENCE: Duration = Duration::from_millis(100);

/// What waits for the thread.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) parcels: VecDeque<Posted>,
    pub(super) bytes: usize,
    /// Streams that found no room.
    pub(super) line: Line,
    pub(super) ahead: Ahead,
    /// Can nothing be stored now? Then what comes waits outside, where its sender can be told.
    is_full: bool,
    pub(super) options: Options,
    /// How many can write to it.
    pub(super) doors: usize,
    pub(super) phase: Phase,
}

/// A batch that waits.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) parcel: Parcel,
    pub(super) weight: usize,
    pub(super) since: Instant,
}

/// Where its life stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Nobody writes to it any more; the sink still has some of it.
    Closed,
    /// The sink has ended, too.
    Finishing,
    /// Its thread is gone, and the folder is free.
    Ended,
}

impl Mail {
    pub(super) fn new(options: Options) -> Self {
        Self {
            parcels: VecDeque::new(),
            bytes: 0,
            line: Line::default(),
            ahead: Ahead::default(),
            is_full: false,
            options,
            doors: 0,
            phase: Phase::Open,
        }
    }

    /// Bytes that may wait.
    pub(super) fn most(&self) -> usize {
        (PENDING as u64).min(self.options.max_size) as usize
    }

    pub(super) fn has_room(&self, weight: usize) -> bool {
        let fits = self.bytes == 0 || self.bytes + weight <= self.most();
        fits && (!self.is_full || self.ahead.is_open())
    }

    /// Is what has no room to be dropped? Where nothing can be stored, waiting for the disk would be waiting for the sink.
    pub(super) fn drops(&self) -> bool {
        self.is_full && self.options.when_full != WhenFull::Block
    }

    /// Something can be stored again, or nothing can.
    pub(super) fn set_full(&mut self, is_full: bool) {
        if std::mem::replace(&mut self.is_full, is_full) && !is_full {
            self.line.first().into_iter().for_each(Waker::wake);
        }
    }

    pub(super) fn is_enough(&self) -> bool {
        self.bytes >= ENOUGH
    }

    /// Does something wait?
    pub(super) fn has_parcels(&self) -> bool {
        !self.parcels.is_empty()
    }

    /// When what waits has to go to the disk.
    pub(super) fn due(&self) -> Option<Instant> {
        let first = self.parcels.front()?.since;
        Some(match (self.is_enough(), self.ahead.is_open()) {
            (false, _) => first + GATHER,
            (true, true) => first + PATIENCE,
            (true, false) => first,
        })
    }

    /// Is the sink done with the first that waits?
    pub(super) fn has_passed(&self) -> bool {
        self.parcels.front().is_some_and(|posted| posted.parcel.has_passed())
    }

    /// Moves what the sink is done with to the end of `to`, or `all` that waits.
    pub(super) fn take(&mut self, all: bool, to: &mut VecDeque<Parcel>) {
        while let Some(Posted { parcel, weight, .. }) =
            self.parcels.pop_front_if(|posted| all || posted.parcel.has_passed())
        {
            self.bytes -= weight;
            to.push_back(parcel);
        }
        // They find the lock free when the thread waits or stores.
        self.line.first().into_iter().for_each(Waker::wake);
    }

    /// The sink does not take what comes in time: from now on the disk does.
    pub(super) fn fall_back(&mut self, queue: &Queue) {
        let is_slow = self.is_enough() || queue.has_line();
        if self.ahead.is_open() && is_slow {
            self.ahead.close(queue);
        }
    }

    /// Does a stream wait for the queue, and nothing here that has its time?
    pub(super) fn is_stalled(&self, queue: &Queue) -> bool {
        self.ahead.is_open() && !self.is_enough() && queue.has_line()
    }

    /// All that is stored was handed to the sink: so is what waits, and what comes. Nothing of it may be a re-read.
    pub(super) fn open_ahead(&mut self, queue: &Queue, bell: &Waker) {
        if self.ahead.is_open() || self.options.is_strict || self.phase != Phase::Open {
            return;
        }
        for Posted { parcel, .. } in self.parcels.iter_mut().filter(|posted| posted.parcel.passing.is_none()) {
            if !(parcel.is_new && parcel.go_ahead(queue, (bell, bell))) {
                return queue.give_up(&parcel.batch);
            }
        }
        self.ahead.open();
    }

    /// What the log knows of, and what waits for it, is all that has to be known of streams.
    pub(super) fn forget_streams(&mut self, positions: &Positions) {
        self.ahead.begin(positions);
        for Posted { parcel, .. } in self.parcels.iter().filter(|posted| posted.parcel.is_counted) {
            self.ahead.came(&runs(&parcel.batch));
        }
    }
}
