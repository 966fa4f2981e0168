//! The program `vestibule serve`, as an operator would run it.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{Instant, interval};

use crate::disk;
use crate::fault::{Fault, OrFault as _, Result};

/// The password of the first administrator.
pub(super) const ADMIN_PASSWORD: &str = "first administrator of the load";

/// How long a server may take to stop.
const LONGEST_STOP: Duration = Duration::from_secs(30);

/// What a server is started with, and started with again: its program, its settings and the
/// directory of its data and its log.
pub(crate) struct Home {
    binary: PathBuf,
    database: String,
    directory: TempDir,
    /// The key of another server over the same database; its own if there is none.
    master_key: Option<PathBuf>,
}

/// A running server. It is killed when it is dropped, and when this program ends, however it does.
pub(crate) struct Server {
    process: Running,
    address: SocketAddr,
    started_in: Duration,
    home: Home,
}

/// A process that does not outlive this value.
struct Running(Child);

/// Memory of a process, in octets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is resident.
    pub(crate) resident: u64,
    /// The same, with what is shared in equal parts.
    pub(crate) proportional: u64,
}

impl Home {
    /// A new one.
    fn new(binary: &Path, database: &str, settings: &str) -> Result<Self> {
        let directory = disk::scratch_directory()?;
        let file = directory.path().join("vestibule.toml");
        fs::write(&file, settings).or_fault("the settings cannot be written")?;
        Ok(Self {
            binary: binary.canonicalize().or_fault("there is no server")?,
            database: database.to_owned(),
            directory,
            master_key: None,
        })
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn start(self) -> Result<Server> {
        let directory = self.directory.path();
        let log = File::create(directory.join("log")).or_fault("no log file")?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&self.binary);
        command.args(["serve", "--http", "--listen", "127.0.0.1:0"]);
        for (variable, _) in env::vars_os() {
            if variable.to_string_lossy().starts_with("VESTIBULE_") {
                command.env_remove(variable);
            }
        }
        command
            .current_dir(directory)
            .env("VESTIBULE_CONFIG", directory.join("vestibule.toml"))
            .env("VESTIBULE_DATA_DIR", directory.join("data"))
            .env("VESTIBULE_DATABASE_URL", &self.database)
            .env("VESTIBULE_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        if let Some(key) = &self.master_key {
            command.env("VESTIBULE_MASTER_KEY_FILE", key);
        }
        let begun = Instant::now();
        let mut process = Running(command.spawn().or_fault("the server cannot be run")?);
        let mut line = String::new();
        if let Some(stdout) = process.0.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.or_fault("the server says nothing")?;
        }
        let started_in = begun.elapsed();
        let ready = line.trim().strip_prefix("listening on http://");
        let address = ready.and_then(|rest| rest.strip_suffix("/admin")?.parse().ok());
        let Some(address) = address else {
            drop(process);
            let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
            return Err(Fault::new(format!("the server does not start:\n{log}")));
        };
        Ok(Server {
            process,
            address,
            started_in,
            home: self,
        })
    }
}

impl Server {
    /// Starts a server for the first time and waits until it is ready.
    pub(crate) fn start(binary: &Path, database: &str, settings: &str) -> Result<Self> {
        Home::new(binary, database, settings)?.start()
    }

    /// Starts one more over the same database, with the same key and the settings that it comes with.
    pub(crate) fn another(&self) -> Result<Self> {
        let Home {
            binary, database, ..
        } = &self.home;
        let mut home = Home::new(binary, database, "")?;
        home.master_key = Some(self.home.directory.path().join("data/master.key"));
        home.start()
    }

    /// Stops it as an operator does, so that it can be started again.
    pub(crate) async fn stop(mut self) -> Result<Home> {
        let process = &mut self.process.0;
        let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let told = kill_process(id.or_fault("the server has no id")?, Signal::TERM);
        told.or_fault("the server cannot be stopped")?;
        let mut looks = interval(Duration::from_millis(10));
        let end = Instant::now() + LONGEST_STOP;
        while process.try_wait().or_fault("the server")?.is_none() {
            if looks.tick().await > end {
                return Err(Fault::new("the server does not stop"));
            }
        }
        Ok(self.home)
    }

    /// How long it took until it was ready.
    pub(crate) fn started_in(&self) -> Duration {
        self.started_in
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
        cpu_of(self.process.0.id()).or_fault("the server has ended")
    }

    /// How many files and sockets it has open.
    pub(crate) fn open_files(&self) -> Result<usize> {
        let path = format!("/proc/{}/fd", self.process.0.id());
        let files = fs::read_dir(path).or_fault("the server's files are not told")?;
        Ok(files.count())
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> Result<usize> {
        let path = format!("/proc/{}/task", self.process.0.id());
        let threads = fs::read_dir(path).or_fault("the server's threads are not told")?;
        Ok(threads.count())
    }

    fn octets(&self, file: &str, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/{file}", self.process.0.id());
        let text = fs::read_to_string(path).or_fault("the server has ended")?;
        octets(&text, name).or_fault("the server's memory is not told")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process has computed so far, on all cores and with what the system did for it; nothing if
/// it has ended.
pub(crate) fn cpu_of(process: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let nanoseconds = 1_000_000_000 / clock_ticks_per_second().max(1);
    Some(Duration::from_nanos(
        ticks(&text)?.saturating_mul(nanoseconds),
    ))
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
