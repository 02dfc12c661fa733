//! Figures of the process as a whole: which build it is, how reloads went, what it takes.

use std::fs;

use prometheus::{Counter, Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::buffer::MinFree;

/// Clock ticks per second in `/proc/self/stat`: part of the kernel's interface, whatever its own rate (proc(5)).
const USER_HZ: f64 = 100.0;

/// Gauges of the file system of the state folder.
pub(super) const FREE: &str = "levada_data_dir_free_ratio";
pub(super) const MIN_FREE: &str = "levada_data_dir_min_free_ratio";

/// What the process counts; a clone counts into the same.
#[derive(Clone, Debug)]
pub struct Figures {
    reloads: IntCounterVec,
    last_reload: IntGaugeVec,
    cpu_seconds: Counter,
    resident_bytes: IntGauge,
    open_files: IntGauge,
    min_free: MinFree,
    free_ratio: Gauge,
    min_free_ratio: Gauge,
}

impl Figures {
    /// Registers the figures; `min_free` is of the state folder.
    ///
    /// # Panics
    /// If they are registered twice.
    pub fn new(registry: &Registry, min_free: MinFree) -> Self {
        let version = Opts::new("levada_build_info", "Which build this is; always 1.");
        let build = IntGaugeVec::new(version, &["version"]).expect("names are constants");
        let reloads = Opts::new("levada_config_reloads_total", "Reloads of the configuration, by how they went.");
        let reloads = IntCounterVec::new(reloads, &["status"]).expect("names are constants");
        let last = "Whether the configuration that was read last is the one that runs: 1 or 0; of a team, its files.";
        let last = Opts::new("levada_config_last_reload_successful", last);
        let gauge = |name: &str, help: &str| IntGauge::new(name, help).expect("names are constants");
        let ratio = |name: &str, help: &str| Gauge::new(name, help).expect("names are constants");
        let cpu = Counter::new("process_cpu_seconds_total", "Time on processors, in seconds.");
        let figures = Self {
            reloads: reloads.clone(),
            last_reload: IntGaugeVec::new(last, &["team"]).expect("names are constants"),
            cpu_seconds: cpu.expect("names are constants"),
            resident_bytes: gauge("process_resident_memory_bytes", "Resident memory, in bytes."),
            open_files: gauge("process_open_fds", "Open file descriptors."),
            min_free,
            free_ratio: ratio(
                FREE,
                "Share of the file system of `data_dir` that is free, the lesser of bytes and inodes.",
            ),
            min_free_ratio: ratio(
                MIN_FREE,
                "Share of it that is others': with less free, disk buffers and dead letters are full.",
            ),
        };
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        figures.platform().set(1);
        for status in ["success", "failure"] {
            reloads.with_label_values(&[status]);
        }
        let gauges = [&figures.resident_bytes, &figures.open_files];
        let mut all: Vec<Box<dyn prometheus::core::Collector>> = vec![Box::new(build), Box::new(reloads)];
        all.push(Box::new(figures.last_reload.clone()));
        all.push(Box::new(figures.cpu_seconds.clone()));
        all.extend(gauges.map(|gauge| Box::new(gauge.clone()) as Box<dyn prometheus::core::Collector>));
        all.extend([&figures.free_ratio, &figures.min_free_ratio].map(boxed));
        for one in all {
            registry.register(one).expect("each name once");
        }
        figures
    }

    /// A reload took effect.
    pub fn reloaded(&self) {
        self.reloads.with_label_values(&["success"]).inc();
        self.platform().set(1);
    }

    /// The configuration that was read last does not run.
    pub fn stale(&self) {
        self.platform().set(0);
    }

    /// A reload changed nothing.
    pub fn reload_failed(&self) {
        self.reloads.with_label_values(&["failure"]).inc();
        self.platform().set(0);
    }

    /// Of each team, whether what its files say runs.
    pub fn teams<'t>(&self, teams: impl Iterator<Item = (&'t str, bool)>) {
        let whole = self.platform().get();
        self.last_reload.reset();
        self.platform().set(whole);
        teams.for_each(|(team, is_current)| self.last_reload.with_label_values(&[team]).set(i64::from(is_current)));
    }

    /// An empty label is none (Prometheus's data model): the configuration without its teams.
    fn platform(&self) -> IntGauge {
        self.last_reload.with_label_values(&[""])
    }

    /// Asks the kernel what the process takes. What it does not tell stays as it was.
    pub(super) fn refresh(&self) {
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().and_then(|text| cpu_seconds(&text)) {
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
        }
        if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().and_then(|text| resident_bytes(&text)) {
            self.resident_bytes.set(bytes);
        }
        if let Ok(space) = self.min_free.look() {
            self.free_ratio.set(space.free);
            self.min_free_ratio.set(space.wanted);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.open_files.set(open.count() as i64);
        }
    }
}

fn boxed(gauge: &Gauge) -> Box<dyn prometheus::core::Collector> {
    Box::new(gauge.clone())
}

/// Fields 14 and 15, user and system time; the second field is the program's name in parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / USER_HZ)
}

fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::{cpu_seconds, resident_bytes};

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 99 1000 200";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (a"), None);
        assert_eq!(resident_bytes("VmPeak:\t 9 kB\nVmRSS:\t   2048 kB\n"), Some(2 << 20));
        assert_eq!(resident_bytes(""), None);
    }
}
