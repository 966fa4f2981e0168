//! What the system says of this process, where it says so: under /proc.

use std::fs;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};
use vestibule_engine::Timestamp;

/// Notes what is known.
pub(super) fn register(all: &mut Registry, started: Timestamp) {
    let mut note = |name, help, value: Option<u64>| {
        if let Some(value) = value {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            all.register(name, help, gauge);
        }
    };
    note(
        "process_start_time_seconds",
        "When this process started",
        Some(started.unix_seconds()),
    );
    note(
        "process_resident_memory_bytes",
        "Memory that is in use",
        resident_memory(),
    );
    note("process_open_fds", "Files that are open", open_files());
    note(
        "process_max_fds",
        "Files that may be open",
        getrlimit(Resource::Nofile).current,
    );
}

fn resident_memory() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?).map(|kibibytes| kibibytes * 1024)
}

/// The resident set in `/proc/self/status` (proc(5)).
fn kibibytes(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let size = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    size.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn open_files() -> Option<u64> {
    // The one that reads the directory is open as well.
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(open).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_found() {
        let status = "Name:\tvestibule\nVmHWM:\t   99 kB\nVmRSS:\t  1234 kB\nThreads:\t3\n";
        assert_eq!(kibibytes(status), Some(1234));
        assert_eq!(kibibytes("Name:\tvestibule\n"), None);
        assert_eq!(kibibytes("VmRSS:\t many kB\n"), None);
    }
}
