//! Records to rows: one JSON object on a line, as it came.

use std::collections::HashMap;
use std::sync::Arc;

use super::columns::Scratch;
use super::target::{Spot, Target};
use crate::codecs::Shape;
use crate::component::sink::{Encoder, Partition, Place, Refusal};
use crate::delivery::confined::MAX_LIVE;
use crate::event::View;

/// How rows are made, the same for every encoder of a sink.
pub(super) struct Form {
    pub(super) target: Target,
    pub(super) shape: Shape,
}

/// Encodes for one sink.
pub(super) struct RowEncoder {
    form: Arc<Form>,
    /// Where the last record went.
    here: Option<Place>,
    key: String,
    /// The key of the next record, while it is not the one of the last.
    next: String,
    places: HashMap<Box<str>, Place>,
    /// Is it time to look again at what is known of the tables?
    is_due: bool,
    scratch: Scratch,
}

impl RowEncoder {
    pub(super) fn new(form: Arc<Form>) -> Self {
        Self {
            form,
            here: None,
            key: String::new(),
            next: String::new(),
            places: HashMap::new(),
            is_due: false,
            scratch: Scratch::default(),
        }
    }

    /// Finds the place of the key in `next`.
    fn go(&mut self) -> Result<(), Refusal> {
        let place = if let Some(place) = self.places.get(self.next.as_str()) {
            self.form.target.admit(&self.next)?;
            place.clone()
        } else {
            let place = Place::new(Spot::of(self.form.target.open(&self.next)?));
            self.places.insert(self.next.as_str().into(), place.clone());
            place
        };
        self.here = Some(place);
        std::mem::swap(&mut self.key, &mut self.next);
        Ok(())
    }

    /// Lets go of places whose table has become another, and of all when there are too many.
    fn renew(&mut self) {
        self.is_due = false;
        self.here = None;
        if self.places.len() > MAX_LIVE {
            self.places.clear();
        }
        self.places.retain(|_, place| place.get::<Spot>().is_some_and(|spot| !spot.is_stale()));
    }
}

impl Encoder for RowEncoder {
    fn place(&mut self, record: View<'_>) -> Result<Option<Place>, Refusal> {
        if self.is_due {
            self.renew();
        }
        let is_fixed = self.here.is_some() && self.form.target.is_constant();
        if !is_fixed {
            self.form.target.key(record, &mut self.next)?;
            if self.here.is_none() || self.key != self.next {
                self.go()?;
            }
        }
        Ok(self.here.clone())
    }

    fn look_again(&mut self) {
        self.is_due = true;
    }

    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal> {
        let start = body.len();
        self.form.shape.write(record, body);
        let spot = self.here.as_ref().and_then(Place::get::<Spot>);
        if let Some(columns) = spot.and_then(|spot| spot.catch_all.as_ref())
            && !(self.form.shape.is_plain() && columns.takes_all(record))
        {
            columns.fold(start, body, &mut self.scratch);
        }
        body.push(b'\n');
        Ok(0)
    }
}
