//! What one process runs: its folder, its door, its components.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Run;
use crate::admin::{Ask, Control, Controls, Door, Figures, ReloadRequest, Reloaded, Shown};
use crate::cli::files::Files;
use crate::component::machine;
use crate::component::meters::Families;
use crate::config::{
    Backend, Component, GlobalChange, Globals, LastGood, Loaded, Plan, Resolved, Shelves, global_changes, in_force,
    keep_token, resolved, show_size,
};
use crate::diagnostic::{Code, Color, Diagnostic, render_report};
use crate::event::Budget;
use crate::topology::{BuildError, DataDir, Topology};

/// A running agent.
pub(super) struct Agent {
    globals: Globals,
    shown: Shown,
    door: Option<Door>,
    topology: Topology,
    /// What runs, setting by setting, as [`Ask::Config`] tells it.
    settings: Vec<Resolved>,
    /// What it was read from.
    kept: LastGood,
    team_paths: Vec<PathBuf>,
    /// Renew the tokens of Vaults.
    renewals: JoinSet<()>,
    _control: Option<Control>,
    /// Holds the lock.
    data_dir: DataDir,
}

/// A diagnostic is large, and errors are rare.
type Fault = Box<Diagnostic>;

impl Agent {
    /// Starts what `loaded` says, and keeps it for a start with faults; what is in the way is added to its report.
    pub(super) async fn start(loaded: &mut Loaded, asks: mpsc::Sender<Ask>) -> Option<Self> {
        let team_paths = loaded.team_paths();
        let mut plan = loaded.plan.take()?;
        match Self::run(&mut plan, loaded, asks).await {
            Ok(mut agent) => {
                agent.team_paths = team_paths;
                agent.keep(loaded);
                Some(agent)
            }
            Err(fault) => {
                loaded.report.push(*fault);
                None
            }
        }
    }

    /// Keeps what runs, and tells of each team whether that is what it says. Without its file everything runs all the same.
    fn keep(&mut self, loaded: &mut Loaded) {
        self.kept = loaded.kept.take().unwrap_or_default();
        self.shown.figures.teams(loaded.teams.iter().map(|team| (team.name.as_str(), team.is_current())));
        for team in loaded.teams.iter().filter(|team| !team.is_current()) {
            let faults: Vec<_> =
                team.report.errors().map(|fault| format!("{}: {}", fault.code, fault.message)).collect();
            let faults = faults.join("; ");
            let effect = if team.runs() { "what of it ran last runs" } else { "nothing of it runs" };
            tracing::error!(team = team.name, faults, "the files of a team have faults: {effect}");
        }
        if let Err(error) = self.kept.save(self.data_dir.path()) {
            tracing::warn!(%error, "cannot keep the configuration: a start with faults will have none to fall back to");
        }
    }

    /// Where the files of the teams are.
    pub(super) fn team_paths(&self) -> &[PathBuf] {
        &self.team_paths
    }

    /// What runs is not what was read last.
    pub(super) fn is_stale(&self) {
        self.shown.figures.stale();
    }

    async fn run(plan: &mut Plan, loaded: &mut Loaded, asks: mpsc::Sender<Ask>) -> Result<Self, Fault> {
        let globals: Globals = plan.globals.read()?;
        let limit = globals.memory_limit.map_or_else(machine::default_memory_limit, |limit| limit.0);
        let data_dir = DataDir::open(&globals.data_dir).map_err(|why| bad_data_dir(plan, why))?;
        let families = Families::default();
        let figures = Figures::new(families.registry(), data_dir.min_free());
        let mut topology = Topology::idle(&data_dir, families.clone(), Budget::new(limit as usize));
        let shown = Shown { roster: topology.roster(), families, figures };
        let door = open_door(plan, &globals, &shown).await?;
        apply(&mut topology, plan, loaded)?;
        let (shown_too, taps, pauses) = (shown.clone(), topology.taps(), topology.pauses());
        let (letters, folder) = (topology.dead_letters(), data_dir.path().to_owned());
        let min_free = data_dir.min_free();
        let controls = Controls { shown: shown_too, taps, pauses, letters, data_dir: folder, min_free, asks };
        let control = open_control(&data_dir, controls);
        let settings = resolved(plan, &Shelves);
        let agent = Self {
            renewals: renewals(plan, &globals),
            kept: LastGood::default(),
            team_paths: Vec::new(),
            globals,
            shown,
            door,
            topology,
            settings,
            _control: control,
            data_dir,
        };
        agent.announce(plan, "runs");
        tracing::info!(data_dir = %agent.globals.data_dir.display(), memory_limit = show_size(limit), "limits");
        Ok(agent)
    }

    /// Answers what came through the control socket.
    pub(super) async fn answer(&mut self, ask: Ask, arguments: &Run) {
        // Whoever asked may have gone.
        match ask {
            Ask::Reload(request, to) => drop(to.send(self.reload(arguments, request).await)),
            Ask::Config(to) => {
                let settings = self.settings.iter().map(|setting| (setting.path.clone(), setting.value.clone()));
                drop(to.send(settings.collect()));
            }
        }
    }

    /// Reads the configuration again and becomes what it says; where it has a fault, nothing changes. Cancel-safe: all
    /// that it waits for comes before the first change.
    pub(super) async fn reload(&mut self, arguments: &Run, request: ReloadRequest) -> Reloaded {
        let (files, kept) = (arguments.files.clone(), self.kept.clone());
        let Ok(mut loaded) = tokio::task::spawn_blocking(move || files.load_to_run(Some(&kept))).await else {
            self.refuse();
            return Reloaded::default();
        };
        let inputs = loaded.inputs();
        let mut plan = loaded.plan.take();
        let mut done = Reloaded { inputs, is_good: plan.is_some(), ..Reloaded::default() };
        if let Some(plan) = &mut plan {
            let changes = if request.dry_run {
                Ok([self.global_changes(plan), changes(&self.topology, plan)].concat())
            } else {
                self.turn_into(plan, &mut loaded).await
            };
            done.is_good = changes.is_ok();
            done.changes = changes.map_err(|fault| loaded.report.push(*fault)).unwrap_or_default();
        }
        done.faults = render_report(&loaded.faults(), &loaded.sources, Color::Never);
        if !request.dry_run {
            arguments.log.tell(&loaded);
            if done.is_good {
                self.keep(&mut loaded);
                self.shown.figures.reloaded();
            } else {
                self.refuse();
            }
        }
        done
    }

    fn refuse(&self) {
        self.shown.figures.reload_failed();
        tracing::error!("the configuration was not reloaded: what ran before runs on, unchanged");
    }

    async fn turn_into(&mut self, plan: &mut Plan, loaded: &mut Loaded) -> Result<Vec<String>, Fault> {
        let globals: Globals = plan.globals.read()?;
        // What can fail comes first: after the swap there is no way back.
        let has_moved = globals.api != self.globals.api;
        let door = if has_moved { Some(open_door(plan, &globals, &self.shown).await?) } else { None };
        let of_globals = self.global_changes(plan);
        let changes = [of_globals, apply(&mut self.topology, plan, loaded)?].concat();
        if let Some(door) = door {
            self.door = door;
        }
        let settings = resolved(plan, &Shelves);
        for change in global_changes(&self.settings, &settings).iter().filter(|change| change.waits) {
            tracing::warn!("{change}");
        }
        self.renewals = renewals(plan, &globals);
        (self.globals, self.settings) = (globals, in_force(&self.settings, settings));
        tracing::info!(changes = changes.join("; "), "what the reload changed");
        self.announce(plan, "reloaded");
        Ok(changes)
    }

    /// What `plan` changes of the settings of the process, a line each.
    fn global_changes(&self, plan: &Plan) -> Vec<String> {
        global_changes(&self.settings, &resolved(plan, &Shelves)).iter().map(GlobalChange::to_string).collect()
    }

    /// Waits until no source has anything more to come.
    pub(super) fn sources_ended(&self) -> impl Future<Output = ()> + use<> {
        self.topology.sources_ended()
    }

    /// Takes no more, lets what is in hand arrive, commits, and says what is left.
    pub(super) async fn end(self) {
        let limit = self.globals.graceful_shutdown_limit_secs;
        tracing::info!(limit_secs = limit, "ends: takes no more, delivers what is in hand");
        let left = self.topology.shut_down(Instant::now() + Duration::from_secs_f64(limit)).await;
        if left.components.is_empty() {
            tracing::info!("ended, nothing is left");
            return;
        }
        let queued: Vec<_> = left.queued_bytes.iter().map(|(id, bytes)| format!("{id}: {bytes} bytes")).collect();
        let in_hand =
            left.in_hand.iter().map(|(id, (records, bytes))| format!("{id}: {records} records, {bytes} bytes"));
        let in_hand: Vec<_> = in_hand.collect();
        tracing::warn!(
            unfinished = left.components.join(", "),
            queued = queued.join(", "),
            in_hand = in_hand.join(", "),
            "ended at the deadline; what was not delivered is read again at the next start, where the source can"
        );
    }

    fn announce(&self, plan: &Plan, what: &str) {
        let list = |components: &[Component]| {
            let named = |component: &Component| format!("{} ({})", component.id, component.type_name);
            components.iter().map(named).collect::<Vec<_>>().join(", ")
        };
        tracing::info!(
            sources = list(&plan.sources),
            transforms = list(&plan.transforms),
            sinks = list(&plan.sinks),
            api = self.door.as_ref().map(|door| door.address().to_string()),
            "levada {} {what}",
            env!("CARGO_PKG_VERSION"),
        );
    }
}

/// Builds and swaps; gives what that changed. A team that cannot be built is what it was before, or is left out; that
/// fails nobody else.
fn apply(topology: &mut Topology, plan: &mut Plan, loaded: &mut Loaded) -> Result<Vec<String>, Fault> {
    loop {
        let changes = changes(topology, plan);
        let Err(error) = topology.apply(plan) else { return Ok(changes) };
        let fault = not_built(plan, &error);
        let team = Plan::team_of(&error.id).and_then(|name| loaded.teams.iter_mut().find(|team| team.name == name));
        let Some(team) = team.filter(|team| team.runs()) else { return Err(Box::new(fault)) };
        team.report.push(fault);
        let name = team.name.clone();
        Files::fall_back(loaded, plan, &name);
    }
}

fn changes(topology: &Topology, plan: &Plan) -> Vec<String> {
    topology.changes(plan).iter().map(ToString::to_string).collect()
}

/// Keeps the tokens of all Vaults; those of an earlier configuration end with it.
fn renewals(plan: &Plan, globals: &Globals) -> JoinSet<()> {
    let vaults = globals.secret.values().filter_map(|backend| match backend {
        Backend::Vault(vault) => Some(keep_token((**vault).clone(), plan.files.clone())),
        _ => None,
    });
    vaults.collect()
}

/// Without the socket everything runs all the same.
fn open_control(data_dir: &DataDir, controls: Controls) -> Option<Control> {
    let opened = Control::open(data_dir.path(), controls);
    opened.map_err(|error| tracing::warn!(%error, "cannot open the control socket: no `levada status`, `tap`")).ok()
}

async fn open_door(plan: &Plan, globals: &Globals, shown: &Shown) -> Result<Option<Door>, Fault> {
    let Some(api) = &globals.api else { return Ok(None) };
    let opened = Door::open(api.address, shown.clone()).await;
    opened.map(Some).map_err(|error| {
        let fault = Diagnostic::new(Code::BadAddress, format!("cannot listen on `{}`", api.address));
        let fault = fault.at(plan.globals.place_of("api.address"), error.to_string());
        Box::new(fault.help("give another port, or end what listens there (`ss -ltnp` tells)"))
    })
}

fn bad_data_dir(plan: &Plan, why: String) -> Diagnostic {
    let fault = Diagnostic::new(Code::BadDataDir, why);
    let fault = match plan.globals.written("data_dir") {
        Some(place) => fault.at(place, "set here"),
        None => fault,
    };
    fault.help("set `data_dir` to a folder that this user may write and no other agent uses")
}

fn not_built(plan: &Plan, error: &BuildError) -> Diagnostic {
    let fault = Diagnostic::new(Code::NotBuilt, format!("cannot build the {} `{}`", error.kind, error.id));
    let component = plan.components().find(|component| component.id == error.id);
    if error.kind == "enrichment table" {
        let place = plan.globals.place_of(&format!("enrichment_tables.{}.file.path", error.id));
        return fault.at(place, plan.globals.without_variables(&error.why));
    }
    match component {
        Some(component) => fault.at(component.section.place(), component.section.without_variables(&error.why)),
        None => fault.help(error.why.clone()),
    }
}

#[cfg(test)]
mod tests;
