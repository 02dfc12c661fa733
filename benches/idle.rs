//! What files cost that nobody writes to: ten thousand of them, in per cent of a core. Fails at 2 %.
#![allow(clippy::print_stdout, reason = "figures are for people")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use levada::component::files::Files;
use levada::component::meters::{Families, Label};
use levada::component::outlet::{Lane, Offer, Outlet};
use levada::component::row::Context;
use levada::component::signal::Stop;
use levada::event::{Batch, Budget, Outcome};

const FOLDERS: usize = 100;
const FILES_IN_EACH: usize = 100;
const MOST_PER_CENT: f64 = 2.0;
const WARM_UP: Duration = Duration::from_secs(12);
const MEASURED: Duration = Duration::from_secs(30);

struct Sea;

impl Outlet for Sea {
    fn lane_to(&self, _: usize) -> Box<dyn Lane> {
        Box::new(Self)
    }
}

impl Lane for Sea {
    fn offer(&mut self, batch: Batch, _: &Waker) -> Offer {
        batch.settle(Outcome::Delivered);
        Offer::Taken
    }
}

fn main() {
    let folder = std::env::temp_dir().join(format!("levada-idle-{}", std::process::id()));
    write(&folder);
    let used = measure(&folder);
    fs::remove_dir_all(&folder).expect("it was made above");
    let per_cent = used.as_secs_f64() / MEASURED.as_secs_f64() * 100.0;
    println!("{} idle files: {per_cent:.2} % of a core", FOLDERS * FILES_IN_EACH);
    assert!(per_cent < MOST_PER_CENT, "more than {MOST_PER_CENT} %");
}

fn write(folder: &Path) {
    let old = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50);
    for number in 0..FOLDERS {
        let folder = folder.join(format!("pod-{number}"));
        fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
        for file in 0..FILES_IN_EACH {
            let path = folder.join(format!("{file}.log"));
            fs::write(&path, format!("{number} {file}\n")).expect("there is room");
            let file = fs::File::options().append(true).open(&path).expect("it was made above");
            file.set_modified(old).expect("it is ours");
        }
    }
}

/// Time on processors while the source follows the files.
fn measure(folder: &Path) -> Duration {
    let row = levada::sources::ROWS.iter().find(|row| row.name == "file").expect("the shelf has it");
    let settings = format!("include = ['{}/*/*.log']", folder.join("").display());
    let meters = Families::default().meters(&Label { id: "idle".to_owned(), kind: "source", type_name: row.name });
    let context = Context {
        id: "idle".to_owned(),
        meters: meters.clone(),
        budget: Budget::new(64 << 20),
        state_dir: folder.join("state"),
        files: Files::default(),
        tables: levada::lang::Tables::default(),
        pause: levada::component::pause::Pause::default(),
        health: levada::component::health::Health::default(),
    };
    let table = settings.parse().expect("settings are TOML");
    let source = (row.read)(table).and_then(|settings| settings.build(context)).expect("settings are right");
    let stop = Stop::default();
    let running = source.run(Arc::new(Sea), stop.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("threads can be started");
    let thread = std::thread::spawn(move || runtime.block_on(running));
    while meters.received_events() < (FOLDERS * FILES_IN_EACH) as u64 {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    std::thread::park_timeout(WARM_UP);
    let before = on_processors();
    std::thread::park_timeout(MEASURED);
    let used = on_processors().saturating_sub(before);
    stop.request(Instant::now() + Duration::from_secs(10));
    thread.join().expect("the source ends");
    used
}

/// Time of this process on processors so far, in steps of 10 ms.
fn on_processors() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let behind_name = stat.rsplit(") ").next().expect("it has a name");
    let ticks = behind_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}
