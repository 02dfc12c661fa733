//! The cutter: encodes records straight into request bodies and cuts them by encoded bytes and count.

use std::sync::Arc;

use bytes::Bytes;

use super::body::Bodies;
use super::request::{Item, Load, Request};
use super::share::Share;
use crate::codecs::Compression;
use crate::component::sink::{Encoder, Refusal};

/// When a body is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Encoded bytes, before compression. A single record may be larger.
    pub(crate) bytes: usize,
    pub(crate) records: usize,
    pub(crate) compression: Compression,
}

/// Bytes reserved for a new body at most; a larger one grows.
const MAX_RESERVE: usize = 8 << 20;

/// Room for the record that passes the limit; a larger one makes the body grow.
const LAST_RECORD: usize = 16 << 10;

/// A body in the making.
pub(crate) struct Cutter {
    encoder: Box<dyn Encoder>,
    limits: Limits,
    bodies: Bodies,
    load: Load,
    body: Vec<u8>,
}

/// What encoding a share gave.
#[derive(Default)]
pub(crate) struct Cut {
    pub(crate) requests: Vec<Request>,
    pub(crate) refused: Vec<(Load, Refusal)>,
}

impl Cutter {
    pub(crate) fn new(encoder: Box<dyn Encoder>, limits: Limits, bodies: Bodies) -> Self {
        Self { encoder, limits, bodies, load: Load::default(), body: Vec::new() }
    }

    /// Is a body open that has records?
    pub(crate) fn has_open(&self) -> bool {
        !self.load.is_empty()
    }

    /// Encodes all records of `share`.
    pub(crate) fn push(&mut self, share: &Arc<Share>, cut: &mut Cut) {
        for record in 0..share.len() as u32 {
            self.push_one(share, record, cut);
        }
    }

    /// Encodes the records of a load once more, for a request that comes back in part.
    pub(crate) fn push_load(&mut self, load: &Load, cut: &mut Cut) {
        for item in &load.items {
            self.push_one(&load.shares[item.share as usize], item.record, cut);
        }
    }

    fn push_one(&mut self, share: &Arc<Share>, record: u32, cut: &mut Cut) {
        if self.body.is_empty() {
            self.body = self.bodies.take(self.limits.bytes.min(MAX_RESERVE) + LAST_RECORD);
            self.encoder.begin(&mut self.body);
        }
        let before = self.body.len();
        match self.encoder.encode(share.get(record), &mut self.body) {
            Ok(partition) => {
                let share = self.load.admit(share);
                self.load.items.push(Item { share, record, partition });
            }
            Err(refusal) => {
                self.body.truncate(before);
                let mut load = Load::default();
                let share = load.admit(share);
                load.items.push(Item { share, record, partition: 0 });
                cut.refused.push((load, refusal));
                return;
            }
        }
        if self.body.len() >= self.limits.bytes || self.load.len() >= self.limits.records {
            cut.requests.extend(self.close());
        }
    }

    /// Closes the open body, if it has records.
    pub(crate) fn close(&mut self) -> Option<Request> {
        if self.load.is_empty() {
            return None;
        }
        self.encoder.end(&mut self.body);
        let load = std::mem::take(&mut self.load);
        let body = std::mem::take(&mut self.body);
        let encoded = body.len();
        let body = match self.limits.compression {
            Compression::None => self.bodies.lend(body),
            compression => {
                let compressed = compression.compress(&body);
                self.bodies.give(body);
                Bytes::from(compressed)
            }
        };
        Some(Request { load, body, encoded })
    }
}
