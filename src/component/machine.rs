//! What the machine, or the cgroup we are in, has.

use std::fs;

/// The most memory that is taken by default, in bytes.
const MOST: u64 = 512 << 20;

/// The default of `memory_limit`: a quarter of what the cgroup or the machine has, at most 512 MiB.
pub fn default_memory_limit() -> u64 {
    (available() / 4).min(MOST)
}

/// The host's name, as the kernel tells it.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Bytes of memory this process may use: the cgroup's limit (version 2, else 1), else the machine's memory.
fn available() -> u64 {
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let cgroup = limits.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    cgroup.unwrap_or(u64::MAX).min(machine.unwrap_or(MOST * 4))
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_meminfo() {
        assert_eq!(total("MemTotal:       24595528 kB\nMemFree: 1 kB\n"), Some(24_595_528 << 10));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn the_default_is_bounded() {
        assert!((1..=MOST).contains(&default_memory_limit()));
    }
}
