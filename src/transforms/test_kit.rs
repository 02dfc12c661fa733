//! For the tests of transforms: batches of lines, and what comes out.

pub(super) mod otlp;

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::component::meters::{Families, Label, Meters};
use crate::component::row::{Context, Problem, Settings};
use crate::component::test_kit::context;
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Identity, Origin, Outcome, Receipt, Resolution, Resolve, Seen, Shared, StreamKey};
use crate::lang::Tables;

/// What became of the records of a batch.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Option<Resolution>>);

impl Resolve for Ledger {
    fn resolved(&self, _: u64, resolution: Resolution) {
        let before = self.0.lock().unwrap().replace(resolution);
        assert!(before.is_none(), "a receipt resolves once");
    }
}

impl Ledger {
    pub(super) fn resolution(&self) -> Resolution {
        self.0.lock().unwrap().expect("the receipt has resolved")
    }
}

/// Lines as a batch: JSON where a line is a JSON object, text elsewhere.
pub(super) fn batch(lines: &[&str]) -> Batch {
    batch_of(lines, Origin::new(StreamKey(7)))
}

pub(super) fn batch_of(lines: &[&str], origin: Origin) -> Batch {
    batch_with(lines, origin, &Arc::default())
}

pub(super) fn batch_with(lines: &[&str], origin: Origin, ledger: &Arc<Ledger>) -> Batch {
    let receipt = Receipt::new(ledger.clone(), 0);
    let mut batch = Batch::new(Bytes::from(lines.concat()), Arc::new(origin), receipt);
    let mut filler = batch.fill();
    let mut start = 0;
    for line in lines {
        let seen = Seen { position: start as u64, time: 1_795_168_800_000_000_000 };
        if filler.json(start, line.len(), seen).is_err() {
            filler.text(start, line.len(), seen);
        }
        start += line.len();
    }
    batch
}

/// Lines as a batch of text, whatever they hold.
pub(super) fn text(lines: &[&str]) -> Batch {
    let mut batch = Batch::new(Bytes::from(lines.concat()), Arc::new(Origin::new(StreamKey(7))), receipt());
    let mut start = 0;
    for line in lines {
        batch.fill().text(start, line.len(), Seen { position: start as u64, time: 1_795_168_800_000_000_000 });
        start += line.len();
    }
    batch
}

/// A receipt that nobody looks at.
pub(super) fn receipt() -> Receipt {
    Receipt::new(Arc::new(Ledger::default()), 0)
}

/// An origin with members of these values (JSON text).
pub(super) fn origin(members: &[(&str, &str)]) -> Origin {
    let shared = |(key, value): &(&str, &str)| Shared { key: (*key).into(), value: value.as_bytes().into() };
    Origin::new(StreamKey(7)).with(&members.iter().map(shared).collect::<Vec<_>>())
}

/// A transform with its meters.
pub(super) struct Step {
    pub(super) transform: Box<dyn Transform>,
    pub(super) meters: Meters,
    pub(super) families: Families,
}

/// What came out of a step, as JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Out {
    pub(super) main: Vec<String>,
    /// By the number of the output.
    pub(super) named: Vec<(usize, Vec<String>)>,
}

pub(super) fn settings<S: Settings>(toml: &str) -> S {
    toml::from_str(toml).unwrap()
}

pub(super) fn problems<S: Settings>(toml: &str) -> Vec<Problem> {
    settings::<S>(toml).check_with(&Tables::default())
}

/// The step that these settings make; they must be without fault.
pub(super) fn step<S: Settings<Built = Box<dyn Transform>>>(toml: &str) -> Step {
    let settings: S = settings(toml);
    let faults: Vec<Problem> =
        settings.check_with(&Tables::default()).into_iter().filter(|problem| !problem.is_warning).collect();
    assert_eq!(faults, []);
    let (_, context) = context(std::path::Path::new("unused"), 1 << 20);
    let families = Families::default();
    let meters = families.meters(&Label { id: "it".into(), kind: "transform", type_name: S::NAME });
    let context = Context { meters: meters.clone(), ..context };
    let transform = settings.build(context).unwrap();
    Step { transform, meters, families }
}

impl Step {
    /// Runs a fork, as a lane does; what comes out is delivered.
    pub(super) fn run(&self, batch: Batch) -> Out {
        let (main, named) = self.apply(batch);
        let out = Out { main: lines(&main), named: named.iter().map(|(port, batch)| (*port, lines(batch))).collect() };
        for (_, batch) in named {
            batch.settle(Outcome::Delivered);
        }
        main.settle(Outcome::Delivered);
        out
    }

    /// The main output of [`run`](Self::run).
    pub(super) fn main(&self, batch: Batch) -> Vec<String> {
        self.run(batch).main
    }

    pub(super) fn apply(&self, mut batch: Batch) -> (Batch, Vec<(usize, Batch)>) {
        let mut ports = Ports::default();
        self.transform.fork().apply(&mut batch, &mut ports);
        assert_eq!(ports.take_rejected().count(), 0);
        let named = ports.take_named().collect();
        (batch, named)
    }
}

pub(super) fn lines(batch: &Batch) -> Vec<String> {
    let line = |view: crate::event::View<'_>| {
        let mut out = Vec::new();
        view.write_json(&mut out);
        assert_eq!(crate::event::json::check(&out), Ok(()));
        String::from_utf8(out).unwrap()
    };
    batch.iter().map(line).collect()
}

pub(super) fn identities(batch: &Batch) -> Vec<Identity> {
    batch.iter().map(crate::event::View::identity).collect()
}

/// Decoded keys and raw values of a JSON object, in order and with duplicates, as an independent reader finds them.
pub(super) fn pairs(object: &str) -> Vec<(String, String)> {
    struct Pairs(Vec<(String, String)>);
    impl<'de> serde::Deserialize<'de> for Pairs {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Visitor).map(Self)
        }
    }
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, Box<serde_json::value::RawValue>>()? {
                pairs.push((key, value.get().to_owned()));
            }
            Ok(pairs)
        }
    }
    serde_json::from_str::<Pairs>(object).unwrap().0
}
