//! The component types of this program, for the rooms that check a configuration.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::cases::Case;
use super::catalogue::{Budget, Catalogue, Check, Claims, ComponentType, Kind, Outputs};
use super::globals::Globals;
use super::plan::{Component, Section};
use crate::component::row::{Problem, Reach, Row};
use crate::component::size::ByteSize;
use crate::delivery::settings::{BufferKind, BufferSettings};
use crate::{sinks, sources, transforms};

/// Everything on the shelves.
#[derive(Debug, Default)]
pub struct Shelves;

struct Known {
    kind: Kind,
    name: &'static str,
    example: &'static str,
    schema: Json,
    outputs: Outputs,
    held_bytes: fn(&toml::Table) -> u64,
    check: Check,
    reach: Reach,
    claims: Claims,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut known = rows(Kind::Source, sources::ROWS);
    known.extend(rows(Kind::Transform, transforms::ROWS));
    known.extend(rows(Kind::Transform, transforms::STATEFUL));
    // The main output of a sink is the destination.
    known.extend(rows(Kind::Sink, sinks::ROWS).into_iter().map(|known| Known { outputs: |_| Vec::new(), ..known }));
    known
});

static GLOBALS: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Globals).to_value());

static TESTS: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Case).to_value());

fn rows<B>(kind: Kind, rows: &[Row<B>]) -> Vec<Known> {
    let known = |row: &Row<B>| Known {
        kind,
        name: row.name,
        example: row.example,
        schema: (row.schema)(),
        outputs: row.outputs,
        held_bytes: row.held_bytes,
        check: row.check,
        reach: row.reach,
        claims: row.claims,
    };
    rows.iter().map(known).collect()
}

impl Catalogue for Shelves {
    fn find(&self, kind: Kind, type_name: &str) -> Option<ComponentType<'_>> {
        let known = KNOWN.iter().find(|known| known.kind == kind && known.name == type_name)?;
        let Known { example, outputs, check, reach, claims, .. } = *known;
        Some(ComponentType { example, schema: &known.schema, reach, claims, outputs, check })
    }

    fn names(&self, kind: Kind) -> Vec<&str> {
        KNOWN.iter().filter(|known| known.kind == kind).map(|known| known.name).collect()
    }

    fn globals(&self) -> &Json {
        &GLOBALS
    }

    fn check_globals(&self, settings: &toml::Table) -> Vec<Problem> {
        Globals::check(settings)
    }

    fn tests(&self) -> &Json {
        &TESTS
    }
}

/// The memory that a configuration asks for.
#[derive(Debug)]
pub struct Memory {
    /// What is used where `memory_limit` is not set, in bytes.
    pub default_limit: u64,
}

impl Budget for Memory {
    fn memory_limit(&self, globals: &Section) -> u64 {
        globals
            .read::<Globals>()
            .ok()
            .and_then(|globals| globals.memory_limit)
            .map_or(self.default_limit, |limit| limit.0)
    }

    fn buffer_bytes(&self, component: &Component) -> u64 {
        if component.kind != Kind::Sink {
            let is_it = |known: &&Known| known.kind == component.kind && known.name == component.type_name;
            return KNOWN.iter().find(is_it).map_or(0, |known| (known.held_bytes)(&component.section.settings));
        }
        let buffer = component.section.settings.get("buffer");
        let written = buffer.and_then(|buffer| buffer.get("max_size"));
        let size = written.and_then(|size| size.clone().try_into::<ByteSize>().ok());
        let is_disk = buffer.and_then(|buffer| buffer.get("type")).and_then(toml::Value::as_str) == Some("disk");
        let kind = if is_disk { BufferKind::Disk } else { BufferKind::Memory };
        let max_size = size.map(|size| usize::try_from(size.0).unwrap_or(usize::MAX));
        BufferSettings { kind, max_size, ..BufferSettings::default() }.in_memory() as u64
    }
}

#[cfg(test)]
mod tests;
