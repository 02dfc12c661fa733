//! `levada [run]`: starts what the configuration says and keeps it running.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::component::machine;
use crate::component::meters::Families;
use crate::config::{self, Globals, Memory, Plan, Rules, Shelves};
use crate::diagnostic::{Color, render_report};
use crate::event::Budget;
use crate::topology::{DataDir, Topology};

pub(super) async fn run(paths: &[PathBuf]) -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match start(paths).await {
        Ok(code) => code,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(super::FAULTY)
        }
    }
}

async fn start(paths: &[PathBuf]) -> Result<ExitCode, String> {
    let plan = load(paths)?;
    let globals: Globals = plan.globals.read().map_err(|_| "globals".to_owned())?;
    let limit = globals.memory_limit.map_or_else(machine::default_memory_limit, |limit| limit.0);
    let data_dir = DataDir::open(&globals.data_dir)?;
    let mut topology = Topology::idle(&data_dir, Families::default(), Budget::new(limit as usize));
    topology.apply(&plan).map_err(|error| error.to_string())?;
    let mut term = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    term.recv().await;
    let left = topology.shut_down(Instant::now() + Duration::from_secs_f64(globals.graceful_shutdown_limit_secs)).await;
    tracing::info!(?left, "stopped");
    Ok(ExitCode::SUCCESS)
}

fn load(paths: &[PathBuf]) -> Result<Plan, String> {
    let memory = Memory { default_limit: machine::default_memory_limit() };
    let environment = |name: &str| std::env::var(name).ok();
    let rules = Rules { catalogue: &Shelves, environment: &environment, budget: &memory };
    let loaded = config::load(paths, rules);
    let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
    loaded.plan.ok_or(shown)
}
