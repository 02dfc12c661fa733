//! Case b by hand: what a lane and a sink do with a block, without files, queues and sockets.

use std::sync::Arc;

use bytes::Bytes;
use levada::codecs::{Codec, Decoder, Piece};
use levada::component::files::Files;
use levada::component::meters::{Families, Label};
use levada::component::pause::Pause;
use levada::component::row::{Context, Row};
use levada::component::sink::Encoder;
use levada::component::transform::{Ports, Transform};
use levada::event::{Batch, Budget, Origin, Outcome, Receipt, Resolution, Resolve, StreamKey};

/// Bytes that a lane reads at once.
const BLOCK: usize = 256 << 10;

const SINK: &str = "endpoints = ['http://127.0.0.1:9200']\ncompression = 'none'\nbulk.index = 'logs'";

/// Reads, changes and encodes blocks of lines.
pub(crate) struct Job {
    origin: Arc<Origin>,
    source: Arc<dyn Resolve>,
    steps: Vec<Box<dyn Transform>>,
    ports: Ports,
    encoder: Box<dyn Encoder>,
    body: Vec<u8>,
    room: (usize, usize),
}

struct Nobody;

impl Resolve for Nobody {
    fn resolved(&self, _: u64, resolution: Resolution) {
        assert_eq!(resolution.worst, Outcome::Delivered);
    }
}

impl Job {
    /// Settings of the step that says where a record comes from.
    pub(crate) const ENRICH: &str =
        "fields.env = 'prod'\nfields.pod = 'checkout-7d9f8b6c5d'\nfields.region = 'eu-west-1'";
    /// Settings of the step that masks e-mails.
    pub(crate) const SCRUB: &str = "fields = ['message']\ndetectors = ['email']\nreplacement = '[REDACTED]'";

    /// The job as configured in case b.
    pub(crate) fn new() -> Self {
        let enrich = build(levada::transforms::ROWS, "enrich", Self::ENRICH);
        let scrub = build(levada::transforms::ROWS, "scrub", Self::SCRUB);
        Self::of_steps(vec![enrich, scrub])
    }

    /// A job whose only step is a program.
    pub(crate) fn of_program(source: &str) -> Self {
        let settings = format!("source = '''\n{source}\n'''");
        Self::of_steps(vec![build(levada::transforms::ROWS, "remap", &settings)])
    }

    fn of_steps(steps: Vec<Box<dyn Transform>>) -> Self {
        let sink = build(levada::sinks::ROWS, "elasticsearch", SINK);
        Self {
            origin: Arc::new(Origin::new(StreamKey(0x6C65_7661_6461))),
            source: Arc::new(Nobody),
            steps,
            ports: Ports::default(),
            encoder: sink.encoder().expect("this sink makes requests"),
            body: Vec::with_capacity(2 * BLOCK),
            room: (0, 0),
        }
    }

    /// Makes records of the lines of `block`.
    pub(crate) fn read(&mut self, block: &Bytes, codec: Codec) -> Batch {
        self.read_at(block, codec, 0)
    }

    /// The same for a block that begins at `position` of its stream.
    pub(crate) fn read_at(&mut self, block: &Bytes, codec: Codec, position: usize) -> Batch {
        let receipt = Receipt::new(self.source.clone(), 0);
        let (records, members) = self.room;
        let mut batch = Batch::new(block.clone(), self.origin.clone(), receipt).with_capacity(records, members);
        let decoder = Decoder { codec, max_line_bytes: 1 << 20 };
        decoder.fill(&mut batch, block, &Piece { lines: 0..block.len(), position: position as u64, time: 0 });
        self.room = (batch.len() + batch.len() / 16, 8);
        batch
    }

    /// Runs the steps over `batch`.
    pub(crate) fn chain(&mut self, batch: &mut Batch) {
        self.steps.iter_mut().for_each(|step| step.apply(batch, &mut self.ports));
    }

    /// Encodes the records into a body and forgets them; gives the length of the body.
    pub(crate) fn encode(&mut self, batch: Batch) -> usize {
        self.body.clear();
        self.encoder.begin(&mut self.body);
        for record in batch.iter() {
            self.encoder.encode(record, &mut self.body).expect("the index is a constant");
        }
        self.encoder.end(&mut self.body);
        batch.settle(Outcome::Delivered);
        self.body.len()
    }

    /// All of it, for one block.
    pub(crate) fn run(&mut self, block: &Bytes) -> usize {
        let mut batch = self.read(block, Codec::Json);
        self.chain(&mut batch);
        self.encode(batch)
    }

    /// Cuts `logs` into blocks of whole lines.
    pub(crate) fn blocks(logs: Vec<u8>) -> Vec<Bytes> {
        let mut rest = Bytes::from(logs);
        let mut blocks = Vec::new();
        while !rest.is_empty() {
            let near = BLOCK.min(rest.len());
            let end = memchr::memrchr(b'\n', &rest[..near]).expect("a line is shorter than a block") + 1;
            blocks.push(rest.split_to(end));
        }
        blocks
    }
}

fn build<B: 'static>(rows: &[Row<B>], name: &str, settings: &str) -> B {
    let row = rows.iter().find(|row| row.name == name).expect("the shelf has it");
    let table = settings.parse().expect("settings are TOML");
    let label = Label { id: name.to_owned(), kind: "bench", type_name: row.name };
    let meters = Families::default().meters(&label);
    let context = Context {
        id: name.to_owned(),
        meters,
        budget: Budget::new(1 << 30),
        state_dir: "".into(),
        files: Files::default(),
        tables: levada::lang::Tables::default(),
        pause: Pause::default(),
        health: levada::component::health::Health::default(),
    };
    (row.read)(table).and_then(|settings| settings.build(context)).expect("settings are right")
}
