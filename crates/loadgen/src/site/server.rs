//! The program `vestibule serve`, as an operator would run it.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use tempfile::TempDir;

use crate::fault::{Fault, OrFault as _, Result};

/// The password of the first administrator.
pub(super) const ADMIN_PASSWORD: &str = "first administrator of the load";

/// A running server. It is killed when it is dropped, and when this program ends, however it does.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    /// Its data and its log.
    _directory: TempDir,
}

/// Memory of a process, in octets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is resident.
    pub(crate) resident: u64,
    /// The same, with what is shared in equal parts.
    pub(crate) proportional: u64,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub(crate) fn start(binary: &Path, database: &str, settings: &str) -> Result<Self> {
        let directory = TempDir::new().or_fault("no scratch directory")?;
        let file = directory.path().join("vestibule.toml");
        fs::write(&file, settings).or_fault("the settings cannot be written")?;
        let log = File::create(directory.path().join("log")).or_fault("no log file")?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binary);
        command.args(["serve", "--http", "--listen", "127.0.0.1:0"]);
        for (variable, _) in env::vars_os() {
            if variable.to_string_lossy().starts_with("VESTIBULE_") {
                command.env_remove(variable);
            }
        }
        let mut process = command
            .current_dir(directory.path())
            .env("VESTIBULE_CONFIG", &file)
            .env("VESTIBULE_DATA_DIR", directory.path().join("data"))
            .env("VESTIBULE_DATABASE_URL", database)
            .env("VESTIBULE_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .or_fault("the server cannot be run")?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.or_fault("the server says nothing")?;
        }
        let ready = line.trim().strip_prefix("listening on http://");
        let address = ready.and_then(|rest| rest.strip_suffix("/admin")?.parse().ok());
        let Some(address) = address else {
            // Before anything else is: it may still run.
            let _ = process.kill();
            let _ = process.wait();
            let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
            return Err(Fault::new(format!("the server does not start:\n{log}")));
        };
        Ok(Self {
            process,
            address,
            _directory: directory,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its memory is now. This takes the server a moment: what is shared has to be counted.
    pub(crate) fn memory(&self) -> Result<Memory> {
        Ok(Memory {
            resident: self.resident()?,
            proportional: self.octets("smaps_rollup", "Pss:")?,
        })
    }

    /// The part of its memory that can be read at no cost.
    pub(crate) fn resident(&self) -> Result<u64> {
        self.octets("status", "VmRSS:")
    }

    /// What it has computed so far, on all cores and with what the system did for it.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.process.id());
        let text = fs::read_to_string(path).or_fault("the server has ended")?;
        let ticks = ticks(&text).or_fault("the server's time is not told")?;
        let nanoseconds = 1_000_000_000 / clock_ticks_per_second().max(1);
        Ok(Duration::from_nanos(ticks.saturating_mul(nanoseconds)))
    }

    fn octets(&self, file: &str, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/{file}", self.process.id());
        let text = fs::read_to_string(path).or_fault("the server has ended")?;
        octets(&text, name).or_fault("the server's memory is not told")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The value of a line such as `VmRSS:     1234 kB`.
fn octets(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The time of a process and of the system for it, the fields 14 and 15 of proc(5)'s `stat`. The
/// second one is a name in parentheses, which may hold anything.
fn ticks(text: &str) -> Option<u64> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_read() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 123 45 6 7 20 0 4 0 99 1 2";
        assert_eq!(ticks(text), Some(168));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_read() {
        let text = "Name:\tx\nVmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(octets(text, "VmRSS:"), Some(2 << 20));
        assert_eq!(octets(text, "Pss:"), None);
    }
}
