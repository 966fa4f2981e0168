//! Private Postgres clusters, from the binaries that are installed.
//!
//! A cluster lives in a scratch directory and listens on a free port of the loopback and on a
//! socket in its directory. A supervisor, a shell that waits on a pipe from this process, stops it
//! and removes the directory when the process ends, however it ends.

#![expect(
    clippy::missing_panics_doc,
    reason = "all of it panics when it cannot be set up"
)]

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The user of the clusters, who needs no password.
const USER: &str = "vestibule";

/// How the server is set up: it loses everything in a crash of the machine, and starts fast.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
fsync = off
full_page_writes = off
max_connections = 200
shared_buffers = 32MB
";

/// How the small disk is mounted: for the server alone, in a user namespace, and gone with it.
const MOUNTED: [&str; 8] = [
    "--user",
    "--map-current-user",
    "--keep-caps",
    "--mount",
    "--",
    "/bin/sh",
    "-c",
    r#"mount -t tmpfs -o size=32m,mode=0700 none "$0" && exec "$@""#,
];

/// A running server with data of its own.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    binaries: PathBuf,
    port: u16,
    /// Settings besides [`SETTINGS`].
    settings: String,
    /// Whether the server sees a small disk, see [`Cluster::with_small_disk`].
    small_disk: bool,
    /// The pipe whose end the supervisor waits for, and the supervisor.
    supervisor: (Option<ChildStdin>, Child),
}

/// A database of one test.
#[derive(Debug)]
pub struct Database {
    url: String,
}

impl Database {
    /// The database at this address, which may name several servers.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// Its address, over TCP.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Cluster {
    /// The cluster that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A cluster of one's own, to be stopped and started.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// A cluster of one's own that writes as one in production does.
    pub fn durable() -> Self {
        Self::start_with("fsync = on\nfull_page_writes = on\n")
    }

    /// A cluster of one's own with these settings, one a line.
    pub fn start_with(settings: &str) -> Self {
        let mut cluster = Self::initialized(settings);
        cluster.launch_anywhere();
        cluster
    }

    /// A cluster of one's own with a database on a disk of 32 MiB, which is there for the server
    /// alone and as long as it runs.
    pub fn with_small_disk() -> (Self, Database) {
        let mut cluster = Self::initialized("");
        let disk = cluster.directory.join("disk");
        cluster
            .run_any("mkdir", [disk.as_os_str()])
            .expect("a directory is made");
        cluster.small_disk = true;
        cluster.launch_anywhere();
        let statement = format!("CREATE TABLESPACE small LOCATION '{}'", disk.display());
        let (host, port) = (cluster.directory.as_os_str(), cluster.port.to_string());
        let at = [
            "-h".as_ref(),
            host,
            "-p".as_ref(),
            port.as_ref(),
            "-U".as_ref(),
            USER.as_ref(),
        ];
        let made = at
            .into_iter()
            .chain(["-d", "postgres", "-qc", &statement].map(OsStr::new));
        cluster.run("psql", made).expect("a tablespace is made");
        let made = at
            .into_iter()
            .chain(["-D", "small", "small"].map(OsStr::new));
        cluster.run("createdb", made).expect("a database is made");
        let database = Database::at(cluster.url("small"));
        (cluster, database)
    }

    /// Fills the small disk.
    pub fn fill_disk(&self) {
        let file = format!("of={}", self.filler());
        let args = ["if=/dev/zero", &*file, "bs=4k", "status=none"].map(OsStr::new);
        let filled = self.run_any("dd", args);
        assert!(filled.is_err(), "until there is no room left");
    }

    /// Takes what filled the small disk away.
    pub fn make_room(&self) {
        let removed = self.run_any("rm", [OsStr::new(&self.filler())]);
        removed.expect("the disk was filled");
    }

    /// Where the server's user sees the disk.
    fn filler(&self) -> String {
        let disk = self.directory.join("disk/filler");
        format!("/proc/{}/root{}", self.first_process(), disk.display())
    }

    fn initialized(settings: &str) -> Self {
        let cluster = Self::prepare(settings);
        let data = cluster.data();
        let args = [
            OsStr::new("--no-sync"),
            OsStr::new("--auth=trust"),
            OsStr::new("--encoding=UTF8"),
            OsStr::new("--no-locale"),
            OsStr::new("--username"),
            OsStr::new(USER),
            data.as_os_str(),
        ];
        cluster.run("initdb", args).expect("initdb works");
        cluster
    }

    /// A server that follows this one, and can be promoted.
    pub fn standby(&self) -> Self {
        let mut standby = Self::prepare(&self.settings);
        let (data, port) = (standby.data(), self.port.to_string());
        let args = [
            OsStr::new("--write-recovery-conf"),
            OsStr::new("--checkpoint=fast"),
            OsStr::new("--no-sync"),
            OsStr::new("--host"),
            self.directory.as_os_str(),
            OsStr::new("--port"),
            port.as_ref(),
            OsStr::new("--username"),
            OsStr::new(USER),
            OsStr::new("--pgdata"),
            data.as_os_str(),
        ];
        standby.run("pg_basebackup", args).expect("a copy is made");
        standby.launch_anywhere();
        standby
    }

    /// Makes a standby the one that takes writes, and waits until it does.
    pub fn promote(&self) {
        self.control(&["promote", "-w"])
            .expect("a standby can be promoted");
    }

    fn prepare(settings: &str) -> Self {
        let binaries =
            binaries().expect("Postgres is installed, on the PATH or in /usr/lib/postgresql");
        let (directory, mut supervisor) = supervise(&binaries);
        let pipe = supervisor.stdin.take();
        Self {
            directory,
            binaries,
            port: 0,
            settings: settings.to_owned(),
            small_disk: false,
            supervisor: (pipe, supervisor),
        }
    }

    /// Starts the server on a free port: another process may take the one that was free a moment
    /// ago.
    fn launch_anywhere(&mut self) {
        let started = (0..8).find(|_| {
            self.port = free_port();
            self.configure();
            self.launch().is_ok()
        });
        started.expect("the server starts");
    }

    /// A new, empty database.
    pub fn fresh_database(&self) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        let host = self.directory.as_os_str();
        let args = [
            "-h".as_ref(),
            host,
            "-p".as_ref(),
            port.as_ref(),
            "-U".as_ref(),
            USER.as_ref(),
            name.as_ref(),
        ];
        self.run("createdb", args).expect("a database can be made");
        Database {
            url: self.url(&name),
        }
    }

    /// The address of a database, over TCP.
    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Stops or continues all processes of the server, which then neither answer nor hang up.
    ///
    /// # Panics
    /// When there are none.
    pub fn freeze(&self, frozen: bool) {
        let first = self.first_process();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, &first]).status();
        assert!(sent.expect("kill runs").success(), "the signal is sent");
        let sent = Command::new("pkill").args([signal, "-P", &first]).status();
        assert!(sent.expect("pkill runs").success(), "it has children");
    }

    /// The directory of the socket, for those who connect without TCP.
    pub fn socket_directory(&self) -> &Path {
        &self.directory
    }

    /// The port, also in the name of the socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the installed binaries are: `psql`, `pgbench` and so on.
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// Stops the server at once, as a crash would, and waits until it has stopped.
    pub fn stop(&self) {
        self.control(&["stop", "-w", "-m", "immediate"])
            .expect("a server that runs can be stopped");
    }

    /// `kill -9` of the first process of the server, which says nothing to the others.
    pub fn crash(&self) {
        let sent = Command::new("kill")
            .args(["-9", &self.first_process()])
            .status();
        assert!(sent.expect("kill runs").success(), "it is sent");
    }

    fn first_process(&self) -> String {
        let file = fs::read_to_string(self.data().join("postmaster.pid"));
        let file = file.expect("a server that runs has a file that says so");
        file.lines().next().expect("the process id").to_owned()
    }

    /// Starts the server again, on its port and data, and waits until it answers. After a crash
    /// that takes until the last process of the old one has noticed.
    pub fn start_again(&self) {
        let started = (0..100).any(|_| self.launch().is_ok());
        assert!(started, "a server that was stopped can be started");
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn configure(&self) {
        let socket = self.directory.display();
        let settings = format!(
            "{SETTINGS}{}port = {}\nunix_socket_directories = '{socket}'\n",
            self.settings, self.port
        );
        let file = self.data().join("postgresql.conf");
        fs::write(&file, settings).expect("the settings can be written");
    }

    fn launch(&self) -> io::Result<()> {
        let log = self.directory.join("log");
        let log = log.to_str().expect("the directory is ours");
        self.control(&["start", "-w", "-l", log])
    }

    /// Runs `pg_ctl`.
    fn control(&self, arguments: &[&str]) -> io::Result<()> {
        let data = self.data();
        let arguments = arguments.iter().map(OsStr::new);
        let arguments = arguments.chain([OsStr::new("-D"), data.as_os_str()]);
        if !self.small_disk {
            return self.run("pg_ctl", arguments);
        }
        let (disk, pg_ctl) = (self.directory.join("disk"), self.binaries.join("pg_ctl"));
        let mounted = MOUNTED.map(OsStr::new).into_iter();
        let mounted = mounted.chain([disk.as_os_str(), pg_ctl.as_os_str()]);
        self.run_any("unshare", mounted.chain(arguments))
    }

    /// Runs a program of Postgres.
    fn run<'a>(&self, binary: &str, args: impl IntoIterator<Item = &'a OsStr>) -> io::Result<()> {
        self.run_any(self.binaries.join(binary), args)
    }

    fn run_any<'a>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = &'a OsStr>,
    ) -> io::Result<()> {
        let program = program.as_ref();
        let output = as_postgres(program)
            .args(args)
            .stdin(Stdio::null())
            // Not a pipe: the server that pg_ctl leaves running would hold it open.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(&self.directory)
            .status()?;
        if output.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("{}: {output}", program.display())))
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of the pipe is what the supervisor waits for.
        let (pipe, supervisor) = &mut self.supervisor;
        drop(pipe.take());
        let _ = supervisor.wait();
    }
}

/// Starts the shell that makes the directory and cleans up.
fn supervise(binaries: &Path) -> (PathBuf, Child) {
    // The removal is tried until it works: killed early, this process leaves an initdb behind that
    // still fills the directory for a moment.
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP
        directory=$(mktemp -d "${TMPDIR:-/tmp}/vestibule-postgres-XXXXXX") || exit
        echo "$directory"
        cat > /dev/null
        "$1/pg_ctl" stop -w -m immediate -D "$directory/data" > /dev/null 2>&1
        until rm -rf "$directory" 2> /dev/null; do :; done"#;
    let mut child = as_postgres(OsStr::new("/bin/sh"))
        .args(["-c", SCRIPT, "supervisor"])
        .arg(binaries)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .current_dir("/")
        // Away from the terminal's group: an interrupt is for the tests.
        .process_group(0)
        .spawn()
        .expect("there is a shell");
    let mut directory = String::new();
    let stdout = child.stdout.take().expect("it is a pipe");
    BufReader::new(stdout)
        .read_line(&mut directory)
        .expect("the supervisor tells where it is");
    let directory = PathBuf::from(directory.trim_end());
    assert!(directory.is_dir(), "there is room for a scratch directory");
    (directory, child)
}

/// A command, run by the user `postgres` if this process is root's: initdb refuses root.
fn as_postgres(program: &OsStr) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

/// Whose process this is, without a system call of ours: who owns `/proc/self`.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Where all that is needed is: a directory of the PATH, or else that of the newest version.
fn binaries() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| {
        ["createdb", "initdb", "pg_basebackup", "pg_ctl", "postgres"]
            .iter()
            .all(|binary| directory.join(binary).is_file())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let newest_first = versions.into_iter().rev().map(|(_, directory)| directory);
    std::env::split_paths(&path)
        .chain(newest_first)
        .find(complete)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback is there");
    listener.local_addr().expect("it is bound").port()
}
