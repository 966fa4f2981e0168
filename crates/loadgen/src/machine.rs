//! The machine that everything runs on, all of it at once.

use std::fs;
use std::thread::available_parallelism;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::fault::{Fault, OrFault as _, Result};

/// Processor, cores and memory, and how busy others keep them, for the head of the table.
pub(crate) fn description() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processor = value(&read("/proc/cpuinfo"), "model name");
    let processor = processor.unwrap_or_else(|| "unknown processor".to_owned());
    let cores = available_parallelism().map_or(1, usize::from);
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let memory = memory.and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
    let gibibytes = memory.unwrap_or_default().div_ceil(1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim();
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{processor}, {cores} cores, {gibibytes} GiB, Linux {kernel}, load of others at the start \
         {load}"
    )
}

/// The value of a line such as `name : value`.
fn value(text: &str, name: &str) -> Option<String> {
    let lines = text.lines();
    let mut values = lines.filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    values.next()
}

/// Lets this process, and those that it starts, open so many files.
pub(crate) fn allow_open_files(wanted: usize) -> Result<()> {
    let wanted = u64::try_from(wanted).or_fault("too many files")?;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    // Only a privileged process may raise the maximum as well.
    let maximum = limit.maximum.map(|maximum| maximum.max(wanted));
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|error| {
        Fault::new(format!(
            "{wanted} files must be open at once (`ulimit -Hn`): {error}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found() {
        let text = "model\t: 7\nmodel name\t: X: y\nmodel name\t: z\n";
        assert_eq!(value(text, "model name").as_deref(), Some("X: y"));
        assert_eq!(value(text, "MemTotal"), None);
    }
}
