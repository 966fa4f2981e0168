//! A site: one database, one master key, one clock, and real server processes over them.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test that cannot go on has failed"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use vestibule_engine::Timestamp;
use vestibule_service::Clock as _;

use crate::client::Client;
use crate::clock::{FakeClock, Hands};
use crate::figures;
use crate::planted::Planted;
use crate::postgres::{Cluster, Database};
use crate::remote_clock::{RemoteClock, VARIABLE, Waiting};

/// The password of `admin` at every site.
pub const ADMIN_PASSWORD: &str = "first administrator of the tests";

/// The variable that says what the servers of all sites log; else it is `debug`.
const LOG: &str = "TESTKIT_LOG";

/// What the servers of a site keep their data in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// A file, which all servers of the site share.
    Sqlite,
    /// A database of a private cluster.
    Postgres,
}

/// A database, a key and a clock.
pub struct Site {
    binary: PathBuf,
    directory: TempDir,
    database: Option<Database>,
    clock: FakeClock,
    remotes: Arc<Mutex<Vec<RemoteClock>>>,
    settings: String,
    log: String,
    planted: Planted,
    started: Mutex<u32>,
    /// One for each server that runs, and this one.
    running: Arc<()>,
}

impl Site {
    /// A site without any server yet. `binary` is the program with the movable clock.
    pub fn new(binary: &str, backend: Backend) -> Self {
        let database = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(Cluster::shared().fresh_database()),
        };
        Self::over(binary, database)
    }

    /// A site over a database of the caller's, or SQLite.
    pub fn over(binary: &str, database: Option<Database>) -> Self {
        Self {
            binary: binary.into(),
            directory: TempDir::new().expect("a scratch directory"),
            database,
            clock: FakeClock::default(),
            remotes: Arc::default(),
            settings: String::new(),
            log: std::env::var(LOG).unwrap_or_else(|_| "debug".to_owned()),
            planted: Planted::default(),
            started: Mutex::new(0),
            running: Arc::default(),
        }
    }

    /// The same site with settings from a file.
    pub fn with_settings(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.settings);
        self
    }

    /// The same site with logs of this level.
    pub fn with_log(mut self, log: &str) -> Self {
        log.clone_into(&mut self.log);
        self
    }

    /// The same site at another time.
    pub fn starting_at(self, wall: Timestamp) -> Self {
        self.clock.set(Hands {
            wall,
            ..self.clock.hands()
        });
        self
    }

    /// Where everything lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file of an SQLite site.
    pub fn sqlite_file(&self) -> PathBuf {
        self.directory().join("vestibule.sqlite3")
    }

    /// The URL of the database.
    pub fn database_url(&self) -> String {
        match &self.database {
            None => format!("sqlite:{}", self.sqlite_file().display()),
            Some(database) => database.url().to_owned(),
        }
    }

    /// What time it is at the site.
    pub fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Lets time pass, on every server.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.set_remotes();
    }

    /// Sets the clocks on the wall of every server back.
    pub fn set_back(&self, by: Duration) {
        self.clock.set_back(by);
        self.set_remotes();
    }

    /// Sets the clocks on the wall of every server forward.
    pub fn set_forward(&self, by: Duration) {
        self.clock.set_forward(by);
        self.set_remotes();
    }

    fn set_remotes(&self) {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock of a process that has ended is nobody's any more.
        remotes.retain_mut(|remote| remote.set(self.clock.hands()).is_ok());
    }

    /// Starts one more server, and waits until it is ready.
    pub fn start(&self) -> Server {
        self.try_start().expect("the server starts")
    }

    /// Starts one more server with these variables besides the usual ones.
    pub fn start_with(&self, variables: &[(&str, &str)]) -> Server {
        self.try_start_in(&[], variables)
            .expect("the server starts")
    }

    /// Starts one more server; how it ended if it did not get ready.
    ///
    /// # Errors
    /// Its exit status and its log.
    pub fn try_start(&self) -> Result<Server, (ExitStatus, String)> {
        self.try_start_in(&[], &[])
    }

    /// Starts one more server by another program that becomes it, with these variables besides the
    /// usual ones; how it ended if it did not get ready.
    ///
    /// # Errors
    /// Its exit status and its log.
    pub fn try_start_in(
        &self,
        wrapper: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Server, (ExitStatus, String)> {
        let log = self.next_log();
        let serve = ["serve", "--http", "--listen", "127.0.0.1:0"];
        let mut command = match wrapper.split_first() {
            None => self.command(&self.binary, &serve),
            Some((program, arguments)) => {
                let binary = self.binary.to_str().expect("a path of ours");
                let arguments = [arguments, &[binary], &serve].concat();
                self.command(Path::new(program), &arguments)
            }
        };
        command.envs(variables.iter().copied());
        command
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log file"));
        let mut child = self.spawn(command);
        let stdout = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let Some(base) = line.trim().strip_prefix("listening on ") else {
            let status = child.wait().expect("an exit status");
            return Err((status, std::fs::read_to_string(log).unwrap_or_default()));
        };
        let origin = base.trim_end_matches("/admin");
        let server = Server {
            client: Client::new(origin, &self.planted),
            process: Some(child),
            log,
            _running: Arc::clone(&self.running),
        };
        figures::note_servers(Arc::strong_count(&self.running) - 1);
        Ok(server)
    }

    /// Runs an operator's command at the site, with this input; its exit status and output.
    pub fn operate(&self, arguments: &[&str], input: &str) -> (ExitStatus, String) {
        let mut command = self.command(&self.binary, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(self.next_log()).expect("a log file"));
        let mut child = self.spawn(command);
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("input is taken");
        drop(stdin);
        let output = child.wait_with_output().expect("an exit status");
        (
            output.status,
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// Begins an operator's command.
    pub fn begin(&self, arguments: &[&str]) -> Operation {
        let mut command = self.command(&self.binary, arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = self.spawn(command);
        let stderr = process.stderr.take().expect("a pipe");
        Operation {
            stderr: BufReader::new(stderr),
            process,
        }
    }

    /// Everything that any process of the site has logged.
    pub fn logs(&self) -> String {
        let count = *self.started.lock().unwrap_or_else(PoisonError::into_inner);
        (1..=count)
            .filter_map(|n| std::fs::read_to_string(self.log_file(n)).ok())
            .collect()
    }

    fn next_log(&self) -> PathBuf {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        *started += 1;
        self.log_file(*started)
    }

    fn log_file(&self, n: u32) -> PathBuf {
        self.directory().join(format!("log-{n}"))
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let settings = self.directory().join("vestibule.toml");
        std::fs::write(&settings, &self.settings).expect("settings are written");
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("VESTIBULE_")) {
            command.env_remove(variable);
        }
        command
            .args(arguments)
            .current_dir(self.directory())
            .env("VESTIBULE_CONFIG", settings)
            .env("VESTIBULE_DATA_DIR", self.directory())
            .env("VESTIBULE_DATABASE_URL", self.database_url())
            .env("VESTIBULE_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("VESTIBULE_LOG", &self.log);
        command
    }

    /// Starts a process and gives it the time.
    fn spawn(&self, mut command: Command) -> Child {
        let waiting = Waiting::new().expect("a free port");
        let address = waiting.address().expect("an address");
        command.env(VARIABLE, address.to_string());
        let mut child = command.spawn().expect("the program runs");
        let remote = waiting
            .accept(self.clock.hands(), &mut child)
            .expect("the program asks for the time");
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        remotes.push(remote);
        child
    }
}

/// Whatever a test was about: nothing that is secret may be in what its servers wrote.
impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let count = *self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let logs = (1..=count).map(|n| self.log_file(n));
        let sqlite = self.sqlite_file();
        let journal = sqlite.with_extension("sqlite3-wal");
        for file in logs.chain([sqlite, journal]) {
            let found = self.planted.found_in(&file);
            assert!(found.is_empty(), "{}: {found:?}", file.display());
        }
        figures::note("S47", "secrets looked for", self.planted.count());
    }
}

/// An operator's command under way.
pub struct Operation {
    process: Child,
    stderr: BufReader<ChildStderr>,
}

impl Operation {
    /// Waits until it has said a line that holds this.
    pub fn wait_until_said(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.stderr.read_line(&mut line).expect("a line");
            assert!(read > 0, "it ended without having said {words:?}");
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Waits for the end; how it ended.
    pub fn wait(self) -> ExitStatus {
        let Self { process, stderr } = self;
        // What it still says must have somewhere to go.
        let reading = std::thread::spawn(move || stderr.lines().count());
        let output = process.wait_with_output().expect("an exit status");
        let _ = reading.join();
        output.status
    }
}

/// A running server. It is killed when it is dropped.
pub struct Server {
    client: Client,
    process: Option<Child>,
    log: PathBuf,
    _running: Arc<()>,
}

impl Server {
    /// A client of this server.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Child::id)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// SIGSTOP: it does nothing until it is told to go on.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill runs").success(), "the signal is sent");
    }

    /// Waits for the end.
    pub fn wait(mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running process");
        process.wait().expect("an exit status")
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lets this process, and the servers that it starts, have so many files open.
pub fn allow_open_files(files: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        let current = Some(limit.maximum.map_or(files, |maximum| files.min(maximum)));
        let raised = Rlimit { current, ..limit };
        setrlimit(Resource::Nofile, raised).expect("files may be opened");
    }
}
