//! The lazy target: what VRL calls while a program runs.

use std::fmt;

use vrl::compiler::{SecretTarget, Target};
use vrl::path::OwnedTargetPath;
use vrl::value::{KeyString, Value};

use super::allowance;
use super::fields::{Fields, Side};
use super::plane::{Plane, View};

/// The top-level members that a program names, sorted, per side.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub event: Vec<KeyString>,
    pub metadata: Vec<KeyString>,
}

/// A record under a program: reads go to the record at first use, changes stay in the planes.
pub(super) struct Lazy<'a, F: ?Sized> {
    pub fields: &'a F,
    pub names: &'a Names,
    pub event: &'a mut Plane,
    pub metadata: &'a mut Plane,
}

impl Names {
    /// The names of one side.
    pub(super) fn of(&self, side: Side) -> &[KeyString] {
        match side {
            Side::Event => &self.event,
            Side::Metadata => &self.metadata,
        }
    }
}

impl<'a, F: Fields + ?Sized> Lazy<'a, F> {
    fn view(&self, side: Side) -> View<'a, F> {
        View { fields: self.fields, side, names: self.names.of(side) }
    }

    fn plane(&mut self, side: Side) -> &mut Plane {
        match side {
            Side::Event => self.event,
            Side::Metadata => self.metadata,
        }
    }
}

impl<F: Fields + ?Sized> Target for Lazy<'_, F> {
    fn target_insert(&mut self, path: &OwnedTargetPath, value: Value) -> Result<(), String> {
        let view = self.view(path.prefix);
        self.plane(path.prefix).insert(&view, &path.path, value);
        Ok(())
    }

    fn target_get(&self, path: &OwnedTargetPath) -> Result<Option<&Value>, String> {
        let plane: &Plane = match path.prefix {
            Side::Event => self.event,
            Side::Metadata => self.metadata,
        };
        let value = plane.get(&self.view(path.prefix), &path.path);
        // The next call ends a run that may read no more.
        Ok(value.filter(|value| allowance::read(value).is_ok()))
    }

    fn target_get_mut(&mut self, path: &OwnedTargetPath) -> Result<Option<&mut Value>, String> {
        let view = self.view(path.prefix);
        Ok(self.plane(path.prefix).get_mut(&view, &path.path))
    }

    fn target_remove(&mut self, path: &OwnedTargetPath, compact: bool) -> Result<Option<Value>, String> {
        let view = self.view(path.prefix);
        Ok(self.plane(path.prefix).remove(&view, &path.path, compact))
    }
}

/// Records carry no secrets.
impl<F: Fields + ?Sized> SecretTarget for Lazy<'_, F> {
    fn get_secret(&self, _key: &str) -> Option<&str> {
        None
    }

    fn insert_secret(&mut self, _key: &str, _value: &str) {}

    fn remove_secret(&mut self, _key: &str) {}
}

impl<F: Fields + ?Sized> fmt::Debug for Lazy<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").field("names", self.names).finish_non_exhaustive()
    }
}
