//! The course of the demonstration: from the first line to the sum.

use std::collections::HashMap;
use std::io::{self, Write, stdout};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::DemoArguments;
use super::card::card;
use super::figures::Figures;
use super::folder::Folder;
use super::paint::{Paint, Style};
use super::pipeline::{self, Paths, SINK, SOURCE};
use super::services::Services;
use super::tally::Tally;
use super::ticker::Ticker;
use super::window::{Found, Window};
use crate::component::health::State;
use crate::component::machine;
use crate::component::meters::{Families, Label, Meters};
use crate::event::Budget;
use crate::topology::{DataDir, Guest, Topology};

/// How often the screen is brought up to date.
const REFRESH: Duration = Duration::from_millis(100);
/// In a pipe every so many refreshes make a line.
const REFRESHES_OF_A_LINE: u32 = 10;
/// How long records in hand may take to arrive, when it is over.
const DRAIN: Duration = Duration::from_secs(15);

/// Runs it; tells whether the sum adds up.
pub(super) async fn run(arguments: &DemoArguments) -> io::Result<bool> {
    let paint = Paint::of_stdout();
    let mut signals = Signals::new()?;
    let folder = Folder::new()?;
    let mut show = Show::open(arguments, &folder, paint)?;
    let ends = tokio::time::sleep(Duration::from_secs(arguments.seconds));
    tokio::pin!(ends);
    let mut refresh = interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = &mut ends => break,
            () = signals.recv() => break,
            _ = refresh.tick() => show.refresh()?,
        }
    }
    tokio::select! {
        tally = show.close() => tally,
        // Asked a second time, there is no waiting for what is under way.
        () = signals.recv() => Ok(false),
    }
}

/// What asks for the end.
struct Signals([Signal; 2]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]))
    }

    /// Cancel-safe, as [`Signal::recv`] is.
    async fn recv(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// The demonstration while it runs.
struct Show {
    paint: Paint,
    begin: Instant,
    services: Services,
    topology: Topology,
    families: Families,
    read: Meters,
    to: Option<String>,
    screen: Screen,
    _data_dir: DataDir,
}

/// What is on the screen.
struct Screen {
    found: Found,
    cards: usize,
    ticker: Ticker,
    refreshes: u32,
    trouble: Option<String>,
}

impl Show {
    fn open(arguments: &DemoArguments, folder: &Folder, paint: Paint) -> io::Result<Self> {
        let to = arguments.to.as_deref();
        let paths = Paths::within(folder.path());
        std::fs::create_dir(&paths.logs)?;
        let plan = pipeline::plan(&paths, to).map_err(io::Error::other)?;
        let data_dir = DataDir::open(&paths.state).map_err(io::Error::other)?;
        greet(&paths, arguments, paint)?;
        let families = Families::default();
        let read = families.meters(&Label { id: SOURCE.into(), kind: "source", type_name: "file" });
        let services = Services::start(&paths.logs, read.clone())?;
        let budget = Budget::new(machine::default_memory_limit() as usize);
        let mut topology = Topology::idle(&data_dir, families.clone(), budget);
        let (window, found) = Window::new();
        let is_passed_on = to.is_some();
        let guest: Guest = Box::new(move |sink| Box::new(window.before(is_passed_on.then_some(sink))));
        let mut guests = HashMap::from([(SINK.to_owned(), guest)]);
        topology.apply_with(&plan, &mut guests).map_err(|error| io::Error::other(format!("{error}: {}", error.why)))?;
        let begin = Instant::now();
        let screen = Screen { found, cards: 0, ticker: Ticker::new(begin), refreshes: 0, trouble: None };
        Ok(Self {
            paint,
            begin,
            services,
            topology,
            families,
            read,
            to: arguments.to.clone(),
            screen,
            _data_dir: data_dir,
        })
    }

    fn figures(&self) -> Figures {
        Figures::read(&self.families, SOURCE, SINK)
    }

    /// Shows new cards, what goes wrong, and the live line.
    fn refresh(&mut self) -> io::Result<()> {
        let mut news = Vec::new();
        for pair in self.screen.found.take() {
            self.screen.cards += 1;
            news.extend(card(&pair, self.screen.cards, self.paint));
        }
        news.extend(self.new_trouble().map(|why| format!("  {}", self.paint.paint(Style::Alarm, &why))));
        let lag = self.services.written.unread(&self.read);
        let line = self.screen.ticker.line(&self.figures(), (Instant::now(), lag), self.paint);
        self.screen.refreshes += 1;
        if self.paint.is_live {
            return print_live(&news, &line);
        }
        if self.screen.refreshes.is_multiple_of(REFRESHES_OF_A_LINE) {
            news.push(line);
        }
        print(&news)
    }

    fn new_trouble(&mut self) -> Option<String> {
        let state = self.topology.roster().health(SINK);
        let why = if let Some(State::Degraded { why, .. }) = state { Some(why) } else { None };
        if why == self.screen.trouble {
            return None;
        }
        self.screen.trouble.clone_from(&why);
        Some(why.unwrap_or_else(|| "records are taken again".to_owned()))
    }

    /// Lets everything arrive that was written, and adds up.
    async fn close(self) -> io::Result<bool> {
        let elapsed = self.begin.elapsed();
        let ended = tokio::task::spawn_blocking(|| self.services.end()).await;
        let written = ended.map_err(io::Error::other)??;
        let all_read = async {
            let mut look = interval(Duration::from_millis(5));
            while written.unread(&self.read) > 0 {
                look.tick().await;
            }
        };
        // What has not been read by then is missing in the sum.
        if self.screen.trouble.is_some() {
            let limit = (DRAIN * 2).as_secs();
            print(&[String::new(), format!("  waits up to {limit} s for what is under way; Ctrl-C ends it at once")])?;
        }
        let _ = timeout(DRAIN, all_read).await;
        let left = self.topology.shut_down(Instant::now() + DRAIN).await;
        let (lines, bytes, rotations) = written.totals();
        let tally = Tally {
            written: (lines, bytes),
            rotations,
            elapsed,
            arrived: self.to.map_or_else(|| "delivered".to_owned(), |to| format!("delivered to {to}")),
            figures: Figures::read(&self.families, SOURCE, SINK),
        };
        if self.paint.is_live {
            print_live(&[], "")?;
        }
        print(&tally.lines(self.paint))?;
        if let Some(why) = self.screen.trouble.filter(|_| !left.components.is_empty()) {
            let why = format!("{why}; an agent would go on trying, and after a restart too");
            print(&[format!("  {}", self.paint.paint(Style::Alarm, &why))])?;
        }
        print(&farewell(&program(), self.paint))?;
        Ok(tally.missing() == 0)
    }
}

fn greet(paths: &Paths, arguments: &DemoArguments, paint: Paint) -> io::Result<()> {
    let logs = paths.logs.display();
    let seconds = arguments.seconds;
    print(&[
        String::new(),
        format!("  {}  carries telemetry as bytes", paint.paint(Style::Strong, "levada demo")),
        String::new(),
        format!("  14 services write JSON logs to {logs} and rotate them."),
        "  config/levada.toml follows them: mask, enrich, drop debug, sample probes.".to_owned(),
        paint.paint(
            Style::Faint,
            &format!("  All names and numbers are made up. It ends after {seconds} s, or by Ctrl-C."),
        ),
        String::new(),
    ])
}

/// What to do next, with the name this program was called by: it need not be in the search path.
fn farewell(program: &str, paint: Paint) -> Vec<String> {
    let commands = [
        ("your own logs", format!("LEVADA_INCLUDE='/path/*.log' {program} -c config/levada.toml")),
        ("a real server", format!("{program} demo --to http://localhost:9200")),
    ];
    let lines = commands
        .map(|(what, command)| [format!("  next: {what}"), format!("    {}", paint.paint(Style::Figure, &command))]);
    [String::new()].into_iter().chain(lines.into_iter().flatten()).chain([String::new()]).collect()
}

/// How this program was called, if that can be typed again from here; `cargo run` leaves nothing in the search path.
fn program() -> String {
    let Some(called) = std::env::args_os().next().map(PathBuf::from) else { return "levada".to_owned() };
    let here = std::env::current_dir().unwrap_or_default();
    let near = called.strip_prefix(here).unwrap_or(&called);
    if near.is_absolute() { "levada".to_owned() } else { near.display().to_string() }
}

fn print(lines: &[String]) -> io::Result<()> {
    let mut out = stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}

/// Puts `line` where the last live line was, below what is new.
fn print_live(news: &[String], line: &str) -> io::Result<()> {
    // Back to the first column, and erase to the end of the line (ECMA-48, clause 8.3.41).
    let mut text = "\r\x1b[K".to_owned();
    for line in news {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(line);
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_next_fits_into_eighty_columns_and_names_the_program_as_it_was_called() {
        let lines = farewell("target/release/levada", Paint { is_live: false, width: 80 });
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:?}");
        assert!(lines.contains(&"    target/release/levada demo --to http://localhost:9200".to_owned()), "{lines:?}");
    }
}
